/* Changes files, in an order that survives a crash. Does not judge what is wrong with them. */
#include "check/repair.h"

#include "check/report.h"
#include "journal/layout.h"

#include <errno.h>
#include <inttypes.h>

#define COPY_MARK   ".before-repair-"
#define MOST_COPIES 10000
/* Bytes written at a time. */
#define PIECE ((size_t)1024 * 1024)

/* The arguments after `problem` are those of printf; always false. */
#define refuse(problem, ...) (snprintf(problem, REPAIR_PROBLEM_SIZE, __VA_ARGS__), false)

static bool repair_refuse_error(char problem[static REPAIR_PROBLEM_SIZE], const char *path,
                                int error)
{
    return refuse(problem, "%.200s: %s; what was copied is left where it is", path,
                  strerror(-error));
}

/* "appendonlydir" or "." */
static const char *repair_folder_of(const char *path)
{
    return strchr(path, '/') != NULL ? LAYOUT_FOLDER : ".";
}

/* ---- copies ---- */

static int repair_create_copy(struct fs *fs, const char *path, char copy[static REPAIR_PATH_SIZE],
                              struct fs_file **file)
{
    int error = -EEXIST;
    for (unsigned n = 1; error == -EEXIST && n <= MOST_COPIES; n++) {
        int len = snprintf(copy, REPAIR_PATH_SIZE, "%s" COPY_MARK "%u", path, n);
        if (len < 0 || (size_t)len >= REPAIR_PATH_SIZE)
            return -ENAMETOOLONG;
        error = fs_open(fs, copy, FS_CREATE, file);
    }
    return error;
}

static int repair_write_all(struct fs_file *file, struct slice bytes)
{
    int error = 0;
    while (error == 0 && bytes.len > 0) {
        size_t piece = bytes.len < PIECE ? bytes.len : PIECE;
        error = fs_write_slice(file, slice_make(bytes.data, piece));
        bytes = slice_skip(bytes, piece);
    }
    return error == 0 ? fs_sync(file) : error;
}

static int repair_map_path(struct fs *fs, const char *path, struct slice *bytes)
{
    struct fs_file *file;
    int error = fs_open(fs, path, FS_READ, &file);
    if (error != 0)
        return error;
    error = fs_map(file, bytes);
    fs_close(file);
    return error;
}

/* Makes a copy beside the file, durable except for its name; *copy is its path. */
static int repair_copy_file(struct fs *fs, const char *path, char copy[static REPAIR_PATH_SIZE])
{
    struct slice bytes;
    struct fs_file *file;
    int error = repair_map_path(fs, path, &bytes);
    if (error != 0)
        return error;
    error = repair_create_copy(fs, path, copy, &file);
    if (error == 0) {
        error = repair_write_all(file, bytes);
        int closed = fs_close(file);
        error = error != 0 ? error : closed;
    }
    fs_unmap(fs, bytes);
    return error;
}

static bool repair_keep(struct fs *fs, const struct item *item, FILE *out,
                        char problem[static REPAIR_PROBLEM_SIZE])
{
    char copy[REPAIR_PATH_SIZE];
    if (item->missing)
        return true;
    int error = repair_copy_file(fs, item->path, copy);
    if (error == 0)
        error = fs_sync_directory(fs, repair_folder_of(item->path));
    if (error != 0)
        return repair_refuse_error(problem, item->path, error);
    fprintf(out, "kept      %s: a copy of %s as it was\n", copy, item->path);
    return true;
}

/* ---- changes ---- */

static bool repair_cut(struct fs *fs, const struct item *item, FILE *out,
                       char problem[static REPAIR_PROBLEM_SIZE])
{
    struct fs_file *file;
    const struct inspection *inspection = &item->inspection;
    int error = fs_open(fs, item->path, FS_APPEND, &file);
    if (error != 0)
        return repair_refuse_error(problem, item->path, error);
    error = fs_truncate(file, inspection->good);
    if (error == 0)
        error = fs_sync(file);
    fs_close(file);
    if (error != 0)
        return repair_refuse_error(problem, item->path, error);
    fprintf(out, "cut       %s at byte %" PRIu64 "; lost: ", item->path, inspection->good);
    report_loss(out, inspection);
    fputc('\n', out);
    return true;
}

static bool repair_drop(struct fs *fs, const struct item *item, FILE *out,
                        char problem[static REPAIR_PROBLEM_SIZE])
{
    int error = fs_unlink(fs, item->path);
    if (error != 0 && error != -ENOENT)
        return repair_refuse_error(problem, item->path, error);
    if (item->missing) {
        fprintf(out, "dropped   %s from the manifest: it was not there\n", item->path);
        return true;
    }
    const struct inspect_log *log = &item->inspection.log;
    fprintf(out, "dropped   %s; lost: %" PRIu64 " bytes, with %" PRIu64 " records\n", item->path,
            item->inspection.size, log->records + item->inspection.bad_records);
    return true;
}

/* Items from `first` on that hold data: the bad one and the logs after it. */
struct repair {
    struct fs *fs;
    const struct item *bad;
    const struct item *later; /* the first that is dropped */
    const struct item *end;
    FILE *out;
    char *problem;
};

