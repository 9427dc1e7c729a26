/*
 * Judges a data directory: which files are loaded in which order, and what is wrong with them.
 * Their contents are loaded by load_rdb.c and replay.c, and what a start changes is changed by
 * tidy.c; nothing is changed here.
 *
 * The normal path, recovery_load(): sync the folders' names; read the manifest and the reserve;
 * check that no log is missing in the manifest; load the base, then the logs in order, each after a
 * sync and from the disk. The last log may have a torn tail, which is noted and is no failure.
 * Without a manifest: refuse logs that nothing puts in order, then load dump.rdb.
 *
 * Failures: the first one ends the loading with a verdict and an error message (recovery_fail());
 * everything after that is skipped.
 */
#include "journal/recovery.h"

#include "base/quote.h"
#include "journal/layout.h"
#include "journal/load_rdb.h"
#include "journal/log/batch.h"
#include "journal/rdb/read.h"
#include "journal/replay.h"
#include "journal/reserve.h"
#include "store/restore.h"
#include "store/store.h"

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

static bool recovery_fail(struct work *work, enum loading_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Sets the verdict and the error message, unless there is one; returns false. */
static bool recovery_fail(struct work *work, enum loading_verdict verdict, const char *format, ...)
{
    struct recovery *recovery = work->recovery;
    if (recovery->verdict != LOADING_DONE)
        return false;
    va_list args;
    va_start(args, format);
    vsnprintf(recovery->why, sizeof recovery->why, format, args);
    va_end(args);
    loading_clean(recovery->why);
    recovery->verdict = verdict;
    return false;
}

/* A file's name in an error message: as keystore-check prints it, since a manifest may hold any
 * bytes. */
struct quoted {
    char text[QUOTED_SIZE(PATH_MAX)];
};

static const char *recovery_quoted(const char *path, struct quoted *quoted)
{
    size_t len = strlen(path);
    struct slice bytes = {(const uint8_t *)path, len < PATH_MAX ? len : PATH_MAX};
    return quote_text(quoted->text, bytes);
}

/* After a call of the file system; true if it succeeded. */
static bool recovery_check(struct work *work, int error, const char *what, const char *path)
{
    struct quoted name;
    return error >= 0 || recovery_fail(work, LOADING_FAILED, "cannot %s %s: %s", what,
                                       recovery_quoted(path, &name), fs_error_text(error));
}

static void recovery_note_fault(struct work *work, const char *path, uint64_t offset,
                                const char *why)
{
    struct recovery_fault *fault = &work->recovery->fault;
    snprintf(fault->path, sizeof fault->path, "%s", path);
    snprintf(fault->why, sizeof fault->why, "%s", why);
    fault->offset = offset;
}

/* The loaders know why, but not in which file. */
static bool recovery_fail_in_file(struct work *work, const char *path)
{
    const struct loading *loading = &work->loading;
    struct quoted quoted;
    const char *name = recovery_quoted(path, &quoted);
    if (work->recovery->verdict == LOADING_DONE)
        recovery_note_fault(work, path, loading->offset, loading->why);
    switch (loading->verdict) {
    case LOADING_DAMAGED:
        return recovery_fail(
            work, LOADING_DAMAGED,
            "DATA_LOSS: %s is damaged at offset %zu: %s; nothing was changed, see what "
            "keystore-check says of the directory, or restore it from a copy",
            name, loading->offset, loading->why);
    case LOADING_REFUSED:
        return recovery_fail(work, LOADING_REFUSED, "%s cannot be loaded, at offset %zu: %s", name,
                             loading->offset, loading->why);
    default:
        return recovery_fail(work, loading->verdict, "%s: %s", name, loading->why);
    }
}

static bool recovery_fail_damaged(struct work *work, const char *path, size_t offset,
                                  const char *why)
{
    loading_fail(&work->loading, LOADING_DAMAGED, offset, "%s", why);
    return recovery_fail_in_file(work, path);
}

/* ---- files ---- */

/* A file and its mapped bytes. */
struct input {
    struct fs_file *file;
    struct slice bytes;
};

static void recovery_close_input(struct work *work, struct input *input)
{
    fs_unmap(work->fs, input->bytes);
    fs_close(input->file);
}

/*
 * After a failed sync in a former process, memory may hold bytes that the disk does not have: so a
 * log is synced, and then read from the disk.
 */
static bool recovery_open_input(struct work *work, const char *path, bool is_log,
                                struct input *input)
{
    bool to_be_synced = is_log && !work->options->read_only;
    *input = (struct input){0};
    int error = fs_open(work->fs, path, to_be_synced ? FS_APPEND : FS_READ, &input->file);
    if (error == -ENOENT) {
        work->recovery->fault.missing = true;
        return recovery_fail_damaged(work, path, 0, "the manifest names it, but it is not there");
    }
    if (!recovery_check(work, error, "open", path))
        return false;
    if (to_be_synced) {
        error = fs_sync_data(input->file);
        fs_forget(input->file);
    }
    if (error == 0)
        error = fs_map(input->file, &input->bytes);
    if (recovery_check(work, error, "read", path))
        return true;
    recovery_close_input(work, input);
    return false;
}

static bool recovery_ends_with(const char *name, const char *end_of_name)
{
    size_t len = strlen(name), end_len = strlen(end_of_name);
    return len >= end_len && strcmp(name + len - end_len, end_of_name) == 0;
}

/* A snapshot has at least its first line, so nothing else may be in its place; Redis takes an empty
 * file there for empty data. */
static bool recovery_starts_as_named(struct work *work, const char *path, struct slice bytes)
{
    if (!recovery_ends_with(path, ".rdb") || rdb_read_has_magic(bytes))
        return true;
    return recovery_fail_damaged(work, path, 0,
                                 bytes.len == 0 ? "it is empty, which a snapshot never is"
                                                : "it is no snapshot, although its name says so");
}

static bool recovery_note_torn(struct work *work, const char *path, const struct replay_end *tail,
                               size_t size)
{
    struct recovery *recovery = work->recovery;
    const char *slash = strrchr(path, '/');
    recovery_note_fault(work, path, tail->good, tail->why);
    snprintf(recovery->torn_name, sizeof recovery->torn_name, "%s",
             slash != NULL ? slash + 1 : path);
    recovery->torn_offset = tail->good;
    recovery->torn_bytes = size - tail->good;
    recovery->torn_why = tail->why;
    return true;
}

/* Loads what is in the file. A torn end is noted if this is the last file; else it is damage. */
static bool recovery_load_bytes(struct work *work, const char *path, struct slice bytes,
                                bool is_last)
{
    struct loading *loading = &work->loading;
    struct replay_end tail;
    size_t start = 0;
    if (rdb_read_has_magic(bytes) && !load_rdb(loading, bytes, &start))
        return recovery_fail_in_file(work, path);
    if (start == bytes.len)
        return loading_reach(loading, start) || recovery_fail_in_file(work, path);
    if (!replay_log(loading, bytes, start, &tail))
        return recovery_fail_in_file(work, path);
    if (tail.why == NULL)
        return true;
    return is_last ? recovery_note_torn(work, path, &tail, bytes.len)
                   : recovery_fail_damaged(work, path, tail.good, tail.why);
}

/* The part of the file before the cut. */
static struct slice recovery_before_cut(const struct work *work, const char *path,
                                        struct slice bytes)
{
    const struct recovery_cut *cut = work->options->cut;
    if (cut != NULL && strcmp(cut->path, path) == 0 && cut->offset < bytes.len)
        bytes.len = (size_t)cut->offset;
    return bytes;
}

static bool recovery_load_file(struct work *work, const struct manifest_file *file, bool is_last)
{
    struct recovery *recovery = work->recovery;
    char path[LAYOUT_PATH];
    struct input input;
    layout_path(path, file->name);
    if (!recovery_open_input(work, path, file->type == 'i', &input))
        return false;
    struct slice bytes = recovery_before_cut(work, path, input.bytes);
    bool loaded = (file->type == 'i' || recovery_starts_as_named(work, path, bytes)) &&
                  recovery_load_bytes(work, path, bytes, is_last);
    loading_start_file(&work->loading, bytes.len);
    *(file->type == 'b' ? &recovery->base_bytes : &recovery->log_bytes) +=
        bytes.len - recovery->torn_bytes;
    recovery_close_input(work, &input);
    return loaded;
}

/* The size of a file in bytes; 0 on an error, which opening it will report. */
static uint64_t recovery_size_of(struct work *work, const char *path)
{
    struct fs_file *file;
    if (fs_open(work->fs, path, FS_READ, &file) != 0)
        return 0;
    int64_t size = fs_size(file);
    fs_close(file);
    return size > 0 ? (uint64_t)size : 0;
}

/* Also true on an error, which ends the loading. */
static bool recovery_has_bytes(struct work *work, const char *path)
{
    struct fs_file *file;
    if (!recovery_check(work, fs_open(work->fs, path, FS_READ, &file), "open", path))
        return true;
    int64_t size = fs_size(file);
    fs_close(file);
    return size != 0;
}

/* Lists a folder that may be missing. */
static bool recovery_list(struct work *work, const char *folder, struct fs_names *names)
{
    int error = fs_list(work->fs, folder, names);
    return error == -ENOENT || recovery_check(work, error, "list", folder);
}

/* ---- with a manifest ---- */

static void recovery_sum_sizes(struct work *work)
{
    const struct manifest *manifest = &work->recovery->manifest;
    char path[LAYOUT_PATH];
    for (size_t i = 0; i < manifest->count; i++) {
        layout_path(path, manifest->files[i].name);
        if (manifest->files[i].type != 'h')
            work->loading.progress.total += recovery_size_of(work, path);
    }
}

static bool recovery_is_in_use(const struct manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->count; i++) {
        if (manifest->files[i].type != 'h' && strcmp(manifest->files[i].name, name) == 0)
            return true;
    }
    return false;
}

