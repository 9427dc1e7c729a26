/* A list under a lock that is held for a few instructions. */
#include "engine/ready.h"

#include <stddef.h>

void ready_add(struct ready *ready, struct engine_waiter *waiter)
{
    mutex_lock(&ready->lock);
    if (!waiter->is_ready) {
        waiter->is_ready = true;
        waiter->next = NULL;
        waiter->previous = ready->last;
        *(ready->last != NULL ? &ready->last->next : &ready->first) = waiter;
        ready->last = waiter;
    }
    mutex_unlock(&ready->lock);
    atomic_store(&ready->is_news, true);
}

static void ready_unlink(struct ready *ready, struct engine_waiter *waiter)
{
    *(waiter->previous != NULL ? &waiter->previous->next : &ready->first) = waiter->next;
    *(waiter->next != NULL ? &waiter->next->previous : &ready->last) = waiter->previous;
    waiter->is_ready = false;
}

void ready_remove(struct ready *ready, struct engine_waiter *waiter)
{
    mutex_lock(&ready->lock);
    if (waiter->is_ready)
        ready_unlink(ready, waiter);
    mutex_unlock(&ready->lock);
}

struct engine_waiter *ready_take(struct ready *ready)
{
    mutex_lock(&ready->lock);
    struct engine_waiter *waiter = ready->first;
    if (waiter != NULL)
        ready_unlink(ready, waiter);
    mutex_unlock(&ready->lock);
    return waiter;
}
