/*
 * Opening, starting and stopping, and the thread that decides when a new base is due. Of the files
 * it knows the names and their order.
 */
#include "journal/journal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/shortage.h"
#include "journal/layout.h"
#include "journal/log/wal.h"
#include "journal/log/wal_file.h"
#include "journal/rdb/snapshot_file.h"
#include "journal/reserve.h"
#include "journal/tidy.h"
#include "store/restore.h"
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* How often it is looked whether a base is due. */
#define LOOK_MS 100L
/* After a failure, how long until the next attempt, unless somebody asks for it. */
#define RETRY_MS INT64_C(30000)
/* Files that make a new base due, unless the log's length never does: each start after writes adds
 * one. */
#define MOST_FILES 32
/* Between two lines on how far it is. */
#define TELL_MS INT64_C(5000)

static const char failed[] = "the snapshot could not be written; the server's log says why";
static const char ended[] = "the server ended before the snapshot was written";

struct journal {
    struct fs *fs;
    struct journal_options options;
    struct store *store;
    struct recovery recovery;
    struct durable durable;
    struct wal *log;       /* NULL: there is none */
    bool from_dump;        /* no base holds yet what was loaded from dump.rdb */
    struct fs_file *first; /* the first log, as long as the manifest does not name it */
    struct reserve reserve;
    bool started;
    pthread_t thread;
    atomic_bool stopping;
    struct snapshot_file_progress progress;

    pthread_mutex_t manifest_lock; /* of the manifest; held while files are written */
    struct manifest manifest;
    atomic_size_t files;  /* in it */
    int64_t seq;          /* the highest number of any file; changed by the thread alone... */
    atomic_bool rotating; /* ...and not while the log has not come to its file of that number */

    pthread_mutex_t lock; /* of what follows; held for moments */
    pthread_cond_t wake;
    struct journal_save *saves; /* that wait for the next base */
    uint64_t base_bytes;
    uint64_t saved_revision; /* what the last base shows, or the start */
    int64_t saved_ms;        /* when, by the monotonic clock */
    int64_t retry_ms;        /* not before that, by the same clock */
    bool saving;
    enum journal_outcome last_save;
    int64_t last_save_at_ms, last_save_ms;

    /* The thread's. */
    int64_t began_ms, told_ms;
};

/* ---- open and load ---- */

static void journal_explain(char *why, size_t size, const char *what, int error)
{
    snprintf(why, size, "cannot %s: %s%s", what, strerror(-error), shortage_advice(error));
}

static bool journal_take_directory(struct fs *fs, char *why, size_t size)
{
    long holder = 0;
    int error = fs_lock(fs, LAYOUT_LOCK, &holder);
    if (error == -EWOULDBLOCK && holder > 0)
        snprintf(why, size,
                 "the data directory is in use by the server with process id %ld; stop that one or "
                 "choose another directory with --dir",
                 holder);
    else if (error == -EWOULDBLOCK)
        snprintf(why, size,
                 "the data directory is in use by another server; stop that one or choose another "
                 "directory with --dir");
    else if (error != 0)
        journal_explain(why, size, "lock the data directory with the file " LAYOUT_LOCK, error);
    return error == 0;
}

