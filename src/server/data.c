/* Wires the journal to the server, and prints its error messages. Knows no file format. */
#include "server/data.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine/embedded.h"
#include "journal/fs/posix.h"
#include "server/options.h"
#include "service/info.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WHY_SIZE 1200
/* Between two lines about the progress of loading. */
#define PROGRESS_MS 1000

static bool data_print_error(const char *why)
{
    log_fatal("keystore-server", "%s", why);
    return false;
}

/* ---- opening ---- */

/* On a file system that cannot sync directories, their names are best effort. */
static bool data_sync_name(struct fs *fs, const char *dir)
{
    char why[WHY_SIZE];
    int error = fs_posix_sync_name(fs);
    if (error == -EINVAL)
        log_warning("the directory above %s cannot be synced, because its file system does not "
                    "support that",
                    dir);
    if (error == 0 || error == -EINVAL)
        return true;
    snprintf(why, sizeof why,
             "cannot make the name of the data directory %s durable, by a sync of the directory "
             "above it: %s",
             dir, strerror(-error));
    return data_print_error(why);
}

bool data_open(struct data *data, const struct config *config, struct engine *engine,
               struct activity *activity)
{
    struct journal_options options = config->journal;
    char why[WHY_SIZE];
    struct fs *fs;
    data->config = config;
    data->engine = engine;
    options.activity = activity;
    options.receipts = engine->receipts;
    int error = fs_posix_open(config->dir, &fs);
    if (error != 0) {
        snprintf(why, sizeof why, "cannot open the data directory %s: %s%s", config->dir,
                 strerror(-error), error == -ENOENT ? "; the directory above it must exist" : "");
        return data_print_error(why);
    }
    if (!data_sync_name(fs, config->dir)) {
        fs_close_directory(fs);
        return false;
    }
    data->journal = journal_open(fs, &options, why, sizeof why);
    return data->journal != NULL || data_print_error(why);
}

/* ---- loading ---- */

static bool data_on_progress(void *user, const struct loading_progress *progress)
{
    struct data *data = user;
    int64_t now_ms = clock_monotonic_ms();
    atomic_store(&data->loaded_bytes, progress->done);
    atomic_store(&data->total_bytes, progress->total);
    if (now_ms >= data->logged_ms + PROGRESS_MS) {
        data->logged_ms = now_ms;
        log_info("loading: %" PRIu64 " of %" PRIu64 " MB, %" PRIu64 " keys and commands",
                 progress->done / 1000000, progress->total / 1000000, progress->keys);
    }
    return !data->is_stopped();
}

static void data_log_loaded(const struct recovery *recovery, int64_t took_ms)
{
    char left_out[600];
    if (recovery->torn_why != NULL)
        log_warning("%s ended in a write that a crash had cut short: %" PRIu64
                    " bytes from offset %" PRIu64 " on were removed (%s)",
                    recovery->torn_name, recovery->torn_bytes, recovery->torn_offset,
                    recovery->torn_why);
    if (recovery->ignored_bytes > 0)
        log_warning("dump.rdb goes on after the end of its snapshot: these %" PRIu64
                    " bytes were not read, as redis-server does not read them",
                    recovery->ignored_bytes);
    if (recovery->unsupported.count > 0) {
        unsupported_print(&recovery->unsupported, left_out, sizeof left_out);
        log_warning("left out, and gone from the directory with the next snapshot: %s", left_out);
    }
    log_info("loaded %" PRIu64 " MB in %.1f s: revision %" PRIu64,
             recovery->progress.total / 1000000, (double)took_ms / 1000, recovery->revision);
}

/* Loading accepts all data on disk, so a lowered limit may be exceeded from the start. */
static void data_log_memory(struct data *data)
{
    struct store_limit limit = store_limit(embedded_store(data->engine));
    size_t used = store_stats(embedded_store(data->engine)).used_memory;
    if (limit.max_memory == 0 || used <= limit.max_memory)
        return;
    log_warning("the data take %zu bytes of memory, more than the %zu of --max-memory: %s", used,
                limit.max_memory,
                limit.policy == STORE_NOEVICTION
                    ? "writes that need memory are refused until keys are deleted or have expired"
                    : "keys are evicted until they take less");
}

static enum data_loaded data_start(struct data *data)
{
    char why[WHY_SIZE];
    embedded_set_durable(data->engine, journal_durable(data->journal));
    embedded_set_journal(data->engine, data->journal);
    if (!journal_start(data->journal, why, sizeof why)) {
        data_print_error(why);
        return DATA_BAD;
    }
    atomic_store(&data->serving, true);
    embedded_set_loading(data->engine, false);
    return DATA_LOADED;
}

