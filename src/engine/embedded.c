/* An engine over a store: lock the key's shard, apply, unlock. Knows no protocol. */
#include "engine/embedded.h"

#include "base/mem.h"
#include "store/store.h"

#include <stdlib.h>

struct embedded {
    struct engine engine; /* first, so that a struct engine * is one of these */
    struct store *store;
};

static void prepare(struct engine *engine, struct engine_task **tasks, size_t count)
{
    struct embedded *embedded = (struct embedded *)engine;
    for (size_t i = 0; i < count; i++)
        store_prefetch_slot(embedded->store, &tasks[i]->op);
    for (size_t i = 0; i < count; i++)
        store_prefetch_entry(embedded->store, &tasks[i]->op);
}

static enum engine_answer submit(struct engine *engine, struct engine_task *task)
{
    struct embedded *embedded = (struct embedded *)engine;
    struct shard *shard = store_lock(embedded->store, &task->op);
    store_apply(shard, &task->op, task->now_ms, task->arena, &task->result);
    store_unlock(shard);
    return ENGINE_DONE;
}

static void cancel(struct engine *engine, struct engine_task *task)
{
    /* Nothing is ever pending here, so there is nothing to forget. */
    (void)engine;
    (void)task;
}

struct engine *embedded_new(uint32_t databases)
{
    struct embedded *embedded = mem_alloc(sizeof *embedded);
    embedded->engine = (struct engine){
        .prepare = prepare, .submit = submit, .cancel = cancel, .databases = databases};
    embedded->store = store_new(databases);
    return &embedded->engine;
}

void embedded_free(struct engine *engine)
{
    struct embedded *embedded = (struct embedded *)engine;
    if (embedded == NULL)
        return;
    store_free(embedded->store);
    free(embedded);
}
