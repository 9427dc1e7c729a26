/*
 * The real file system: each call is one system call relative to the directory's descriptor, and
 * returns its errno. Interrupted reads and writes are repeated; a sync is never repeated, since the
 * pages that failed may be gone.
 */
#include "journal/fs/posix.h"

#include "base/log.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DIRECTORY_MODE 0750
#define FILE_MODE      0640
/* Bytes dropped from memory at a time: some 20 us. */
#define FORGET_BYTES ((off_t)512 * 1024)
/* Free bytes that the disk must have for each byte that is preallocated at once. */
#define FREE_PER_RESERVED 16

struct posix {
    struct fs fs;
    int descriptor;
    int lock;     /* descriptor of the lock file, or -1 */
    bool created; /* the directory did not exist before */
};

struct posix_file {
    struct fs_file file;
    int descriptor;
};

static int posix_descriptor_of(struct fs_file *file)
{
    return ((struct posix_file *)file)->descriptor;
}

static int posix_directory_of(struct fs *fs)
{
    return ((struct posix *)fs)->descriptor;
}

static int posix_result_of(int returned)
{
    return returned < 0 ? -errno : 0;
}

static void posix_close_directory(struct fs *fs)
{
    struct posix *posix = (struct posix *)fs;
    if (posix->lock >= 0)
        close(posix->lock);
    close(posix->descriptor);
    free(posix);
}

/* The process id in the lock file, 0 if there is none. */
static long posix_read_holder(int descriptor)
{
    char text[32] = {0};
    if (pread(descriptor, text, sizeof text - 1, 0) <= 0)
        return 0;
    long holder = strtol(text, NULL, 10);
    return holder > 0 ? holder : 0;
}

/* The lock is the kernel's and ends with the process; the number is only for the message, so a full
 * disk does not matter. */
static void posix_write_holder(int descriptor)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(descriptor, 0) < 0 || pwrite(descriptor, text, (size_t)len, 0) < 0)
        log_debug("the process id could not be written into the lock file: %s", strerror(errno));
}

/* Locks the file; *lock becomes its descriptor, or -1 if there is no space for a file. */
static int posix_lock_file(int directory, const char *path, int *lock, long *holder)
{
    int descriptor = openat(directory, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    *lock = -1;
    if (descriptor < 0)
        return fs_is_full(-errno) ? 0 : -errno;
    int error = posix_result_of(flock(descriptor, LOCK_EX | LOCK_NB));
    if (error == -EWOULDBLOCK)
        *holder = posix_read_holder(descriptor);
    if (error != 0) {
        close(descriptor);
        return error;
    }
    posix_write_holder(descriptor);
    *lock = descriptor;
    return 0;
}

/* The process id of the directory's holder, if the file with it still exists. */
static long posix_find_holder(int directory, const char *path)
{
    int descriptor = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0)
        return 0;
    long holder = posix_read_holder(descriptor);
    close(descriptor);
    return holder;
}

/*
 * The file can be removed or replaced while it is locked, the directory cannot. File systems that
 * do not lock directories (NFS) lock the file.
 */
