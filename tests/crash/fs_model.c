/* Implements the calls of journal/fs/fs.h as changes of a model of a disk. Knows names, files and
 * faults; what a crash does is up to the disk. */
#include "crash/fs_model.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum kind {
    OPEN,
    RENAME,
    UNLINK,
    MKDIR,
    LIST,
    SYNC_DIRECTORY,
    WRITE,
    READ,
    MAP,
    SYNC_DATA,
    SYNC,
    TRUNCATE,
    ALLOCATE,
};

static const char *const kind_names[] = {
    [OPEN] = "open",           [RENAME] = "rename", [UNLINK] = "unlink",
    [MKDIR] = "mkdir",         [LIST] = "list",     [SYNC_DIRECTORY] = "sync-directory",
    [WRITE] = "write",         [READ] = "read",     [MAP] = "map",
    [SYNC_DATA] = "sync-data", [SYNC] = "sync",     [TRUNCATE] = "truncate",
    [ALLOCATE] = "allocate",
};

struct fs_model {
    struct fs fs;
    pthread_mutex_t mutex;  /* guards all below */
    pthread_cond_t changed; /* `steps` */
    struct disk *disk;
    struct disk *initial; /* NULL: does not record */
    struct disk_effect *effects;
    size_t count; /* of recorded effects */
    size_t capacity;
    size_t steps;
    uint64_t calls;
    struct fs_model_fault fault;
    bool failed;
    enum kind failed_kind;
    char failure[FS_MODEL_FAILURE];
    unsigned lies;
    bool locked;
};

struct model_file {
    struct fs_file file;
    struct fs_model *model;
    uint32_t inode;
    bool writable;
    char path[FS_MODEL_PATH];
};

static struct fs_model *enter(struct fs *fs)
{
    struct fs_model *model = (struct fs_model *)fs;
    pthread_mutex_lock(&model->mutex);
    return model;
}

static struct model_file *enter_file(struct fs_file *file)
{
    struct model_file *own = (struct model_file *)file;
    pthread_mutex_lock(&own->model->mutex);
    return own;
}

static int leave(struct fs_model *model, int result)
{
    pthread_mutex_unlock(&model->mutex);
    return result;
}

/* Counts a call; returns the error it is to fail with, as a negative errno value, or 0. */
static int begin(struct fs_model *model, enum kind kind, const char *path)
{
    bool now = ++model->calls == model->fault.call;
    bool again = model->failed && model->fault.sticky && model->failed_kind == kind;
    if (now) {
        model->failed = true;
        model->failed_kind = kind;
        snprintf(model->failure, sizeof model->failure, "%s %s", kind_names[kind], path);
    }
    return now || again ? -model->fault.error : 0;
}

static void change(struct fs_model *model, const struct disk_effect *effect)
{
    disk_apply(model->disk, effect);
    model->steps++;
    pthread_cond_broadcast(&model->changed);
    if (model->initial == NULL)
        return;
    if (model->count == model->capacity) {
        model->capacity = model->capacity > 0 ? model->capacity * 2 : 64;
        model->effects = mem_realloc(model->effects, model->capacity * sizeof *model->effects);
    }
    model->effects[model->count++] = *effect;
    if (effect->bytes != NULL)
        blob_retain(effect->bytes);
}

/* Splits the last name off the path; returns its folder, or a negative errno value. */
static int find_folder(const struct fs_model *model, const char *path, uint32_t *folder,
                       char name[DISK_NAME_SIZE])
{
    *folder = DISK_ROOT;
    for (;;) {
        size_t len = strcspn(path, "/");
        if (len >= DISK_NAME_SIZE)
            return -ENAMETOOLONG;
        memset(name, 0, DISK_NAME_SIZE);
        memcpy(name, path, len);
        if (path[len] == 0)
            return 0;
        path += len + 1;
        if (strcmp(name, ".") == 0)
            continue;
        if (!disk_find(model->disk, *folder, name, folder))
            return -ENOENT;
        if (!disk_is_folder(model->disk, *folder))
            return -ENOTDIR;
    }
}

/* The folder of that path. */
static int find_directory(const struct fs_model *model, const char *path, uint32_t *folder)
{
    char name[DISK_NAME_SIZE];
    int error = find_folder(model, path, folder, name);
    if (error != 0 || strcmp(name, ".") == 0)
        return error;
    if (!disk_find(model->disk, *folder, name, folder))
        return -ENOENT;
    return disk_is_folder(model->disk, *folder) ? 0 : -ENOTDIR;
}

