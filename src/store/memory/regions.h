/*
 * Memory in regions of 2 MiB. With huge pages the processor translates an address in a large store
 * in fewer steps: with ten million keys each call costs a tenth less. But the system takes up to a
 * millisecond to clear a huge page, and no insertion may wait for that. So once there are many
 * regions, a background thread prepares a few ahead; a caller that finds none ready gets a region
 * of ordinary pages, which are cleared as they are first touched. When a huge page is freed in
 * parts, Linux counts the parts as free immediately and reclaims them when memory is short.
 *
 * Invariants:
 * 1. A region is aligned to its size and zero when it is allocated.
 * 2. After regions_trim(), and after a region was prepared, at most REGIONS_MAX_READY regions are
 *    ready, and at most one byte for every REGIONS_SHARE bytes that the pool holds. The thread is
 *    started only once that allows a region, and only with huge pages.
 * 3. The system never makes huge pages out of memory that was freed in parts (khugepaged would):
 *    they are permitted only while a region is being prepared.
 */
#ifndef KEYSTORE_STORE_MEMORY_REGIONS_H
#define KEYSTORE_STORE_MEMORY_REGIONS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define REGIONS_SIZE      ((size_t)2 * 1024 * 1024)
#define REGIONS_SHARE     32
#define REGIONS_MAX_READY 4

struct regions {
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    const atomic_size_t *held; /* bytes that the pool holds; NULL = no huge pages */
    void *ready[REGIONS_MAX_READY];
    atomic_size_t ready_count; /* changed under the lock */
    bool started, ending;
    pthread_t thread;
};

/* `counter`: the bytes that the pool holds, without the ready regions; NULL for ordinary pages. */
#define REGIONS_INITIALIZER(counter)                                                               \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .wanted = PTHREAD_COND_INITIALIZER, .held = (counter)   \
    }

/* Frees the ready regions; the others belong to their holders. */
void regions_deinit(struct regions *regions);

/* Any thread may call these; regions_alloc() ends the process if there is no memory. */
void *regions_alloc(struct regions *regions) __attribute__((returns_nonnull));
void regions_free(void *region);

/* Bytes of memory in ready regions; needs no lock. */
static inline size_t regions_ready(const struct regions *regions)
{
    return atomic_load_explicit(&regions->ready_count, memory_order_relaxed) * REGIONS_SIZE;
}

/* Frees ready regions that only a larger pool justified; call it when the pool has shrunk. */
void regions_trim_ready(struct regions *regions);

static inline void regions_trim(struct regions *regions)
{
    size_t ready = regions_ready(regions);
    if (ready > 0 && ready > atomic_load(regions->held) / REGIONS_SHARE)
        regions_trim_ready(regions);
}

#endif
