/*
 * Which files are loaded in which order, and what is done about what a crash left. What stands in
 * them is the business of load_rdb.c and replay.c.
 */
#include "journal/recovery.h"

#include "journal/layout.h"
#include "journal/load_rdb.h"
#include "journal/replay.h"
#include "journal/reserve.h"
#include "store/restore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct work {
    struct fs *fs;
    const struct recovery_options *options;
    struct recovery *recovery;
    struct loading loading;
};

/* ---- ending ---- */

static bool end(struct work *work, enum loading_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Says why the loading ended, unless that has been said; returns false. */
static bool end(struct work *work, enum loading_verdict verdict, const char *format, ...)
{
    struct recovery *recovery = work->recovery;
    if (recovery->verdict != LOADING_DONE)
        return false;
    va_list args;
    va_start(args, format);
    vsnprintf(recovery->why, sizeof recovery->why, format, args);
    va_end(args);
    recovery->verdict = verdict;
    return false;
}

/* After a call of the file system; true if it went well. */
static bool went_well(struct work *work, int error, const char *what, const char *path)
{
    return error >= 0 ||
           end(work, LOADING_FAILED, "cannot %s %s: %s", what, path, strerror(-error));
}

/* The loaders said why, but not in which file. */
static bool end_in_file(struct work *work, const char *path)
{
    const struct loading *loading = &work->loading;
    switch (loading->verdict) {
    case LOADING_DAMAGED:
        return end(work, LOADING_DAMAGED,
                   "DATA_LOSS: %s is damaged at offset %zu: %s; nothing was changed, see what "
                   "keystore-check says of the directory, or restore it from a copy",
                   path, loading->offset, loading->why);
    case LOADING_REFUSED:
        return end(work, LOADING_REFUSED, "%s cannot be loaded, at offset %zu: %s", path,
                   loading->offset, loading->why);
    default:
        return end(work, loading->verdict, "%s: %s", path, loading->why);
    }
}

static bool damaged(struct work *work, const char *path, size_t offset, const char *why)
{
    loading_fail(&work->loading, LOADING_DAMAGED, offset, "%s", why);
    return end_in_file(work, path);
}

/* ---- files ---- */

/* A file whose bytes are looked at. */
struct input {
    struct fs_file *file;
    struct slice bytes;
};

static void close_input(struct work *work, struct input *input)
{
    fs_unmap(work->fs, input->bytes);
    fs_close(input->file);
}

/*
 * A sync that failed in a former process may have left bytes in memory that the disk does not have:
 * so a log is synced, and then read from the disk.
 */
static bool open_input(struct work *work, const char *path, bool is_log, struct input *input)
{
    *input = (struct input){0};
    int error = fs_open(work->fs, path, is_log ? FS_APPEND : FS_READ, &input->file);
    if (error == -ENOENT)
        return damaged(work, path, 0, "the manifest names it, but it is not there");
    if (!went_well(work, error, "open", path))
        return false;
    if (is_log) {
        error = fs_sync_data(input->file);
        fs_forget(input->file);
    }
    if (error == 0)
        error = fs_map(input->file, &input->bytes);
    if (went_well(work, error, "read", path))
        return true;
    close_input(work, input);
    return false;
}

/* Loads what is in the file. A torn end is noted if the file may have one: the last one may. */
static bool load_bytes(struct work *work, const char *path, struct slice bytes, bool is_last)
{
    struct loading *loading = &work->loading;
    struct replay_end tail;
    size_t start = 0;
    if (load_rdb_begins(bytes) && !load_rdb(loading, bytes, &start))
        return end_in_file(work, path);
    if (start == bytes.len)
        return loading_reach(loading, start) || end_in_file(work, path);
    if (!replay_log(loading, bytes, start, &tail))
        return end_in_file(work, path);
    if (tail.why == NULL)
        return true;
    if (!is_last)
        return damaged(work, path, tail.good, tail.why);
    work->recovery->torn_offset = tail.good;
    work->recovery->torn_bytes = bytes.len - tail.good;
    work->recovery->torn_why = tail.why;
    return true;
}

static bool load_file(struct work *work, const struct manifest_file *file, bool is_last)
{
    struct recovery *recovery = work->recovery;
    char path[LAYOUT_PATH];
    struct input input;
    layout_path(path, file->name);
    if (!open_input(work, path, file->type == 'i', &input))
        return false;
    bool loaded = load_bytes(work, path, input.bytes, is_last);
    loading_begin_file(&work->loading, input.bytes.len);
    *(file->type == 'b' ? &recovery->base_bytes : &recovery->log_bytes) +=
        input.bytes.len - recovery->torn_bytes;
    if (recovery->torn_why != NULL)
        snprintf(recovery->torn_name, sizeof recovery->torn_name, "%s", file->name);
    close_input(work, &input);
    return loaded;
}

/* Bytes of a file; 0 if that cannot be told: whoever opens it will say why. */
static uint64_t size_of(struct work *work, const char *path)
{
    struct fs_file *file;
    if (fs_open(work->fs, path, FS_READ, &file) != 0)
        return 0;
    int64_t size = fs_size(file);
    fs_close(file);
    return size > 0 ? (uint64_t)size : 0;
}

/* True too if that cannot be told, which ends the loading. */
static bool has_bytes(struct work *work, const char *path)
{
    struct fs_file *file;
    if (!went_well(work, fs_open(work->fs, path, FS_READ, &file), "open", path))
        return true;
    int64_t size = fs_size(file);
    fs_close(file);
    return size != 0;
}

/* Names in a folder that does not have to be there. */
static bool list(struct work *work, const char *folder, struct fs_names *names)
{
    int error = fs_list(work->fs, folder, names);
    return error == -ENOENT || went_well(work, error, "list", folder);
}

/* ---- with a manifest ---- */

static void add_up(struct work *work)
{
    const struct manifest *manifest = &work->recovery->manifest;
    char path[LAYOUT_PATH];
    for (size_t i = 0; i < manifest->count; i++) {
        layout_path(path, manifest->files[i].name);
        if (manifest->files[i].type != 'h')
            work->loading.progress.total += size_of(work, path);
    }
}

/* History is not: it may be removed. */
static bool is_in_use(const struct manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->count; i++) {
        if (manifest->files[i].type != 'h' && strcmp(manifest->files[i].name, name) == 0)
            return true;
    }
    return false;
}

