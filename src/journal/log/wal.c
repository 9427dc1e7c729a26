/*
 * The change sink that gathers records, and the thread that makes them durable. The mutex is held
 * from the beginning of a record to its end; the thread holds it only to take what has gathered. Who
 * holds it waits for no disk, but for writers when too much has gathered.
 */
#include "journal/log/wal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "journal/log/wal_state.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* Bytes of memory that an empty buffer keeps. */
#define KEPT_BYTES ((size_t)1024 * 1024)
/* Bytes from which on no more work is put into one batch. */
#define BATCH_BYTES ((size_t)1024 * 1024)
/* WAL_EVERY_SECOND: how long records gather before they are written, if they are not that many. */
#define GATHER_US    INT64_C(10000)
#define GATHER_BYTES ((size_t)256 * 1024)
/* How long something may be written and not synced. */
#define SYNC_US INT64_C(1000000)
/* When there is no room on the disk: how long until the next attempt. */
#define RETRY_US INT64_C(250000)

static const char full[] = "the disk is full: writes are refused until there is room where the "
                           "data directory is; reads still work";
static const char failed[] = "the log could not be written or synced: writes are refused until the "
                             "server is started again; the server's own log tells why";

/* ---- the sink: begin to end are one critical section ---- */

/* Records that wait for the thread. The mutex is held. */
static uint64_t wal_waiting_records(const struct wal *log)
{
    uint64_t count = log->gather.count;
    for (const struct wal_work *cut = log->cuts; cut != NULL; cut = cut->next)
        count += cut->is_open ? 1 : cut->count;
    return count;
}

/* Each revision stands for a record that is in the file, on its way to it, or waits. The mutex is
 * held by the thread. */
static bool wal_has_all_records(const struct wal *log)
{
    return log->written + log->work.count + wal_waiting_records(log) == log->revision;
}

bool wal_has_work(const struct wal *log)
{
    if (log->cuts != NULL)
        return !log->cuts->is_open;
    return log->gather.bytes.len >= log->wake_at && log->gather.count >= log->wake_records &&
           log->gather.count > 0;
}

void wal_wait_for_others(struct wal *log)
{
    log->rested = true;
    pthread_cond_signal(&log->wake);
    pthread_cond_wait(&log->room, &log->mutex);
}

static uint64_t wal_begin(struct change_sink *sink)
{
    struct wal *log = (struct wal *)sink;
    pthread_mutex_lock(&log->mutex);
    while (wal_is_crowded(log))
        wal_wait_for_others(log);
    if (log->state != WAL_FAILED)
        gather_begin(&log->gather);
    return ++log->revision;
}

static void wal_change(struct change_sink *sink, const struct op *op)
{
    struct wal *log = (struct wal *)sink;
    if (log->state != WAL_FAILED)
        gather_change(&log->gather, op);
}

void wal_unlock_and_wake(struct wal *log, bool there_is_work)
{
    bool wake = log->sleeping && there_is_work;
    if (wake)
        log->sleeping = false;
    pthread_mutex_unlock(&log->mutex);
    if (wake)
        pthread_cond_signal(&log->wake);
}

static void wal_end(struct change_sink *sink)
{
    struct wal *log = (struct wal *)sink;
    if (log->state != WAL_FAILED)
        gather_end(&log->gather);
    wal_unlock_and_wake(log, atomic_load(&log->at_work) == 0 && wal_has_work(log));
}

static void wal_abort_record(struct change_sink *sink)
{
    struct wal *log = (struct wal *)sink;
    if (log->state != WAL_FAILED)
        gather_abort(&log->gather);
    CHECK(log->revision > 0);
    log->revision--;
    pthread_mutex_unlock(&log->mutex);
}

struct wal_work *wal_work_new(void)
{
    struct wal_work *work = mem_alloc_zero(sizeof *work);
    buf_init_for(&work->bytes, SIZE_MAX / 4, ACCOUNT_JOURNAL);
    return work;
}