/*
 * A manifest has no checksum, but what it does not name is removed. So a log of its base that is
 * newer than all logs that it names shows that it lost a line, or that a flipped bit turned one
 * into history: history is older than the logs in use. A log left by an interrupted start or
 * rotation is empty.
 */
static bool recovery_check_for_lost_logs(struct work *work)
{
    const struct manifest *manifest = &work->recovery->manifest;
    const struct manifest_file *base = manifest_base(manifest);
    struct fs_names names = {0};
    bool good = recovery_list(work, LAYOUT_FOLDER, &names);
    for (size_t i = 0; i < names.count && good; i++) {
        char path[LAYOUT_PATH];
        struct quoted name, line;
        int64_t seq = layout_log_seq(names.items[i]);
        layout_path(path, names.items[i]);
        if (seq > layout_newest(manifest, 'i') && seq >= (base != NULL ? base->seq : 1) &&
            !recovery_is_in_use(manifest, names.items[i]) && recovery_has_bytes(work, path))
            good = recovery_fail(
                work, LOADING_DAMAGED,
                "DATA_LOSS: %s is newer than all logs that " LAYOUT_FOLDER "/" LAYOUT_MANIFEST
                " names, so a line for it is missing there; nothing was "
                "changed, restore the manifest from a copy, or add `file %s seq %" PRId64
                " type i` at its end",
                recovery_quoted(path, &name), recovery_quoted(names.items[i], &line), seq);
    }
    fs_names_deinit(&names);
    return good && work->recovery->verdict == LOADING_DONE;
}

