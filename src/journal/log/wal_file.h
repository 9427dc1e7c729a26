/*
 * The file that the log appends to: whole batches; a failed write leaves nothing behind. Used by
 * one thread; all functions return 0 or a negative errno value.
 */
#ifndef KEYSTORE_JOURNAL_LOG_WAL_FILE_H
#define KEYSTORE_JOURNAL_LOG_WAL_FILE_H

#include "journal/fs/fs.h"
#include "journal/log/batch.h"

/* Bytes preallocated past the file's end, so that a sync seldom has to wait for the file system to
 * allocate some. */
#define WAL_FILE_STEP ((uint64_t)16 * 1024 * 1024)

struct wal_file {
    struct fs_file *handle; /* owned */
    uint64_t size;          /* bytes of whole batches */
    uint64_t allocated;     /* bytes, from the start of the file, that are allocated */
    bool unsynced;          /* bytes were appended since the last sync */
};

/* Creates an empty file, durably, and opens it for appending; the caller closes it. After an error
 * there is no file. */
int wal_file_create(struct fs *fs, const char *folder, const char *name, struct fs_file **handle)
    __attribute__((warn_unused_result));

/* Takes ownership of a file that is opened for appending and durable; not after an error. */
int wal_file_init(struct wal_file *file, struct fs_file *handle)
    __attribute__((warn_unused_result));

/* Closes the file and releases the preallocated space; a no-op for one that is all zero. */
void wal_file_deinit(struct wal_file *file);

/* Appends a batch, whose seq, ops and synced are filled in. After an error the file may hold a part
 * of it: then wal_file_cut() must be called before anything else is appended. */
int wal_file_append(struct wal_file *file, struct batch *batch, struct slice payload)
    __attribute__((warn_unused_result));

/* Makes all batches durable. After an error it is unknown what the file holds. */
int wal_file_sync(struct wal_file *file) __attribute__((warn_unused_result));

/* Truncates, durably, what a failed append left. */
int wal_file_cut(struct wal_file *file) __attribute__((warn_unused_result));

#endif
