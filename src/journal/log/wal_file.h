/*
 * The file that the log appends to: whole batches, of which a failed write leaves nothing. One
 * thread's; all functions return 0 or a negative errno value.
 */
#ifndef KEYSTORE_JOURNAL_LOG_WAL_FILE_H
#define KEYSTORE_JOURNAL_LOG_WAL_FILE_H

#include "journal/fs/fs.h"
#include "journal/log/batch.h"

/* Bytes for which room is asked ahead of the file's end, so that a sync seldom has to wait for the
 * file system to find some. */
#define WAL_FILE_STEP ((uint64_t)16 * 1024 * 1024)

struct wal_file {
    struct fs_file *handle; /* owned */
    uint64_t size;          /* bytes of whole batches: what is to be kept */
    uint64_t allocated;     /* bytes, from the beginning, for which room was asked */
    bool unsynced;          /* something was appended since the last sync */
};

/* Makes a new and empty file, durably, and opens it to append; the caller closes it. On an error
 * there is none. */
int wal_file_create(struct fs *fs, const char *folder, const char *name, struct fs_file **handle)
    __attribute__((warn_unused_result));

/* Takes over a file that is opened to append, and durable as it is; on an error it does not. */
int wal_file_init(struct wal_file *file, struct fs_file *handle)
    __attribute__((warn_unused_result));

/* Closes the file and gives back the room behind its end; nothing is done to one that is all zero.
 */
void wal_file_deinit(struct wal_file *file);

/* Appends a batch, whose seq, ops and synced are filled in. After an error the file may hold a part
 * of it: then it must be cut before anything else is appended. */
int wal_file_append(struct wal_file *file, struct batch *batch, struct slice payload)
    __attribute__((warn_unused_result));

/* Makes all batches durable. After an error it is unknown what the file holds. */
int wal_file_sync(struct wal_file *file) __attribute__((warn_unused_result));

/* Removes, durably, what an append left that failed. */
int wal_file_cut(struct wal_file *file) __attribute__((warn_unused_result));

#endif