static void close_directory(struct fs *fs)
{
    struct fs_model *model = enter(fs);
    model->locked = false;
    leave(model, 0);
}

static int lock(struct fs *fs, const char *path, long *holder)
{
    (void)path; /* whether such a file survives means nothing */
    struct fs_model *model = enter(fs);
    if (model->locked) {
        *holder = getpid();
        return leave(model, -EWOULDBLOCK);
    }
    model->locked = true;
    return leave(model, 0);
}

/* Finds or creates the file of an open. */
static int find_file(struct fs_model *model, const char *path, enum fs_mode mode, uint32_t *inode)
{
    struct disk_effect effect = {.kind = DISK_CREATE, .target = disk_next(model->disk)};
    int error = find_folder(model, path, &effect.inode, effect.name);
    if (error != 0)
        return error;
    bool found = disk_find(model->disk, effect.inode, effect.name, inode);
    if (mode != FS_CREATE)
        return !found ? -ENOENT : disk_is_folder(model->disk, *inode) ? -EISDIR : 0;
    if (found)
        return -EEXIST;
    *inode = effect.target;
    change(model, &effect);
    return 0;
}

static int open_file(struct fs *fs, const char *path, enum fs_mode mode, struct fs_file **file)
{
    struct fs_model *model = enter(fs);
    uint32_t inode;
    int error = begin(model, OPEN, path);
    if (error == 0)
        error = find_file(model, path, mode, &inode);
    if (error != 0)
        return leave(model, error);
    struct model_file *own = mem_alloc(sizeof *own);
    *own = (struct model_file){
        .file = {fs->calls}, .model = model, .inode = inode, .writable = mode != FS_READ};
    snprintf(own->path, sizeof own->path, "%s", path);
    *file = &own->file;
    return leave(model, 0);
}

static int rename_found(struct fs_model *model, const char *from, const char *to)
{
    struct disk_effect effect = {.kind = DISK_RENAME};
    uint32_t to_folder;
    int error = find_folder(model, from, &effect.inode, effect.name);
    if (error == 0)
        error = find_folder(model, to, &to_folder, effect.to);
    if (error != 0)
        return error;
    if (to_folder != effect.inode)
        return -EXDEV; /* not modelled; see fs_rename() */
    if (!disk_find(model->disk, effect.inode, effect.name, &effect.target))
        return -ENOENT;
    change(model, &effect);
    return 0;
}

static int rename_file(struct fs *fs, const char *from, const char *to)
{
    struct fs_model *model = enter(fs);
    int error = begin(model, RENAME, from);
    return leave(model, error != 0 ? error : rename_found(model, from, to));
}

static int unlink_found(struct fs_model *model, const char *path)
{
    struct disk_effect effect = {.kind = DISK_UNLINK};
    uint32_t inode;
    int error = find_folder(model, path, &effect.inode, effect.name);
    if (error != 0)
        return error;
    if (!disk_find(model->disk, effect.inode, effect.name, &inode))
        return -ENOENT;
    if (disk_is_folder(model->disk, inode))
        return -EISDIR;
    change(model, &effect);
    return 0;
}

static int unlink_file(struct fs *fs, const char *path)
{
    struct fs_model *model = enter(fs);
    int error = begin(model, UNLINK, path);
    return leave(model, error != 0 ? error : unlink_found(model, path));
}

static int make_directory(struct fs *fs, const char *path)
{
    struct fs_model *model = enter(fs);
    struct disk_effect effect = {.kind = DISK_MKDIR, .target = disk_next(model->disk)};
    uint32_t inode;
    int error = begin(model, MKDIR, path);
    if (error == 0)
        error = find_folder(model, path, &effect.inode, effect.name);
    if (error == 0 && disk_find(model->disk, effect.inode, effect.name, &inode))
        error = -EEXIST;
    if (error == 0)
        change(model, &effect);
    return leave(model, error);
}

static int list(struct fs *fs, const char *path, struct fs_names *names)
{
    struct fs_model *model = enter(fs);
    uint32_t folder;
    int error = begin(model, LIST, path);
    if (error == 0)
        error = find_directory(model, path, &folder);
    const char *name;
    for (size_t i = 0; error == 0 && (name = disk_name(model->disk, folder, i)) != NULL; i++)
        fs_names_add(names, name);
    return leave(model, error);
}

