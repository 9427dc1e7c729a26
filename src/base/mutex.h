/*
 * A mutex of four bytes. Locking and unlocking it without contention is one atomic instruction
 * each, without a call. For locks that every call takes, some of them twice, and holds for less
 * than a microsecond: with pthread's mutex a Get takes 4 percent more. To wait for events, use
 * pthread's mutex with a condition. (Take 3 of Drepper's "Futexes Are Tricky", 2011.)
 *
 * A holder that needs it for longer locks it with mutex_lock_long(). A thread that must not be
 * blocked, such as that of an event loop, then does not wait for it in mutex_lock_brief(), even if
 * it was already waiting there when the long hold started. Invariants:
 * 1. No thread waits in mutex_lock_brief() while there is a long holder: a thread that becomes the
 *    long holder while others may be waiting wakes them all, and of those that an unlock wakes, the
 *    first that finds a long holder wakes the others.
 * 2. If any thread waits, the state is a contended one, or a thread has been woken that will set
 *    it.
 *
 * Not recursive, not fair. All zero is an unlocked mutex; there is nothing to destroy.
 */
#ifndef KEYSTORE_BASE_MUTEX_H
#define KEYSTORE_BASE_MUTEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum mutex_state {
    MUTEX_FREE,
    MUTEX_HELD,
    MUTEX_CONTENDED, /* held, and threads may be waiting for it */
    MUTEX_LONG,      /* held for long */
    MUTEX_LONG_CONTENDED,
};

struct mutex {
    _Atomic uint32_t state;
};

/* The slow paths of the functions below, which alone call them. */
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

/* Locks the mutex, waiting until it is free. */
static inline void mutex_lock(struct mutex *mutex)
{
    if (!mutex_try(mutex, MUTEX_HELD))
        mutex_lock_slow(mutex);
}

/* The same, but returns false instead of waiting for a long holder. */
static inline bool mutex_lock_brief(struct mutex *mutex)
{
    return mutex_try(mutex, MUTEX_HELD) || mutex_lock_brief_slow(mutex);
}

/* As mutex_lock(), to hold it for long. */
static inline void mutex_lock_long(struct mutex *mutex)
{
    if (!mutex_try(mutex, MUTEX_LONG))
        mutex_lock_long_slow(mutex);
}

/* For assertions: true if it is locked. */
static inline bool mutex_is_held(const struct mutex *mutex)
{
    return atomic_load_explicit(&mutex->state, memory_order_relaxed) != MUTEX_FREE;
}

/* Unlocks the mutex, which the caller holds; aborts if it is not locked. */
static inline void mutex_unlock(struct mutex *mutex)
{
    uint32_t former = atomic_exchange_explicit(&mutex->state, MUTEX_FREE, memory_order_release);
    if (former != MUTEX_HELD && former != MUTEX_LONG)
        mutex_unlock_slow(mutex, former);
}

#endif