static void journal_init_locks(struct journal *journal)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&journal->manifest_lock, NULL);
    pthread_mutex_init(&journal->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&journal->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

struct journal *journal_open(struct fs *fs, const struct journal_options *options, char *why,
                             size_t why_size)
{
    if (!journal_take_directory(fs, why, why_size)) {
        fs_close_directory(fs);
        return NULL;
    }
    struct journal *journal = mem_alloc_zero(sizeof *journal);
    journal->fs = fs;
    journal->options = *options;
    journal_init_locks(journal);
    return journal;
}

const struct recovery *
journal_load(struct journal *journal, struct store *store,
             bool (*on_progress)(void *user, const struct loading_progress *progress), void *user)
{
    struct recovery_options options = {.skip_unsupported = journal->options.skip_unsupported,
                                       .on_progress = on_progress,
                                       .user = user};
    journal->store = store;
    tidy_load(journal->fs, store, &options, &journal->recovery);
    return &journal->recovery;
}

struct durable *journal_durable(struct journal *journal)
{
    return &journal->durable;
}

/* ---- the manifest; its lock is held ---- */

static int journal_write_manifest(struct journal *journal, const struct manifest *manifest)
{
    return manifest_replace(journal->fs, LAYOUT_FOLDER, LAYOUT_MANIFEST, manifest);
}

static void journal_set_manifest(struct journal *journal, struct manifest *manifest)
{
    manifest_deinit(&journal->manifest);
    journal->manifest = *manifest;
    atomic_store(&journal->files, manifest->count);
}

/* Those of the files that are to be kept, behind what `to` has. */
static void journal_copy_files(const struct manifest *from, int64_t since, char type,
                               struct manifest *to)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct manifest_file *file = &from->files[i];
        if (file->type == type && file->seq >= since)
            manifest_add(to, file->name, file->seq, file->type);
    }
}

/* A log file that exists, durably, is named from now on. */
static int journal_add_log(struct journal *journal, const char *name, int64_t seq)
{
    DCHECK(seq > 0 && seq <= journal->seq);
    struct manifest with = {0};
    journal_copy_files(&journal->manifest, 0, 'b', &with);
    journal_copy_files(&journal->manifest, 0, 'i', &with);
    manifest_add(&with, name, seq, 'i');
    int error = journal_write_manifest(journal, &with);
    if (error == 0)
        journal_set_manifest(journal, &with);
    else
        manifest_deinit(&with);
    return error;
}

/* ---- a new base ---- */

/* The number that a rewrite is under way with. */
struct rewrite {
    struct journal *journal;
    bool is_first; /* there is no log yet */
    int64_t seq;
    char log_name[LAYOUT_NAME];
    char base_name[LAYOUT_NAME];
};

static void journal_on_begin(void *user, uint64_t revision)
{
    struct rewrite *rewrite = user;
    (void)revision;
    if (rewrite->is_first || rewrite->journal->log == NULL)
        return;
    CHECK(!atomic_load(&rewrite->journal->rotating)); /* one file after the other */
    atomic_store(&rewrite->journal->rotating, true);
    wal_rotate(rewrite->journal->log, rewrite->log_name);
}

static void journal_on_progress(void *user)
{
    struct journal *journal = ((struct rewrite *)user)->journal;
    int64_t now_ms = clock_monotonic_ms();
    reserve_keep(&journal->reserve);
    if (now_ms < journal->told_ms + TELL_MS)
        return;
    journal->told_ms = now_ms;
    log_info("snapshot: %" PRIu64 " of some %" PRIu64 " keys, %" PRIu64 " MB, %" PRId64 " s",
             atomic_load(&journal->progress.keys), atomic_load(&journal->progress.total),
             atomic_load(&journal->progress.bytes) / 1000000, (now_ms - journal->began_ms) / 1000);
}

static void journal_wake(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    pthread_cond_broadcast(&journal->wake);
    pthread_mutex_unlock(&journal->lock);
}

/* The log's on_rotated. */
static int journal_on_rotated(void *user, const char *name)
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

/* A number that no file has. */
static void journal_take_number(struct journal *journal, struct rewrite *rewrite)
{
    rewrite->seq = ++journal->seq;
    layout_log_name(rewrite->log_name, rewrite->seq);
    layout_base_name(rewrite->base_name, rewrite->seq);
}

static void journal_wait_a_moment(struct journal *journal)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&journal->wake, &journal->lock, &until);
}

/* The manifest has to name the new log before it may leave the former ones out. */
static int journal_wait_for_log(struct journal *journal)
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
        journal_wait_a_moment(journal);
        pthread_mutex_unlock(&journal->lock);
    }
    return 0;
}

/* Files that were named before and are not any more. That they come back in a crash does no harm.
 */
