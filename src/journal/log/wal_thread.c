/*
 * The log's thread: waits until a batch is due, writes and syncs it, and publishes how far the data
 * are durable.
 *
 * The normal path, wal_thread_run(): wal_thread_next_step() sleeps until records have gathered and
 * neither busy writers nor the commit delay promise more, and takes them as one batch.
 * wal_thread_do_work() appends the batch and, with WAL_ALWAYS, syncs it; for a rotation it then
 * switches to the next file. wal_thread_succeed() publishes the durable revision, which wakes the
 * workers. The mutex is only held to take what has gathered, never during a write or sync.
 *
 * Failures:
 *  - No space for a write or a new file (ENOSPC, EDQUOT): WAL_FULL. The file is truncated to its
 *    whole batches, the read-only reason is set, and the same step is retried until there is space
 *    (wal_thread_retry()). When the log is stopped, there is one last attempt.
 *  - Any other failed write, and every failed sync: WAL_FAILED, for good. The read-only reason
 *    stays, what has gathered is dropped, and nothing more is written.
 */
#include "journal/log/wal_state.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

/* Bytes of memory that an empty buffer keeps. */
#define KEPT_BYTES ((size_t)1024 * 1024)
/* Bytes at which a batch is complete. */
#define BATCH_BYTES ((size_t)1024 * 1024)
/* WAL_EVERY_SECOND: how long records gather before they are written, unless so many bytes have
 * gathered. */
#define GATHER_US    INT64_C(10000)
#define GATHER_BYTES ((size_t)256 * 1024)
/* How long written bytes may stay unsynced. */
#define SYNC_US INT64_C(1000000)
/* On a full disk: time between two attempts. */
#define RETRY_US INT64_C(250000)

const char wal_full_reason[] =
    "the disk is full: writes are refused until there is space where the "
    "data directory is; reads still work";
static const char failed[] = "the log could not be written or synced: writes are refused until the "
                             "server is started again; the server's own log says why";

/* ---- publishing results ---- */

static void wal_thread_notify_progress(const struct wal *log)
{
    const struct durable *durable = log->options.durable;
    if (durable->on_progress != NULL)
        durable->on_progress(durable->user);
}

static void wal_thread_set_state(struct wal *log, enum wal_state state, int error)
{
    pthread_mutex_lock(&log->mutex);
    log->state = state;
    if (state == WAL_FAILED)
        wal_drop_gathered(log);
    pthread_cond_broadcast(&log->space);
    pthread_mutex_unlock(&log->mutex);
    atomic_store(&log->error, -error);
}

/* For good. */
static void wal_thread_fail(struct wal *log, int error)
{
    log_error("the log cannot be written: %s; writes are refused until the server is started again",
              strerror(-error));
    wal_thread_set_state(log, WAL_FAILED, error);
    atomic_store(&log->options.durable->read_only_reason, failed);
    wal_thread_notify_progress(log);
}

/* Publishes that a write and, if it was due, a sync succeeded. */
static void wal_thread_succeed(struct wal *log)
{
    DCHECK(log->synced <= log->written);
    struct durable *durable = log->options.durable;
    bool changed = false;
    if (log->options.sync == WAL_ALWAYS && atomic_load(&durable->revision) < log->synced) {
        atomic_store(&durable->revision, log->synced);
        changed = true;
    }
    if (log->state == WAL_FULL) {
        log_info("there is space on the disk again: writes are accepted");
        wal_thread_set_state(log, WAL_GOOD, 0);
        atomic_store(&durable->read_only_reason, NULL);
        changed = true;
    }
    if (changed)
        wal_thread_notify_progress(log);
}

/* ---- waiting ---- */

static void wal_thread_wait_until(struct wal *log, int64_t until_us)
{
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    if (until_us == INT64_MAX)
        pthread_cond_wait(&log->wake, &log->mutex);
    else
        pthread_cond_timedwait(&log->wake, &log->mutex, &until);
}

/* The disk is full: publishes that and waits; true if the log is stopping, so that one attempt is
 * left. */
