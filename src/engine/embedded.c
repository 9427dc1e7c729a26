/* An engine over a store. Answers wait until what they show is durable. Knows no protocol. */
#include "engine/embedded.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/reserve.h"
#include "engine/ready.h"
#include "engine/save_requests.h"
#include "engine/waiting.h"
#include "engine/watching.h"
#include "journal/durable.h"
#include "journal/journal.h"
#include "journal/past.h"
#include "store/receipts.h"
#include "store/scan.h"
#include "store/store.h"

#include <limits.h>
#include <stdlib.h>

/* Microseconds of maintenance at a time, and the pauses between them. */
#define MAINTAIN_US      250
#define MAINTAIN_BUSY_MS 1
#define MAINTAIN_IDLE_MS 100
/* The short pause follows if more than one in as many visited keys had expired. */
#define MAINTAIN_SHARE 10

static const char loading[] = "the server is loading its data; try again when it has";
static const char not_kept[] = "this server keeps nothing on disk, so there is nothing to save";
static const char not_durable[] = "the disk failed before this was durable: it may or may not "
                                  "survive a restart; see INFO and the "
                                  "server's log";

static const char starved[] = "the system gives this server no more memory (ulimit -v, the "
                              "container's limit); delete keys, or set --max-memory below it";

/* Waiters served in one turn. */
#define MOST_SERVED ((size_t)500)

/* Bytes of an answer's elements while memory is short. */
#define STARVED_ANSWER ((size_t)64 * 1024)

/* What belongs to one worker. Only its thread touches what is not atomic; `waker` does not change
 * while there are tasks. */
struct embedded_worker {
    struct waker waker;
    struct store_sweep sweep;
    struct waiting waiting;
    atomic_bool waits;   /* there are tasks in `waiting` */
    atomic_bool is_held; /* tasks were ENGINE_HELD, and it has not been woken since */
    struct save_requests save_requests;
    struct ready ready;
    bool is_completing; /* it serves the waiters in `ready` */
};

struct embedded {
    struct engine engine; /* first, so that a struct engine * is one of these */
    struct store *store;
    struct watching *watching;
    struct durable *durable; /* NULL: nothing is kept on disk */
    struct journal *journal; /* NULL: there are no snapshots */
    atomic_bool loading;
    unsigned worker_count;
    struct embedded_worker *workers;
};

static void embedded_prepare(struct engine *engine, struct engine_task **tasks, size_t count)
{
    struct embedded *embedded = (struct embedded *)engine;
    struct op *ops[STORE_PREFETCH];
    if (count > STORE_PREFETCH)
        count = STORE_PREFETCH;
    for (size_t i = 0; i < count; i++)
        ops[i] = &tasks[i]->op;
    store_prefetch(embedded->store, ops, count);
}

static enum engine_answer embedded_refuse(struct engine_task *task, enum err err, const char *why)
{
    task->result = (struct op_result){.err = err, .why = why};
    return ENGINE_DONE;
}

static struct embedded_worker *embedded_worker_of(struct embedded *embedded,
                                                  const struct engine_task *task)
{
    DCHECK(task->worker < embedded->worker_count);
    return &embedded->workers[task->worker];
}

static bool embedded_is_durable(const struct engine_task *task, const struct durable *durable)
{
    return task->result.seen <= atomic_load(&durable->revision);
}

/* What the answer shows may be lost in a crash. */
static void embedded_fail(struct engine_task *task)
{
    op_result_release(&task->result);
    embedded_refuse(task, ERR_NOT_DURABLE, not_durable);
}

/* Delays the answer until what it shows is durable. */
static enum engine_answer embedded_wait(struct embedded *embedded, struct engine_task *task)
{
    struct embedded_worker *worker = embedded_worker_of(embedded, task);
    waiting_add(&worker->waiting, task);
    /* In this order, because the log works in the opposite one: durable.h. */
    if (!atomic_load_explicit(&worker->waits, memory_order_relaxed))
        atomic_store(&worker->waits, true);
    if (!embedded_is_durable(task, embedded->durable) &&
        atomic_load(&embedded->durable->read_only_reason) == NULL)
        return ENGINE_PENDING;
    waiting_remove(&worker->waiting, task);
    if (!embedded_is_durable(task, embedded->durable))
        embedded_fail(task);
    return ENGINE_DONE;
}

