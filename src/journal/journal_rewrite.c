/*
 * Writes a new base, which replaces the base and logs so far, maintains the manifest, and opens the
 * base for those who want a copy.
 *
 * The normal path, journal_rewrite(): take a number N that no file has; mark the store at a
 * revision and, while no thread can write, have the log rotate to file N
 * (journal_rewrite_on_begin()); write base N under a temporary name, sync and rename it; wait until
 * the manifest names log N (journal_on_rotated(), on the log's thread); replace the manifest by
 * base N and the logs from N on; remove the former files.
 *
 * Failures: whatever fails before the manifest is replaced, the former base and all logs stay in
 * use, the new base is removed, and after RETRY_MS the next attempt takes a new number. If
 * replacing the manifest fails, either manifest may survive a crash, so no file of either is
 * removed.
 */
#include "journal/journal_state.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "journal/journal.h"
#include "journal/layout.h"
#include "store/restore.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Time from a failure to the next attempt, unless a save is requested. */
#define RETRY_MS INT64_C(30000)
/* Time between two progress lines in the log. */
#define REPORT_MS INT64_C(5000)

/* ---- the manifest; its lock is held ---- */

static int journal_rewrite_write_manifest(struct journal *journal, const struct manifest *manifest)
{
    return manifest_replace(journal->fs, LAYOUT_FOLDER, LAYOUT_MANIFEST, manifest);
}

void journal_set_manifest(struct journal *journal, struct manifest *manifest)
{
    manifest_deinit(&journal->manifest);
    journal->manifest = *manifest;
    atomic_store(&journal->files, manifest->count);
}

/* Copies the files to keep to the end of `to`. */
static void journal_rewrite_copy_files(const struct manifest *from, int64_t since, char type,
                                       struct manifest *to)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct manifest_file *file = &from->files[i];
        if (file->type == type && file->seq >= since)
            manifest_add(to, file->name, file->seq, file->type);
    }
}

/* A log file that exists, durably, is named from now on. */
int journal_add_log(struct journal *journal, const char *name, int64_t seq)
{
    DCHECK(seq > 0 && seq <= journal->seq);
    struct manifest with = {0};
    journal_rewrite_copy_files(&journal->manifest, 0, 'b', &with);
    journal_rewrite_copy_files(&journal->manifest, 0, 'i', &with);
    manifest_add(&with, name, seq, 'i');
    int error = journal_rewrite_write_manifest(journal, &with);
    if (error == 0)
        journal_set_manifest(journal, &with);
    else
        manifest_deinit(&with);
    return error;
}

/* ---- a new base ---- */

/* A rewrite in progress. */
struct rewrite {
    struct journal *journal;
    bool is_first; /* there is no log yet */
    int64_t seq;
    char log_name[LAYOUT_NAME];
    char base_name[LAYOUT_NAME];
};

static void journal_rewrite_on_begin(void *user, uint64_t revision)
{
    struct rewrite *rewrite = user;
    (void)revision;
    if (rewrite->is_first || rewrite->journal->log == NULL)
        return;
    CHECK(!atomic_load(&rewrite->journal->rotating)); /* one rotation at a time */
    atomic_store(&rewrite->journal->rotating, true);
    wal_rotate(rewrite->journal->log, rewrite->log_name);
}

static void journal_rewrite_on_progress(void *user)
{
    struct journal *journal = ((struct rewrite *)user)->journal;
    int64_t now_ms = clock_monotonic_ms();
    reserve_keep(&journal->reserve);
    if (now_ms < journal->reported_ms + REPORT_MS)
        return;
    journal->reported_ms = now_ms;
    log_info("snapshot: %" PRIu64 " of some %" PRIu64 " keys, %" PRIu64 " MB, %" PRId64 " s",
             atomic_load(&journal->progress.keys), atomic_load(&journal->progress.total),
             atomic_load(&journal->progress.bytes) / 1000000,
             (now_ms - journal->started_ms) / 1000);
}