static void journal_remove_former(struct journal *journal, const struct manifest *before,
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

/* The new base takes the place of all that was before it. After an error either manifest may be
 * there, so no file of them is touched. */
static int journal_switch_over(struct journal *journal, const struct rewrite *rewrite)
{
    struct manifest after = {0};
    CHECK(rewrite->seq > 0 && rewrite->seq <= journal->seq);
    pthread_mutex_lock(&journal->manifest_lock);
    manifest_add(&after, rewrite->base_name, rewrite->seq, 'b');
    journal_copy_files(&journal->manifest, rewrite->seq, 'i', &after);
    int error = journal_write_manifest(journal, &after);
    if (error == 0) {
        journal_remove_former(journal, &journal->manifest, &after);
        journal_set_manifest(journal, &after);
    } else {
        manifest_deinit(&after);
    }
    pthread_mutex_unlock(&journal->manifest_lock);
    return error;
}

static int journal_write_base(struct journal *journal, struct rewrite *rewrite,
                              struct snapshot_file_result *result)
{
    struct snapshot_file_options options = {.fs = journal->fs,
                                            .store = journal->store,
                                            .name = rewrite->base_name,
                                            .on_begin = journal_on_begin,
                                            .on_progress = journal_on_progress,
                                            .user = rewrite,
                                            .progress = &journal->progress,
                                            .stop = &journal->stopping};
    char path[LAYOUT_PATH];
    int error = snapshot_file_write(&options, result);
    if (error == 0 && !rewrite->is_first)
        error = journal_wait_for_log(journal);
    if (error == 0)
        return journal_switch_over(journal, rewrite);
    layout_path(path, rewrite->base_name);
    fs_unlink(journal->fs, path);
    return error;
}

static void journal_note_outcome(struct journal *journal, int error,
                                 const struct snapshot_file_result *result)
{
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&journal->lock);
    DCHECK(journal->saving && result->revision <= restore_newest(journal->store));
    journal->saving = false;
    journal->last_save = error == 0 ? JOURNAL_GOOD : JOURNAL_FAILED;
    journal->last_save_at_ms = clock_unix_ms();
    journal->last_save_ms = now_ms - journal->began_ms;
    if (error == 0) {
        journal->base_bytes = result->bytes;
        journal->saved_revision = result->revision;
        journal->saved_ms = now_ms;
    } else {
        journal->retry_ms = now_ms + RETRY_MS;
    }
    pthread_mutex_unlock(&journal->lock);
}

static void journal_log_outcome(const struct journal *journal, int error,
                                const struct snapshot_file_result *result)
{
    int64_t took_ms = clock_monotonic_ms() - journal->began_ms;
    if (error == 0)
        log_info("snapshot of %" PRIu64 " keys at revision %" PRIu64 " written: %" PRIu64
                 " MB in %.1f s",
                 result->keys, result->revision, result->bytes / 1000000, (double)took_ms / 1000);
    else if (error == -ECANCELED)
        log_info("the snapshot is given up, since the server ends");
    else
        log_error("the snapshot failed: %s; what was on disk before stays in use",
                  strerror(-error));
}

/* It may have found no room at the start. */
static int journal_make_folder(struct journal *journal)
{
    int error = fs_mkdir(journal->fs, LAYOUT_FOLDER);
    return error == 0 || error == -EEXIST ? fs_sync_directory(journal->fs, ".") : error;
}

/* Writes a base and puts it in use. On one thread at a time. */
static int journal_rewrite_all(struct journal *journal, const char *reason)
{
    struct rewrite rewrite = {.journal = journal};
    struct snapshot_file_result result = {0};
    journal->began_ms = journal->told_ms = clock_monotonic_ms();
    log_info("snapshot begins: %s", reason);
    pthread_mutex_lock(&journal->lock);
    CHECK(!journal->saving);
    journal->saving = true;
    pthread_mutex_unlock(&journal->lock);
    int error = journal_wait_for_log(journal); /* to the file of an attempt that failed */
    if (error == 0)
        error = journal_make_folder(journal);
    if (error == 0) {
        journal_take_number(journal, &rewrite);
        error = journal_write_base(journal, &rewrite, &result);
    }
    if (error == 0 && journal->log != NULL)
        wal_forget_former(journal->log);
    journal_note_outcome(journal, error, &result);
    journal_log_outcome(journal, error, &result);
    return error;
}

