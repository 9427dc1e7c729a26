/*
 * Opens, loads, starts and stops the journal, and runs the thread that decides when a new base is
 * due. Of the files it knows the names and their order; a base is written by journal_rewrite.c, the
 * log by log/wal.c.
 *
 * The normal path: journal_open() takes the lock; journal_load() judges the directory and, if the
 * data are good, puts it in order; journal_start() opens a log file that the manifest names,
 * durably, before any record goes to it, and starts the thread; journal_stop() answers the save
 * requests, drains the log and, without a log, saves if there are rules.
 *
 * Failures: a locked or unreadable directory ends the start with an error message. If the disk is
 * full at the start, the server serves reads: the log waits for space with writes refused
 * (journal_on_open()), and until then no file is touched. A base that fails costs nothing: see
 * journal_rewrite.c.
 */
#include "journal/journal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/shortage.h"
#include "journal/journal_state.h"
#include "journal/layout.h"
#include "journal/log/wal_file.h"
#include "journal/past.h"
#include "journal/tidy.h"
#include "store/restore.h"
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often the thread checks whether a base is due. */
#define LOOK_MS 100L
/* Number of log files from which on a new base is due, unless the log's size never makes one due:
 * each start after writes adds a file. */
#define MOST_FILES 32
static const char failed[] = "the snapshot could not be written; the server's log says why";
static const char ended[] = "the server stopped before the snapshot was written";

/* ---- open and load ---- */

static void journal_format_error(char *why, size_t size, const char *what, int error)
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
        journal_format_error(why, size, "lock the data directory with the file " LAYOUT_LOCK,
                             error);
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
                                       .receipts = journal->options.receipts,
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

/* ---- when a base is due ---- */

void journal_wake(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    pthread_cond_broadcast(&journal->wake);
    pthread_mutex_unlock(&journal->lock);
}

void journal_wait_briefly(struct journal *journal)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&journal->wake, &journal->lock, &until);
}

static bool journal_is_log_long(struct journal *journal)
{
    const struct journal_options *options = &journal->options;
    if (journal->log == NULL || options->rewrite_percent == 0)
        return false;
    uint64_t size = wal_size(journal->log);
    return size >= options->rewrite_min_size &&
           size / options->rewrite_percent >= journal->base_bytes / 100;
}

static bool journal_rule_applies(const struct journal *journal, const struct journal_rule *rule,
                                 int64_t now_ms)
{
    uint64_t changes = restore_newest(journal->store) - journal->saved_revision;
    return changes >= rule->changes && changes > 0 &&
           now_ms - journal->saved_ms >= rule->seconds * 1000;
}

/* Why a base is due; NULL if none is. The lock is held. */
static const char *journal_find_reason(struct journal *journal)
{
    int64_t now_ms = clock_monotonic_ms();
    if (journal->saves != NULL)
        return "it was requested";
    if (now_ms < journal->retry_ms || atomic_load(&journal->durable.read_only_reason) != NULL)
        return NULL;
    if (journal_is_log_long(journal))
        return "the log has outgrown the base";
    if (journal->log != NULL && journal->options.rewrite_percent != 0 &&
        atomic_load(&journal->files) >= MOST_FILES)
        return "there are many log files";
    for (size_t i = 0; i < journal->options.rule_count; i++) {
        if (journal_rule_applies(journal, &journal->options.rules[i], now_ms))
            return "a rule of --save applies";
    }
    return NULL;
}

void journal_set_schedule(struct journal *journal, const struct journal_options *options)
{
    pthread_mutex_lock(&journal->lock);
    journal->options.rewrite_percent = options->rewrite_percent;
    journal->options.rewrite_min_size = options->rewrite_min_size;
    journal->options.rule_count = options->rule_count;
    memcpy(journal->options.rules, options->rules, sizeof options->rules);
    pthread_mutex_unlock(&journal->lock);
}

static void journal_complete_saves(struct journal_save *saves, const char *why)
{
    while (saves != NULL) {
        struct journal_save *save = saves;
        saves = save->next;
        if (save->on_done != NULL)
            save->on_done(save, why);
    }
}

