/*
 * Tasks that wait for a snapshot, which the journal writes on its own thread. One list per worker,
 * used by its thread only.
 */
#ifndef KEYSTORE_ENGINE_SAVE_REQUESTS_H
#define KEYSTORE_ENGINE_SAVE_REQUESTS_H

#include "base/waker.h"

#include <stdbool.h>

struct engine_task;
struct journal;
struct save_request;

/* All zero is empty. */
struct save_requests {
    struct save_request *first;
};

/* Requests a snapshot for a task, or for NULL if nobody waits for it, and wakes the worker when it
 * is written or has failed. */
void save_requests_add(struct save_requests *list, struct journal *journal, struct waker waker,
                       struct engine_task *task);

/* Removes a finished request that has a task, fills in the task's result and returns it; NULL if
 * there is none. Frees the finished ones without a task on the way. */
struct engine_task *save_requests_take(struct save_requests *list);

/* The task does not wait any more, though its snapshot is still written. False if it did not wait.
 */
bool save_requests_forget(struct save_requests *list, const struct engine_task *task);

/* Frees all requests; the journal must have stopped. */
void save_requests_deinit(struct save_requests *list);

#endif