/* ---- when a base is due ---- */

static bool journal_is_log_long(struct journal *journal)
{
    const struct journal_options *options = &journal->options;
    if (journal->log == NULL || options->rewrite_percent == 0)
        return false;
    uint64_t size = wal_size(journal->log);
    return size >= options->rewrite_min_size &&
           size / options->rewrite_percent >= journal->base_bytes / 100;
}

static bool journal_applies(const struct journal *journal, const struct journal_rule *rule,
                            int64_t now_ms)
{
    uint64_t changes = restore_newest(journal->store) - journal->saved_revision;
    return changes >= rule->changes && changes > 0 &&
           now_ms - journal->saved_ms >= rule->seconds * 1000;
}

/* Why a base is due; NULL if none is. The lock is held. */
static const char *journal_due(struct journal *journal)
{
    int64_t now_ms = clock_monotonic_ms();
    if (journal->saves != NULL)
        return "somebody asks for it";
    if (now_ms < journal->retry_ms || atomic_load(&journal->durable.read_only_reason) != NULL)
        return NULL;
    if (journal_is_log_long(journal))
        return "the log has outgrown the base";
    if (journal->log != NULL && journal->options.rewrite_percent != 0 &&
        atomic_load(&journal->files) >= MOST_FILES)
        return "there are many log files";
    for (size_t i = 0; i < journal->options.rule_count; i++) {
        if (journal_applies(journal, &journal->options.rules[i], now_ms))
            return "a rule of --save applies";
    }
    return NULL;
}

static void journal_answer(struct journal_save *saves, const char *why)
{
    while (saves != NULL) {
        struct journal_save *save = saves;
        saves = save->next;
        if (save->on_done != NULL)
            save->on_done(save, why);
    }
}

/* The thread's. */
static void *journal_keep(void *user)
{
    struct journal *journal = user;
    pthread_mutex_lock(&journal->lock);
    while (!atomic_load(&journal->stopping)) {
        pthread_mutex_unlock(&journal->lock);
        reserve_keep(&journal->reserve);
        pthread_mutex_lock(&journal->lock);
        const char *reason = journal_due(journal);
        if (reason == NULL) {
            journal_wait_a_moment(journal);
            continue;
        }
        struct journal_save *saves = journal->saves;
        journal->saves = NULL;
        pthread_mutex_unlock(&journal->lock);
        int error = journal_rewrite_all(journal, reason);
        journal_answer(saves, error == 0 ? NULL : error == -ECANCELED ? ended : failed);
        pthread_mutex_lock(&journal->lock);
    }
    pthread_mutex_unlock(&journal->lock);
    return NULL;
}

void journal_save(struct journal *journal, struct journal_save *save)
{
    pthread_mutex_lock(&journal->lock);
    save->next = journal->saves;
    journal->saves = save;
    pthread_cond_broadcast(&journal->wake);
    pthread_mutex_unlock(&journal->lock);
}

/* ---- start ---- */

/* The last log, if nothing is in it; else, or after an error, NULL. */
static struct fs_file *journal_open_empty_log(struct journal *journal)
{
    const struct manifest *manifest = &journal->manifest;
    struct fs_file *file;
    char path[LAYOUT_PATH];
    if (manifest->count == 0 || manifest->files[manifest->count - 1].type != 'i')
        return NULL;
    layout_path(path, manifest->files[manifest->count - 1].name);
    if (fs_open(journal->fs, path, FS_APPEND, &file) != 0)
        return NULL;
    if (fs_size(file) == 0)
        return file;
    fs_close(file);
    return NULL;
}

/* A new log that the manifest names. If that fails the file stays for the next attempt, for the
 * manifest may name it all the same. */
