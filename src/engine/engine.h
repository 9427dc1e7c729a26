/*
 * The interface between the API and the data: an operation is submitted and answered immediately or
 * later. `embedded` holds the data in this process; other engines may get them from elsewhere.
 */
#ifndef KEYSTORE_ENGINE_ENGINE_H
#define KEYSTORE_ENGINE_ENGINE_H

#include "base/waker.h"
#include "store/op.h"
#include "store/walk.h"

#include <sys/types.h>

struct arena;
struct engine;
struct engine_snapshot;
struct scan;
struct past;
struct receipts;

enum engine_answer {
    ENGINE_DONE,    /* the result is set; on_done is not called */
    ENGINE_PENDING, /* on_done will be called once and soon, when the disk is done, unless the task
                       is cancelled first */
    ENGINE_HELD,    /* no-op: an operation that takes long has locked a key of it. To be submitted
                       again after the next complete() */
    ENGINE_COSTLY,  /* no-op: it takes long. To be done by run() */
    ENGINE_WAITING, /* no-op: op_waits(), and there is no list for it, or others are before it. If
                       it has a waiter, that is in line now: see struct engine_waiter */
};

/* What an engine does with tasks now. */
enum engine_state {
    ENGINE_TAKES_ALL,
    ENGINE_LOADS,     /* none: its data are being loaded */
    ENGINE_READ_ONLY, /* those that only read: the disk accepts no writes */
};

/* One submitted operation, owned by the worker that submits it. The worker must not move it until
 * it is answered, and then calls op_result_release(). A worker is one thread with a number. */
struct engine_task {
    struct op op;            /* its slices are valid until submit() returns */
    struct op_result result; /* filled when answered; points into `arena` */
    struct arena *arena;
    void (*on_done)(struct engine_task *task); /* called by engine_complete() */
    unsigned worker;                           /* the owner's number */
    struct engine_task *previous, *next;       /* the engine's, while the task is pending */
};

/*
 * One who waits for a list, as op.move.take->waiter of its operations. It is in line at the
 * operation's keys from ENGINE_WAITING until engine_leave(), which is to be called also when the
 * operation has been answered. When it is its turn, on_list is called, which submits the operation
 * again. So nothing is consumed for a waiter that has left. Belongs to its worker, and must not be
 * moved while it is in line. All zero but `worker` and `on_list` before engine_init_waiter().
 */
struct engine_waiter {
    struct waiter waiter;                          /* the engine's; first */
    void (*on_list)(struct engine_waiter *waiter); /* called by engine_complete() */
    unsigned worker;                               /* the owner's number */
    bool is_ready;                                 /* the rest is the engine's, too */
    struct engine *engine;
    struct engine_waiter *previous, *next;
};

/* Who reads the history of changes. */
struct engine_reader {
    /* False: a change of that key alone need not be reported. NULL: all are. */
    bool (*wants)(void *user, uint32_t db, struct slice key);
    /* A change of the commit: an operation of the kinds that store/change.h names or, of what other
     * servers have written, any that writes. Without keys: any key may have changed. */
    void (*on_change)(void *user, uint64_t revision, const struct op *change);
    /* The commit, which may have had no changes, is complete. False: no more for now. */
    bool (*on_commit)(void *user, uint64_t revision);
    void *user;
};

enum engine_history {
    ENGINE_HISTORY_READ, /* up to `upto`, or as far as the reader wanted */
    ENGINE_HISTORY_LOST, /* it does not reach back so far */
    ENGINE_HISTORY_MORE, /* past_read(): there is more to read now... */
    ENGINE_HISTORY_WAIT, /* ...or soon, when it has been written */
};

/*
 * What watchers need. Revisions are those that answers show; what is not durable yet is not shown.
 * To be called on the worker's thread, unless stated otherwise.
 */
struct engine_watching {
    /* Has the history kept, from now on, until close(). ENGINE_HELD: to be called again after the
     * next complete(). ENGINE_DONE with an error other than ERR_NONE: it is refused. */
    enum engine_answer (*open)(struct engine *engine, unsigned worker, enum err *err,
                               const char **why);
    void (*close)(struct engine *engine);
    /* The newest commit that may be shown, and the one after which all are in memory. */
    uint64_t (*newest)(struct engine *engine);
    uint64_t (*oldest)(struct engine *engine);
    /* Has the worker woken once when newest() is above `seen`. False: it is already. */
    bool (*listen)(struct engine *engine, unsigned worker, uint64_t seen);
    /* Reads the commits in memory after the revision `after` and up to `upto`. */
    enum engine_history (*read)(struct engine *engine, uint64_t after, uint64_t upto,
                                const struct engine_reader *reader);
    /* Reads what has left memory from elsewhere, beginning after that revision. NULL: there is
     * none. It is to be read on a thread that may take its time, a part at a time, up to oldest()
     * at most and not before newest() is as far. */
    struct past *(*past_open)(struct engine *engine, uint64_t after);
    enum engine_history (*past_read)(struct engine *engine, struct past *past, uint64_t upto,
                                     const struct engine_reader *reader);
    void (*past_close)(struct past *past);
    /* As store_walk_take(); ENGINE_HELD as open(). */
    enum engine_answer (*walk)(struct engine *engine, unsigned worker,
                               const struct store_walk *walk,
                               const struct store_walk_filter *filter, struct arena *arena,
                               struct store_walk_step *step);
    bool (*has_passed)(struct engine *engine, const struct store_walk *walk, uint32_t db,
                       struct slice key);
};

