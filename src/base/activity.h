/*
 * Which workers are busy, so that something done for all of them together, such as the sync of a
 * group commit, waits for what busy workers still add, and is notified when one becomes idle.
 *
 * A worker marks itself busy before its first write, and idle when it has no more requests at hand
 * or has been busy for `most_us`. A thread that does neither is not waited for.
 */
#ifndef KEYSTORE_BASE_ACTIVITY_H
#define KEYSTORE_BASE_ACTIVITY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Shared by all workers and the listener. */
struct activity {
    atomic_uint busy_count;
    int64_t most_us;                     /* that a worker is busy without a pause */
    void (*_Atomic on_idle)(void *user); /* NULL: nobody listens, and no worker becomes busy */
    void *user;
};

/* One worker's share, used by its thread only. */
struct activity_worker {
    struct activity *activity;
    bool is_busy;
    int64_t since_us; /* of the first activity_limit() since it is busy; 0 = there was none */
};

void activity_init(struct activity *activity, int64_t most_us);

/* Not busy; `activity` is borrowed. */
void activity_worker_init(struct activity_worker *worker, struct activity *activity);

/* From now on on_idle(user) is called whenever a worker becomes idle, on that worker's thread.
 * There is one listener at a time. */
void activity_listen(struct activity *activity, void (*on_idle)(void *user), void *user);

/* on_idle is not called any more. No worker may become idle meanwhile. */
void activity_stop_listening(struct activity *activity);

/* Any thread may ask. */
static inline bool activity_is_anybody_busy(const struct activity *activity)
{
    return atomic_load(&activity->busy_count) > 0;
}

/* The slow part of activity_mark_busy(). */
void activity_become_busy(struct activity_worker *worker);

/* The worker is about to write. */
static inline void activity_mark_busy(struct activity_worker *worker)
{
    if (!worker->is_busy &&
        atomic_load_explicit(&worker->activity->on_idle, memory_order_acquire) != NULL)
        activity_become_busy(worker);
}

/* The worker has nothing more to do for now; a no-op if it is not busy. */
void activity_mark_idle(struct activity_worker *worker);

/* Marks the worker idle if it has been busy for too long. To be called between its steps. */
void activity_limit(struct activity_worker *worker);

#endif
