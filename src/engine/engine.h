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

/* One submitted operation. The submitter owns it, and keeps it in place until it is answered. */
struct engine_task {
    struct op op;            /* its slices outlive the task */
    struct op_result result; /* filled when answered; points into `arena` */
    struct arena *arena;
    void (*on_done)(struct engine_task *task); /* called on the submitter's thread */
};

struct engine {
    enum engine_answer (*submit)(struct engine *engine, struct engine_task *task);
    /* The task is pending: on return it is forgotten, has changed nothing, and on_done will not be
     * called. */
    void (*cancel)(struct engine *engine, struct engine_task *task);
    uint32_t databases; /* a task's db is below this */
};

static inline enum engine_answer engine_submit(struct engine *engine, struct engine_task *task)
{
    return engine->submit(engine, task);
}

static inline void engine_cancel(struct engine *engine, struct engine_task *task)
{
    engine->cancel(engine, task);
}

#endif