static bool wal_thread_wait_for_space(struct wal *log, int error)
{
    if (log->state != WAL_FULL) {
        log_warning("the log cannot be written: %s; writes are refused until there is space",
                    strerror(-error));
        wal_thread_set_state(log, WAL_FULL, error);
        atomic_store(&log->options.durable->read_only_reason, wal_full_reason);
        wal_thread_notify_progress(log);
    }
    pthread_mutex_lock(&log->mutex);
    if (!log->stopping)
        wal_thread_wait_until(log, clock_monotonic_us() + RETRY_US);
    bool stopping = log->stopping;
    pthread_mutex_unlock(&log->mutex);
    return stopping;
}

/* Retries until the attempt does not fail for lack of space; false if the log has failed. */
static bool wal_thread_retry(struct wal *log, int (*attempt)(struct wal *log))
{
    for (bool last = false;;) {
        int error = attempt(log);
        if (error == 0)
            return true;
        if (last || !fs_is_full(error)) {
            wal_thread_fail(log, error);
            return false;
        }
        last = wal_thread_wait_for_space(log, error);
    }
}

/* ---- writing ---- */

/* Around each write and sync. Returns its duration. */
static void wal_thread_start_wait(struct wal *log)
{
    atomic_store(&log->waits_since_us, clock_monotonic_us());
}

static int64_t wal_thread_end_wait(struct wal *log)
{
    int64_t took_us = clock_monotonic_us() - atomic_exchange(&log->waits_since_us, 0);
    DCHECK(took_us >= 0);
    int64_t slow_us = log->options.slow_us > 0 ? log->options.slow_us : WAL_SLOW_US;
    if (took_us >= slow_us)
        atomic_fetch_add(&log->slow_waits, 1);
    return took_us;
}

static void wal_thread_count_batch(struct wal *log, const struct batch *batch)
{
    uint64_t size = batch->line_size + batch->len;
    atomic_fetch_add(&log->size, size);
    atomic_fetch_add(&log->bytes, size);
    atomic_fetch_add(&log->batches, 1);
    atomic_fetch_add(&log->records, batch->ops);
}

/* Appends a batch, or leaves the file as it was. A failed truncation is worse than a lack of space.
 */
static int wal_thread_append_batch(struct wal *log, uint64_t count, struct slice payload)
{
    struct batch batch = {.seq = log->written + 1, .ops = count, .synced = log->synced};
    DCHECK(log->file.handle != NULL && log->state != WAL_FAILED);
    DCHECK((count == 0) == (payload.len == 0) && batch.synced < batch.seq);
    bool was_unsynced = log->file.unsynced;
    wal_thread_start_wait(log);
    int error = wal_file_append(&log->file, &batch, payload);
    wal_thread_end_wait(log);
    if (fs_is_full(error))
        return wal_file_cut(&log->file) == 0 ? error : -EIO;
    if (error != 0)
        return error;
    wal_thread_count_batch(log, &batch);
    log->written += count;
    if (!was_unsynced)
        log->sync_due_us = clock_monotonic_us() + SYNC_US;
    return 0;
}

static int wal_thread_append_work(struct wal *log)
{
    return wal_thread_append_batch(log, log->work.count, buf_slice(&log->work.bytes));
}

const uint64_t wal_sync_bounds_us[WAL_SYNC_BOUNDS] = {
    100,   200,    500,    1000,   2000,    5000,    10000,   20000,
    50000, 100000, 200000, 500000, 1000000, 2000000, 5000000, 10000000};

static void wal_thread_count_sync(struct wal *log, int64_t took_us)
{
    size_t bucket = 0;
    while (bucket < WAL_SYNC_BOUNDS && (uint64_t)took_us > wal_sync_bounds_us[bucket])
        bucket++;
    atomic_store(&log->last_sync_us, took_us);
    atomic_fetch_add(&log->sync_times[bucket], 1);
    atomic_fetch_add(&log->sync_sum_us, (uint64_t)took_us);
    atomic_fetch_add(&log->syncs, 1);
}

static bool wal_thread_sync_file(struct wal *log)
{
    wal_thread_start_wait(log);
    int error = wal_file_sync(&log->file);
    int64_t took_us = wal_thread_end_wait(log);
    if (error != 0) {
        wal_thread_fail(log, error);
        return false;
    }
    DCHECK(log->written >= log->synced && !log->file.unsynced);
    log->synced = log->written;
    atomic_store(&log->durable_revision, log->synced);
    wal_thread_count_sync(log, took_us);
    return true;
}

static int wal_thread_create_next(struct wal *log)
{
    struct fs_file *file;
    int error = wal_file_create(log->options.fs, log->options.folder, log->work.name, &file);
    return error != 0 ? error : wal_file_init(&log->next, file);
}