struct engine {
    const struct engine_watching *watching; /* NULL: there is no history */
    /* Any thread may ask. NULL: it always takes all. */
    enum engine_state (*state)(struct engine *engine);
    /* A hint: these tasks will be submitted next, in this order. Neither side has to support it. */
    void (*prepare)(struct engine *engine, struct engine_task **tasks, size_t count);
    enum engine_answer (*submit)(struct engine *engine, struct engine_task *task);
    /* Carries out what takes long, on a thread that may take its time. Then settle() is to be
     * called on the worker's thread. */
    void (*run)(struct engine *engine, struct engine_task *task);
    /* ENGINE_DONE or ENGINE_PENDING, as submit() answers. */
    enum engine_answer (*settle)(struct engine *engine, struct engine_task *task);
    /* Continues a scan: store/scan.h has its contract. ENGINE_DONE or ENGINE_HELD; before the page
     * is shown, settle() is to be called. Of the task, only `result` is used. NULL: this engine
     * cannot. */
    enum engine_answer (*scan)(struct engine *engine, struct engine_task *task, struct scan *scan);
    /* Writes a snapshot of all data. The task, whose op is ignored, is answered when that is done,
     * or immediately without `wait`. */
    enum engine_answer (*save)(struct engine *engine, struct engine_task *task, bool wait);
    /*
     * Opens the newest snapshot, which stays readable when there is a newer one. NULL if that
     * fails, with an error message in *why; else its size in bytes is in *size. read_snapshot()
     * reads up to `size` bytes from the offset and returns how many, fewer only at the end, or -1
     * with *why. These may wait for the disk, and may be called on any thread.
     */
    struct engine_snapshot *(*open_snapshot)(struct engine *engine, uint64_t *size,
                                             const char **why);
    ssize_t (*read_snapshot)(struct engine_snapshot *snapshot, uint64_t offset, void *out,
                             size_t size, const char **why);
    void (*close_snapshot)(struct engine_snapshot *snapshot);
    /* Forgets a pending task: on_done will not be called. A write that waited for the disk has been
     * done; what waited for something else has changed nothing. */
    void (*cancel)(struct engine *engine, struct engine_task *task);
    /* Both NULL if the engine never answers with ENGINE_WAITING. After leave() the waiter is not in
     * line, if it was, and on_list will not be called. */
    void (*init_waiter)(struct engine *engine, struct engine_waiter *waiter);
    void (*leave)(struct engine *engine, struct engine_waiter *waiter);
    /* Answers those of the worker's pending tasks that can be. To be called on the worker's thread
     * when it was woken. */
    void (*complete)(struct engine *engine, unsigned worker);
    /* Sets how a worker is woken when it has tasks to complete. To be called for each worker before
     * the first task. NULL: the engine wakes nobody. */
    void (*set_waker)(struct engine *engine, unsigned worker, struct waker waker);
    /*
     * Does maintenance for some hundred microseconds: the share of `worker`, one of `workers`.
     * Returns in how many milliseconds it wants to be called again.
     */
    int64_t (*maintain)(struct engine *engine, unsigned worker, unsigned workers, int64_t now_ms);
    uint32_t databases; /* a task's db is below this */
    /* Remembers the replies of writes with a request id; NULL: such ids are not served. */
    struct receipts *receipts;
    /* To be asked before each claim of an id: ERR_NONE once the receipts of former runs are there,
     * else an error with its message in *why. NULL: they always are. */
    enum err (*may_claim)(const struct engine *engine, const char **why);
};

static inline enum engine_state engine_state(struct engine *engine)
{
    return engine->state != NULL ? engine->state(engine) : ENGINE_TAKES_ALL;
}

static inline void engine_prepare(struct engine *engine, struct engine_task **tasks, size_t count)
{
    if (engine->prepare != NULL)
        engine->prepare(engine, tasks, count);
}

static inline enum engine_answer engine_submit(struct engine *engine, struct engine_task *task)
{
    return engine->submit(engine, task);
}

static inline void engine_run(struct engine *engine, struct engine_task *task)
{
    engine->run(engine, task);
}

static inline enum engine_answer engine_settle(struct engine *engine, struct engine_task *task)
{
    return engine->settle(engine, task);
}

static inline enum engine_answer engine_scan(struct engine *engine, struct engine_task *task,
                                             struct scan *scan)
{
    return engine->scan(engine, task, scan);
}

static inline enum engine_answer engine_save(struct engine *engine, struct engine_task *task,
                                             bool wait)
{
    return engine->save(engine, task, wait);
}

static inline int64_t engine_maintain(struct engine *engine, unsigned worker, unsigned workers,
                                      int64_t now_ms)
{
    return engine->maintain(engine, worker, workers, now_ms);
}

static inline void engine_complete(struct engine *engine, unsigned worker)
{
    engine->complete(engine, worker);
}

static inline void engine_set_waker(struct engine *engine, unsigned worker, struct waker waker)
{
    if (engine->set_waker != NULL)
        engine->set_waker(engine, worker, waker);
}

static inline void engine_init_waiter(struct engine *engine, struct engine_waiter *waiter)
{
    if (engine->init_waiter != NULL)
        engine->init_waiter(engine, waiter);
}

static inline void engine_leave(struct engine *engine, struct engine_waiter *waiter)
{
    if (engine->leave != NULL)
        engine->leave(engine, waiter);
}

static inline enum err engine_may_claim(const struct engine *engine, const char **why)
{
    return engine->may_claim != NULL ? engine->may_claim(engine, why) : ERR_NONE;
}

static inline void engine_cancel(struct engine *engine, struct engine_task *task)
{
    engine->cancel(engine, task);
}

#endif
