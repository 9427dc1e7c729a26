/*
 * Lists and inspects the files of a data directory, and gives each its role. Changes nothing, and
 * does not know what a file's bytes mean.
 */
#include "check/directory.h"

#include "base/mem.h"
#include "journal/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FIRST_ITEMS 16
#define COPY_MARK   ".before-repair-"

static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(mem_alloc(size), text, size);
}

static void spoil(struct item *item, enum state state, const char *why)
{
    item->inspection.state = state;
    snprintf(item->inspection.why, sizeof item->inspection.why, "%s", why);
}

static void spoil_directory(struct directory *directory, enum state state, const char *why)
{
    directory->state = state > directory->state ? state : directory->state;
    if (directory->why[0] == 0)
        snprintf(directory->why, sizeof directory->why, "%s", why);
}

static struct item *add_item(struct directory *directory, enum role role, const char *path)
{
    if (directory->count == directory->capacity) {
        directory->capacity = directory->capacity > 0 ? directory->capacity * 2 : FIRST_ITEMS;
        directory->items =
            mem_realloc(directory->items, directory->capacity * sizeof *directory->items);
    }
    struct item *item = &directory->items[directory->count++];
    *item = (struct item){.role = role, .path = copy_text(path)};
    return item;
}

static struct item *add_in_folder(struct directory *directory, enum role role, const char *name)
{
    char path[LAYOUT_PATH];
    layout_path(path, name);
    return add_item(directory, role, path);
}

void directory_deinit_item(struct item *item)
{
    free(item->path);
    item->path = NULL;
}

void directory_deinit(struct directory *directory)
{
    for (size_t i = 0; i < directory->count; i++)
        directory_deinit_item(&directory->items[i]);
    free(directory->items);
    manifest_deinit(&directory->manifest);
    *directory = (struct directory){0};
}

/* ---- one file ---- */

/* The size of what holds no data. What is unknown may be anything, even what blocks when opened. */
static void measure(struct fs *fs, struct item *item)
{
    struct fs_file *file;
    if (item->role == ROLE_UNKNOWN || fs_open(fs, item->path, FS_READ, &file) != 0)
        return;
    int64_t size = fs_size(file);
    item->inspection.size = size > 0 ? (uint64_t)size : 0;
    fs_close(file);
}

static void inspect_item(struct fs *fs, struct item *item, uint64_t next, struct progress *progress)
{
    struct fs_file *file;
    struct slice bytes;
    int error = fs_open(fs, item->path, FS_READ, &file);
    if (error == -ENOENT) {
        item->missing = true;
        spoil(item, STATE_DAMAGED, "it is not there, but the manifest names it");
        return;
    }
    if (error == 0) {
        error = fs_map(file, &bytes);
        fs_close(file);
    }
    if (error != 0) {
        spoil(item, STATE_UNREADABLE, strerror(-error));
        return;
    }
    progress_begin(progress, item->path, bytes.len);
    inspect(bytes, next, progress, &item->inspection);
    progress_end(progress);
    fs_unmap(fs, bytes);
}

void directory_check_file(struct fs *fs, const char *path, struct progress *progress,
                          struct item *item)
{
    *item = (struct item){.role = ROLE_UNKNOWN, .path = copy_text(path)};
    inspect_item(fs, item, 0, progress);
    if (item->missing)
        spoil(item, STATE_UNREADABLE, "there is no such file");
    if (item->inspection.rdb.present)
        item->role = ROLE_BASE;
    else if (item->inspection.log.present)
        item->role = ROLE_LOG;
}

/* ---- files of the manifest ---- */

static const struct manifest_file *last_of_data(const struct manifest *manifest)
{
    const struct manifest_file *last = manifest_base(manifest);
    for (size_t i = 0; i < manifest->count; i++) {
        if (manifest->files[i].type == 'i')
            last = &manifest->files[i];
    }
    return last;
}

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);
    return len >= end_len && strcmp(name + len - end_len, end) == 0;
}

/* Redis takes an empty base for empty data; whatever it was, it was more. */
static void check_base(struct item *item)
{
    if (item->inspection.state == STATE_GOOD && ends_with(item->path, ".rdb") &&
        !item->inspection.rdb.present)
        spoil(item, STATE_DAMAGED, "it is no snapshot, although its name says so");
}

/* The files of one type, in order; *next is the revision due at each. */
static void check_type(struct fs *fs, struct directory *directory, char type, uint64_t *next,
                       struct progress *progress)
{
    const struct manifest_file *last = last_of_data(&directory->manifest);
    for (size_t i = 0; i < directory->manifest.count; i++) {
        const struct manifest_file *file = &directory->manifest.files[i];
        if (file->type != type)
            continue;
        struct item *item =
            add_in_folder(directory, type == 'b' ? ROLE_BASE : ROLE_LOG, file->name);
        struct inspection *inspection = &item->inspection;
        inspect_item(fs, item, *next, progress);
        if (type == 'b')
            check_base(item);
        if (inspection->state == STATE_TORN && file != last)
            inspection->state = STATE_DAMAGED; /* a log is finished before the next begins */
        *next = inspection->state == STATE_GOOD ? inspection->next : 0;
    }
}

static void check_history(struct fs *fs, struct directory *directory)
{
    for (size_t i = 0; i < directory->manifest.count; i++) {
        if (directory->manifest.files[i].type == 'h')
            measure(fs, add_in_folder(directory, ROLE_HISTORY, directory->manifest.files[i].name));
    }
}