/* While the system gives no more memory, what needs more is refused, and answers are kept small,
 * except for values that are not copied. */
static bool embedded_is_starved(struct engine_task *task)
{
    if (!reserve_is_missing())
        return false;
    if (task->op.max_answer > STARVED_ANSWER)
        task->op.max_answer = STARVED_ANSWER;
    return op_info(task->op.kind)->access == OP_GROW;
}

static bool embedded_is_loading(struct embedded *embedded, struct engine_task *task)
{
    if (!atomic_load_explicit(&embedded->loading, memory_order_acquire))
        return false;
    embedded_refuse(task, ERR_LOADING, loading);
    return true;
}

static enum engine_state embedded_state(struct engine *engine)
{
    const struct embedded *embedded = (struct embedded *)engine;
    if (atomic_load_explicit(&embedded->loading, memory_order_acquire))
        return ENGINE_LOADS;
    const struct durable *durable = embedded->durable; /* it was set before the loading ended */
    return durable != NULL && atomic_load(&durable->read_only_reason) != NULL ? ENGINE_READ_ONLY
                                                                              : ENGINE_TAKES_ALL;
}

static enum err embedded_may_claim(const struct engine *engine, const char **why)
{
    const struct embedded *embedded = (const struct embedded *)engine;
    *why = loading;
    bool is_loading = atomic_load_explicit(&embedded->loading, memory_order_acquire);
    return is_loading ? ERR_LOADING : ERR_NONE;
}

/* False if the operation is refused. */
static bool embedded_accepts(struct embedded *embedded, struct engine_task *task)
{
    if (embedded_is_loading(embedded, task))
        return false;
    struct durable *durable = embedded->durable; /* it was set before the loading ended */
    const char *reason = NULL;
    if (durable != NULL && op_info(task->op.kind)->access != OP_READ)
        reason = atomic_load(&durable->read_only_reason);
    if (reason != NULL)
        embedded_refuse(task, ERR_READ_ONLY, reason);
    else if (embedded_is_starved(task))
        embedded_refuse(task, ERR_OUT_OF_MEMORY, starved);
    else
        return true;
    return false;
}

static enum engine_answer embedded_settle(struct engine *engine, struct engine_task *task)
{
    struct embedded *embedded = (struct embedded *)engine;
    if (task->result.seen == 0) /* it may have been refused while `durable` was being set */
        return ENGINE_DONE;
    if (embedded->durable == NULL || embedded_is_durable(task, embedded->durable))
        return ENGINE_DONE;
    return embedded_wait(embedded, task);
}

/* Has the worker woken when locks are free; what was held is to be tried once more after this,
 * because the holder of a lock works in the opposite order. Both exchange the flag: if this
 * exchange is the second one, the lock is seen free. */
static void embedded_note_held(struct embedded *embedded, unsigned worker)
{
    DCHECK(worker < embedded->worker_count);
    atomic_exchange(&embedded->workers[worker].is_held, true);
}

/* The store's notification of a waiter. */
static void embedded_on_notify(struct waiter *notified)
{
    struct engine_waiter *waiter = (struct engine_waiter *)notified;
    struct embedded *embedded = (struct embedded *)waiter->engine;
    ready_add(&embedded->workers[waiter->worker].ready, waiter);
}

/* Wakes the workers of waiters that were notified, but not `own`, if that is about to look for them
 * anyway. Holds no locks. */
static void embedded_wake_notified(struct embedded *embedded, unsigned own)
{
    for (unsigned i = 0; i < embedded->worker_count; i++) {
        struct embedded_worker *worker = &embedded->workers[i];
        if (i == own && worker->is_completing)
            continue;
        if (ready_take_news(&worker->ready))
            waker_wake(worker->waker);
    }
}

static void embedded_init_waiter(struct engine *engine, struct engine_waiter *waiter)
{
    waiter->engine = engine;
    waiter->waiter.notify = embedded_on_notify;
}

