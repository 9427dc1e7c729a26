/*
 * The one seam behind the API: an operation goes in and is answered now or later. `embedded` holds
 * the data in this process; other engines answer from elsewhere.
 */
#ifndef KEYSTORE_ENGINE_ENGINE_H
#define KEYSTORE_ENGINE_ENGINE_H

#include "store/op.h"

struct arena;
struct engine;

enum engine_answer {
    ENGINE_DONE,    /* the result is there; on_done is not called */
    ENGINE_PENDING, /* on_done will be called once, unless the task is cancelled first */
};

/* One submitted operation. The submitter owns it, keeps it in place until it is answered, and then
 * calls op_result_release(). */
struct engine_task {
    struct op op;            /* its slices are valid until submit() returns */
    struct op_result result; /* filled when answered; points into `arena` */
    struct arena *arena;
    int64_t now_ms;                            /* the wall clock when the request came */
    void (*on_done)(struct engine_task *task); /* called on the submitter's thread */
};

struct engine {
    /* A hint: these tasks will be submitted next, in this order. Optional for both sides. */
    void (*prepare)(struct engine *engine, struct engine_task **tasks, size_t count);
    enum engine_answer (*submit)(struct engine *engine, struct engine_task *task);
    /* The task is pending: on return it is forgotten, has changed nothing, and on_done will not be
     * called. */
    void (*cancel)(struct engine *engine, struct engine_task *task);
    uint32_t databases; /* a task's db is below this */
};

static inline void engine_prepare(struct engine *engine, struct engine_task **tasks, size_t count)
{
    if (engine->prepare != NULL)
        engine->prepare(engine, tasks, count);
}

static inline enum engine_answer engine_submit(struct engine *engine, struct engine_task *task)
{
    return engine->submit(engine, task);
}

static inline void engine_cancel(struct engine *engine, struct engine_task *task)
{
    engine->cancel(engine, task);
}

#endif
