/*
 * Tasks whose answers wait for the disk, in the order of the revisions that they have seen. One
 * list per worker, used by its thread only.
 */
#ifndef KEYSTORE_ENGINE_WAITING_H
#define KEYSTORE_ENGINE_WAITING_H

#include "engine/engine.h"

/* All zero is empty. */
struct waiting {
    struct engine_task *first, *last;
};

/* Adds a task by its result.seen, after those that have seen the same. */
void waiting_add(struct waiting *waiting, struct engine_task *task);

void waiting_remove(struct waiting *waiting, struct engine_task *task);

/* Removes and returns the first task if it has seen nothing newer than `revision`; else NULL. */
struct engine_task *waiting_take(struct waiting *waiting, uint64_t revision);

#endif