/* Once out of line, nobody notifies it. */
static void embedded_leave(struct engine *engine, struct engine_waiter *waiter)
{
    struct embedded *embedded = (struct embedded *)engine;
    if (waiter_leave(&waiter->waiter))
        embedded_wake_notified(embedded, waiter->worker);
    ready_remove(&embedded->workers[waiter->worker].ready, waiter);
}

/* Serves waiters, also those that are notified meanwhile, for about a millisecond. */
static void embedded_complete_waiters(struct embedded_worker *worker)
{
    struct engine_waiter *waiter = NULL;
    size_t served = 0;
    ready_take_news(&worker->ready);
    worker->is_completing = true;
    while (served++ < MOST_SERVED && (waiter = ready_take(&worker->ready)) != NULL)
        waiter->on_list(waiter);
    worker->is_completing = false;
    if (waiter != NULL)
        waker_wake(worker->waker);
}

/* An answer of the store that few operations get. */
static enum engine_answer embedded_answer(struct embedded *embedded, struct engine_task *task,
                                          enum store_answer answer)
{
    switch (answer) {
    case STORE_HELD:
        return ENGINE_HELD;
    case STORE_COSTLY: /* what was rolled back may have notified waiters */
        embedded_wake_notified(embedded, task->worker);
        return ENGINE_COSTLY;
    case STORE_WAITING:
        return ENGINE_WAITING;
    case STORE_NOTIFIED:
        embedded_wake_notified(embedded, task->worker);
        break;
    case STORE_DONE:
        break;
    }
    return embedded_settle(&embedded->engine, task);
}

static enum engine_answer embedded_submit(struct engine *engine, struct engine_task *task)
{
    struct embedded *embedded = (struct embedded *)engine;
    if (!embedded_accepts(embedded, task))
        return ENGINE_DONE;
    enum store_answer answer =
        store_try_apply(embedded->store, &task->op, task->arena, &task->result);
    if (answer == STORE_HELD) {
        embedded_note_held(embedded, task->worker);
        answer = store_try_apply(embedded->store, &task->op, task->arena, &task->result);
    }
    if (answer != STORE_DONE)
        return embedded_answer(embedded, task, answer);
    return embedded_settle(engine, task);
}

static enum engine_answer embedded_scan(struct engine *engine, struct engine_task *task,
                                        struct scan *scan)
{
    struct embedded *embedded = (struct embedded *)engine;
    if (embedded_is_loading(embedded, task))
        return ENGINE_DONE;
    enum store_answer answer = store_scan(embedded->store, scan, &task->result);
    if (answer == STORE_HELD) {
        embedded_note_held(embedded, task->worker);
        answer = store_scan(embedded->store, scan, &task->result);
    }
    return answer == STORE_HELD ? ENGINE_HELD : ENGINE_DONE;
}

static void embedded_run(struct engine *engine, struct engine_task *task)
{
    struct embedded *embedded = (struct embedded *)engine;
    if (embedded_accepts(embedded, task))
        store_apply(embedded->store, &task->op, task->arena, &task->result);
    embedded_wake_notified(embedded, UINT_MAX);
}

/* Locks that were held for long are free. */
static void embedded_on_freed(void *user)
{
    struct embedded *embedded = user;
    for (unsigned i = 0; i < embedded->worker_count; i++)
        if (atomic_exchange(&embedded->workers[i].is_held, false))
            waker_wake(embedded->workers[i].waker);
}

static enum engine_answer embedded_save(struct engine *engine, struct engine_task *task,
                                        bool wait_for_it)
{
    struct embedded *embedded = (struct embedded *)engine;
    if (embedded_is_loading(embedded, task))
        return ENGINE_DONE;
    if (embedded->journal == NULL)
        return embedded_refuse(task, ERR_NOT_SERVED, not_kept);
    struct embedded_worker *worker = embedded_worker_of(embedded, task);
    save_requests_add(&worker->save_requests, embedded->journal, worker->waker,
                      wait_for_it ? task : NULL);
    task->result = (struct op_result){.ok = true};
    return wait_for_it ? ENGINE_PENDING : ENGINE_DONE;
}

