/*
 * A disk in memory behind journal/fs/fs.h whose syncs can be held back, which can be full, and
 * whose calls fail on demand; it keeps an account of what was called. Tests wait on it for
 * conditions. Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_JOURNAL_FAKE_DISK_H
#define KEYSTORE_TESTS_JOURNAL_FAKE_DISK_H

#include "base/buf.h"
#include "base/clock.h"
#include "journal/fs/fs.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FAKE_DISK_LIMIT  ((size_t)256 * 1024 * 1024)
#define FAKE_DISK_FILES  8
#define FAKE_DISK_ANY    (SIZE_MAX / 2) /* more space than is ever used */
#define FAKE_DISK_WAIT_S 120 /* longer than anything takes, on a machine with much else to do */

struct fake_inode {
    char path[64];
    struct buf bytes;
    size_t synced;    /* bytes that a sync has covered */
    size_t allocated; /* bytes that were asked for in advance */
    bool named;       /* its folder was synced */
};

struct fake_disk {
    struct fs fs;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    struct fake_inode inodes[FAKE_DISK_FILES];
    size_t count;
    size_t room;          /* bytes that can still be written */
    bool hold;            /* syncs of data wait */
    unsigned syncs_begun; /* of data */
    unsigned syncs_done;
    unsigned write_calls;
    /* Negative errno values, 0 = works. */
    int fail_write, fail_sync, fail_cut, fail_open, fail_sync_directory, fail_allocate;
    char story[4000]; /* a word per call, such as "write", and its file */
};

struct fake_file {
    struct fs_file file;
    struct fake_disk *disk;
    struct fake_inode *inode;
};

static inline void fake_disk_tell(struct fake_disk *disk, const char *what, const char *path)
{
    size_t len = strlen(disk->story);
    const char *name = strrchr(path, '/');
    snprintf(disk->story + len, sizeof disk->story - len, "%s %s\n", what,
             name != NULL ? name + 1 : path);
    pthread_cond_broadcast(&disk->changed);
}

static inline struct fake_inode *fake_disk_find(struct fake_disk *disk, const char *path)
{
    for (size_t i = 0; i < disk->count; i++)
        if (strcmp(disk->inodes[i].path, path) == 0)
            return &disk->inodes[i];
    return NULL;
}

static inline struct fake_file *fake_disk_enter(struct fs_file *file)
{
    struct fake_file *own = (struct fake_file *)file;
    pthread_mutex_lock(&own->disk->mutex);
    return own;
}

static inline int fake_disk_leave(struct fake_disk *disk, int result)
{
    pthread_mutex_unlock(&disk->mutex);
    return result;
}

static inline int fake_disk_open(struct fs *fs, const char *path, enum fs_mode mode,
                                 struct fs_file **file)
{
    struct fake_disk *disk = (struct fake_disk *)fs;
    pthread_mutex_lock(&disk->mutex);
    struct fake_inode *inode = fake_disk_find(disk, path);
    fake_disk_tell(disk, "open", path);
    if (disk->fail_open != 0)
        return fake_disk_leave(disk, disk->fail_open);
    if ((inode != NULL) == (mode == FS_CREATE))
        return fake_disk_leave(disk, inode != NULL ? -EEXIST : -ENOENT);
    if (inode == NULL) {
        assert_true(disk->count < FAKE_DISK_FILES);
        inode = &disk->inodes[disk->count++];
        snprintf(inode->path, sizeof inode->path, "%s", path);
        buf_init(&inode->bytes, FAKE_DISK_LIMIT);
    }
    struct fake_file *own = malloc(sizeof *own);
    *own = (struct fake_file){.file = {fs->calls}, .disk = disk, .inode = inode};
    *file = &own->file;
    return fake_disk_leave(disk, 0);
}

static inline int fake_disk_sync_directory(struct fs *fs, const char *path)
{
    struct fake_disk *disk = (struct fake_disk *)fs;
    pthread_mutex_lock(&disk->mutex);
    fake_disk_tell(disk, "sync-directory", path);
    for (size_t i = 0; disk->fail_sync_directory == 0 && i < disk->count; i++)
        disk->inodes[i].named = true;
    return fake_disk_leave(disk, disk->fail_sync_directory);
}

/* What does not fit is left out; a write of which nothing fits fails. */
static inline ssize_t fake_disk_write(struct fs_file *file, const struct iovec *pieces, int count)
{
    struct fake_file *own = fake_disk_enter(file);
    struct fake_disk *disk = own->disk;
    size_t done = 0;
    fake_disk_tell(disk, "write", own->inode->path);
    disk->write_calls++;
    if (disk->fail_write != 0)
        return fake_disk_leave(disk, disk->fail_write);
    for (int i = 0; i < count; i++) {
        size_t len = pieces[i].iov_len < disk->room ? pieces[i].iov_len : disk->room;
        assert_true(buf_append(&own->inode->bytes, slice_make(pieces[i].iov_base, len)));
        disk->room -= len;
        done += len;
    }
    pthread_mutex_unlock(&disk->mutex);
    return done > 0 ? (ssize_t)done : -ENOSPC;
}

