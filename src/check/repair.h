/*
 * Cuts what is torn or damaged. Whatever is changed is copied first, durably, to
 * NAME.before-repair-<n>; then logs that are dropped are emptied and the manifest is replaced, then
 * the file is truncated, and then those logs are removed. A crash in between leaves a directory
 * that is torn, damaged or good as before, and can be repaired again.
 */
#ifndef KEYSTORE_CHECK_REPAIR_H
#define KEYSTORE_CHECK_REPAIR_H

#include "check/directory.h"

#define REPAIR_PROBLEM_SIZE ((size_t)400)

/* Bytes of the longest path in a data directory, with its zero. */
#define REPAIR_PATH_SIZE ((size_t)PATH_MAX)

/*
 * Repairs a directory that was checked and is not good; `damage`: also where that loses
 * acknowledged writes. Reports on `out` what it does. False with an error message, without full
 * stop, if it may not or cannot.
 */
bool repair_directory(struct fs *fs, const struct directory *directory, bool damage, FILE *out,
                      char problem[static REPAIR_PROBLEM_SIZE]) __attribute__((warn_unused_result));

/* The same for a file that is not part of a data directory. */
bool repair_file(struct fs *fs, const struct item *item, bool damage, FILE *out,
                 char problem[static REPAIR_PROBLEM_SIZE]) __attribute__((warn_unused_result));

#endif
