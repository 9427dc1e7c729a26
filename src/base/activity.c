/* A count of busy workers and a bound on how long each is. Does not know what they do. */
#include "base/activity.h"

#include "base/check.h"
#include "base/clock.h"

void activity_init(struct activity *activity, int64_t most_us)
{
    CHECK(most_us > 0);
    *activity = (struct activity){.most_us = most_us};
}

void activity_worker_init(struct activity_worker *worker, struct activity *activity)
{
    *worker = (struct activity_worker){.activity = activity};
}

void activity_listen(struct activity *activity, void (*on_idle)(void *user), void *user)
{
    CHECK(atomic_load(&activity->on_idle) == NULL);
    activity->user = user;
    atomic_store_explicit(&activity->on_idle, on_idle, memory_order_release);
}

void activity_stop_listening(struct activity *activity)
{
    atomic_store(&activity->on_idle, NULL);
}

void activity_become_busy(struct activity_worker *worker)
{
    DCHECK(!worker->is_busy);
    worker->is_busy = true;
    atomic_fetch_add(&worker->activity->busy_count, 1);
}

/* The count comes first: while it is not 0, the listener leaves its work to this call. */
void activity_mark_idle(struct activity_worker *worker)
{
    struct activity *activity = worker->activity;
    if (!worker->is_busy)
        return;
    worker->is_busy = false;
    worker->since_us = 0;
    unsigned busy_count = atomic_fetch_sub(&activity->busy_count, 1);
    CHECK(busy_count > 0);
    void (*on_idle)(void *user) = atomic_load(&activity->on_idle);
    if (on_idle != NULL)
        on_idle(activity->user);
}

void activity_limit(struct activity_worker *worker)
{
    if (!worker->is_busy)
        return;
    int64_t now_us = clock_monotonic_us();
    if (worker->since_us == 0)
        worker->since_us = now_us;
    if (now_us - worker->since_us >= worker->activity->most_us)
        activity_mark_idle(worker);
}