static bool recovery_is_cut(const struct work *work, const struct manifest_file *file)
{
    const struct recovery_cut *cut = work->options->cut;
    char path[LAYOUT_PATH];
    layout_path(path, file->name);
    return cut != NULL && strcmp(cut->path, path) == 0;
}

/* Loads the next file; *done if the cut drops all others. */
static bool recovery_load_next(struct work *work, const struct manifest_file *file, bool is_last,
                               bool *done)
{
    *done = recovery_is_cut(work, file);
    return (*done && work->options->cut->offset == 0) || recovery_load_file(work, file, is_last);
}

/* Loads the base, then the logs in the manifest's order. */
static bool recovery_load_files(struct work *work)
{
    const struct manifest *manifest = &work->recovery->manifest;
    const struct manifest_file *base = manifest_base(manifest);
    bool done = false;
    size_t logs = 0;
    for (size_t i = 0; i < manifest->count; i++)
        logs += manifest->files[i].type == 'i';
    recovery_sum_sizes(work);
    if (work->options->cut == NULL && !recovery_check_for_lost_logs(work))
        return false;
    if (base != NULL && !recovery_load_next(work, base, logs == 0, &done))
        return false;
    for (size_t i = 0; i < manifest->count && !done; i++) {
        if (manifest->files[i].type == 'i' &&
            !recovery_load_next(work, &manifest->files[i], --logs == 0, &done))
            return false;
    }
    return true;
}

static void recovery_note_manifest_fault(struct work *work, const struct manifest_fault *fault)
{
    char why[200];
    if (fault->line > 0)
        snprintf(why, sizeof why, "line %zu %s", fault->line, fault->why);
    else
        snprintf(why, sizeof why, "it %s", fault->why);
    recovery_note_fault(work, LAYOUT_FOLDER "/" LAYOUT_MANIFEST, 0, why);
}