/* The thread. */
static void *journal_run(void *user)
{
    struct journal *journal = user;
    pthread_mutex_lock(&journal->lock);
    while (!atomic_load(&journal->stopping)) {
        pthread_mutex_unlock(&journal->lock);
        reserve_keep(&journal->reserve);
        pthread_mutex_lock(&journal->lock);
        const char *reason = journal_find_reason(journal);
        if (reason == NULL) {
            journal_wait_briefly(journal);
            continue;
        }
        struct journal_save *saves = journal->saves;
        journal->saves = NULL;
        pthread_mutex_unlock(&journal->lock);
        int error = journal_rewrite(journal, reason);
        journal_complete_saves(saves, error == 0 ? NULL : error == -ECANCELED ? ended : failed);
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

/* Opens the last log if it is empty; NULL if it is not, or after an error. */
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

/* Creates a log that the manifest names. If that fails, the file stays for the next attempt, as the
 * manifest may name it nevertheless. */
static int journal_create_log(struct journal *journal, struct fs_file **file)
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

/*
 * Opens the log for the next commits, after making durable all that must be on disk before. Without
 * durability a log is only opened if there is no base: an empty one, so that there is a manifest;
 * else *file is NULL. After an error it may be retried.
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
    return *file != NULL ? 0 : journal_create_log(journal, file);
}

/* The log's on_open, after a start on a full disk. */
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
        .activity = journal->options.activity,
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

/* Even on a completely full disk the data can be read: the log waits for space, and until then no
 * file is touched; without durability nothing has to be written. */
static int journal_start_files(struct journal *journal)
{
    struct fs_file *file;
    bool keeps_log = journal->options.durability != JOURNAL_NONE;
    int error = journal_prepare_log(journal, &file);
    if (error != 0 && !fs_is_full(error))
        return error;
    if (error != 0)
        log_warning("the disk is full, so there is no %s: %s",
                    keeps_log ? "log, and writes are refused until there is space" : "manifest yet",
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
        error = -pthread_create(&journal->thread, NULL, journal_run, journal);
    journal->started = error == 0;
    if (error != 0)
        journal_format_error(why, why_size, "start to write to the data directory", error);
    return error == 0;
}

/* ---- the past ---- */

struct past *journal_past(struct journal *journal, uint64_t after)
{
    if (journal->log == NULL)
        return NULL;
    return past_open(journal->fs, after, store_databases(journal->store));
}

bool journal_has_written(struct journal *journal, uint64_t revision)
{
    return wal_stats(journal->log).revision >= revision;
}

/* ---- statistics ---- */

struct journal_stats journal_stats(struct journal *journal)
{
    struct journal_stats stats = {.durability = journal->options.durability,
                                  .read_only_reason =
                                      atomic_load(&journal->durable.read_only_reason),
                                  .revision = restore_newest(journal->store)};
    stats.disk_is_full = stats.read_only_reason == wal_full_reason;
    if (journal->log != NULL) {
        struct wal_stats log = wal_stats(journal->log);
        stats.log_bytes = wal_size(journal->log);
        stats.last_sync_us = log.last_sync_us;
        stats.syncs = log.syncs;
        stats.durable_revision = log.revision;
        stats.log_written = log.bytes;
        stats.log_pending = log.gathered_bytes;
        stats.sync_sum_us = log.sync_sum_us;
        memcpy(stats.sync_times, log.sync_times, sizeof stats.sync_times);
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
    journal_complete_saves(journal->saves, ended);
    journal->saves = NULL;
}

/* As Redis does on shutdown. */
static bool journal_save_at_end(struct journal *journal)
{
    if (journal->options.durability != JOURNAL_NONE || journal->options.rule_count == 0 ||
        restore_newest(journal->store) == journal->saved_revision)
        return true;
    atomic_store(&journal->stopping, false);
    return journal_rewrite(journal, "the server is stopping") == 0;
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
