/*
 * The file system as durability sees it: one data directory and the calls that decide what
 * survives. Two implementations exist: the real one (journal/fs/posix.h) and the tests' model,
 * which replays every crash. All paths are relative to the data directory, with '/' between
 * folders; "." is the directory itself. Every call returns a negative errno value when it fails.
 *
 * What survives a crash:
 *  - what was written to a file, once fs_sync_data() or fs_sync() of it returned 0;
 *  - that a name exists, is gone or names another file, once fs_sync_directory() of its folder
 *    returned 0;
 *  - anything else wholly, partly, in any order or not at all, except that a rename is atomic.
 * After a failed write or sync it is unknown what the file holds. A later sync that succeeds proves
 * nothing about it; nor does a read, except after fs_forget().
 *
 * A directory may be used by several threads at once, a file by one at a time.
 */
#ifndef KEYSTORE_JOURNAL_FS_FS_H
#define KEYSTORE_JOURNAL_FS_FS_H

#include "base/slice.h"

#include <errno.h>
#include <sys/types.h>
#include <sys/uio.h>

enum fs_mode {
    FS_READ,   /* an existing file, to be read */
    FS_APPEND, /* an existing file: writes go to its end; may be read, too */
    FS_CREATE, /* like FS_APPEND, but a new, empty file: -EEXIST if the name exists */
};

struct fs;
struct fs_file;
struct fs_names;

/* What an implementation provides; callers use the functions below. */
struct fs_calls {
    void (*close_directory)(struct fs *fs);
    int (*lock)(struct fs *fs, const char *path, long *holder);
    int (*open)(struct fs *fs, const char *path, enum fs_mode mode, struct fs_file **file);
    int (*rename)(struct fs *fs, const char *from, const char *to);
    int (*unlink)(struct fs *fs, const char *path);
    int (*mkdir)(struct fs *fs, const char *path);
    int (*list)(struct fs *fs, const char *path, struct fs_names *names);
    int (*sync_directory)(struct fs *fs, const char *path);
    void (*unmap)(struct fs *fs, struct slice bytes);
    ssize_t (*write)(struct fs_file *file, const struct iovec *pieces, int count);
    ssize_t (*read)(struct fs_file *file, uint64_t offset, void *out, size_t size);
    int (*map)(struct fs_file *file, struct slice *bytes);
    int64_t (*size)(struct fs_file *file);
    void (*start_sync)(struct fs_file *file);
    int (*sync_data)(struct fs_file *file);
    int (*sync)(struct fs_file *file);
    int (*truncate)(struct fs_file *file, uint64_t size);
    int (*allocate)(struct fs_file *file, uint64_t offset, uint64_t size);
    void (*release)(struct fs_file *file);
    void (*forget)(struct fs_file *file);
    int (*close)(struct fs_file *file);
};

/* An error message for a negative errno value of one of these calls; static memory or the thread's.
 */
const char *fs_error_text(int error);

/* True if the disk, or the user's quota, is full. */
static inline bool fs_is_full(int error)
{
    return error == -ENOSPC || error == -EDQUOT;
}

/* The first member of an implementation's data directory, and of its open file. */
struct fs {
    const struct fs_calls *calls;
};
struct fs_file {
    const struct fs_calls *calls;
};

/* Names in a folder, sorted bytewise. All zero is empty. */
struct fs_names {
    char **items; /* zero-terminated, owned */
    size_t count;
    size_t capacity;
};

void fs_names_deinit(struct fs_names *names);

/* For implementations of `list`: adds a copy of the name. */
void fs_names_add(struct fs_names *names, const char *name);

/* Releases the lock and closes the directory; its files must be closed before. NULL is allowed. */
static inline void fs_close_directory(struct fs *fs)
{
    if (fs != NULL)
        fs->calls->close_directory(fs);
}

/*
 * Locks the data directory for this process until the directory is closed: a lock on the directory
 * itself, which holds whatever happens to its files, and one on the file at `path`, which is
 * created if there is space and says who holds the lock. -EWOULDBLOCK if another process (or
 * another open directory of this one) has either; then *holder is its process id, or 0 if that is
 * unknown.
 */
static inline int fs_lock(struct fs *fs, const char *path, long *holder)
{
    return fs->calls->lock(fs, path, holder);
}