static bool recovery_read_manifest(struct work *work, bool *found)
{
    struct manifest_fault fault;
    int error =
        manifest_load(work->fs, LAYOUT_FOLDER, LAYOUT_MANIFEST, &work->recovery->manifest, &fault);
    *found = error == 0;
    work->recovery->has_manifest = error != -ENOENT;
    if (error == -EINVAL)
        recovery_note_manifest_fault(work, &fault);
    if (error == -EINVAL)
        return recovery_fail(
            work, LOADING_DAMAGED,
            "DATA_LOSS: " LAYOUT_FOLDER "/" LAYOUT_MANIFEST
            " is damaged in line %zu: %s; it names the files that make up the data, each as "
            "`file NAME seq N type b` (base) or i (log)",
            fault.line, fault.why);
    return error == -ENOENT ||
           recovery_check(work, error, "read", LAYOUT_FOLDER "/" LAYOUT_MANIFEST);
}

/* ---- without one ---- */

/* Also false on an error, which ends the loading. */
static bool recovery_exists(struct work *work, const char *path)
{
    struct fs_file *file;
    int error = fs_open(work->fs, path, FS_READ, &file);
    if (error == 0)
        fs_close(file);
    else if (error != -ENOENT)
        recovery_check(work, error, "open", path);
    return error == 0;
}

/*
 * True if the file has data that would be lost. A start that a crash interrupted leaves an empty
 * log, or the base that it made of a dump, which still exists.
 */
static bool recovery_has_data(struct work *work, const char *folder, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (strncmp(name, "temp-", 5) == 0) /* unfinished, by whichever program */
        return false;
    if (recovery_ends_with(name, ".base.rdb"))
        return !recovery_exists(work, LAYOUT_DUMP);
    return recovery_ends_with(name, ".manifest") ||
           (recovery_ends_with(name, ".aof") && recovery_has_bytes(work, path));
}

/* Refuses logs that no manifest puts in order: Redis would start empty and lose them. */
static bool recovery_refuse_logs(struct work *work, const char *folder, const char *what_to_do)
{
    struct fs_names names = {0};
    bool good = recovery_list(work, folder, &names);
    for (size_t i = 0; i < names.count && good; i++) {
        if (recovery_has_data(work, folder, names.items[i]))
            good = recovery_fail(
                work, LOADING_REFUSED,
                "there is %s/%s, but no " LAYOUT_FOLDER "/" LAYOUT_MANIFEST
                " that says how to load it; %s, or choose another directory with --dir",
                folder, names.items[i], what_to_do);
    }
    fs_names_deinit(&names);
    return work->recovery->verdict == LOADING_DONE;
}

/* Loads a snapshot. What follows its end is ignored, as in Redis. */
static bool recovery_load_snapshot(struct work *work, const char *path, struct slice bytes)
{
    size_t size;
    if (!recovery_starts_as_named(work, path, bytes) ||
        !(load_rdb(&work->loading, bytes, &size) || recovery_fail_in_file(work, path)))
        return false;
    work->recovery->ignored_bytes = bytes.len - size;
    return true;
}

static bool recovery_load_dump(struct work *work)
{
    struct input input;
    if (!recovery_exists(work, LAYOUT_DUMP))
        return work->recovery->verdict == LOADING_DONE;
    work->recovery->from_dump = true;
    work->loading.progress.total = recovery_size_of(work, LAYOUT_DUMP);
    if (!recovery_open_input(work, LAYOUT_DUMP, false, &input))
        return false;
    bool good = recovery_load_snapshot(work, LAYOUT_DUMP, input.bytes);
    recovery_close_input(work, &input);
    return good;
}

static bool recovery_load_without_manifest(struct work *work)
{
    return recovery_refuse_logs(
               work, LAYOUT_FOLDER,
               "bring the manifest back, or move the folder away to start without it") &&
           recovery_refuse_logs(
               work, ".",
               "start redis-server 7.0 on it once with --appendonly yes, which makes one, "
               "or move it away to start without it") &&
           recovery_load_dump(work);
}

/* ---- a file alone ---- */

/* The first line of a log shows the revision before it. */
static void recovery_set_revision_before(struct work *work, struct slice log)
{
    struct batch batch;
    if (batch_parse(log, 0, &batch) && batch.seq > 0)
        restore_revision(work->loading.store, batch.seq - 1);
}

/* Its name says whether it is a log or a snapshot, else its bytes do. */
static bool recovery_load_alone(struct work *work, const char *path, struct slice bytes)
{
    if (layout_is_dump(path))
        return recovery_load_snapshot(work, path, bytes);
    if (bytes.len == 0 && !recovery_ends_with(path, ".aof") && !recovery_ends_with(path, ".rdb"))
        return recovery_fail_damaged(work, path, 0, "it is empty: neither a snapshot nor a log");
    recovery_set_revision_before(work, bytes);
    return recovery_starts_as_named(work, path, bytes) &&
           recovery_load_bytes(work, path, bytes, true);
}

