/* The real file system, as an implementation of journal/fs/fs.h. */
#ifndef KEYSTORE_JOURNAL_FS_POSIX_H
#define KEYSTORE_JOURNAL_FS_POSIX_H

#include "journal/fs/fs.h"

/*
 * Opens the data directory. If it is missing it is created, readable by its owner and group; its
 * parent must exist. Returns 0 or a negative errno value; the caller closes it with
 * fs_close_directory().
 */
int fs_posix_open(const char *directory, struct fs **fs) __attribute__((warn_unused_result));

/*
 * Makes the directory's own name durable: if a crash lost it, it would take every acknowledged
 * write with it. One that already existed may have been created by a process that died before it
 * could sync the name. 0 or a negative errno value, -EINVAL from a file system that cannot.
 */
int fs_posix_sync_name(struct fs *fs) __attribute__((warn_unused_result));

#endif
