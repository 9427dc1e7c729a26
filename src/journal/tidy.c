/*
 * Truncates, replaces and removes. A file that only takes up space does not fail a start: if it
 * cannot be removed, that is logged, and the next start tries again.
 */
#include "journal/tidy.h"

#include "base/log.h"
#include "base/quote.h"

#include <errno.h>
#include <stdio.h>

static enum loading_verdict tidy_fail(struct recovery *recovery, const char *what, const char *path,
                                      int error)
{
    char name[QUOTED_SIZE(LAYOUT_PATH)];
    snprintf(recovery->why, sizeof recovery->why, "cannot %s %s: %s", what,
             quote_text(name, slice_from_string(path)), fs_error_text(error));
    return LOADING_FAILED;
}

static int tidy_cut_file(struct fs *fs, const char *path, uint64_t size)
{
    struct fs_file *file;
    int error = fs_open(fs, path, FS_APPEND, &file);
    if (error != 0)
        return error;
    error = fs_truncate(file, size);
    if (error == 0)
        error = fs_sync_data(file);
    fs_close(file);
    return error;
}

static enum loading_verdict tidy_cut_tail(struct fs *fs, struct recovery *recovery)
{
    char path[LAYOUT_PATH];
    if (recovery->torn_name[0] == 0)
        return LOADING_DONE;
    layout_path(path, recovery->torn_name);
    int error = tidy_cut_file(fs, path, recovery->torn_offset);
    return error == 0 ? LOADING_DONE : tidy_fail(recovery, "truncate the torn end of", path, error);
}

static void tidy_remove_file(struct fs *fs, const char *name)
{
    char path[LAYOUT_PATH], quoted[QUOTED_SIZE(LAYOUT_PATH)];
    layout_path(path, name);
    int error = fs_unlink(fs, path);
    quote_text(quoted, slice_from_string(path));
    if (error == 0)
        log_info("%s is removed: no manifest names it any more", quoted);
    else if (error != -ENOENT)
        log_warning("%s is of no use, but cannot be removed: %s", quoted, fs_error_text(error));
}

/* Copies the files that are in use, without history. */
static void tidy_copy_used(const struct manifest *from, struct manifest *to)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct manifest_file *file = &from->files[i];
        if (file->type != 'h')
            manifest_add(to, file->name, file->seq, file->type);
    }
}

/*
 * Takes history out of the manifest and removes its files. On a full disk the manifest keeps naming
 * them, and they are removed nevertheless: nobody reads them, and the space is needed.
 */
static enum loading_verdict tidy_forget_history(struct fs *fs, struct recovery *recovery)
{
    struct manifest before = recovery->manifest;
    struct manifest after = {0};
    tidy_copy_used(&before, &after);
    recovery->manifest = after;
    int error = after.count == before.count || after.count == 0
                    ? 0
                    : manifest_replace(fs, LAYOUT_FOLDER, LAYOUT_MANIFEST, &after);
    bool good = error == 0 || fs_is_full(error);
    for (size_t i = 0; i < before.count && good && after.count > 0; i++) {
        if (before.files[i].type == 'h')
            tidy_remove_file(fs, before.files[i].name);
    }
    manifest_deinit(&before);
    return good ? LOADING_DONE
                : tidy_fail(recovery, "replace", LAYOUT_FOLDER "/" LAYOUT_MANIFEST, error);
}

static bool tidy_is_in_use(const struct manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->count; i++) {
        if (strcmp(manifest->files[i].name, name) == 0)
            return true;
    }
    return false;
}

/* If a crash brings them back, that does no harm. */
static enum loading_verdict tidy_remove_leftovers(struct fs *fs, struct recovery *recovery)
{
    struct fs_names names = {0};
    int error = fs_list(fs, LAYOUT_FOLDER, &names);
    for (size_t i = 0; i < names.count && error == 0; i++) {
        const char *name = names.items[i];
        if (layout_is_data_file(name) && !tidy_is_in_use(&recovery->manifest, name))
            tidy_remove_file(fs, name);
    }
    fs_names_deinit(&names);
    return error == 0 || error == -ENOENT ? LOADING_DONE
                                          : tidy_fail(recovery, "list", LAYOUT_FOLDER, error);
}

/* After an unclean shutdown the last log still has its preallocated space. */
static void tidy_release_space(struct fs *fs, const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++) {
        struct fs_file *file;
        char path[LAYOUT_PATH];
        layout_path(path, manifest->files[i].name);
        if (manifest->files[i].type == 'i' && fs_open(fs, path, FS_APPEND, &file) == 0) {
            fs_release(file);
            fs_close(file);
        }
    }
}

enum loading_verdict tidy(struct fs *fs, struct recovery *recovery)
{
    enum loading_verdict verdict = tidy_cut_tail(fs, recovery);
    if (verdict == LOADING_DONE)
        verdict = tidy_forget_history(fs, recovery);
    if (verdict == LOADING_DONE)
        verdict = tidy_remove_leftovers(fs, recovery);
    if (verdict == LOADING_DONE)
        tidy_release_space(fs, &recovery->manifest);
    return verdict;
}

enum loading_verdict tidy_load(struct fs *fs, struct store *store,
                               const struct recovery_options *options, struct recovery *recovery)
{
    if (recovery_judge(fs, store, options, recovery) == LOADING_DONE)
        recovery->verdict = tidy(fs, recovery);
    return recovery->verdict;
}