static bool repair_is_dropped(const struct repair *repair, const char *name)
{
    char path[LAYOUT_PATH];
    layout_path(path, name);
    for (const struct item *item = repair->later; item < repair->end; item++) {
        if (strcmp(item->path, path) == 0)
            return true;
    }
    return false;
}

/* Replaces the manifest by one without the dropped logs. */
static bool repair_replace_manifest(const struct repair *repair, const struct manifest *manifest)
{
    struct manifest shorter = {0};
    for (size_t i = 0; i < manifest->count; i++) {
        const struct manifest_file *file = &manifest->files[i];
        if (!repair_is_dropped(repair, file->name))
            manifest_add(&shorter, file->name, file->seq, file->type);
    }
    int error = manifest_replace(repair->fs, LAYOUT_FOLDER, LAYOUT_MANIFEST, &shorter);
    manifest_deinit(&shorter);
    return error == 0 || repair_refuse_error(repair->problem, LAYOUT_MANIFEST, error);
}

static bool repair_keep_all(const struct repair *repair)
{
    if (!repair_keep(repair->fs, repair->bad, repair->out, repair->problem))
        return false;
    const struct item *item = repair->bad + 1;
    for (; item < repair->end; item++) {
        if (!repair_keep(repair->fs, item, repair->out, repair->problem))
            return false;
    }
    return true;
}

/* Logs that are dropped are emptied before the manifest omits them: one with bytes that it does not
 * name would look as if a line for it were missing. */
static bool repair_empty_later(const struct repair *repair)
{
    for (const struct item *item = repair->later; item < repair->end; item++) {
        struct fs_file *file;
        if (item->missing)
            continue;
        int error = fs_open(repair->fs, item->path, FS_APPEND, &file);
        if (error != 0)
            return repair_refuse_error(repair->problem, item->path, error);
        error = fs_truncate(file, 0);
        if (error == 0)
            error = fs_sync(file);
        fs_close(file);
        if (error != 0)
            return repair_refuse_error(repair->problem, item->path, error);
    }
    return true;
}

static bool repair_apply(const struct repair *repair, const struct manifest *manifest)
{
    if (!repair_keep_all(repair) || !repair_empty_later(repair))
        return false;
    if (repair->later < repair->end && !repair_replace_manifest(repair, manifest))
        return false;
    if (repair->later > repair->bad &&
        !repair_cut(repair->fs, repair->bad, repair->out, repair->problem))
        return false;
    for (const struct item *item = repair->later; item < repair->end; item++) {
        if (!repair_drop(repair->fs, item, repair->out, repair->problem))
            return false;
    }
    return true;
}

static bool repair_is_data(const struct item *item)
{
    return item->role == ROLE_BASE || item->role == ROLE_LOG;
}

/* Finds the first bad file and the logs after it; those with data are consecutive, in order. */
static bool repair_find_bad(const struct directory *directory, struct repair *repair)
{
    const struct item *end = directory->items + directory->count;
    const struct item *item = directory->items;
    while (item < end && !(repair_is_data(item) && item->inspection.state != STATE_GOOD))
        item++;
    if (item == end)
        return false;
    repair->bad = item;
    repair->later = item->missing ? item : item + 1;
    while (item < end && repair_is_data(item))
        item++;
    repair->end = item;
    return true;
}

static bool repair_may_cut(const struct item *item, bool damage,
                           char problem[static REPAIR_PROBLEM_SIZE])
{
    const struct inspection *inspection = &item->inspection;
    if (inspection->state == STATE_UNREADABLE)
        return refuse(problem, "%.200s cannot be read, so it cannot be repaired either",
                      item->path);
    if (inspection->state == STATE_DAMAGED && !damage)
        return refuse(problem,
                      "%.200s is damaged, not torn; restore a backup, or give --repair-damage to "
                      "lose all from the first bad record on",
                      item->path);
    return true;
}

bool repair_directory(struct fs *fs, const struct directory *directory, bool damage, FILE *out,
                      char problem[static REPAIR_PROBLEM_SIZE])
{
    struct repair repair = {.fs = fs, .out = out, .problem = problem};
    if (!directory->repairable)
        return refuse(problem, "no cut can repair this; restore a backup");
    if (!repair_find_bad(directory, &repair))
        return refuse(problem, "nothing is wrong that a cut could repair");
    if (!repair_may_cut(repair.bad, damage, problem))
        return false;
    bool nothing_left = repair.bad->missing && !repair_is_data(repair.bad - 1);
    if (nothing_left)
        return refuse(problem, "nothing would be left; restore a backup");
    return repair_apply(&repair, &directory->manifest);
}

bool repair_file(struct fs *fs, const struct item *item, bool damage, FILE *out,
                 char problem[static REPAIR_PROBLEM_SIZE])
{
    if (!item->inspection.log.present)
        return refuse(problem, "%.200s is a snapshot, which no cut can repair; restore a backup",
                      item->path);
    return repair_may_cut(item, damage, problem) && repair_keep(fs, item, out, problem) &&
           repair_cut(fs, item, out, problem);
}