static int wal_thread_report_rotation(struct wal *log)
{
    return log->options.on_rotated(log->options.user, log->work.name);
}

/* Switches to the next file: the former one is durable before the manifest names the new one. */
static bool wal_thread_change_file(struct wal *log)
{
    if (log->file.unsynced && !wal_thread_sync_file(log))
        return false;
    if (!wal_thread_retry(log, wal_thread_create_next) ||
        !wal_thread_retry(log, wal_thread_report_rotation))
        return false;
    CHECK(!log->file.unsynced); /* before the manifest names the next one */
    wal_file_deinit(&log->file);
    log->file = log->next;
    log->next = (struct wal_file){0};
    atomic_store(&log->former, atomic_load(&log->size));
    return true;
}

static bool wal_thread_do_work(struct wal *log)
{
    if (log->work.count > 0 && !wal_thread_retry(log, wal_thread_append_work))
        return false;
    if (log->options.sync == WAL_ALWAYS && log->file.unsynced && !wal_thread_sync_file(log))
        return false;
    log->released = log->work.count;
    if (log->work.name != NULL && !wal_thread_change_file(log))
        return false;
    log->next_write_us = clock_monotonic_us() + GATHER_US;
    return true;
}

static void wal_thread_clear_work(struct wal_work *work)
{
    buf_clear(&work->bytes, KEPT_BYTES);
    free(work->name);
    work->name = NULL;
    work->count = 0;
}

/* ---- what to do next; the mutex is held ---- */

/* Records that wait for the thread. */
static uint64_t wal_thread_waiting_records(const struct wal *log)
{
    uint64_t count = log->gather.count;
    for (const struct wal_work *cut = log->cuts; cut != NULL; cut = cut->next)
        count += cut->is_open ? 1 : cut->count;
    return count;
}

/* Invariant: each revision is that of a record that is in the file, in flight, or waits. */
static bool wal_thread_has_all_records(const struct wal *log)
{
    return log->written + log->work.count + wal_thread_waiting_records(log) == log->revision;
}

static void wal_thread_take_cut(struct wal *log)
{
    struct wal_work *cut = log->cuts, *work = &log->work;
    log->cuts = cut->next;
    CHECK(!cut->is_open && work->name == NULL && log->cut_bytes >= cut->bytes.len);
    log->cut_bytes -= cut->bytes.len;
    if (work->count == 0) {
        struct buf bytes = work->bytes;
        work->bytes = cut->bytes;
        cut->bytes = bytes;
    } else {
        bool fits = buf_append(&work->bytes, buf_slice(&cut->bytes));
        CHECK(fits); /* there is no limit */
    }
    work->count += cut->count;
    work->name = cut->name;
    buf_deinit(&cut->bytes);
    free(cut);
}

/* Takes enough for one batch: what was queued because of long records need not be synced piece by
 * piece. */
static void wal_thread_take_cuts(struct wal *log)
{
    while (log->cuts != NULL && !log->cuts->is_open && log->work.name == NULL &&
           log->work.bytes.len < BATCH_BYTES)
        wal_thread_take_cut(log);
}

/* WAL_ALWAYS: all who have written are still busy. The first that becomes idle wakes the thread. */
static bool wal_thread_are_all_busy(const struct wal *log)
{
    return wal_is_anybody_busy(log) && !log->has_idle;
}

/* True if what has gathered is not written yet, as more is coming. */
static bool wal_thread_is_gathering(struct wal *log, int64_t now_us)
{
    if (log->stopping)
        return false;
    if (log->options.sync == WAL_ALWAYS)
        return wal_thread_are_all_busy(log) ||
               commit_delay_waits(&log->delay, now_us, log->gather.count);
    return log->gather.bytes.len < GATHER_BYTES && now_us < log->next_write_us;
}

/* Takes work if there is some and it is due; else false. */
static bool wal_thread_take_work(struct wal *log, int64_t now_us)
{
    if (log->cuts != NULL && log->cuts->is_open)
        return false;
    if (log->cuts != NULL) {
        wal_thread_take_cuts(log);
    } else {
        if (wal_thread_is_gathering(log, now_us) || log->gather.count == 0)
            return false;
        CHECK(log->work.count == 0 && log->work.bytes.len == 0);
        gather_take(&log->gather, &log->work.bytes, &log->work.count, false);
        log->has_idle = false;
    }
    pthread_cond_broadcast(&log->space);
    return true;
}

