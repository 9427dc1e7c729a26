/*
 * Pages of 4 KiB for the small objects of all shards, or pages of another size. They are cut from
 * regions of 2 MiB (store/memory/regions.h). Any thread may allocate and free pages; everything
 * else about a page is up to its holder.
 *
 * Invariants:
 * 1. A region is aligned to its size; its first page describes it, the others (511 of 4 KiB) are
 *    allocated to callers.
 * 2. A free page is idle (it occupies memory) or purged (it does not). A region is in the list
 *    `idle` if it has an idle page, else in the list `purged` if it has a free one, else in
 *    neither.
 * 3. After a page was freed, the idle pages are at most one region's plus 1/64 of those in use: any
 *    excess has been returned to the system, an empty region as a whole, otherwise page by page.
 */
#ifndef KEYSTORE_STORE_MEMORY_PAGES_H
#define KEYSTORE_STORE_MEMORY_PAGES_H

#include "store/memory/regions.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define PAGES_PAGE_SIZE ((size_t)4096)

/* The default of report_at. */
#define PAGES_REPORT_AT ((size_t)16 * 1024)

struct pages_region;

struct pages_list {
    struct pages_region *first, *last;
};

struct pages {
    pthread_mutex_t lock;
    struct pages_list idle, purged;
    size_t page_size;
    size_t regions;
    size_t used_count;       /* pages in use */
    size_t idle_count;       /* free pages that occupy memory */
    atomic_size_t memory;    /* bytes that the regions occupy */
    atomic_size_t used;      /* bytes in use, in pages and elsewhere, as the slabs report them */
    atomic_size_t paged;     /* of those, in pages */
    atomic_size_t report_at; /* bytes of change after which a slab reports: seldom, because all
                                slabs share the cache line of these counters; may change */
    struct regions mapped;
};

/* An empty pool of pages whose size is a power of two from 4 KiB to 1 MiB. */
#define PAGES_INITIALIZER(size)                                                                    \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .page_size = (size), .report_at = PAGES_REPORT_AT,      \
        .mapped = REGIONS_INITIALIZER(NULL),                                                       \
    }

/* The same with pages of 4 KiB. `huge`: use huge pages once there are many; the system may have
 * none. */
void pages_init(struct pages *pages, bool huge);

/* All pages must have been freed. */
void pages_deinit(struct pages *pages);

/* A page aligned to its size, not initialised; never NULL. */
void *pages_alloc(struct pages *pages) __attribute__((returns_nonnull));

/* Frees a page of this pool. */
void pages_free(struct pages *pages, void *page);

/* Bytes of memory that the pool occupies, including its free pages; needs no lock. */
size_t pages_memory(const struct pages *pages);

/* Adds bytes that a slab started to use (below 0: stopped using) to the counters, and how many of
 * them are in pages. */
void pages_report(struct pages *pages, ptrdiff_t used, ptrdiff_t paged);

/* Counts `bytes` as used in advance if that brings the total to at most `limit`; else false. The
 * slabs' later reports must be lower by that amount. */
bool pages_reserve(struct pages *pages, size_t bytes, size_t limit);

/* Bytes in use as reported by the slabs; needs no lock. */
size_t pages_used(const struct pages *pages);

/* Bytes of the pool not in use, according to the reports; needs no lock. */
size_t pages_slack(const struct pages *pages);

#endif
