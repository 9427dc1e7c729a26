/*
 * A mutex of four bytes that is taken and given back by one atomic instruction each, without a
 * call, as long as nobody waits. For what every call locks, some of them twice, and holds for less
 * than a microsecond: with pthread's, a Get takes 4 percent more. Where threads wait for something
 * to happen, there is pthread's with its conditions. (Take 3 of Drepper's "Futexes Are Tricky",
 * 2011.)
 *
 * Not recursive, not fair. All zero is a free one; there is nothing to destroy.
 */
#ifndef KEYSTORE_BASE_MUTEX_H
#define KEYSTORE_BASE_MUTEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum mutex_state {
    MUTEX_FREE,
    MUTEX_HELD,
    MUTEX_CONTENDED, /* held, and somebody may sleep until it is not */
};

struct mutex {
    _Atomic uint32_t state;
};

/* The rest of mutex_lock() and mutex_unlock(), which alone call them. */
void mutex_lock_slow(struct mutex *mutex);
void mutex_unlock_slow(struct mutex *mutex, uint32_t former);

/* Sleeps until the mutex is free, and takes it. */
static inline void mutex_lock(struct mutex *mutex)
{
    uint32_t expected = MUTEX_FREE;
    if (!atomic_compare_exchange_strong_explicit(&mutex->state, &expected, MUTEX_HELD,
                                                 memory_order_acquire, memory_order_relaxed))
        mutex_lock_slow(mutex);
}

/* For assertions: true if somebody holds it. */
static inline bool mutex_is_held(const struct mutex *mutex)
{
    return atomic_load_explicit(&mutex->state, memory_order_relaxed) != MUTEX_FREE;
}

/* Gives back what the caller holds; aborts if nobody holds it. */
static inline void mutex_unlock(struct mutex *mutex)
{
    uint32_t former = atomic_exchange_explicit(&mutex->state, MUTEX_FREE, memory_order_release);
    if (former != MUTEX_HELD)
        mutex_unlock_slow(mutex, former);
}

#endif
