/*
 * Memory in regions of 2 MiB. With huge pages the processor finds an address in a large store with
 * fewer steps: of ten million keys each call costs a tenth less. But the system takes up to a
 * millisecond to clear one, and no insertion shall wait for that. So a thread of their own makes a
 * few ready ahead, once there are many; who takes one while none is ready gets a region of ordinary
 * pages, which are cleared as they are first touched. Of a huge page that is given back in parts,
 * Linux counts the parts as free at once and frees them when memory is short.
 *
 * Invariants:
 * 1. A region is at a multiple of its size, and zero when it is taken.
 * 2. After regions_trim(), and after a region was made ready, those ready are REGIONS_MOST_READY at
 *    most, and have one byte for REGIONS_SHARE that the pool holds. There is a thread only if that
 *    has allowed one, and only with huge pages.
 * 3. The system makes no huge pages of what it was given back in parts (khugepaged would): the
 *    permission holds while a region is made ready, and no longer.
 */
#ifndef KEYSTORE_STORE_MEMORY_REGIONS_H
#define KEYSTORE_STORE_MEMORY_REGIONS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define REGIONS_SIZE       ((size_t)2 * 1024 * 1024)
#define REGIONS_SHARE      32
#define REGIONS_MOST_READY 4

struct regions {
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    const atomic_size_t *held; /* bytes that the pool holds; NULL: no huge pages */
    void *ready[REGIONS_MOST_READY];
    atomic_size_t ready_count; /* changed under the lock */
    bool started, ending;
    pthread_t thread;
};

/* `counter`: of the bytes that the pool holds, without those ready; NULL for ordinary pages. */
#define REGIONS_INITIALIZER(counter)                                                               \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .wanted = PTHREAD_COND_INITIALIZER, .held = (counter)   \
    }

/* Gives those that are ready back; the others are their holders' business. */
void regions_deinit(struct regions *regions);

/* Any thread may take and give; taking ends the process if there is no memory. */
void *regions_take(struct regions *regions) __attribute__((returns_nonnull));
void regions_give(void *region);

/* Bytes of memory of the regions that are ready; needs no lock. */
static inline size_t regions_ready(const struct regions *regions)
{
    return atomic_load_explicit(&regions->ready_count, memory_order_relaxed) * REGIONS_SIZE;
}

/* Gives those back that were made ready for a larger pool; to be called when it holds less. */
void regions_trim_ready(struct regions *regions);

static inline void regions_trim(struct regions *regions)
{
    size_t ready = regions_ready(regions);
    if (ready > 0 && ready > atomic_load(regions->held) / REGIONS_SHARE)
        regions_trim_ready(regions);
}

#endif
