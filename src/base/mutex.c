/* Sleeping for a mutex, and waking who sleeps. */
#include "base/mutex.h"

#include "base/check.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Who gets it here leaves it contended: others may still sleep. */
void mutex_lock_slow(struct mutex *mutex)
{
    while (atomic_exchange_explicit(&mutex->state, MUTEX_CONTENDED, memory_order_acquire) !=
           MUTEX_FREE)
        syscall(SYS_futex, &mutex->state, FUTEX_WAIT_PRIVATE, MUTEX_CONTENDED, NULL, NULL, 0);
}

void mutex_unlock_slow(struct mutex *mutex, uint32_t former)
{
    CHECK(former != MUTEX_FREE);
    syscall(SYS_futex, &mutex->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
