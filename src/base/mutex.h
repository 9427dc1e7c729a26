/*
 * A mutex of four bytes that is taken and given back by one atomic instruction each, without a
 * call, as long as nobody waits. For what every call locks, some of them twice, and holds for less
 * than a microsecond: with pthread's, a Get takes 4 percent more. Where threads wait for something
 * to happen, there is pthread's with its conditions. (Take 3 of Drepper's "Futexes Are Tricky",
 * 2011.)
 *
 * A holder that needs it for longer takes it with mutex_lock_long(). Then a thread that must not be
 * held up, such as one of an event loop, does not wait for it in mutex_lock_brief(), also if it
 * slept there when the long hold began. Invariants:
 * 1. Nobody sleeps in mutex_lock_brief() while the mutex is held for long: who makes it held for
 *    long when others may sleep wakes them all, and of those that an unlock wakes, the first that
 *    finds it so wakes the others.
 * 2. If anybody sleeps, the state is a contended one, or somebody was woken who will see to it.
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
    MUTEX_LONG,      /* held for long */
    MUTEX_LONG_CONTENDED,
};

struct mutex {
    _Atomic uint32_t state;
};

/* The rest of the functions below, which alone call them. */
void mutex_lock_slow(struct mutex *mutex);
bool mutex_lock_brief_slow(struct mutex *mutex);
void mutex_lock_long_slow(struct mutex *mutex);
void mutex_unlock_slow(struct mutex *mutex, uint32_t former);

static inline bool mutex_try(struct mutex *mutex, uint32_t state)
{
    uint32_t expected = MUTEX_FREE;
    return atomic_compare_exchange_strong_explicit(&mutex->state, &expected, state,
                                                   memory_order_acquire, memory_order_relaxed);
}

/* Sleeps until the mutex is free, and takes it. */
static inline void mutex_lock(struct mutex *mutex)
{
    if (!mutex_try(mutex, MUTEX_HELD))
        mutex_lock_slow(mutex);
}

/* The same, but returns false instead of waiting for who holds it for long. */
static inline bool mutex_lock_brief(struct mutex *mutex)
{
    return mutex_try(mutex, MUTEX_HELD) || mutex_lock_brief_slow(mutex);
}

/* The same as mutex_lock(), to hold it for long. */
static inline void mutex_lock_long(struct mutex *mutex)
{
    if (!mutex_try(mutex, MUTEX_LONG))
        mutex_lock_long_slow(mutex);
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
    if (former != MUTEX_HELD && former != MUTEX_LONG)
        mutex_unlock_slow(mutex, former);
}

#endif