/* Opens a file; the caller closes it. -ENOENT if there is none. It never blocks on what is not a
 * regular file, such as a pipe: -EISDIR or -EMEDIUMTYPE. */
static inline int __attribute__((warn_unused_result))
fs_open(struct fs *fs, const char *path, enum fs_mode mode, struct fs_file **file)
{
    return fs->calls->open(fs, path, mode, file);
}

/* Within one folder; atomically replaces a file of the new name. */
static inline int __attribute__((warn_unused_result))
fs_rename(struct fs *fs, const char *from, const char *to)
{
    return fs->calls->rename(fs, from, to);
}

static inline int fs_unlink(struct fs *fs, const char *path)
{
    return fs->calls->unlink(fs, path);
}

/* -EEXIST if the name exists. */
static inline int __attribute__((warn_unused_result)) fs_mkdir(struct fs *fs, const char *path)
{
    return fs->calls->mkdir(fs, path);
}

/* Lists the files and folders in the folder; the caller passes an empty list and frees it. */
int fs_list(struct fs *fs, const char *path, struct fs_names *names)
    __attribute__((warn_unused_result));

static inline int __attribute__((warn_unused_result))
fs_sync_directory(struct fs *fs, const char *path)
{
    return fs->calls->sync_directory(fs, path);
}

/* Appends all bytes of the pieces; on an error, an unknown part of them. */
int fs_write(struct fs_file *file, const struct iovec *pieces, size_t count)
    __attribute__((warn_unused_result));

/* Appends the bytes, like fs_write(). */
int fs_write_slice(struct fs_file *file, struct slice bytes) __attribute__((warn_unused_result));

/* Reads up to `size` bytes from the offset; returns how many, fewer only at the end of the file. */
ssize_t fs_read(struct fs_file *file, uint64_t offset, void *out, size_t size)
    __attribute__((warn_unused_result));

/*
 * Maps the whole file into memory, as it is now; valid until fs_unmap(), also after the file is
 * closed. It must not be truncated meanwhile. -EIO if the disk cannot read a part of it.
 */
static inline int __attribute__((warn_unused_result))
fs_map(struct fs_file *file, struct slice *bytes)
{
    return file->calls->map(file, bytes);
}

static inline void fs_unmap(struct fs *fs, struct slice bytes)
{
    fs->calls->unmap(fs, bytes);
}

/* The size of the file in bytes. */
static inline int64_t fs_size(struct fs_file *file)
{
    return file->calls->size(file);
}

/* Starts to write to the disk what was appended, without waiting. It guarantees nothing; a later
 * sync has less to do. */
static inline void fs_start_sync(struct fs_file *file)
{
    file->calls->start_sync(file);
}

/* Makes the file's bytes and its length durable. */
static inline int __attribute__((warn_unused_result)) fs_sync_data(struct fs_file *file)
{
    return file->calls->sync_data(file);
}

/* Makes the file durable with all its metadata, but not its name. */
static inline int __attribute__((warn_unused_result)) fs_sync(struct fs_file *file)
{
    return file->calls->sync(file);
}

/* Truncates the file; `size` is at most its size. */
static inline int __attribute__((warn_unused_result))
fs_truncate(struct fs_file *file, uint64_t size)
{
    return file->calls->truncate(file, size);
}

/*
 * Preallocates space for bytes to come without growing the file; less than requested where it would
 * take much of the free space. -EOPNOTSUPP from a file system that cannot. Best effort: it only
 * matters for speed, and for -ENOSPC to come early.
 */
static inline int __attribute__((warn_unused_result))
fs_allocate(struct fs_file *file, uint64_t offset, uint64_t size)
{
    return file->calls->allocate(file, offset, size);
}

/* Releases the space preallocated past the file's end. Best effort: only the space depends on it.
 */
static inline void fs_release(struct fs_file *file)
{
    file->calls->release(file);
}

/*
 * Drops the file's bytes from memory, so that the next read comes from the disk. After a failed
 * sync, memory may show bytes that the disk never got and no later sync will write: a process that
 * restarts, on a machine that did not, syncs a log and forgets it before it reads it.
 */
static inline void fs_forget(struct fs_file *file)
{
    file->calls->forget(file);
}

/* Closes the file whatever it returns; what was not synced may still be lost. NULL is allowed. */
static inline int fs_close(struct fs_file *file)
{
    return file == NULL ? 0 : file->calls->close(file);
}

#endif
