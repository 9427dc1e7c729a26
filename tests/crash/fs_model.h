/*
 * A file system in memory that implements journal/fs/fs.h, over the model of a disk. It records
 * what happens to the disk, so that crash/walk.h can go through the crashes; it fails on demand;
 * and it can lie about syncs, so that a test can show that it would notice. Any thread may use it.
 */
#ifndef KEYSTORE_TESTS_CRASH_FS_MODEL_H
#define KEYSTORE_TESTS_CRASH_FS_MODEL_H

#include "crash/disk.h"
#include "journal/fs/fs.h"

struct fs_model;

/* Bytes of a path, and of what fs_model_failure() returns, with the terminating zero. */
#define FS_MODEL_PATH    128
#define FS_MODEL_FAILURE (FS_MODEL_PATH + 16)

/* An empty data directory. */
struct fs_model *fs_model_new(void);

/* The data directory on that disk, which it takes ownership of. */
struct fs_model *fs_model_from(struct disk *disk);

/* All files must be closed. NULL is allowed. */
void fs_model_free(struct fs_model *model);

/* Borrowed. fs_close_directory() of it only releases the lock, like the end of a process: it can be
 * used again, and the model must still be freed. */
struct fs *fs_model_fs(struct fs_model *model);

/* The disk, borrowed, while nobody uses the file system. */
const struct disk *fs_model_disk(const struct fs_model *model);

/* Starts to record. All of the disk must be durable: new, or just crashed. */
void fs_model_record(struct fs_model *model);

/* Changes of the disk so far. A test notes it with each acknowledgement: crashes at this step or
 * later must keep what was acknowledged. */
size_t fs_model_steps(struct fs_model *model);

/* Waits until there have been more changes than that; false on a timeout, in ms of the monotonic
 * clock. */
bool fs_model_wait(struct fs_model *model, size_t steps, int64_t until_ms);

/* Of a recording: the disk at its start, and the n-th change since then, from 0. */
const struct disk *fs_model_initial(const struct fs_model *model);
const struct disk_effect *fs_model_effect(const struct fs_model *model, size_t n);

/* Syncs that do nothing and return 0. */
enum fs_model_lie {
    FS_MODEL_SYNC_DATA = 1,      /* fs_sync_data() */
    FS_MODEL_SYNC = 2,           /* fs_sync() */
    FS_MODEL_SYNC_DIRECTORY = 4, /* fs_sync_directory() */
};
void fs_model_lie(struct fs_model *model, unsigned lies);

/* Which call fails and how. A failed sync of a file loses what was not durable, for good. */
struct fs_model_fault {
    uint64_t call; /* from 1, as fs_model_calls() counts; 0 = none */
    int error;     /* positive errno value */
    bool partial;  /* a write writes half of its bytes and returns that instead */
    bool sticky;   /* all later calls of that kind fail, too */
};
void fs_model_fail(struct fs_model *model, struct fs_model_fault fault);

/* Calls made so far that can fail: all except lock, size, forget, unmap and close. */
uint64_t fs_model_calls(struct fs_model *model);

/* True if a call failed because of fs_model_fail(). */
bool fs_model_failed(struct fs_model *model);

/* Which call that was, such as "write appendonlydir/temp-x"; stays until another fails. Borrowed.
 */
const char *fs_model_failure(const struct fs_model *model);

#endif