static int posix_lock(struct fs *fs, const char *path, long *holder)
{
    struct posix *posix = (struct posix *)fs;
    int descriptor;
    if (flock(posix->descriptor, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        *holder = posix_find_holder(posix->descriptor, path);
        return -EWOULDBLOCK;
    }
    int error = posix_lock_file(posix->descriptor, path, &descriptor, holder);
    if (error != 0) {
        flock(posix->descriptor, LOCK_UN);
        return error;
    }
    if (posix->lock >= 0)
        close(posix->lock);
    posix->lock = descriptor;
    return 0;
}

/* The first read of a pipe could block for ever, and a device may do anything. */
static int posix_check_regular(int descriptor)
{
    struct stat status;
    if (fstat(descriptor, &status) < 0)
        return -errno;
    if (S_ISREG(status.st_mode))
        return 0;
    return S_ISDIR(status.st_mode) ? -EISDIR : -EMEDIUMTYPE;
}

static int posix_open_file(struct fs *fs, const char *path, enum fs_mode mode,
                           struct fs_file **file)
{
    static const int flags[] = {
        [FS_READ] = O_RDONLY,
        [FS_APPEND] = O_RDWR | O_APPEND,
        [FS_CREATE] = O_RDWR | O_APPEND | O_CREAT | O_EXCL,
    };
    int descriptor = openat(posix_directory_of(fs), path,
                            flags[mode] | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, FILE_MODE);
    if (descriptor < 0)
        return errno == ENXIO ? -EMEDIUMTYPE : -errno; /* a socket */
    int error = posix_check_regular(descriptor);
    if (error != 0) {
        close(descriptor);
        return error;
    }
    struct posix_file *posix = mem_alloc(sizeof *posix);
    *posix = (struct posix_file){.file = {fs->calls}, .descriptor = descriptor};
    *file = &posix->file;
    return 0;
}

static int posix_rename_file(struct fs *fs, const char *from, const char *to)
{
    return posix_result_of(renameat(posix_directory_of(fs), from, posix_directory_of(fs), to));
}

/*
 * Drops the page cache of a file in parts: an unlink would free all of it at once and keep the
 * processor from others for milliseconds.
 */
static void posix_forget_in_parts(int descriptor)
{
    struct stat status;
    if (fstat(descriptor, &status) < 0)
        return;
    for (off_t at = 0; at < status.st_size; at += FORGET_BYTES) {
        posix_fadvise(descriptor, at, FORGET_BYTES, POSIX_FADV_DONTNEED);
        sched_yield();
    }
}

static int posix_unlink_file(struct fs *fs, const char *path)
{
    int descriptor =
        openat(posix_directory_of(fs), path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor >= 0) {
        posix_forget_in_parts(descriptor);
        close(descriptor);
    }
    return posix_result_of(unlinkat(posix_directory_of(fs), path, 0));
}

static int posix_make_directory(struct fs *fs, const char *path)
{
    return posix_result_of(mkdirat(posix_directory_of(fs), path, DIRECTORY_MODE));
}

static int posix_read_names(DIR *stream, struct fs_names *names)
{
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(stream);
        if (entry == NULL)
            return -errno;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            fs_names_add(names, entry->d_name);
    }
}

