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
 * 2. Ready are at most one in REGIONS_PER_READY of those in use, and REGIONS_MOST_READY; only then,
 *    and only with huge pages, is there a thread.
 * 3. The system makes no huge pages of what it was given back in parts (khugepaged would): the
 *    permission holds while a region is made ready, and no longer.
 */
#ifndef KEYSTORE_STORE_REGIONS_H
#define KEYSTORE_STORE_REGIONS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define REGIONS_SIZE       ((size_t)2 * 1024 * 1024)
#define REGIONS_PER_READY  32
#define REGIONS_MOST_READY 4

struct regions {
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    bool huge;
    size_t in_use;
    void *ready[REGIONS_MOST_READY];
    atomic_size_t ready_count; /* changed under the lock */
    bool started, ending;
    pthread_t thread;
};

#define REGIONS_INITIALIZER(with_huge)                                                             \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .wanted = PTHREAD_COND_INITIALIZER, .huge = (with_huge) \
    }

/* Gives those that are ready back; the others are their holders' business. */
void regions_deinit(struct regions *regions);

/* Any thread may take and give; ends the process if there is no memory. */
void *regions_take(struct regions *regions) __attribute__((returns_nonnull));
void regions_give(struct regions *regions, void *region);

/* Bytes of memory of the regions that are ready; needs no lock. */
static inline size_t regions_ready(const struct regions *regions)
{
    return atomic_load_explicit(&regions->ready_count, memory_order_relaxed) * REGIONS_SIZE;
}

#endif