/* ---- snapshots ---- */

/* An open base is such a file; there is nothing else to it. */
static struct engine_snapshot *embedded_open_snapshot(struct engine *engine, uint64_t *size,
                                                      const char **why)
{
    struct embedded *embedded = (struct embedded *)engine;
    struct fs_file *file;
    int error =
        embedded->journal != NULL ? journal_open_base(embedded->journal, &file, size) : -ENOENT;
    if (error == 0)
        return (struct engine_snapshot *)file;
    *why = error == -ENOENT ? "there is no snapshot" : fs_error_text(error);
    return NULL;
}

static ssize_t embedded_read_snapshot(struct engine_snapshot *snapshot, uint64_t offset, void *out,
                                      size_t size, const char **why)
{
    ssize_t got = fs_read((struct fs_file *)snapshot, offset, out, size);
    if (got >= 0)
        return got;
    *why = fs_error_text((int)got);
    return -1;
}

static void embedded_close_snapshot(struct engine_snapshot *snapshot)
{
    fs_close((struct fs_file *)snapshot);
}

static void embedded_complete_durable(struct embedded *embedded, struct embedded_worker *worker)
{
    struct engine_task *task;
    while ((task = waiting_take(&worker->waiting, atomic_load(&embedded->durable->revision))) !=
           NULL)
        task->on_done(task);
    if (atomic_load(&embedded->durable->read_only_reason) != NULL) {
        while ((task = waiting_take(&worker->waiting, UINT64_MAX)) != NULL) {
            embedded_fail(task);
            task->on_done(task);
        }
    }
    if (worker->waiting.first == NULL)
        atomic_store(&worker->waits, false);
}

static void embedded_complete(struct engine *engine, unsigned number)
{
    struct embedded *embedded = (struct embedded *)engine;
    struct embedded_worker *worker = &embedded->workers[number];
    struct engine_task *task;
    bool is_loaded = !atomic_load_explicit(&embedded->loading, memory_order_acquire);
    if (is_loaded && embedded->durable != NULL)
        embedded_complete_durable(embedded, worker);
    while ((task = save_requests_take(&worker->save_requests)) != NULL)
        task->on_done(task);
    embedded_complete_waiters(worker);
}

static void embedded_on_progress(void *user)
{
    struct embedded *embedded = user;
    for (unsigned i = 0; i < embedded->worker_count; i++)
        if (atomic_load(&embedded->workers[i].waits))
            waker_wake(embedded->workers[i].waker);
    watching_on_progress(embedded->watching);
}

/* Evicts what a lowered limit demands, until then. True if there is more to do. */
static bool embedded_shrink(struct store *store, int64_t until_us)
{
    bool goes_on;
    do
        goes_on = store_shrink(store);
    while (goes_on && clock_monotonic_us() < until_us);
    return goes_on;
}

/* While many keys have expired, or are to be evicted, their removal takes a fifth of the time, in
 * slices too short to delay requests; otherwise the search takes less than one percent. */
static int64_t embedded_maintain(struct engine *engine, unsigned worker, unsigned workers,
                                 int64_t now_ms)
{
    DCHECK(worker < workers);
    struct embedded *embedded = (struct embedded *)engine;
    struct store_sweep *sweep = &embedded->workers[worker].sweep;
    struct store_swept total = {0};
    if (atomic_load_explicit(&embedded->loading, memory_order_acquire))
        return MAINTAIN_IDLE_MS;
    if (worker == 0)
        watching_maintain(embedded->watching, now_ms);
    if (worker == 0 && engine->receipts != NULL)
        receipts_expire(engine->receipts, now_ms);
    /* Removals would wait for the disk, too. */
    if (embedded->durable != NULL && atomic_load(&embedded->durable->read_only_reason) != NULL)
        return MAINTAIN_IDLE_MS;
    sweep->part = worker;
    sweep->parts = workers;
    int64_t end_us = clock_monotonic_us() + MAINTAIN_US;
    bool shrinks = embedded_shrink(embedded->store, end_us - MAINTAIN_US / 2);
    do {
        struct store_swept swept = store_sweep(embedded->store, sweep, now_ms);
        total.visited += swept.visited;
        total.removed += swept.removed;
        total.lap = swept.lap;
    } while (!total.lap && clock_monotonic_us() < end_us);
    bool is_busy = shrinks || total.removed * MAINTAIN_SHARE > total.visited;
    return is_busy ? MAINTAIN_BUSY_MS : MAINTAIN_IDLE_MS;
}

