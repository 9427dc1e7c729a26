/*
 * The log as its owner and the store see it: starting and stopping, rotation, statistics, and the
 * change sink that gathers records. Whatever touches the disk is in wal_thread.c.
 *
 * The normal path of a record: wal_begin() takes the mutex and the next revision, wal_change()
 * appends the commands to the gathering buffer, wal_end() releases the mutex and wakes the thread
 * if it sleeps and there is enough for it to do. So records are in the order of their revisions. No
 * writer waits for the disk, only for space when more than `most_gathered` bytes have gathered. A
 * record that takes long gathers without the mutex (wal_long.c).
 *
 * Failures: when the log has failed, records still get revisions, so that callers need no second
 * path, but their changes are dropped; on a full disk they gather beyond the limit. In both cases
 * durable.h has a read-only reason, for which callers refuse writes before they get here.
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

/* ---- the sink: begin to end are one critical section ---- */

bool wal_has_work(const struct wal *log)
{
    if (log->cuts != NULL)
        return !log->cuts->is_open;
    return log->gather.bytes.len >= log->wake_at && log->gather.count >= log->wake_records &&
           log->gather.count > 0;
}

void wal_wait_for_others(struct wal *log)
{
    log->has_idle = true;
    pthread_cond_signal(&log->wake);
    pthread_cond_wait(&log->space, &log->mutex);
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

static void wal_note(struct change_sink *sink, struct slice note)
{
    struct wal *log = (struct wal *)sink;
    if (log->state != WAL_FAILED)
        gather_note(&log->gather, note);
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

bool wal_is_anybody_busy(const struct wal *log)
{
    const struct activity *activity = log->options.activity;
    return activity != NULL && activity_is_anybody_busy(activity);
}

static void wal_end(struct change_sink *sink)
{
    struct wal *log = (struct wal *)sink;
    if (log->state != WAL_FAILED)
        gather_end(&log->gather);
    wal_unlock_and_wake(log, !wal_is_anybody_busy(log) && wal_has_work(log));
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

/* A worker has become idle. While any is busy, no `end` wakes the thread. */
static void wal_on_idle(void *user)
{
    struct wal *log = user;
    pthread_mutex_lock(&log->mutex);
    log->has_idle = log->gather.count > 0;
    wal_unlock_and_wake(log, wal_has_work(log));
}

void wal_drop_gathered(struct wal *log)
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

/* ---- starting and stopping ---- */

static void wal_init_locks(struct wal *log)
{
    pthread_mutexattr_t mutex;
    pthread_condattr_t wake;
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_settype(&mutex, PTHREAD_MUTEX_ADAPTIVE_NP); /* critical sections are short */
    pthread_mutex_init(&log->mutex, &mutex);
    pthread_mutexattr_destroy(&mutex);
    pthread_condattr_init(&wake);
    pthread_condattr_setclock(&wake, CLOCK_MONOTONIC);
    pthread_cond_init(&log->wake, &wake);
    pthread_condattr_destroy(&wake);
    pthread_cond_init(&log->space, NULL);
}

static void wal_deinit_locks(struct wal *log)
{
    pthread_cond_destroy(&log->space);
    pthread_cond_destroy(&log->wake);
    pthread_mutex_destroy(&log->mutex);
}

static void wal_deinit(struct wal *log)
{
    free(log->work.name);
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
                                     .note = wal_note,
                                     .end = wal_end,
                                     .abort = wal_abort_record,
                                     .open = wal_open_long};
    log->options = *options;
    log->options.folder = mem_copy_text(options->folder);
    if (options->most_gathered == 0)
        log->options.most_gathered = WAL_MOST_GATHERED;
    if (options->sync != WAL_ALWAYS)
        log->options.activity = NULL;
    log->revision = log->written = options->revision;
    log->synced = options->revision - options->gap; /* for the first batch's line */
    atomic_store(&log->durable_revision, options->revision);
    gather_init(&log->gather);
    buf_init_for(&log->work.bytes, SIZE_MAX / 4, ACCOUNT_JOURNAL);
    wal_init_locks(log);
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
    atomic_store(&options->durable->read_only_reason, file == NULL ? wal_full_reason : NULL);
    atomic_store(&options->durable->revision,
                 options->sync == WAL_ALWAYS ? options->revision : DURABLE_AT_ONCE);
    error = pthread_create(&log->thread, NULL, wal_thread_run, log);
    if (error != 0) {
        wal_deinit(log);
        return -error;
    }
    if (log->options.activity != NULL)
        activity_listen(log->options.activity, wal_on_idle, log);
    pthread_setname_np(log->thread, "log");
    *result = log;
    return 0;
}

bool wal_free(struct wal *log)
{
    if (log == NULL)
        return true;
    if (log->options.activity != NULL)
        activity_stop_listening(log->options.activity);
    pthread_mutex_lock(&log->mutex);
    log->stopping = true;
    pthread_mutex_unlock(&log->mutex);
    pthread_cond_signal(&log->wake);
    pthread_join(log->thread, NULL);
    bool good = log->state != WAL_FAILED;
    if (!good)
        log_error("the log stops with records unwritten: %s; what had been acknowledged "
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
                              .sync_sum_us = atomic_load(&log->sync_sum_us),
                              .last_sync_us = atomic_load(&log->last_sync_us),
                              .waits_since_us = atomic_load(&log->waits_since_us),
                              .slow_waits = atomic_load(&log->slow_waits),
                              .revision = atomic_load(&log->durable_revision),
                              .error = atomic_load(&log->error)};
    for (size_t i = 0; i <= WAL_SYNC_BOUNDS; i++)
        stats.sync_times[i] = atomic_load(&log->sync_times[i]);
    pthread_mutex_lock(&log->mutex);
    stats.gathered_bytes = wal_gathered(log);
    stats.buffer_bytes = log->gather.bytes.cap;
    pthread_mutex_unlock(&log->mutex);
    return stats;
}