/*
 * A manifest has no checksum, but what it does not name is removed. So a log of its base that it
 * should name, for there is no newer one, shows that it lost a line. That of a start or rotation
 * that did not come to its end is empty.
 */
static bool look_for_lost_logs(struct work *work)
{
    const struct manifest *manifest = &work->recovery->manifest;
    const struct manifest_file *base = manifest_base(manifest);
    struct fs_names names = {0};
    bool good = list(work, LAYOUT_FOLDER, &names);
    for (size_t i = 0; i < names.count && good; i++) {
        char path[LAYOUT_PATH];
        int64_t seq = layout_log_seq(names.items[i]);
        layout_path(path, names.items[i]);
        if (seq > layout_newest(manifest, 'i') && seq >= (base != NULL ? base->seq : 1) &&
            !is_in_use(manifest, names.items[i]) && has_bytes(work, path))
            good = end(work, LOADING_DAMAGED,
                       "DATA_LOSS: %s is newer than all logs that " LAYOUT_FOLDER
                       "/" LAYOUT_MANIFEST " names, so a line for it is missing there; nothing was "
                       "changed, restore the manifest from a copy, or add `file %s seq %" PRId64
                       " type i` at its end",
                       path, names.items[i], seq);
    }
    fs_names_deinit(&names);
    return good && work->recovery->verdict == LOADING_DONE;
}

/* The base, then the logs, which stand there in their order. */
static bool load_files(struct work *work)
{
    const struct manifest *manifest = &work->recovery->manifest;
    const struct manifest_file *base = manifest_base(manifest);
    size_t logs = 0;
    for (size_t i = 0; i < manifest->count; i++)
        logs += manifest->files[i].type == 'i';
    add_up(work);
    if (!look_for_lost_logs(work))
        return false;
    if (base != NULL && !load_file(work, base, logs == 0))
        return false;
    for (size_t i = 0; i < manifest->count; i++) {
        if (manifest->files[i].type == 'i' && !load_file(work, &manifest->files[i], --logs == 0))
            return false;
    }
    return true;
}