static void embedded_cancel(struct engine *engine, struct engine_task *task)
{
    struct embedded *embedded = (struct embedded *)engine;
    struct embedded_worker *worker = embedded_worker_of(embedded, task);
    if (!save_requests_forget(&worker->save_requests, task))
        waiting_remove(&worker->waiting, task);
}

static void embedded_set_waker(struct engine *engine, unsigned worker, struct waker waker)
{
    struct embedded *embedded = (struct embedded *)engine;
    CHECK(worker < embedded->worker_count);
    embedded->workers[worker].waker = waker;
}

/* ---- watchers ---- */

static void embedded_wake(void *user, unsigned worker)
{
    const struct embedded *embedded = user;
    waker_wake(embedded->workers[worker].waker);
}

static enum engine_answer embedded_watch_open(struct engine *engine, unsigned worker, enum err *err,
                                              const char **why)
{
    struct embedded *embedded = (struct embedded *)engine;
    *err = ERR_NONE;
    if (atomic_load_explicit(&embedded->loading, memory_order_acquire)) {
        *err = ERR_LOADING;
        *why = loading;
        return ENGINE_DONE;
    }
    if (watching_open(embedded->watching))
        return ENGINE_DONE;
    embedded_note_held(embedded, worker);
    return watching_open(embedded->watching) ? ENGINE_DONE : ENGINE_HELD;
}

static void embedded_watch_close(struct engine *engine)
{
    watching_close(((struct embedded *)engine)->watching);
}

static uint64_t embedded_watch_newest(struct engine *engine)
{
    return watching_newest(((struct embedded *)engine)->watching);
}

static uint64_t embedded_watch_oldest(struct engine *engine)
{
    return watching_oldest(((struct embedded *)engine)->watching);
}

static bool embedded_watch_listen(struct engine *engine, unsigned worker, uint64_t seen)
{
    return watching_listen(((struct embedded *)engine)->watching, worker, seen);
}

static enum engine_history embedded_watch_read(struct engine *engine, uint64_t after, uint64_t upto,
                                               const struct engine_reader *reader)
{
    return watching_read(((struct embedded *)engine)->watching, after, upto, reader);
}

static struct past *embedded_past_open(struct engine *engine, uint64_t after)
{
    struct embedded *embedded = (struct embedded *)engine;
    return embedded->journal != NULL ? journal_past(embedded->journal, after) : NULL;
}

static enum engine_history embedded_past_read(struct engine *engine, struct past *past,
                                              uint64_t upto, const struct engine_reader *reader)
{
    static const enum engine_history answers[] = {[PAST_MORE] = ENGINE_HISTORY_MORE,
                                                  [PAST_END] = ENGINE_HISTORY_READ,
                                                  [PAST_LOST] = ENGINE_HISTORY_LOST};
    struct past_reader own = {
        .on_change = reader->on_change, .on_commit = reader->on_commit, .user = reader->user};
    if (!journal_has_written(((struct embedded *)engine)->journal, upto))
        return ENGINE_HISTORY_WAIT;
    return answers[past_read(past, upto, &own)];
}

static enum engine_answer embedded_walk(struct engine *engine, unsigned worker,
                                        const struct store_walk *walk,
                                        const struct store_walk_filter *filter, struct arena *arena,
                                        struct store_walk_step *step)
{
    struct embedded *embedded = (struct embedded *)engine;
    if (store_walk_take(embedded->store, walk, filter, arena, step))
        return ENGINE_DONE;
    embedded_note_held(embedded, worker);
    return store_walk_take(embedded->store, walk, filter, arena, step) ? ENGINE_DONE : ENGINE_HELD;
}