static bool wal_thread_is_sync_due(const struct wal *log, int64_t now_us)
{
    return log->state != WAL_FAILED && log->file.unsynced && now_us >= log->sync_due_us;
}

/* Sleeps until there is something to do; only the writer that completes it wakes the thread. */
static void wal_thread_sleep(struct wal *log, int64_t now_us)
{
    int64_t until_us = INT64_MAX;
    log->wake_at = 0;
    log->wake_records = 0;
    bool is_blocked = log->cuts != NULL; /* by a long record, whose end wakes the thread */
    if (!is_blocked && log->delay.wanted > 0 && log->gather.count > 0 &&
        !wal_thread_are_all_busy(log)) {
        log->wake_records = log->delay.wanted;
        until_us = log->delay.until_us;
    }
    if (!is_blocked && log->options.sync == WAL_EVERY_SECOND && now_us < log->next_write_us) {
        until_us = log->next_write_us;
        log->wake_at = GATHER_BYTES;
    }
    if (log->state != WAL_FAILED && log->file.unsynced && log->sync_due_us < until_us)
        until_us = log->sync_due_us;
    log->sleeping = true;
    wal_thread_wait_until(log, until_us);
    log->sleeping = false;
}

/* Waiters of the last batch have been notified, and may write again. */
static void wal_thread_start_delay(struct wal *log)
{
    if (log->options.sync == WAL_ALWAYS && log->released > 0)
        commit_delay_start(&log->delay, clock_monotonic_us(), atomic_load(&log->last_sync_us),
                           log->released, log->gather.count);
    log->released = 0;
}

enum step { WRITE, SYNC, STOP };

static enum step wal_thread_next_step(struct wal *log)
{
    enum step step;
    pthread_mutex_lock(&log->mutex);
    wal_thread_start_delay(log);
    for (;;) {
        int64_t now_us = clock_monotonic_us();
        if (wal_thread_take_work(log, now_us)) {
            CHECK(log->state == WAL_FAILED || wal_thread_has_all_records(log));
            step = WRITE;
            break;
        }
        if (log->stopping) {
            step = STOP;
            break;
        }
        if (wal_thread_is_sync_due(log, now_us)) {
            step = SYNC;
            break;
        }
        wal_thread_sleep(log, now_us);
    }
    pthread_mutex_unlock(&log->mutex);
    return step;
}

/* Writes a last line, which says that everything before it is durable: if it is missing later, that
 * is damage. */
static void wal_thread_finish(struct wal *log)
{
    if (log->state == WAL_FAILED || (log->file.unsynced && !wal_thread_sync_file(log)))
        return;
    DCHECK(log->work.count == 0 && log->written == log->revision);
    if (atomic_load(&log->records) == 0)
        return;
    if (wal_thread_append_batch(log, 0, slice_make(NULL, 0)) != 0 || wal_file_sync(&log->file) != 0)
        log_warning("the last line of the log could not be written; no data are lost");
}

static int wal_thread_make_first(struct wal *log)
{
    struct fs_file *file;
    int error = log->options.on_open(log->options.user, &file);
    return error != 0 ? error : wal_file_init(&log->file, file);
}

/* Creates the file for which there was no space at the start. Nothing is written without it, so
 * stopping without it loses nothing. False: the log is stopping. */
static bool wal_thread_open_first(struct wal *log)
{
    int error;
    while ((error = wal_thread_make_first(log)) != 0) {
        if (!fs_is_full(error) && error != -ECANCELED) {
            wal_thread_fail(log, error);
            return true;
        }
        if (wal_thread_wait_for_space(log, error))
            return false;
    }
    wal_thread_succeed(log);
    return true;
}

void *wal_thread_run(void *user)
{
    struct wal *log = user;
    enum step step;
    if (log->file.handle == NULL && !wal_thread_open_first(log))
        return NULL;
    while ((step = wal_thread_next_step(log)) != STOP) {
        bool good = step == WRITE ? wal_thread_do_work(log) : wal_thread_sync_file(log);
        if (good)
            wal_thread_succeed(log);
        wal_thread_clear_work(&log->work);
    }
    wal_thread_finish(log);
    return NULL;
}