static void check_named(struct fs *fs, struct directory *directory, struct progress *progress)
{
    uint64_t next = 1; /* unless the base is a snapshot */
    check_type(fs, directory, 'b', &next, progress);
    for (size_t i = 0; i < directory->count; i++) {
        if (directory->items[i].role == ROLE_BASE &&
            directory->items[i].inspection.state != STATE_GOOD &&
            directory->items[i].inspection.rdb.size == 0 &&
            directory->items[i].inspection.log.units == 0)
            directory->repairable = false;
    }
    check_type(fs, directory, 'i', &next, progress);
    check_history(fs, directory);
}

static void check_manifest(struct fs *fs, struct directory *directory, struct progress *progress)
{
    struct manifest_fault fault;
    int error = manifest_load(fs, LAYOUT_FOLDER, LAYOUT_MANIFEST, &directory->manifest, &fault);
    if (error == -ENOENT)
        return;
    directory->has_manifest = true;
    struct item *item = add_in_folder(directory, ROLE_MANIFEST, LAYOUT_MANIFEST);
    measure(fs, item);
    if (error == 0) {
        check_named(fs, directory, progress);
        return;
    }
    directory->repairable = false;
    if (error != -EINVAL)
        spoil(item, STATE_UNREADABLE, strerror(-error));
    else if (fault.line == 0)
        spoil(item, STATE_DAMAGED, fault.why);
    else {
        item->inspection.state = STATE_DAMAGED;
        snprintf(item->inspection.why, sizeof item->inspection.why, "line %zu %s", fault.line,
                 fault.why);
    }
}

/* ---- what else lies there ---- */

static bool is_listed(const struct directory *directory, const char *path)
{
    for (size_t i = 0; i < directory->count; i++) {
        if (strcmp(directory->items[i].path, path) == 0)
            return true;
    }
    return false;
}

/* Bases and logs, which mean nothing without a manifest; the server asks the same. */
static bool needs_manifest(const char *name)
{
    return strncmp(name, "temp-", 5) != 0 &&
           (ends_with(name, ".aof") || ends_with(name, ".base.rdb") ||
            ends_with(name, ".manifest"));
}

static enum role role_in_folder(const struct directory *directory, const char *name)
{
    if (strstr(name, COPY_MARK) != NULL)
        return ROLE_COPY;
    /* Without a good manifest nobody can tell which are of use, and nobody removes them. */
    bool removed =
        layout_is_data_file(name) &&
        (directory->manifest.count > 0 || (!directory->has_manifest && !needs_manifest(name)));
    return removed ? ROLE_LEFTOVER : ROLE_UNKNOWN;
}

/* True if there are logs or bases that a manifest should name. */
static bool check_folder(struct fs *fs, struct directory *directory)
{
    struct fs_names names = {0};
    bool data = false;
    int error = fs_list(fs, LAYOUT_FOLDER, &names);
    if (error != 0 && error != -ENOENT)
        spoil_directory(directory, STATE_UNREADABLE, "the folder " LAYOUT_FOLDER " cannot be read");
    for (size_t i = 0; i < names.count; i++) {
        char path[LAYOUT_PATH];
        layout_path(path, names.items[i]);
        if (is_listed(directory, path))
            continue;
        measure(fs, add_item(directory, role_in_folder(directory, names.items[i]), path));
        data = data || needs_manifest(names.items[i]);
    }
    fs_names_deinit(&names);
    return data;
}

static enum role role_at_top(const struct directory *directory, const char *name)
{
    if (strcmp(name, LAYOUT_LOCK) == 0)
        return ROLE_LOCK;
    if (strcmp(name, LAYOUT_DUMP) == 0)
        return directory->has_manifest ? ROLE_IGNORED : ROLE_DUMP;
    return strstr(name, COPY_MARK) != NULL ? ROLE_COPY : ROLE_UNKNOWN;
}

/* True as above: Redis before 7.0 had its log there. */
static bool check_top(struct fs *fs, struct directory *directory, struct progress *progress)
{
    struct fs_names names = {0};
    bool data = false;
    if (fs_list(fs, ".", &names) != 0)
        spoil_directory(directory, STATE_UNREADABLE, "the data directory cannot be read");
    for (size_t i = 0; i < names.count; i++) {
        if (strcmp(names.items[i], LAYOUT_FOLDER) == 0)
            continue;
        data = data || needs_manifest(names.items[i]);
        struct item *item =
            add_item(directory, role_at_top(directory, names.items[i]), names.items[i]);
        if (item->role != ROLE_DUMP) {
            measure(fs, item);
            continue;
        }
        inspect_item(fs, item, 0, progress);
        if (item->inspection.state <= STATE_TORN && item->inspection.log.present)
            spoil(item, STATE_DAMAGED, "something follows the end of the snapshot");
        directory->repairable = item->inspection.state == STATE_GOOD;
    }
    fs_names_deinit(&names);
    return data;
}

void directory_check(struct fs *fs, struct progress *progress, struct directory *directory)
{
    directory->repairable = true;
    check_manifest(fs, directory, progress);
    bool in_folder = check_folder(fs, directory);
    bool at_top = check_top(fs, directory, progress);
    for (size_t i = 0; i < directory->count; i++) {
        enum state state = directory->items[i].inspection.state;
        directory->state = state > directory->state ? state : directory->state;
    }
    if ((in_folder || at_top) && !directory->has_manifest) {
        directory->repairable = false;
        spoil_directory(directory, STATE_DAMAGED,
                        in_folder ? "there are logs but no " LAYOUT_MANIFEST " that names them"
                                  : "there is a log as of Redis before 7.0; redis-server 7.0 can "
                                    "turn it into one that KeyStore loads");
    }
}