static bool embedded_has_passed(struct engine *engine, const struct store_walk *walk, uint32_t db,
                                struct slice key)
{
    return store_walk_has_passed(((struct embedded *)engine)->store, walk, db, key);
}

static const struct engine_watching embedded_watching = {.open = embedded_watch_open,
                                                         .close = embedded_watch_close,
                                                         .newest = embedded_watch_newest,
                                                         .oldest = embedded_watch_oldest,
                                                         .listen = embedded_watch_listen,
                                                         .read = embedded_watch_read,
                                                         .past_open = embedded_past_open,
                                                         .past_read = embedded_past_read,
                                                         .past_close = past_close,
                                                         .walk = embedded_walk,
                                                         .has_passed = embedded_has_passed};

struct engine *embedded_new(const struct store_options *options, unsigned workers)
{
    struct embedded *embedded = mem_alloc(sizeof *embedded);
    embedded->engine = (struct engine){.watching = &embedded_watching,
                                       .state = embedded_state,
                                       .prepare = embedded_prepare,
                                       .submit = embedded_submit,
                                       .run = embedded_run,
                                       .settle = embedded_settle,
                                       .scan = embedded_scan,
                                       .save = embedded_save,
                                       .open_snapshot = embedded_open_snapshot,
                                       .read_snapshot = embedded_read_snapshot,
                                       .close_snapshot = embedded_close_snapshot,
                                       .cancel = embedded_cancel,
                                       .complete = embedded_complete,
                                       .maintain = embedded_maintain,
                                       .set_waker = embedded_set_waker,
                                       .init_waiter = embedded_init_waiter,
                                       .leave = embedded_leave,
                                       .may_claim = embedded_may_claim,
                                       .databases = options->databases};
    struct store_options own = *options;
    own.threads = workers;
    embedded->store = store_new(&own);
    store_on_freed(embedded->store, embedded_on_freed, embedded);
    embedded->durable = NULL;
    embedded->journal = NULL;
    atomic_init(&embedded->loading, false);
    embedded->worker_count = workers;
    embedded->workers = mem_alloc_zero(workers * sizeof *embedded->workers);
    embedded->watching =
        watching_new(embedded->store, HISTORY_BYTES, workers, embedded_wake, embedded);
    return &embedded->engine;
}

void embedded_set_durable(struct engine *engine, struct durable *durable)
{
    struct embedded *embedded = (struct embedded *)engine;
    embedded->durable = durable;
    watching_set_durable(embedded->watching, durable);
    durable->on_progress = embedded_on_progress;
    durable->user = embedded;
}

void embedded_set_journal(struct engine *engine, struct journal *journal)
{
    ((struct embedded *)engine)->journal = journal;
}

void embedded_set_receipts(struct engine *engine, struct receipts *receipts)
{
    engine->receipts = receipts;
}

void embedded_set_loading(struct engine *engine, bool is_loading)
{
    struct embedded *embedded = (struct embedded *)engine;
    atomic_store_explicit(&embedded->loading, is_loading, memory_order_release);
}

void embedded_set_history(struct engine *engine, size_t limit)
{
    struct embedded *embedded = (struct embedded *)engine;
    watching_free(embedded->watching);
    embedded->watching =
        watching_new(embedded->store, limit, embedded->worker_count, embedded_wake, embedded);
    watching_set_durable(embedded->watching, embedded->durable);
}

size_t embedded_history_bytes(struct engine *engine)
{
    return watching_bytes(((struct embedded *)engine)->watching);
}

struct store *embedded_store(struct engine *engine)
{
    return ((struct embedded *)engine)->store;
}

void embedded_free(struct engine *engine)
{
    struct embedded *embedded = (struct embedded *)engine;
    if (embedded == NULL)
        return;
    for (unsigned i = 0; i < embedded->worker_count; i++) {
        CHECK(embedded->workers[i].waiting.first == NULL); /* its connections have ended */
        CHECK(embedded->workers[i].ready.first == NULL);
        save_requests_deinit(&embedded->workers[i].save_requests);
    }
    watching_free(embedded->watching);
    store_free(embedded->store);
    free(embedded->workers);
    free(embedded);
}