struct wal_work *wal_add_work(struct wal *log, struct wal_work *work)
{
    struct wal_work **last = &log->cuts;
    while (*last != NULL)
        last = &(*last)->next;
    return *last = work;
}

void wal_cut_gathered(struct wal *log, struct wal_work *work)
{
    gather_take(&log->gather, &work->bytes, &work->count, true);
    log->cut_bytes += work->bytes.len;
    wal_add_work(log, work);
}

struct change_sink *wal_sink(struct wal *log)
{
    return &log->sink;
}

static void wal_on_work(void *user)
{
    struct wal *log = user;
    atomic_fetch_add(&log->at_work, 1);
}

/* First the number, for while it is not 0, no `end` wakes the thread. */
static void wal_on_rest(void *user)
{
    struct wal *log = user;
    unsigned at_work = atomic_fetch_sub(&log->at_work, 1);
    CHECK(at_work > 0);
    pthread_mutex_lock(&log->mutex);
    log->rested = log->gather.count > 0;
    wal_unlock_and_wake(log, wal_has_work(log));
}

/* ---- how it went ---- */

static void wal_tell_progress(const struct wal *log)
{
    const struct durable *durable = log->options.durable;
    if (durable->on_progress != NULL)
        durable->on_progress(durable->user);
}

/* The mutex is held. */
static void wal_drop_gathered(struct wal *log)
{
    uint64_t count;
    struct buf bytes;
    buf_init_for(&bytes, 0, ACCOUNT_JOURNAL);
    gather_take(&log->gather, &bytes, &count, false);
    buf_deinit(&bytes);
    wal_forget_long_records(log);
    while (log->cuts != NULL) {
        struct wal_work *cut = log->cuts;
        log->cuts = cut->next;
        buf_deinit(&cut->bytes);
        free(cut->name);
        free(cut);
    }
    log->cut_bytes = 0;
}

static void wal_set_state(struct wal *log, enum wal_state state, int error)
{
    pthread_mutex_lock(&log->mutex);
    log->state = state;
    if (state == WAL_FAILED)
        wal_drop_gathered(log);
    pthread_cond_broadcast(&log->room);
    pthread_mutex_unlock(&log->mutex);
    atomic_store(&log->error, -error);
}

/* For good. */
static void wal_fail(struct wal *log, int error)
{
    log_error("the log cannot be written: %s; writes are refused until the server is started again",
              strerror(-error));
    wal_set_state(log, WAL_FAILED, error);
    atomic_store(&log->options.durable->read_only_reason, failed);
    wal_tell_progress(log);
}

/* Writing and, if that is asked for, syncing went well. */
static void wal_succeed(struct wal *log)
{
    DCHECK(log->synced <= log->written);
    struct durable *durable = log->options.durable;
    bool told = false;
    if (log->options.sync == WAL_ALWAYS && atomic_load(&durable->revision) < log->synced) {
        atomic_store(&durable->revision, log->synced);
        told = true;
    }
    if (log->state == WAL_FULL) {
        log_info("there is room on the disk again: writes are taken");
        wal_set_state(log, WAL_GOOD, 0);
        atomic_store(&durable->read_only_reason, NULL);
        told = true;
    }
    if (told)
        wal_tell_progress(log);
}

/* ---- the thread: waiting ---- */

static void wal_wait_until(struct wal *log, int64_t until_us)
{
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    if (until_us == INT64_MAX)
        pthread_cond_wait(&log->wake, &log->mutex);
    else
        pthread_cond_timedwait(&log->wake, &log->mutex, &until);
}

/* There is no room on the disk: tells so and waits; true if there is no time left for that. */
static bool wal_wait_for_room(struct wal *log, int error)
{
    if (log->state != WAL_FULL) {
        log_warning("the log cannot be written: %s; writes are refused until there is room",
                    strerror(-error));
        wal_set_state(log, WAL_FULL, error);
        atomic_store(&log->options.durable->read_only_reason, full);
        wal_tell_progress(log);
    }
    pthread_mutex_lock(&log->mutex);
    if (!log->stopping)
        wal_wait_until(log, clock_monotonic_us() + RETRY_US);
    bool stopping = log->stopping;
    pthread_mutex_unlock(&log->mutex);
    return stopping;
}