/* The log's on_rotated. */
int journal_on_rotated(void *user, const char *name)
{
    struct journal *journal = user;
    pthread_mutex_lock(&journal->manifest_lock);
    int error = journal_add_log(journal, name, journal->seq);
    pthread_mutex_unlock(&journal->manifest_lock);
    if (error != 0)
        return error;
    atomic_store(&journal->rotating, false);
    journal_wake(journal);
    return 0;
}

/* Takes a number that no file has. */
static void journal_rewrite_take_number(struct journal *journal, struct rewrite *rewrite)
{
    rewrite->seq = ++journal->seq;
    layout_log_name(rewrite->log_name, rewrite->seq);
    layout_base_name(rewrite->base_name, rewrite->seq);
}

/* The manifest must name the new log before it may drop the former ones. */
static int journal_rewrite_wait_for_log(struct journal *journal)
{
    while (atomic_load(&journal->rotating)) {
        reserve_keep(&journal->reserve);
        if (atomic_load(&journal->stopping))
            return -ECANCELED;
        if (atomic_load(&journal->durable.read_only_reason) != NULL) {
            int error = wal_stats(journal->log).error;
            return error != 0 ? -error : -EIO;
        }
        pthread_mutex_lock(&journal->lock);
        journal_wait_briefly(journal);
        pthread_mutex_unlock(&journal->lock);
    }
    return 0;
}

/* Removes files that the manifest no longer names. If a crash brings them back, that does no harm.
 */
static void journal_rewrite_remove_former(struct journal *journal, const struct manifest *before,
                                          const struct manifest *after)
{
    for (size_t i = 0; i < before->count; i++) {
        char path[LAYOUT_PATH];
        bool kept = false;
        for (size_t j = 0; j < after->count; j++)
            kept = kept || strcmp(before->files[i].name, after->files[j].name) == 0;
        layout_path(path, before->files[i].name);
        if (!kept)
            fs_unlink(journal->fs, path);
    }
}

/* Puts the new base in use. After an error either manifest may be on disk, so no file of either is
 * removed. */
static int journal_rewrite_switch_over(struct journal *journal, const struct rewrite *rewrite)
{
    struct manifest after = {0};
    CHECK(rewrite->seq > 0 && rewrite->seq <= journal->seq);
    pthread_mutex_lock(&journal->manifest_lock);
    manifest_add(&after, rewrite->base_name, rewrite->seq, 'b');
    journal_rewrite_copy_files(&journal->manifest, rewrite->seq, 'i', &after);
    int error = journal_rewrite_write_manifest(journal, &after);
    if (error == 0) {
        journal_rewrite_remove_former(journal, &journal->manifest, &after);
        journal_set_manifest(journal, &after);
    } else {
        manifest_deinit(&after);
    }
    pthread_mutex_unlock(&journal->manifest_lock);
    return error;
}

static int journal_rewrite_write_base(struct journal *journal, struct rewrite *rewrite,
                                      struct snapshot_file_result *result)
{
    struct snapshot_file_options options = {.fs = journal->fs,
                                            .store = journal->store,
                                            .receipts = journal->options.receipts,
                                            .name = rewrite->base_name,
                                            .on_begin = journal_rewrite_on_begin,
                                            .on_progress = journal_rewrite_on_progress,
                                            .user = rewrite,
                                            .progress = &journal->progress,
                                            .stop = &journal->stopping};
    char path[LAYOUT_PATH];
    int error = snapshot_file_write(&options, result);
    if (error == 0 && !rewrite->is_first)
        error = journal_rewrite_wait_for_log(journal);
    if (error == 0)
        return journal_rewrite_switch_over(journal, rewrite);
    layout_path(path, rewrite->base_name);
    fs_unlink(journal->fs, path);
    return error;
}