static int sync_directory(struct fs *fs, const char *path)
{
    struct fs_model *model = enter(fs);
    struct disk_effect effect = {.kind = DISK_SYNC_DIRECTORY};
    int error = begin(model, SYNC_DIRECTORY, path);
    if (error == 0)
        error = find_directory(model, path, &effect.inode);
    if (error == 0 && (model->lies & FS_MODEL_SYNC_DIRECTORY) == 0)
        change(model, &effect);
    return leave(model, error);
}

static void unmap(struct fs *fs, struct slice bytes)
{
    (void)fs;
    view_release_bytes(bytes);
}

/* The first `most` bytes of the pieces as one blob. */
static struct blob *join(const struct iovec *pieces, int count, size_t most)
{
    struct blob *bytes = blob_new(most);
    size_t at = 0;
    for (int i = 0; i < count && at < most; i++) {
        size_t len = pieces[i].iov_len < most - at ? pieces[i].iov_len : most - at;
        memcpy(bytes->data + at, pieces[i].iov_base, len);
        at += len;
    }
    return bytes;
}

static size_t total(const struct iovec *pieces, int count)
{
    size_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += pieces[i].iov_len;
    return sum;
}

static ssize_t append(struct model_file *own, const struct iovec *pieces, int count, size_t len)
{
    if (!own->writable)
        return -EBADF;
    struct disk_effect effect = {.kind = DISK_WRITE,
                                 .inode = own->inode,
                                 .offset = disk_content(own->model->disk, own->inode).len,
                                 .bytes = join(pieces, count, len)};
    if (len > 0)
        change(own->model, &effect);
    blob_release(effect.bytes);
    return (ssize_t)len;
}

static ssize_t write_pieces(struct fs_file *file, const struct iovec *pieces, int count)
{
    struct model_file *own = enter_file(file);
    struct fs_model *model = own->model;
    size_t len = total(pieces, count);
    ssize_t result = begin(model, WRITE, own->path);
    if (model->fault.partial && model->calls == model->fault.call && len > 1) {
        len /= 2;
        result = 0;
    }
    if (result == 0)
        result = append(own, pieces, count, len);
    leave(model, 0);
    return result;
}

static ssize_t read_at(struct fs_file *file, uint64_t offset, void *out, size_t size)
{
    struct model_file *own = enter_file(file);
    ssize_t result = begin(own->model, READ, own->path);
    if (result == 0) {
        struct slice bytes = view_bytes(disk_content(own->model->disk, own->inode));
        size_t left = offset < bytes.len ? bytes.len - offset : 0;
        if (size > left)
            size = left;
        if (size > 0)
            memcpy(out, bytes.data + offset, size);
        result = (ssize_t)size;
    }
    leave(own->model, 0);
    return result;
}

static int map(struct fs_file *file, struct slice *bytes)
{
    struct model_file *own = enter_file(file);
    int error = begin(own->model, MAP, own->path);
    *bytes = slice_make(NULL, 0);
    if (error == 0)
        *bytes = view_bytes(view_share(disk_content(own->model->disk, own->inode)));
    return leave(own->model, error);
}

static int64_t size(struct fs_file *file)
{
    struct model_file *own = enter_file(file);
    int64_t len = (int64_t)disk_content(own->model->disk, own->inode).len;
    leave(own->model, 0);
    return len;
}

static int sync_file(struct fs_file *file, enum kind kind, unsigned lie)
{
    struct model_file *own = enter_file(file);
    int error = begin(own->model, kind, own->path);
    struct disk_effect effect = {.kind = error == 0 ? DISK_SYNC : DISK_LOSE, .inode = own->inode};
    if (error != 0 || (own->model->lies & lie) == 0)
        change(own->model, &effect);
    return leave(own->model, error);
}

static int sync_data(struct fs_file *file)
{
    return sync_file(file, SYNC_DATA, FS_MODEL_SYNC_DATA);
}

static int sync_all(struct fs_file *file)
{
    return sync_file(file, SYNC, FS_MODEL_SYNC);
}