/* Does the attempt until it does not fail for want of room; false if the log has failed. */
static bool wal_insist(struct wal *log, int (*attempt)(struct wal *log))
{
    for (bool last = false;;) {
        int error = attempt(log);
        if (error == 0)
            return true;
        if (last || !fs_is_no_room(error)) {
            wal_fail(log, error);
            return false;
        }
        last = wal_wait_for_room(log, error);
    }
}

/* ---- the thread: writing ---- */

/* Between these two the disk is at work. Returns how long it was. */
static void wal_begin_wait(struct wal *log)
{
    atomic_store(&log->waits_since_us, clock_monotonic_us());
}

static int64_t wal_end_wait(struct wal *log)
{
    int64_t took_us = clock_monotonic_us() - atomic_exchange(&log->waits_since_us, 0);
    DCHECK(took_us >= 0);
    int64_t slow_us = log->options.slow_us > 0 ? log->options.slow_us : WAL_SLOW_US;
    if (took_us >= slow_us)
        atomic_fetch_add(&log->slow_waits, 1);
    return took_us;
}

static void wal_count_batch(struct wal *log, const struct batch *batch)
{
    uint64_t size = batch->line_size + batch->len;
    atomic_fetch_add(&log->size, size);
    atomic_fetch_add(&log->bytes, size);
    atomic_fetch_add(&log->batches, 1);
    atomic_fetch_add(&log->records, batch->ops);
}

/* Appends a batch, or leaves the file as it was. A failed cut is more than a lack of room. */
static int wal_append_batch(struct wal *log, uint64_t count, struct slice payload)
{
    struct batch batch = {.seq = log->written + 1, .ops = count, .synced = log->synced};
    DCHECK(log->file.handle != NULL && log->state != WAL_FAILED);
    DCHECK((count == 0) == (payload.len == 0) && batch.synced < batch.seq);
    bool was_unsynced = log->file.unsynced;
    wal_begin_wait(log);
    int error = wal_file_append(&log->file, &batch, payload);
    wal_end_wait(log);
    if (fs_is_no_room(error))
        return wal_file_cut(&log->file) == 0 ? error : -EIO;
    if (error != 0)
        return error;
    wal_count_batch(log, &batch);
    log->written += count;
    if (!was_unsynced)
        log->sync_due_us = clock_monotonic_us() + SYNC_US;
    return 0;
}

static int wal_append_work(struct wal *log)
{
    return wal_append_batch(log, log->work.count, buf_slice(&log->work.bytes));
}

static bool wal_sync_file(struct wal *log)
{
    wal_begin_wait(log);
    int error = wal_file_sync(&log->file);
    int64_t took_us = wal_end_wait(log);
    if (error != 0) {
        wal_fail(log, error);
        return false;
    }
    DCHECK(log->written >= log->synced && !log->file.unsynced);
    log->synced = log->written;
    atomic_store(&log->durable_revision, log->synced);
    atomic_store(&log->last_sync_us, took_us);
    atomic_fetch_add(&log->syncs, 1);
    return true;
}

static int wal_create_next(struct wal *log)
{
    struct fs_file *file;
    int error = wal_file_create(log->options.fs, log->options.folder, log->work.name, &file);
    return error != 0 ? error : wal_file_init(&log->next, file);
}

static int wal_tell_rotated(struct wal *log)
{
    return log->options.on_rotated(log->options.user, log->work.name);
}

/* Goes over to the next file: the former one is durable before anything names the new one. */
static bool wal_change_file(struct wal *log)
{
    if (log->file.unsynced && !wal_sync_file(log))
        return false;
    if (!wal_insist(log, wal_create_next) || !wal_insist(log, wal_tell_rotated))
        return false;
    CHECK(!log->file.unsynced); /* before anything names the next one */
    wal_file_deinit(&log->file);
    log->file = log->next;
    log->next = (struct wal_file){0};
    atomic_store(&log->former, atomic_load(&log->size));
    return true;
}

