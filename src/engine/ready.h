/*
 * Waiters that were notified of a list, in the order of that. One list per worker, filled by any
 * thread and emptied by the worker.
 */
#ifndef KEYSTORE_ENGINE_READY_H
#define KEYSTORE_ENGINE_READY_H

#include "base/mutex.h"
#include "engine/engine.h"

/* All zero is empty. */
struct ready {
    struct mutex lock;
    atomic_bool is_news; /* there is what the worker has not been woken for */
    struct engine_waiter *first, *last;
};

/* Appends the waiter unless it is in the list already. */
void ready_add(struct ready *ready, struct engine_waiter *waiter);

/* A no-op if it is not in the list. By the worker. */
void ready_remove(struct ready *ready, struct engine_waiter *waiter);

/* Removes and returns the first waiter; NULL if there is none. By the worker. */
struct engine_waiter *ready_take(struct ready *ready);

/* True once after waiters were added: the worker is to be woken. */
static inline bool ready_take_news(struct ready *ready)
{
    return atomic_load_explicit(&ready->is_news, memory_order_relaxed) &&
           atomic_exchange(&ready->is_news, false);
}

#endif