static bool recovery_load_one(struct work *work, const char *path)
{
    struct input input;
    if (!recovery_exists(work, path))
        return recovery_check(work, -ENOENT, "open", path);
    work->loading.progress.total = recovery_size_of(work, path);
    if (!recovery_open_input(work, path, false, &input))
        return false;
    bool loaded = recovery_load_alone(work, path, recovery_before_cut(work, path, input.bytes));
    recovery_close_input(work, &input);
    return loaded;
}

/* ---- all together ---- */

/* A process that died may have left names that are visible but not durable. */
static bool recovery_sync_names(struct work *work)
{
    int error = fs_sync_directory(work->fs, ".");
    if (!recovery_check(work, error, "sync", "the directory"))
        return false;
    error = fs_sync_directory(work->fs, LAYOUT_FOLDER);
    return error == -ENOENT || recovery_check(work, error, "sync", LAYOUT_FOLDER);
}

static bool recovery_judge_unsupported(struct work *work)
{
    const struct unsupported *unsupported = &work->loading.unsupported;
    char list_of[700];
    if (unsupported->count == 0 || work->options->skip_unsupported)
        return true;
    unsupported_print(unsupported, list_of, sizeof list_of);
    return recovery_fail(work, LOADING_REFUSED,
                         "the data hold what KeyStore does not have: %s%s%s; start with "
                         "--import-skip-unsupported to leave these out",
                         list_of, unsupported->why != NULL ? "; of the first, " : "",
                         unsupported->why != NULL ? unsupported->why : "");
}

/* With a cut the data are only inspected: there will be no commits. */
static bool recovery_read_reserve(struct work *work)
{
    if (work->options->cut != NULL)
        return true;
    int error = reserve_read(work->fs, &work->recovery->reserved);
    if (error != -EINVAL)
        return recovery_check(work, error, "read", LAYOUT_VERSIONS);
    recovery_note_fault(work, LAYOUT_VERSIONS, 0,
                        "it is not one line `versions N xxh3 DIGITS` whose check is right");
    return recovery_fail(
        work, LOADING_DAMAGED,
        "DATA_LOSS: " LAYOUT_VERSIONS
        " is damaged: it is one line, `versions N xxh3 DIGITS`; nothing was changed, restore "
        "it from a copy, or remove it, and then versions that clients know may come again");
}

static bool recovery_load(struct work *work)
{
    bool found;
    return (work->options->read_only || recovery_sync_names(work)) &&
           recovery_read_manifest(work, &found) && recovery_read_reserve(work) &&
           (found ? recovery_load_files(work) : recovery_load_without_manifest(work)) &&
           recovery_judge_unsupported(work);
}

/* Judges a file, or, if `path` is NULL, the directory. */
static enum loading_verdict recovery_judge_place(struct fs *fs, const char *path,
                                                 struct store *store,
                                                 const struct recovery_options *options,
                                                 struct recovery *recovery)
{
    *recovery = (struct recovery){0};
    struct work work = {.fs = fs,
                        .options = options,
                        .recovery = recovery,
                        .loading = {.store = store,
                                    .receipts = options->receipts,
                                    .on_progress = options->on_progress,
                                    .user = options->user}};
    store_lift_limit(store, true);
    bool loaded = path != NULL ? recovery_load_one(&work, path) && recovery_judge_unsupported(&work)
                               : recovery_load(&work);
    loading_deinit(&work.loading);
    store_lift_limit(store, false);
    recovery->revision = restore_newest(store);
    recovery->progress = work.loading.progress;
    recovery->unsupported = work.loading.unsupported;
    if (loaded)
        recovery->progress.done = recovery->progress.total; /* a torn tail is done, too */
    return recovery->verdict;
}

enum loading_verdict recovery_judge(struct fs *fs, struct store *store,
                                    const struct recovery_options *options,
                                    struct recovery *recovery)
{
    return recovery_judge_place(fs, NULL, store, options, recovery);
}

enum loading_verdict recovery_judge_file(struct fs *fs, const char *path, struct store *store,
                                         const struct recovery_options *options,
                                         struct recovery *recovery)
{
    return recovery_judge_place(fs, path, store, options, recovery);
}

void recovery_deinit(struct recovery *recovery)
{
    manifest_deinit(&recovery->manifest);
}