static bool wal_do_work(struct wal *log)
{
    if (log->work.count > 0 && !wal_insist(log, wal_append_work))
        return false;
    if (log->options.sync == WAL_ALWAYS && log->file.unsynced && !wal_sync_file(log))
        return false;
    log->released = log->work.count;
    if (log->work.name != NULL && !wal_change_file(log))
        return false;
    log->next_write_us = clock_monotonic_us() + GATHER_US;
    return true;
}

static void wal_clear_work(struct wal_work *work)
{
    buf_clear(&work->bytes, KEPT_BYTES);
    free(work->name);
    work->name = NULL;
    work->count = 0;
}

/* ---- the thread: what to do next; the mutex is held ---- */

static void wal_take_cut(struct wal *log)
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

/* As many as make one batch: what was cut for long records need not be synced one by one. */
static void wal_take_cuts(struct wal *log)
{
    while (log->cuts != NULL && !log->cuts->is_open && log->work.name == NULL &&
           log->work.bytes.len < BATCH_BYTES)
        wal_take_cut(log);
}

/* WAL_ALWAYS: all who write are still at work. One who rests wakes the thread. */
static bool wal_is_all_at_work(const struct wal *log)
{
    return atomic_load(&log->at_work) > 0 && !log->rested;
}

/* What has gathered is not written yet, for more will come. */
static bool wal_is_gathering(struct wal *log, int64_t now_us)
{
    if (log->stopping)
        return false;
    if (log->options.sync == WAL_ALWAYS)
        return wal_is_all_at_work(log) ||
               commit_delay_waits(&log->patience, now_us, log->gather.count);
    return log->gather.bytes.len < GATHER_BYTES && now_us < log->next_write_us;
}

/* True if there is something to write and the time for it has come. */
static bool wal_take_work(struct wal *log, int64_t now_us)
{
    if (log->cuts != NULL && log->cuts->is_open)
        return false;
    if (log->cuts != NULL) {
        wal_take_cuts(log);
    } else {
        if (wal_is_gathering(log, now_us) || log->gather.count == 0)
            return false;
        CHECK(log->work.count == 0 && log->work.bytes.len == 0);
        gather_take(&log->gather, &log->work.bytes, &log->work.count, false);
        log->rested = false;
    }
    pthread_cond_broadcast(&log->room);
    return true;
}

static bool wal_is_sync_due(const struct wal *log, int64_t now_us)
{
    return log->state != WAL_FAILED && log->file.unsynced && now_us >= log->sync_due_us;
}

/* Sleeps until there is something to do; whoever gathers it wakes the thread then, not before. */
static void wal_sleep_on(struct wal *log, int64_t now_us)
{
    int64_t until_us = INT64_MAX;
    log->wake_at = 0;
    log->wake_records = 0;
    bool is_blocked = log->cuts != NULL; /* by a long record, whose end wakes the thread */
    if (!is_blocked && log->patience.wanted > 0 && log->gather.count > 0 &&
        !wal_is_all_at_work(log)) {
        log->wake_records = log->patience.wanted;
        until_us = log->patience.until_us;
    }
    if (!is_blocked && log->options.sync == WAL_EVERY_SECOND && now_us < log->next_write_us) {
        until_us = log->next_write_us;
        log->wake_at = GATHER_BYTES;
    }
    if (log->state != WAL_FAILED && log->file.unsynced && log->sync_due_us < until_us)
        until_us = log->sync_due_us;
    log->sleeping = true;
    wal_wait_until(log, until_us);
    log->sleeping = false;
}

/* Those whose records have become durable have been told, and may write again. */
static void wal_begin_delay(struct wal *log)
{
    if (log->options.sync == WAL_ALWAYS && log->released > 0)
        commit_delay_begin(&log->patience, clock_monotonic_us(), atomic_load(&log->last_sync_us),
                           log->released, log->gather.count);
    log->released = 0;
}

