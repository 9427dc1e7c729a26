/*
 * Has the recovery judge a data directory, then lists and inspects its files and gives each its
 * role. Changes nothing, and does not know what a file's bytes mean.
 */
#include "check/directory.h"

#include "base/mem.h"
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_ITEMS 16
#define COPY_MARK   ".before-repair-"
/* As many as a server may have. */
#define DATABASES 1024

/* A check in progress. */
struct check {
    struct fs *fs;
    struct progress *progress;
    struct directory *directory;
    struct recovery recovery;
    bool shown; /* the progress of the loading is shown */
};

static char *directory_copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(mem_alloc(size), text, size);
}

static struct item *directory_add_item(struct directory *directory, enum role role,
                                       const char *path)
{
    if (directory->count == directory->capacity) {
        directory->capacity = directory->capacity > 0 ? directory->capacity * 2 : FIRST_ITEMS;
        directory->items =
            mem_realloc(directory->items, directory->capacity * sizeof *directory->items);
    }
    struct item *item = &directory->items[directory->count++];
    *item = (struct item){.role = role, .path = directory_copy_text(path)};
    return item;
}

static struct item *directory_add_in_folder(struct directory *directory, enum role role,
                                            const char *name)
{
    char path[LAYOUT_PATH];
    layout_path(path, name);
    return directory_add_item(directory, role, path);
}

void directory_deinit(struct directory *directory)
{
    for (size_t i = 0; i < directory->count; i++)
        free(directory->items[i].path);
    free(directory->items);
    manifest_deinit(&directory->manifest);
    store_free(directory->store);
    *directory = (struct directory){0};
}

/* ---- the verdict ---- */

static bool directory_on_progress(void *user, const struct loading_progress *loading)
{
    struct check *check = user;
    if (!check->shown)
        progress_begin(check->progress, "loading", loading->total);
    check->shown = true;
    progress_step(check->progress, loading->done);
    return true;
}

static enum state directory_state_of(const struct recovery *recovery)
{
    switch (recovery->verdict) {
    case LOADING_DONE:
        return recovery->torn_why != NULL ? STATE_TORN : STATE_GOOD;
    case LOADING_DAMAGED:
        return STATE_DAMAGED;
    case LOADING_REFUSED:
        return STATE_REFUSED;
    default:
        return STATE_UNREADABLE;
    }
}

static struct store *directory_new_store(void)
{
    return store_new(&(struct store_options){.databases = DATABASES});
}

/* Judges the directory, or the file at `path`, as a server would that leaves out what it does not
 * support. */
static void directory_judge(struct check *check, const char *path)
{
    struct directory *directory = check->directory;
    struct recovery *recovery = &check->recovery;
    struct recovery_options options = {.skip_unsupported = true,
                                       .read_only = true,
                                       .on_progress = directory_on_progress,
                                       .user = check};
    directory->store = directory_new_store();
    if (path == NULL)
        recovery_judge(check->fs, directory->store, &options, recovery);
    else
        recovery_judge_file(check->fs, path, directory->store, &options, recovery);
    progress_end(check->progress);
    directory->state = directory_state_of(recovery);
    directory->has_manifest = recovery->has_manifest;
    directory->unsupported = recovery->unsupported;
    directory->manifest = recovery->manifest;
    recovery->manifest = (struct manifest){0};
    if (recovery->fault.path[0] == 0)
        snprintf(directory->why, sizeof directory->why, "%s", recovery->why);
}

/* ---- one file ---- */

/* Measures a file without data. What is unknown may be anything. */
static void directory_measure(struct fs *fs, struct item *item)
{
    struct fs_file *file;
    if (item->role == ROLE_UNKNOWN || fs_open(fs, item->path, FS_READ, &file) != 0)
        return;
    int64_t size = fs_size(file);
    item->inspection.size = size > 0 ? (uint64_t)size : 0;
    fs_close(file);
}

static bool directory_is_at_fault(const struct check *check, const struct item *item)
{
    return strcmp(check->recovery.fault.path, item->path) == 0;
}

static void directory_note_fault(const struct check *check, struct item *item)
{
    struct inspection *inspection = &item->inspection;
    inspection->state = check->directory->state;
    snprintf(inspection->why, sizeof inspection->why, "%s", check->recovery.fault.why);
}

