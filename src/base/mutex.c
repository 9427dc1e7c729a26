/* Waiting for a mutex, and waking waiters. */
#include "base/mutex.h"

#include "base/check.h"

#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

static void mutex_sleep_while(struct mutex *mutex, uint32_t state)
{
    syscall(SYS_futex, &mutex->state, FUTEX_WAIT_PRIVATE, state, NULL, NULL, 0);
}

static void mutex_wake(struct mutex *mutex, int count)
{
    syscall(SYS_futex, &mutex->state, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

/* Changes the state if it is still `from`, without locking the mutex. */
static bool mutex_change_state(struct mutex *mutex, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong_explicit(&mutex->state, &from, to, memory_order_relaxed,
                                                   memory_order_relaxed);
}

static uint32_t mutex_state_of(struct mutex *mutex)
{
    return atomic_load_explicit(&mutex->state, memory_order_relaxed);
}

/* Sleeps until the state may have changed, after setting it to a contended one. */
static void mutex_wait_for(struct mutex *mutex, uint32_t state)
{
    if (state == MUTEX_HELD && mutex_change_state(mutex, MUTEX_HELD, MUTEX_CONTENDED))
        state = MUTEX_CONTENDED;
    if (state == MUTEX_LONG && mutex_change_state(mutex, MUTEX_LONG, MUTEX_LONG_CONTENDED)) {
        state = MUTEX_LONG_CONTENDED;
        mutex_wake(mutex, INT_MAX);
    }
    if (state == MUTEX_CONTENDED || state == MUTEX_LONG_CONTENDED)
        mutex_sleep_while(mutex, state);
}

/* Locks it as contended, since others may still be waiting. */
void mutex_lock_slow(struct mutex *mutex)
{
    while (!mutex_try(mutex, MUTEX_CONTENDED))
        mutex_wait_for(mutex, mutex_state_of(mutex));
}

bool mutex_lock_brief_slow(struct mutex *mutex)
{
    bool slept = false;
    while (!mutex_try(mutex, MUTEX_CONTENDED)) {
        uint32_t state = mutex_state_of(mutex);
        if (state == MUTEX_LONG || state == MUTEX_LONG_CONTENDED) {
            if (slept)
                mutex_wake(mutex, INT_MAX);
            return false;
        }
        mutex_wait_for(mutex, state);
        slept = true;
    }
    return true;
}

void mutex_lock_long_slow(struct mutex *mutex)
{
    while (!mutex_try(mutex, MUTEX_LONG_CONTENDED))
        mutex_wait_for(mutex, mutex_state_of(mutex));
    mutex_wake(mutex, INT_MAX);
}

void mutex_unlock_slow(struct mutex *mutex, uint32_t former)
{
    CHECK(former != MUTEX_FREE);
    mutex_wake(mutex, 1);
}