enum step { WRITE, SYNC, STOP };

static enum step wal_next_step(struct wal *log)
{
    enum step step;
    pthread_mutex_lock(&log->mutex);
    wal_begin_delay(log);
    for (;;) {
        int64_t now_us = clock_monotonic_us();
        if (wal_take_work(log, now_us)) {
            CHECK(log->state == WAL_FAILED || wal_has_all_records(log));
            step = WRITE;
            break;
        }
        if (log->stopping) {
            step = STOP;
            break;
        }
        if (wal_is_sync_due(log, now_us)) {
            step = SYNC;
            break;
        }
        wal_sleep_on(log, now_us);
    }
    pthread_mutex_unlock(&log->mutex);
    return step;
}

/* A last line says that all before it is durable: if it is not there later, that is damage. */
static void wal_finish(struct wal *log)
{
    if (log->state == WAL_FAILED || (log->file.unsynced && !wal_sync_file(log)))
        return;
    DCHECK(log->work.count == 0 && log->written == log->revision);
    if (atomic_load(&log->records) == 0)
        return;
    if (wal_append_batch(log, 0, slice_make(NULL, 0)) != 0 || wal_file_sync(&log->file) != 0)
        log_warning("the last line of the log could not be written; no data are lost");
}

static int wal_make_first(struct wal *log)
{
    struct fs_file *file;
    int error = log->options.on_open(log->options.user, &file);
    return error != 0 ? error : wal_file_init(&log->file, file);
}

/* The file that there was no room for when the log began. As long as there is none nothing is
 * written, so to end without it loses nothing. False: it ends. */
static bool wal_open_first(struct wal *log)
{
    int error;
    while ((error = wal_make_first(log)) != 0) {
        if (!fs_is_no_room(error) && error != -ECANCELED) {
            wal_fail(log, error);
            return true;
        }
        if (wal_wait_for_room(log, error))
            return false;
    }
    wal_succeed(log);
    return true;
}

static void *wal_run(void *user)
{
    struct wal *log = user;
    enum step step;
    if (log->file.handle == NULL && !wal_open_first(log))
        return NULL;
    while ((step = wal_next_step(log)) != STOP) {
        bool good = step == WRITE ? wal_do_work(log) : wal_sync_file(log);
        if (good)
            wal_succeed(log);
        wal_clear_work(&log->work);
    }
    wal_finish(log);
    return NULL;
}

/* ---- from outside ---- */

static void wal_init_locks(struct wal *log)
{
    pthread_mutexattr_t mutex;
    pthread_condattr_t wake;
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_settype(&mutex, PTHREAD_MUTEX_ADAPTIVE_NP); /* records are short */
    pthread_mutex_init(&log->mutex, &mutex);
    pthread_mutexattr_destroy(&mutex);
    pthread_condattr_init(&wake);
    pthread_condattr_setclock(&wake, CLOCK_MONOTONIC);
    pthread_cond_init(&log->wake, &wake);
    pthread_condattr_destroy(&wake);
    pthread_cond_init(&log->room, NULL);
}

static void wal_deinit_locks(struct wal *log)
{
    pthread_cond_destroy(&log->room);
    pthread_cond_destroy(&log->wake);
    pthread_mutex_destroy(&log->mutex);
}

static void wal_deinit(struct wal *log)
{
    wal_clear_work(&log->work);
    buf_deinit(&log->work.bytes);
    gather_deinit(&log->gather);
    wal_deinit_locks(log);
    free((char *)log->options.folder);
    free(log);
}