static int journal_begin_log(struct journal *journal, struct fs_file **file)
{
    char name[LAYOUT_NAME];
    int error = 0;
    if (journal->first == NULL) {
        layout_log_name(name, ++journal->seq);
        error = wal_file_create(journal->fs, LAYOUT_FOLDER, name, &journal->first);
    }
    if (error != 0)
        return error;
    layout_log_name(name, journal->seq);
    pthread_mutex_lock(&journal->manifest_lock);
    error = journal_add_log(journal, name, journal->seq);
    pthread_mutex_unlock(&journal->manifest_lock);
    if (error != 0)
        return error;
    CHECK(journal->first != NULL);
    *file = journal->first;
    journal->first = NULL;
    return 0;
}

/* What was loaded from a dump.rdb: a base, before a manifest comes that leaves the dump behind. */
static int journal_write_first_base(struct journal *journal)
{
    struct rewrite rewrite = {.journal = journal, .is_first = true};
    struct snapshot_file_result result = {0};
    journal_take_number(journal, &rewrite);
    journal->began_ms = journal->told_ms = clock_monotonic_ms();
    int error = journal_write_base(journal, &rewrite, &result);
    pthread_mutex_lock(&journal->lock);
    journal->base_bytes = result.bytes;
    pthread_mutex_unlock(&journal->lock);
    journal->from_dump = error != 0;
    return error;
}

/*
 * The log that commits go to, and all that has to be on the disk before. Without durability there is
 * one too if there is no base: an empty one, so that there is a manifest; else *file is NULL. After
 * an error it may be tried again.
 */
static int journal_prepare_log(struct journal *journal, struct fs_file **file)
{
    bool keeps_log = journal->options.durability != JOURNAL_NONE;
    *file = NULL;
    int error = journal_make_folder(journal);
    if (error == 0 && journal->from_dump)
        error = journal_write_first_base(journal);
    if (error != 0 || (!keeps_log && journal->manifest.count > 0))
        return error;
    *file = journal_open_empty_log(journal);
    return *file != NULL ? 0 : journal_begin_log(journal, file);
}

/* The log's on_open, after a start that found no room. */
static int journal_on_open(void *user, struct fs_file **file)
{
    struct journal *journal = user;
    int error = journal_prepare_log(journal, file);
    if (error != 0)
        return error;
    atomic_store(&journal->rotating, false);
    journal_wake(journal);
    return 0;
}

static int journal_start_log(struct journal *journal, struct fs_file *file)
{
    struct wal_options options = {
        .fs = journal->fs,
        .folder = LAYOUT_FOLDER,
        .durable = &journal->durable,
        .sync = journal->options.durability == JOURNAL_ALWAYS ? WAL_ALWAYS : WAL_EVERY_SECOND,
        .revision = restore_newest(journal->store),
        .gap = restore_newest(journal->store) - journal->recovery.revision,
        .former_size = journal->recovery.log_bytes,
        .on_rotated = journal_on_rotated,
        .on_open = journal_on_open,
        .user = journal,
    };
    int error = wal_new(&options, file, &journal->log);
    if (error != 0)
        fs_close(file);
    else
        store_set_sink(journal->store, wal_sink(journal->log));
    return error;
}

/* On a disk that is full to the last byte what is there can be read: the log waits for room, and
 * until then nothing of the files is touched; without durability nothing has to be written. */
static int journal_start_files(struct journal *journal)
{
    struct fs_file *file;
    bool keeps_log = journal->options.durability != JOURNAL_NONE;
    int error = journal_prepare_log(journal, &file);
    if (error != 0 && !fs_is_no_room(error))
        return error;
    if (error != 0)
        log_warning("the disk has no room for %s: %s",
                    keeps_log ? "a log; writes are refused until there is some" : "a manifest yet",
                    strerror(-error));
    if (!keeps_log)
        return fs_close(file);
    atomic_store(&journal->rotating, error != 0);
    return journal_start_log(journal, file);
}