static int directory_map_item(struct fs *fs, const struct item *item, struct slice *bytes)
{
    struct fs_file *file;
    int error = fs_open(fs, item->path, FS_READ, &file);
    if (error != 0)
        return error;
    error = fs_map(file, bytes);
    fs_close(file);
    return error;
}

/* A file that cannot be read is the one the verdict is about, or follows it. */
static void directory_inspect_item(struct check *check, struct item *item, uint64_t next)
{
    struct slice bytes;
    bool bad = directory_is_at_fault(check, item);
    int error = directory_map_item(check->fs, item, &bytes);
    item->missing = error == -ENOENT;
    if (error == 0) {
        progress_begin(check->progress, item->path, bytes.len);
        inspect(bytes, bad ? check->recovery.fault.offset : SIZE_MAX, next, check->progress,
                &item->inspection);
        progress_end(check->progress);
        fs_unmap(check->fs, bytes);
    }
    if (layout_is_dump(item->path)) /* what follows is ignored */
        item->inspection.log = (struct inspect_log){0};
    if (bad)
        directory_note_fault(check, item);
}

/* ---- files of the manifest ---- */

/* Checks the files of one type, in order; *next is the expected revision of each. */
static void directory_check_type(struct check *check, char type, uint64_t *next)
{
    struct directory *directory = check->directory;
    for (size_t i = 0; i < directory->manifest.count; i++) {
        const struct manifest_file *file = &directory->manifest.files[i];
        if (file->type != type)
            continue;
        struct item *item =
            directory_add_in_folder(directory, type == 'b' ? ROLE_BASE : ROLE_LOG, file->name);
        directory_inspect_item(check, item, *next);
        *next = item->inspection.state == STATE_GOOD ? item->inspection.next : 0;
    }
}

static void directory_check_history(struct check *check)
{
    struct directory *directory = check->directory;
    for (size_t i = 0; i < directory->manifest.count; i++) {
        if (directory->manifest.files[i].type == 'h')
            directory_measure(check->fs,
                              directory_add_in_folder(directory, ROLE_HISTORY,
                                                      directory->manifest.files[i].name));
    }
}

static void directory_check_manifest(struct check *check)
{
    uint64_t next = 1; /* unless the base is a snapshot */
    if (!check->directory->has_manifest)
        return;
    struct item *item = directory_add_in_folder(check->directory, ROLE_MANIFEST, LAYOUT_MANIFEST);
    directory_measure(check->fs, item);
    if (directory_is_at_fault(check, item))
        directory_note_fault(check, item);
    directory_check_type(check, 'b', &next);
    directory_check_type(check, 'i', &next);
    directory_check_history(check);
}

/* ---- other files ---- */

static bool directory_is_listed(const struct directory *directory, const char *path)
{
    for (size_t i = 0; i < directory->count; i++) {
        if (strcmp(directory->items[i].path, path) == 0)
            return true;
    }
    return false;
}

/* Nothing is removed from a directory that cannot be loaded. */
static enum role directory_role_in_folder(const struct directory *directory, const char *name)
{
    if (strstr(name, COPY_MARK) != NULL)
        return ROLE_COPY;
    bool removed = layout_is_data_file(name) && directory->state <= STATE_TORN;
    return removed ? ROLE_LEFTOVER : ROLE_UNKNOWN;
}

static void directory_check_folder(struct check *check)
{
    struct fs_names names = {0};
    int ignored = fs_list(check->fs, LAYOUT_FOLDER, &names); /* the recovery has reported it */
    (void)ignored;
    for (size_t i = 0; i < names.count; i++) {
        char path[LAYOUT_PATH];
        layout_path(path, names.items[i]);
        if (!directory_is_listed(check->directory, path))
            directory_measure(
                check->fs, directory_add_item(
                               check->directory,
                               directory_role_in_folder(check->directory, names.items[i]), path));
    }
    fs_names_deinit(&names);
}

static enum role directory_role_at_top(const struct directory *directory, const char *name)
{
    if (strcmp(name, LAYOUT_LOCK) == 0)
        return ROLE_LOCK;
    if (strcmp(name, LAYOUT_VERSIONS) == 0)
        return ROLE_VERSIONS;
    if (strcmp(name, LAYOUT_DUMP) == 0)
        return directory->has_manifest ? ROLE_IGNORED : ROLE_DUMP;
    return strstr(name, COPY_MARK) != NULL ? ROLE_COPY : ROLE_UNKNOWN;
}