static bool read_manifest(struct work *work, bool *found)
{
    struct manifest_fault fault;
    int error =
        manifest_load(work->fs, LAYOUT_FOLDER, LAYOUT_MANIFEST, &work->recovery->manifest, &fault);
    *found = error == 0;
    if (error == -EINVAL)
        return end(work, LOADING_DAMAGED,
                   "DATA_LOSS: " LAYOUT_FOLDER "/" LAYOUT_MANIFEST
                   " is damaged in line %zu: %s; it names the files that make up the data, each as "
                   "`file NAME seq N type b` (base) or i (log)",
                   fault.line, fault.why);
    return error == -ENOENT || went_well(work, error, "read", LAYOUT_FOLDER "/" LAYOUT_MANIFEST);
}

/* ---- without one ---- */

static bool ends_with(const char *name, const char *end_of_name)
{
    size_t len = strlen(name), end_len = strlen(end_of_name);
    return len >= end_len && strcmp(name + len - end_len, end_of_name) == 0;
}

/* False too if that cannot be told, which ends the loading. */
static bool is_there(struct work *work, const char *path)
{
    struct fs_file *file;
    int error = fs_open(work->fs, path, FS_READ, &file);
    if (error == 0)
        fs_close(file);
    else if (error != -ENOENT)
        went_well(work, error, "open", path);
    return error == 0;
}

/*
 * True if the file has data that would be lost. A start that a crash interrupted leaves an empty
 * log, or the base that it made of a dump, which is still there.
 */
static bool has_data(struct work *work, const char *folder, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (strncmp(name, "temp-", 5) == 0)
        return false;
    if (ends_with(name, ".base.rdb"))
        return !is_there(work, LAYOUT_DUMP);
    return ends_with(name, ".manifest") || (ends_with(name, ".aof") && has_bytes(work, path));
}

/* Logs that no manifest puts in order: Redis would start empty and lose them. */
static bool refuse_logs(struct work *work, const char *folder, const char *what_to_do)
{
    struct fs_names names = {0};
    bool good = list(work, folder, &names);
    for (size_t i = 0; i < names.count && good; i++) {
        if (has_data(work, folder, names.items[i]))
            good = end(work, LOADING_REFUSED,
                       "there is %s/%s, but no " LAYOUT_FOLDER "/" LAYOUT_MANIFEST
                       " that says how to load it; %s, or choose another directory with --dir",
                       folder, names.items[i], what_to_do);
    }
    fs_names_deinit(&names);
    return work->recovery->verdict == LOADING_DONE;
}

static bool load_dump(struct work *work)
{
    struct input input;
    size_t size = 0;
    if (!is_there(work, LAYOUT_DUMP))
        return work->recovery->verdict == LOADING_DONE;
    work->recovery->from_dump = true;
    work->loading.progress.total = size_of(work, LAYOUT_DUMP);
    if (!open_input(work, LAYOUT_DUMP, false, &input))
        return false;
    bool good = load_rdb(&work->loading, input.bytes, &size) || end_in_file(work, LAYOUT_DUMP);
    if (good && size < input.bytes.len)
        good = damaged(work, LAYOUT_DUMP, size, "something follows the end of the snapshot");
    close_input(work, &input);
    return good;
}

static bool load_without_manifest(struct work *work)
{
    return refuse_logs(work, LAYOUT_FOLDER,
                       "bring the manifest back, or move the folder away to start without it") &&
           refuse_logs(work, ".",
                       "start redis-server 7.0 on it once with --appendonly yes, which makes one, "
                       "or move it away to start without it") &&
           load_dump(work);
}

/* ---- all together ---- */

/* A process that died may have left names that are seen but not durable. */
static bool sync_names(struct work *work)
{
    int error = fs_sync_directory(work->fs, ".");
    if (!went_well(work, error, "sync", "the directory"))
        return false;
    error = fs_sync_directory(work->fs, LAYOUT_FOLDER);
    return error == -ENOENT || went_well(work, error, "sync", LAYOUT_FOLDER);
}