bool journal_start(struct journal *journal, char *why, size_t why_size)
{
    struct recovery *recovery = &journal->recovery;
    bool always = journal->options.durability == JOURNAL_ALWAYS;
    CHECK(!journal->started && journal->log == NULL);
    journal_set_manifest(journal, &recovery->manifest);
    recovery->manifest = (struct manifest){0};
    int64_t base_seq = layout_newest(&journal->manifest, 'b');
    int64_t log_seq = layout_newest(&journal->manifest, 'i');
    journal->seq = base_seq > log_seq ? base_seq : log_seq;
    journal->from_dump = recovery->from_dump;
    journal->base_bytes = recovery->base_bytes;
    uint64_t newest =
        recovery->reserved > recovery->revision ? recovery->reserved : recovery->revision;
    restore_end(journal->store, newest);
    journal->saved_revision = newest;
    journal->saved_ms = clock_monotonic_ms();
    atomic_store(&journal->durable.revision, always ? newest : DURABLE_AT_ONCE);
    int error = journal_start_files(journal);
    if (error == 0 && !always)
        reserve_start(&journal->reserve, journal->fs, journal->store, &journal->durable,
                      journal->options.reserve_step);
    if (error == 0)
        error = -pthread_create(&journal->thread, NULL, journal_keep, journal);
    journal->started = error == 0;
    if (error != 0)
        journal_explain(why, why_size, "start to write to the data directory", error);
    return error == 0;
}

/* ---- tell ---- */

struct journal_stats journal_stats(struct journal *journal)
{
    struct journal_stats stats = {.durability = journal->options.durability,
                                  .read_only_reason =
                                      atomic_load(&journal->durable.read_only_reason),
                                  .revision = restore_newest(journal->store)};
    if (journal->log != NULL) {
        struct wal_stats log = wal_stats(journal->log);
        stats.log_bytes = wal_size(journal->log);
        stats.last_sync_us = log.last_sync_us;
        stats.syncs = log.syncs;
        stats.waits_since_us = log.waits_since_us;
        stats.slow_waits = log.slow_waits;
    }
    pthread_mutex_lock(&journal->lock);
    stats.base_bytes = journal->base_bytes;
    if (stats.revision > journal->saved_revision)
        stats.changes = stats.revision - journal->saved_revision;
    stats.last_save = journal->last_save;
    stats.last_save_at_ms = journal->last_save_at_ms;
    stats.last_save_ms = journal->last_save_ms;
    stats.saving = journal->saving;
    pthread_mutex_unlock(&journal->lock);
    stats.saving_keys = stats.saving ? atomic_load(&journal->progress.keys) : 0;
    stats.saving_total = stats.saving ? atomic_load(&journal->progress.total) : 0;
    return stats;
}

/* ---- stop ---- */

static void journal_stop_thread(struct journal *journal)
{
    atomic_store(&journal->stopping, true);
    journal_wake(journal);
    pthread_join(journal->thread, NULL);
    DCHECK(!journal->saving);
    journal_answer(journal->saves, ended);
    journal->saves = NULL;
}

/* As Redis does on shutdown. */
static bool journal_save_at_end(struct journal *journal)
{
    if (journal->options.durability != JOURNAL_NONE || journal->options.rule_count == 0 ||
        restore_newest(journal->store) == journal->saved_revision)
        return true;
    atomic_store(&journal->stopping, false);
    return journal_rewrite_all(journal, "the server ends") == 0;
}

bool journal_stop(struct journal *journal)
{
    if (!journal->started)
        return true;
    journal_stop_thread(journal);
    store_set_sink(journal->store, NULL);
    bool kept = wal_free(journal->log);
    journal->log = NULL;
    journal->started = false;
    bool saved = journal_save_at_end(journal);
    reserve_stop(&journal->reserve);
    return saved && kept;
}

void journal_free(struct journal *journal)
{
    if (journal == NULL)
        return;
    if (journal->log != NULL) { /* the start failed */
        store_set_sink(journal->store, NULL);
        wal_free(journal->log);
    }
    fs_close(journal->first);
    reserve_stop(&journal->reserve); /* the same */
    recovery_deinit(&journal->recovery);
    manifest_deinit(&journal->manifest);
    pthread_mutex_destroy(&journal->manifest_lock);
    pthread_mutex_destroy(&journal->lock);
    pthread_cond_destroy(&journal->wake);
    fs_close_directory(journal->fs);
    free(journal);
}
