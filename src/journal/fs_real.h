/* The machine's file system behind journal/fs.h. */
#ifndef KEYSTORE_JOURNAL_FS_REAL_H
#define KEYSTORE_JOURNAL_FS_REAL_H

#include "journal/fs.h"

/*
 * Opens the data directory. If it is missing it is made, readable by its owner and group, and its
 * name is made durable; its parent must exist. Returns 0 or a negative errno value; the caller ends
 * with fs_close_directory().
 */
int fs_real_open(const char *directory, struct fs **fs) __attribute__((warn_unused_result));

#endif