static bool judge_unsupported(struct work *work)
{
    const struct unsupported *unsupported = &work->loading.unsupported;
    char list_of[700];
    work->recovery->unsupported = *unsupported;
    if (unsupported->count == 0 || work->options->skip_unsupported)
        return true;
    unsupported_print(unsupported, list_of, sizeof list_of);
    return end(work, LOADING_REFUSED,
               "the data hold what KeyStore does not have: %s%s%s; start with "
               "--import-skip-unsupported to leave these out",
               list_of, unsupported->why != NULL ? "; of the first, " : "",
               unsupported->why != NULL ? unsupported->why : "");
}

static bool cut_tail(struct work *work)
{
    struct recovery *recovery = work->recovery;
    struct fs_file *file;
    char path[LAYOUT_PATH];
    if (recovery->torn_name[0] == 0)
        return true;
    layout_path(path, recovery->torn_name);
    if (!went_well(work, fs_open(work->fs, path, FS_APPEND, &file), "open", path))
        return false;
    int error = fs_truncate(file, recovery->torn_offset);
    if (error == 0)
        error = fs_sync_data(file);
    fs_close(file);
    return went_well(work, error, "cut the torn end of", path);
}

/* From now on the manifest does not name history any more. */
static bool forget_history(struct work *work)
{
    struct manifest *manifest = &work->recovery->manifest;
    struct manifest rest = {0};
    for (size_t i = 0; i < manifest->count; i++) {
        const struct manifest_file *file = &manifest->files[i];
        if (file->type != 'h')
            manifest_add(&rest, file->name, file->seq, file->type);
    }
    bool same = rest.count == manifest->count || rest.count == 0;
    int error = same ? 0 : manifest_replace(work->fs, LAYOUT_FOLDER, LAYOUT_MANIFEST, &rest);
    for (size_t i = 0; i < manifest->count && error == 0 && !same; i++) {
        char path[LAYOUT_PATH];
        layout_path(path, manifest->files[i].name);
        if (manifest->files[i].type == 'h')
            fs_unlink(work->fs, path);
    }
    if (same) {
        manifest_deinit(&rest);
    } else {
        manifest_deinit(manifest);
        *manifest = rest;
    }
    return went_well(work, error, "replace", LAYOUT_FOLDER "/" LAYOUT_MANIFEST);
}

/* Of no use, and in the way of files to come. That they come back in a crash does no harm. */
static bool remove_leftovers(struct work *work)
{
    struct fs_names names = {0};
    bool good = list(work, LAYOUT_FOLDER, &names);
    for (size_t i = 0; i < names.count && good; i++) {
        char path[LAYOUT_PATH];
        const char *name = names.items[i];
        layout_path(path, name);
        if (layout_is_data_file(name) && !is_in_use(&work->recovery->manifest, name))
            good = went_well(work, fs_unlink(work->fs, path), "remove", path);
    }
    fs_names_deinit(&names);
    return good;
}

static bool read_reserve(struct work *work)
{
    int error = reserve_read(work->fs, &work->recovery->reserved);
    if (error != -EINVAL)
        return went_well(work, error, "read", LAYOUT_VERSIONS);
    return end(
        work, LOADING_DAMAGED,
        "DATA_LOSS: " LAYOUT_VERSIONS
        " is damaged: it is one line, `versions N xxh3 DIGITS`; nothing was changed, restore "
        "it from a copy, or remove it, and then versions that clients know may come again");
}

static bool load(struct work *work)
{
    bool found;
    return sync_names(work) && read_reserve(work) && read_manifest(work, &found) &&
           (found ? load_files(work) : load_without_manifest(work)) && judge_unsupported(work) &&
           cut_tail(work) && forget_history(work) && remove_leftovers(work);
}

enum loading_verdict recovery_load(struct fs *fs, struct store *store,
                                   const struct recovery_options *options,
                                   struct recovery *recovery)
{
    *recovery = (struct recovery){0};
    struct work work = {
        .fs = fs,
        .options = options,
        .recovery = recovery,
        .loading = {.store = store, .on_progress = options->on_progress, .user = options->user}};
    size_t limit = restore_limit(store, 0);
    load(&work);
    restore_limit(store, limit);
    recovery->revision = restore_newest(store);
    recovery->progress = work.loading.progress;
    if (recovery->verdict == LOADING_DONE)
        recovery->progress.done = recovery->progress.total; /* what was cut is done too */
    return recovery->verdict;
}

void recovery_deinit(struct recovery *recovery)
{
    manifest_deinit(&recovery->manifest);
}
