/*
 * Tasks that wait for a snapshot, which the journal writes on its own thread. One list per part,
 * used by that part's thread only.
 */
#ifndef KEYSTORE_ENGINE_SAVING_H
#define KEYSTORE_ENGINE_SAVING_H

#include "engine/engine.h"

struct journal;
struct saving;

/* All zero is empty. */
struct saving_list {
    struct saving *first;
};

/* Asks for a snapshot on behalf of the task, NULL = of nobody who waits, of the part. The engine's
 * on_ready tells when it is there. */
void saving_add(struct saving_list *list, struct journal *journal, struct engine *engine,
                unsigned part, struct engine_task *task);

/* Takes out one that is there, or has failed, and fills in the result of its task, which is
 * returned; NULL if there is none that anybody waits for. */
struct engine_task *saving_take(struct saving_list *list);

/* Nobody waits for the task's snapshot any more; false if nobody did. */
bool saving_forget(struct saving_list *list, const struct engine_task *task);

/* After the journal has stopped. */
void saving_deinit(struct saving_list *list);

#endif