/* Copies what the recovery says of it. */
static void directory_note_versions(const struct check *check, struct item *item)
{
    item->reserved = check->recovery.reserved;
    if (directory_is_at_fault(check, item))
        directory_note_fault(check, item);
}

static void directory_check_top(struct check *check)
{
    struct fs_names names = {0};
    int ignored = fs_list(check->fs, ".", &names);
    (void)ignored;
    for (size_t i = 0; i < names.count; i++) {
        if (strcmp(names.items[i], LAYOUT_FOLDER) == 0)
            continue;
        struct item *item = directory_add_item(
            check->directory, directory_role_at_top(check->directory, names.items[i]),
            names.items[i]);
        if (item->role == ROLE_DUMP)
            directory_inspect_item(check, item, 0);
        else
            directory_measure(check->fs, item);
        if (item->role == ROLE_VERSIONS)
            directory_note_versions(check, item);
    }
    fs_names_deinit(&names);
}

/* ---- all together ---- */

/* The item that is not good, if one is at fault; else NULL. */
static const struct item *directory_find_bad(const struct directory *directory)
{
    for (size_t i = 0; i < directory->count; i++) {
        if (directory->items[i].inspection.state != STATE_GOOD)
            return &directory->items[i];
    }
    return NULL;
}

/* A log can be cut or left out, and so can what follows a snapshot in its file; nothing else. */
static bool directory_can_be_cut(const struct item *item)
{
    if (item == NULL)
        return false;
    if (item->missing)
        return item->role == ROLE_LOG;
    bool has_lost_base = item->role == ROLE_BASE && item->inspection.rdb.size == 0 &&
                         item->inspection.log.records == 0;
    return item->inspection.log.present && !has_lost_base;
}

void directory_check(struct fs *fs, struct progress *progress, struct directory *directory)
{
    struct check check = {.fs = fs, .progress = progress, .directory = directory};
    directory_judge(&check, NULL);
    directory_check_manifest(&check);
    directory_check_folder(&check);
    directory_check_top(&check);
    directory->repairable =
        directory->state <= STATE_TORN ||
        (directory->state == STATE_DAMAGED && directory_can_be_cut(directory_find_bad(directory)));
    recovery_deinit(&check.recovery);
}

void directory_check_file(struct fs *fs, const char *path, struct progress *progress,
                          struct directory *directory)
{
    struct check check = {.fs = fs, .progress = progress, .directory = directory};
    directory_judge(&check, path);
    struct item *item = directory_add_item(directory, ROLE_UNKNOWN, path);
    directory_inspect_item(&check, item, 0);
    if (item->inspection.rdb.present)
        item->role = ROLE_BASE;
    else if (item->inspection.log.present)
        item->role = ROLE_LOG;
    if (item->inspection.state == STATE_GOOD && directory->state != STATE_GOOD) {
        item->inspection.state = directory->state;
        snprintf(item->inspection.why, sizeof item->inspection.why, "%.300s", directory->why);
    }
    recovery_deinit(&check.recovery);
}

/* Finds where the good data end; `path` is empty if all files are good, although the directory is
 * not. */
static bool directory_find_cut(const struct directory *directory, struct recovery_cut *cut)
{
    const struct item *bad = directory_find_bad(directory);
    *cut = (struct recovery_cut){.path = ""};
    if (bad == NULL)
        return directory->manifest.count > 0;
    cut->path = bad->path;
    cut->offset = bad->missing ? 0 : bad->inspection.good;
    if (bad->role == ROLE_VERSIONS) /* the data are complete */
        return directory->manifest.count > 0;
    return directory_can_be_cut(bad);
}

void directory_load_good(struct fs *fs, struct directory *directory)
{
    struct recovery_cut cut;
    struct recovery recovery = {0};
    struct recovery_options options = {.skip_unsupported = true, .read_only = true, .cut = &cut};
    if (directory->state <= STATE_TORN)
        return;
    store_free(directory->store);
    directory->store = directory_new_store();
    if (directory->state != STATE_DAMAGED || !directory_find_cut(directory, &cut))
        return;
    if (directory->manifest.count > 0)
        recovery_judge(fs, directory->store, &options, &recovery);
    else if (cut.offset > 0)
        recovery_judge_file(fs, cut.path, directory->store, &options, &recovery);
    recovery_deinit(&recovery);
}