static void journal_rewrite_note_outcome(struct journal *journal, int error,
                                         const struct snapshot_file_result *result)
{
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&journal->lock);
    DCHECK(journal->saving && result->revision <= restore_newest(journal->store));
    journal->saving = false;
    journal->last_save = error == 0 ? JOURNAL_GOOD : JOURNAL_FAILED;
    journal->last_save_at_ms = clock_unix_ms();
    journal->last_save_ms = now_ms - journal->started_ms;
    if (error == 0) {
        journal->base_bytes = result->bytes;
        journal->saved_revision = result->revision;
        journal->saved_ms = now_ms;
    } else {
        journal->retry_ms = now_ms + RETRY_MS;
    }
    pthread_mutex_unlock(&journal->lock);
}

static void journal_rewrite_log_outcome(const struct journal *journal, int error,
                                        const struct snapshot_file_result *result)
{
    int64_t took_ms = clock_monotonic_ms() - journal->started_ms;
    if (error == 0)
        log_info("snapshot of %" PRIu64 " keys at revision %" PRIu64 " written: %" PRIu64
                 " MB in %.1f s",
                 result->keys, result->revision, result->bytes / 1000000, (double)took_ms / 1000);
    else if (error == -ECANCELED)
        log_info("the snapshot is abandoned: the server is stopping");
    else
        log_error("the snapshot failed: %s; what was on disk before stays in use",
                  strerror(-error));
}

/* At the start there may have been no space for it. */
int journal_make_folder(struct journal *journal)
{
    int error = fs_mkdir(journal->fs, LAYOUT_FOLDER);
    return error == 0 || error == -EEXIST ? fs_sync_directory(journal->fs, ".") : error;
}

/* On one thread at a time. */
int journal_rewrite(struct journal *journal, const char *reason)
{
    struct rewrite rewrite = {.journal = journal};
    struct snapshot_file_result result = {0};
    journal->started_ms = journal->reported_ms = clock_monotonic_ms();
    log_info("snapshot started: %s", reason);
    pthread_mutex_lock(&journal->lock);
    CHECK(!journal->saving);
    journal->saving = true;
    pthread_mutex_unlock(&journal->lock);
    int error = journal_rewrite_wait_for_log(journal); /* to switch to the file of a failed attempt
                                                        */
    if (error == 0)
        error = journal_make_folder(journal);
    if (error == 0) {
        journal_rewrite_take_number(journal, &rewrite);
        error = journal_rewrite_write_base(journal, &rewrite, &result);
    }
    if (error == 0 && journal->log != NULL)
        wal_forget_former(journal->log);
    journal_rewrite_note_outcome(journal, error, &result);
    journal_rewrite_log_outcome(journal, error, &result);
    return error;
}

/* The base of what was loaded from dump.rdb, before there is a manifest, which would hide the dump.
 */
int journal_write_first_base(struct journal *journal)
{
    struct rewrite rewrite = {.journal = journal, .is_first = true};
    struct snapshot_file_result result = {0};
    journal_rewrite_take_number(journal, &rewrite);
    journal->started_ms = journal->reported_ms = clock_monotonic_ms();
    int error = journal_rewrite_write_base(journal, &rewrite, &result);
    pthread_mutex_lock(&journal->lock);
    journal->base_bytes = result.bytes;
    pthread_mutex_unlock(&journal->lock);
    journal->from_dump = error != 0;
    return error;
}

/* ---- reading it ---- */

int journal_open_base(struct journal *journal, struct fs_file **file, uint64_t *size)
{
    char path[LAYOUT_PATH];
    int error = -ENOENT;
    pthread_mutex_lock(&journal->manifest_lock); /* so that it is not removed before it is open */
    const struct manifest_file *base = manifest_base(&journal->manifest);
    if (base != NULL) {
        layout_path(path, base->name);
        error = fs_open(journal->fs, path, FS_READ, file);
    }
    pthread_mutex_unlock(&journal->manifest_lock);
    if (error != 0)
        return error;
    int64_t bytes = fs_size(*file);
    if (bytes < 0) {
        fs_close(*file);
        return (int)bytes;
    }
    *size = (uint64_t)bytes;
    return 0;
}