static int truncate_file(struct fs_file *file, uint64_t to)
{
    struct model_file *own = enter_file(file);
    struct disk_effect effect = {.kind = DISK_TRUNCATE, .inode = own->inode, .offset = to};
    int error = begin(own->model, TRUNCATE, own->path);
    if (error == 0 && !own->writable)
        error = -EBADF;
    if (error == 0 && to > disk_content(own->model->disk, own->inode).len)
        error = -EINVAL; /* see fs_truncate() */
    if (error == 0)
        change(own->model, &effect);
    return leave(own->model, error);
}

static int allocate(struct fs_file *file, uint64_t offset, uint64_t len)
{
    (void)offset;
    (void)len;
    struct model_file *own = enter_file(file);
    return leave(own->model, begin(own->model, ALLOCATE, own->path));
}

/* The model has unlimited space. */
static void release(struct fs_file *file)
{
    (void)file;
}

/* What is not synced may survive anyway. */
static void start_sync(struct fs_file *file)
{
    (void)file;
}

static void forget(struct fs_file *file)
{
    struct model_file *own = enter_file(file);
    change(own->model, &(struct disk_effect){.kind = DISK_FORGET, .inode = own->inode});
    leave(own->model, 0);
}

static int close_file(struct fs_file *file)
{
    free(file);
    return 0;
}

static const struct fs_calls calls = {
    .close_directory = close_directory,
    .lock = lock,
    .open = open_file,
    .rename = rename_file,
    .unlink = unlink_file,
    .mkdir = make_directory,
    .list = list,
    .sync_directory = sync_directory,
    .unmap = unmap,
    .write = write_pieces,
    .read = read_at,
    .map = map,
    .size = size,
    .start_sync = start_sync,
    .sync_data = sync_data,
    .sync = sync_all,
    .truncate = truncate_file,
    .allocate = allocate,
    .release = release,
    .forget = forget,
    .close = close_file,
};

struct fs_model *fs_model_from(struct disk *disk)
{
    struct fs_model *model = mem_alloc_zero(sizeof *model);
    model->fs.calls = &calls;
    model->disk = disk;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&model->mutex, NULL);
    pthread_cond_init(&model->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return model;
}

struct fs_model *fs_model_new(void)
{
    return fs_model_from(disk_new());
}

void fs_model_free(struct fs_model *model)
{
    if (model == NULL)
        return;
    for (size_t i = 0; i < model->count; i++)
        blob_release(model->effects[i].bytes);
    free(model->effects);
    disk_free(model->disk);
    disk_free(model->initial);
    pthread_cond_destroy(&model->changed);
    pthread_mutex_destroy(&model->mutex);
    free(model);
}

struct fs *fs_model_fs(struct fs_model *model)
{
    return &model->fs;
}

void fs_model_record(struct fs_model *model)
{
    struct chooser chooser;
    enter(&model->fs);
    chooser_init_all(&chooser); /* whose first answers keep everything */
    model->initial = disk_crash(model->disk, &chooser);
    model->steps = 0;
    leave(model, 0);
}

const struct disk *fs_model_disk(const struct fs_model *model)
{
    return model->disk;
}

size_t fs_model_steps(struct fs_model *model)
{
    enter(&model->fs);
    size_t steps = model->steps;
    leave(model, 0);
    return steps;
}

bool fs_model_wait(struct fs_model *model, size_t steps, int64_t until_ms)
{
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    bool in_time = true;
    enter(&model->fs);
    while (model->steps <= steps && in_time)
        in_time = pthread_cond_timedwait(&model->changed, &model->mutex, &until) == 0;
    leave(model, 0);
    return in_time;
}

const struct disk *fs_model_initial(const struct fs_model *model)
{
    return model->initial;
}

const struct disk_effect *fs_model_effect(const struct fs_model *model, size_t n)
{
    return &model->effects[n];
}

void fs_model_lie(struct fs_model *model, unsigned lies)
{
    enter(&model->fs);
    model->lies = lies;
    leave(model, 0);
}

void fs_model_fail(struct fs_model *model, struct fs_model_fault fault)
{
    enter(&model->fs);
    model->fault = fault;
    model->failed = false;
    leave(model, 0);
}

uint64_t fs_model_calls(struct fs_model *model)
{
    enter(&model->fs);
    uint64_t made = model->calls;
    leave(model, 0);
    return made;
}

bool fs_model_failed(struct fs_model *model)
{
    enter(&model->fs);
    bool failed = model->failed;
    leave(model, 0);
    return failed;
}

const char *fs_model_failure(const struct fs_model *model)
{
    return model->failure;
}