static inline int64_t fake_disk_size(struct fs_file *file)
{
    struct fake_file *own = fake_disk_enter(file);
    int64_t size = (int64_t)own->inode->bytes.len;
    fake_disk_leave(own->disk, 0);
    return size;
}

static inline int fake_disk_sync_data(struct fs_file *file)
{
    struct fake_file *own = fake_disk_enter(file);
    struct fake_disk *disk = own->disk;
    size_t covered = own->inode->bytes.len;
    disk->syncs_begun++;
    fake_disk_tell(disk, "sync", own->inode->path);
    while (disk->hold)
        pthread_cond_wait(&disk->changed, &disk->mutex);
    int result = disk->fail_sync;
    if (result == 0)
        own->inode->synced = covered;
    disk->syncs_done++;
    pthread_cond_broadcast(&disk->changed);
    return fake_disk_leave(disk, result);
}

static inline int fake_disk_truncate(struct fs_file *file, uint64_t to)
{
    struct fake_file *own = fake_disk_enter(file);
    fake_disk_tell(own->disk, "cut", own->inode->path);
    assert_true(to <= own->inode->bytes.len);
    if (own->disk->fail_cut == 0) {
        own->disk->room += own->inode->bytes.len - to;
        own->inode->bytes.len = to;
    }
    return fake_disk_leave(own->disk, own->disk->fail_cut);
}

static inline int fake_disk_allocate(struct fs_file *file, uint64_t offset, uint64_t size)
{
    struct fake_file *own = fake_disk_enter(file);
    assert_int_equal(offset, own->inode->bytes.len);
    own->inode->allocated = offset + size;
    return fake_disk_leave(own->disk, own->disk->fail_allocate);
}

static inline void fake_disk_release(struct fs_file *file)
{
    struct fake_file *own = fake_disk_enter(file);
    own->inode->allocated = own->inode->bytes.len;
    fake_disk_leave(own->disk, 0);
}

/* An open file stays as it is; only its name is free. */
static inline int fake_disk_unlink(struct fs *fs, const char *path)
{
    struct fake_disk *disk = (struct fake_disk *)fs;
    pthread_mutex_lock(&disk->mutex);
    struct fake_inode *inode = fake_disk_find(disk, path);
    fake_disk_tell(disk, "unlink", path);
    if (inode != NULL)
        inode->path[0] = 0;
    return fake_disk_leave(disk, inode != NULL ? 0 : -ENOENT);
}

static inline int fake_disk_close(struct fs_file *file)
{
    struct fake_file *own = fake_disk_enter(file);
    fake_disk_tell(own->disk, "close", own->inode->path);
    fake_disk_leave(own->disk, 0);
    free(own);
    return 0;
}

static inline void fake_disk_init(struct fake_disk *disk)
{
    static const struct fs_calls calls = {
        .open = fake_disk_open,
        .sync_directory = fake_disk_sync_directory,
        .write = fake_disk_write,
        .size = fake_disk_size,
        .sync_data = fake_disk_sync_data,
        .sync = fake_disk_sync_data,
        .truncate = fake_disk_truncate,
        .allocate = fake_disk_allocate,
        .release = fake_disk_release,
        .unlink = fake_disk_unlink,
        .close = fake_disk_close,
    };
    memset(disk, 0, sizeof *disk);
    disk->fs.calls = &calls;
    disk->room = FAKE_DISK_ANY;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&disk->mutex, NULL);
    pthread_cond_init(&disk->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static inline void fake_disk_deinit(struct fake_disk *disk)
{
    for (size_t i = 0; i < disk->count; i++)
        buf_deinit(&disk->inodes[i].bytes);
    pthread_cond_destroy(&disk->changed);
    pthread_mutex_destroy(&disk->mutex);
}

/* Waits for a change; if there is none until `until_ms`, says what was waited for, and ends all:
 * threads go on that use what is on the test's stack. */
static inline void fake_disk_wait(struct fake_disk *disk, int64_t until_ms, const char *condition)
{
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    if (pthread_cond_timedwait(&disk->changed, &disk->mutex, &until) == 0)
        return;
    fprintf(stderr, "after %d s it is not true that %s; the calls of the disk were:\n%s",
            FAKE_DISK_WAIT_S, condition, disk->story);
    abort();
}

/* Waits until the condition, over the disk's members, holds. */
#define FAKE_DISK_WAIT(disk, condition)                                                            \
    do {                                                                                           \
        int64_t until_ms = clock_monotonic_ms() + FAKE_DISK_WAIT_S * 1000;                         \
        pthread_mutex_lock(&(disk)->mutex);                                                        \
        while (!(condition))                                                                       \
            fake_disk_wait(disk, until_ms, #condition);                                            \
        pthread_mutex_unlock(&(disk)->mutex);                                                      \
    } while (0)

/* Changes the disk's members. */
#define FAKE_DISK_SET(disk, assignment)                                                            \
    do {                                                                                           \
        pthread_mutex_lock(&(disk)->mutex);                                                        \
        assignment;                                                                                \
        pthread_cond_broadcast(&(disk)->changed);                                                  \
        pthread_mutex_unlock(&(disk)->mutex);                                                      \
    } while (0)

#endif
