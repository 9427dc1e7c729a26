/*
 * What a start changes in a data directory once everything is loaded (journal/recovery.h): it
 * truncates the torn tail of the last log, removes history and files that no manifest names, and
 * releases the disk space that logs had preallocated.
 */
#ifndef KEYSTORE_JOURNAL_TIDY_H
#define KEYSTORE_JOURNAL_TIDY_H

#include "journal/recovery.h"

/*
 * Tidies up a directory that was judged LOADING_DONE, and takes history out of
 * `recovery->manifest`. LOADING_FAILED if the torn tail cannot be truncated or the manifest not be
 * replaced: then `recovery->why` holds an error message. A file that only takes up space may stay,
 * which is logged.
 */
enum loading_verdict tidy(struct fs *fs, struct recovery *recovery)
    __attribute__((warn_unused_result));

/*
 * What a start does: judges the directory, which the caller has locked, and tidies it up if it can
 * be loaded. Then everything that the store shows is durable. The files of a Redis directory stay
 * as they are, except those that its manifest calls history.
 */
enum loading_verdict tidy_load(struct fs *fs, struct store *store,
                               const struct recovery_options *options, struct recovery *recovery);

#endif