enum data_loaded data_load(struct data *data, bool (*is_stopped)(void))
{
    int64_t started_ms = clock_monotonic_ms();
    data->is_stopped = is_stopped;
    data->logged_ms = started_ms;
    const struct recovery *recovery =
        journal_load(data->journal, embedded_store(data->engine), data_on_progress, data);
    if (recovery->verdict == LOADING_STOPPED)
        return DATA_STOPPED;
    if (recovery->verdict != LOADING_DONE) {
        data_print_error(recovery->why);
        return DATA_BAD;
    }
    data_log_loaded(recovery, clock_monotonic_ms() - started_ms);
    data_log_memory(data);
    return data_start(data);
}

/* ---- the end ---- */

bool data_stop(struct data *data)
{
    return data->journal == NULL || journal_stop(data->journal);
}

void data_close(struct data *data)
{
    journal_free(data->journal);
    data->journal = NULL;
}

/* ---- Info ---- */

static void data_write_loading(struct data *data, struct info_writer *writer)
{
    uint64_t done = atomic_load(&data->loaded_bytes), total = atomic_load(&data->total_bytes);
    info_put(writer, "loading", "1");
    info_put(writer, "loading_total_bytes", "%" PRIu64, total);
    info_put(writer, "loading_loaded_bytes", "%" PRIu64, done);
    info_put(writer, "loading_loaded_perc", "%.2f",
             total > 0 ? (double)done * 100 / (double)total : 0.0);
}

static void data_write_saving(const struct journal_stats *stats, struct info_writer *writer)
{
    static const char *const outcomes[] = {
        [JOURNAL_NEVER] = "none", [JOURNAL_GOOD] = "ok", [JOURNAL_FAILED] = "err"};
    info_put(writer, "rdb_changes_since_last_save", "%" PRIu64, stats->changes);
    info_put(writer, "rdb_bgsave_in_progress", "%d", stats->saving);
    info_put(writer, "current_save_keys_processed", "%" PRIu64, stats->saving_keys);
    info_put(writer, "current_save_keys_total", "%" PRIu64, stats->saving_total);
    info_put(writer, "rdb_last_save_time", "%" PRId64, stats->last_save_at_ms / 1000);
    info_put(writer, "rdb_last_bgsave_status", "%s", outcomes[stats->last_save]);
    info_put(writer, "rdb_last_bgsave_time_ms", "%" PRId64, stats->last_save_ms);
}

void data_set_schedule(struct data *data, const struct journal_options *options)
{
    if (data->journal != NULL)
        journal_set_schedule(data->journal, options);
}

void data_disk(struct data *data, int64_t *waits_since_us, uint64_t *slow_waits)
{
    struct journal_stats stats = {0};
    if (atomic_load(&data->serving))
        stats = journal_stats(data->journal);
    *waits_since_us = stats.waits_since_us;
    *slow_waits = stats.slow_waits;
}

void data_write_info(struct data *data, struct info_writer *writer)
{
    info_put(writer, "dir", "%s", data->config->dir);
    info_put(writer, "durability", "%s", options_durability_name(data->config->journal.durability));
    if (!atomic_load(&data->serving)) {
        data_write_loading(data, writer);
        return;
    }
    struct journal_stats stats = journal_stats(data->journal);
    info_put(writer, "loading", "0");
    info_put(writer, "revision", "%" PRIu64, stats.revision);
    data_write_saving(&stats, writer);
    info_put(writer, "aof_enabled", "%d", stats.durability != JOURNAL_NONE);
    info_put(writer, "aof_current_size", "%" PRIu64, stats.base_bytes + stats.log_bytes);
    info_put(writer, "aof_base_size", "%" PRIu64, stats.base_bytes);
    info_put(writer, "log_bytes", "%" PRIu64, stats.log_bytes);
    info_put(writer, "log_syncs", "%" PRIu64, stats.syncs);
    info_put(writer, "log_last_sync_us", "%" PRId64, stats.last_sync_us);
    info_put(writer, "log_slow_waits", "%" PRIu64, stats.slow_waits);
    info_put(writer, "aof_last_write_status", "%s", stats.read_only_reason == NULL ? "ok" : "err");
    info_put(writer, "writes_refused", "%s",
             stats.read_only_reason == NULL ? "" : stats.read_only_reason);
}