static void wal_init(struct wal *log, const struct wal_options *options)
{
    CHECK(options->gap <= options->revision && options->durable != NULL);
    log->sink = (struct change_sink){.begin = wal_begin,
                                     .change = wal_change,
                                     .end = wal_end,
                                     .abort = wal_abort_record,
                                     .open = wal_open_long};
    log->options = *options;
    log->options.folder = mem_copy_text(options->folder);
    if (options->most_gathered == 0)
        log->options.most_gathered = WAL_MOST_GATHERED;
    log->revision = log->written = options->revision;
    log->synced = options->revision - options->gap; /* what the first batch's line says */
    atomic_store(&log->durable_revision, options->revision);
    gather_init(&log->gather);
    buf_init_for(&log->work.bytes, SIZE_MAX / 4, ACCOUNT_JOURNAL);
    wal_init_locks(log);
}

static void wal_ask_for_rest(struct wal *log)
{
    struct durable *durable = log->options.durable;
    durable->on_work = wal_on_work;
    durable->on_rest = wal_on_rest;
    durable->log = log;
}

int wal_new(const struct wal_options *options, struct fs_file *file, struct wal **result)
{
    struct wal_file opened = {0};
    int error = file != NULL ? wal_file_init(&opened, file) : 0;
    if (error != 0)
        return error;
    struct wal *log = mem_alloc_zero(sizeof *log);
    wal_init(log, options);
    log->file = opened;
    atomic_store(&log->size, options->former_size + opened.size);
    atomic_store(&log->former, options->former_size);
    if (file == NULL)
        log->state = WAL_FULL;
    atomic_store(&log->error, file == NULL ? ENOSPC : 0);
    atomic_store(&options->durable->read_only_reason, file == NULL ? full : NULL);
    atomic_store(&options->durable->revision,
                 options->sync == WAL_ALWAYS ? options->revision : DURABLE_AT_ONCE);
    if (options->sync == WAL_ALWAYS)
        wal_ask_for_rest(log);
    error = pthread_create(&log->thread, NULL, wal_run, log);
    if (error != 0) {
        wal_deinit(log);
        return -error;
    }
    pthread_setname_np(log->thread, "log");
    *result = log;
    return 0;
}

bool wal_free(struct wal *log)
{
    if (log == NULL)
        return true;
    pthread_mutex_lock(&log->mutex);
    log->stopping = true;
    pthread_mutex_unlock(&log->mutex);
    pthread_cond_signal(&log->wake);
    pthread_join(log->thread, NULL);
    bool good = log->state != WAL_FAILED;
    if (!good)
        log_error("the log ends without all that was to be written: %s; what had been acknowledged "
                  "with durability always is on the disk",
                  strerror(atomic_load(&log->error)));
    wal_file_deinit(&log->file);
    wal_file_deinit(&log->next);
    wal_deinit(log);
    return good;
}

void wal_rotate(struct wal *log, const char *name)
{
    struct wal_work *cut = wal_work_new();
    cut->name = mem_copy_text(name);
    pthread_mutex_lock(&log->mutex);
    wal_cut_gathered(log, cut);
    if (log->state == WAL_FAILED)
        wal_drop_gathered(log);
    pthread_mutex_unlock(&log->mutex);
    pthread_cond_signal(&log->wake);
}

uint64_t wal_size(const struct wal *log)
{
    return atomic_load(&log->size);
}

void wal_forget_former(struct wal *log)
{
    uint64_t former = atomic_exchange(&log->former, 0);
    uint64_t size = atomic_fetch_sub(&log->size, former);
    CHECK(former <= size);
}

struct wal_stats wal_stats(struct wal *log)
{
    struct wal_stats stats = {.records = atomic_load(&log->records),
                              .batches = atomic_load(&log->batches),
                              .bytes = atomic_load(&log->bytes),
                              .syncs = atomic_load(&log->syncs),
                              .last_sync_us = atomic_load(&log->last_sync_us),
                              .waits_since_us = atomic_load(&log->waits_since_us),
                              .slow_waits = atomic_load(&log->slow_waits),
                              .revision = atomic_load(&log->durable_revision),
                              .error = atomic_load(&log->error)};
    pthread_mutex_lock(&log->mutex);
    stats.gathered_bytes = wal_gathered(log);
    stats.buffer_bytes = log->gather.bytes.cap;
    pthread_mutex_unlock(&log->mutex);
    return stats;
}