static int posix_list(struct fs *fs, const char *path, struct fs_names *names)
{
    int descriptor = openat(posix_directory_of(fs), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    DIR *stream = fdopendir(descriptor);
    if (stream == NULL) {
        int error = -errno;
        close(descriptor);
        return error;
    }
    int error = posix_read_names(stream, names);
    closedir(stream);
    return error;
}

static int posix_sync_directory_at(int at, const char *path)
{
    int descriptor = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    int error = posix_result_of(fsync(descriptor));
    close(descriptor);
    return error;
}

static int posix_sync_directory(struct fs *fs, const char *path)
{
    return posix_sync_directory_at(posix_directory_of(fs), path);
}

static ssize_t posix_write_pieces(struct fs_file *file, const struct iovec *pieces, int count)
{
    ssize_t written;
    do
        written = writev(posix_descriptor_of(file), pieces, count);
    while (written < 0 && errno == EINTR);
    return written < 0 ? -errno : written;
}

static ssize_t posix_read_at(struct fs_file *file, uint64_t offset, void *out, size_t size)
{
    ssize_t got;
    do
        got = pread(posix_descriptor_of(file), out, size, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static int64_t posix_size(struct fs_file *file)
{
    struct stat status;
    return fstat(posix_descriptor_of(file), &status) < 0 ? -errno : status.st_size;
}

/* Otherwise an unreadable sector would cause a SIGBUS at some later access. */
static int posix_load_pages(void *start, size_t len)
{
#ifdef MADV_POPULATE_READ
    /* Since Linux 5.14; before that EINVAL, and the pages are loaded on access. */
    if (madvise(start, len, MADV_POPULATE_READ) < 0 && (errno == EFAULT || errno == EHWPOISON))
        return -EIO;
#endif
    madvise(start, len, MADV_SEQUENTIAL);
    return 0;
}

static int posix_map(struct fs_file *file, struct slice *bytes)
{
    int64_t len = posix_size(file);
    *bytes = slice_make(NULL, 0);
    if (len <= 0)
        return (int)len;
    void *start = mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, posix_descriptor_of(file), 0);
    if (start == MAP_FAILED)
        return -errno;
    int error = posix_load_pages(start, (size_t)len);
    if (error != 0) {
        munmap(start, (size_t)len);
        return error;
    }
    *bytes = slice_make(start, (size_t)len);
    return 0;
}

static void posix_unmap(struct fs *fs, struct slice bytes)
{
    (void)fs;
    if (bytes.len > 0)
        munmap((void *)bytes.data, bytes.len);
}

static void posix_start_sync(struct fs_file *file)
{
    sync_file_range(posix_descriptor_of(file), 0, 0, SYNC_FILE_RANGE_WRITE);
}

static int posix_sync_data(struct fs_file *file)
{
    return posix_result_of(fdatasync(posix_descriptor_of(file)));
}

static int posix_sync_all(struct fs_file *file)
{
    return posix_result_of(fsync(posix_descriptor_of(file)));
}

static int posix_truncate_file(struct fs_file *file, uint64_t to)
{
    return posix_result_of(ftruncate(posix_descriptor_of(file), (off_t)to));
}

/* The most that may be preallocated of the free space: others want to write, too. */
static uint64_t posix_most_reserved(int descriptor)
{
    struct statvfs status;
    if (fstatvfs(descriptor, &status) < 0)
        return UINT64_MAX;
    return (uint64_t)status.f_bavail * status.f_frsize / FREE_PER_RESERVED;
}

static int posix_allocate(struct fs_file *file, uint64_t offset, uint64_t len)
{
    int returned;
    uint64_t most = posix_most_reserved(posix_descriptor_of(file));
    if (len > most)
        len = most;
    if (len == 0)
        return -ENOSPC;
    do
        returned =
            fallocate(posix_descriptor_of(file), FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len);
    while (returned < 0 && errno == EINTR);
    return posix_result_of(returned);
}

/* Truncating a file to its size releases what is allocated after it. */
static void posix_release(struct fs_file *file)
{
    struct stat status;
    int descriptor = posix_descriptor_of(file);
    if (fstat(descriptor, &status) < 0)
        return;
    uint64_t needed = (uint64_t)status.st_size + (uint64_t)status.st_blksize;
    if ((uint64_t)status.st_blocks * 512 > needed && ftruncate(descriptor, status.st_size) < 0)
        log_debug("the preallocated space of a file could not be released: %s", strerror(errno));
}

static void posix_forget(struct fs_file *file)
{
    posix_fadvise(posix_descriptor_of(file), 0, 0, POSIX_FADV_DONTNEED);
}

static int posix_close_file(struct fs_file *file)
{
    int error = posix_result_of(close(posix_descriptor_of(file)));
    free(file);
    return error;
}

static const struct fs_calls calls = {
    .close_directory = posix_close_directory,
    .lock = posix_lock,
    .open = posix_open_file,
    .rename = posix_rename_file,
    .unlink = posix_unlink_file,
    .mkdir = posix_make_directory,
    .list = posix_list,
    .sync_directory = posix_sync_directory,
    .unmap = posix_unmap,
    .write = posix_write_pieces,
    .read = posix_read_at,
    .map = posix_map,
    .size = posix_size,
    .start_sync = posix_start_sync,
    .sync_data = posix_sync_data,
    .sync = posix_sync_all,
    .truncate = posix_truncate_file,
    .allocate = posix_allocate,
    .release = posix_release,
    .forget = posix_forget,
    .close = posix_close_file,
};

int fs_posix_open(const char *directory, struct fs **fs)
{
    bool created = mkdir(directory, DIRECTORY_MODE) == 0;
    if (!created && errno != EEXIST)
        return -errno;
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    struct posix *posix = mem_alloc(sizeof *posix);
    *posix =
        (struct posix){.fs = {&calls}, .descriptor = descriptor, .lock = -1, .created = created};
    *fs = &posix->fs;
    return 0;
}

int fs_posix_sync_name(struct fs *fs)
{
    const struct posix *posix = (const struct posix *)fs;
    int error = posix_sync_directory_at(posix->descriptor, "..");
    if (!posix->created && error == -EACCES)
        return 0; /* its creator may read its parent */
    return error;
}
