/*
 * Tasks that wait for a snapshot, which the journal writes on its own thread. One list per part,
 * used by that part's thread only.
 */
#ifndef KEYSTORE_ENGINE_SAVE_REQUESTS_H
#define KEYSTORE_ENGINE_SAVE_REQUESTS_H

#include "engine/engine.h"

struct journal;
struct save_request;

/* All zero is empty. */
struct save_requests {
    struct save_request *first;
};

/* Asks for a snapshot on behalf of the task, NULL = of nobody who waits, of the part. The engine's
 * on_ready tells when it is there. */
void save_requests_add(struct save_requests *list, struct journal *journal, struct engine *engine,
                       unsigned part, struct engine_task *task);

/* Takes out one that is there, or has failed, and fills in the result of its task, which is
 * returned; NULL if there is none that anybody waits for. */
struct engine_task *save_requests_take(struct save_requests *list);

/* Nobody waits for the task's snapshot any more; false if nobody did. */
bool save_requests_forget(struct save_requests *list, const struct engine_task *task);

/* After the journal has stopped. */
void save_requests_deinit(struct save_requests *list);

#endif
