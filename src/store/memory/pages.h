/*
 * Pages of 4 KiB for the small objects of all shards, or of another size. They are cut from regions
 * of 2 MiB (store/regions). Any thread may take and give pages; everything else about a page is its
 * holder's business.
 *
 * Invariants:
 * 1. A region is mapped at a multiple of its size; its first page describes it, the others (511 of
 *    4 KiB) are given out.
 * 2. A free page is idle, or purged: then it occupies no memory. A region is in the list `idle` if
 *    it has an idle page, else in the list `purged` if it has a free one, else in none.
 * 3. After a page was given back, idle ones are at most one region's and 1/64 of those in use: what
 *    exceeds that has gone back to the system, an empty region as a whole, else page by page.
 */
#ifndef KEYSTORE_STORE_MEMORY_PAGES_H
#define KEYSTORE_STORE_MEMORY_PAGES_H

#include "store/memory/regions.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define PAGES_PAGE_SIZE ((size_t)4096)

/* Of report_at, unless its owner sets it. */
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
    size_t used_count;    /* pages held by somebody */
    size_t idle_count;    /* free pages that occupy memory */
    atomic_size_t memory; /* bytes that the regions occupy */
    atomic_size_t used;   /* bytes in use, pages and elsewhere, as the slabs report them */
    atomic_size_t paged;  /* of those, in pages */
    size_t report_at; /* so many bytes a slab may change before it reports: seldom, for all slabs
                         share the line of these counters */
    struct regions mapped;
};

/* A pool that holds no memory yet, with pages of a size that is a power of two from 4 KiB to 1 MiB.
 */
#define PAGES_INITIALIZER(size)                                                                    \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .page_size = (size), .report_at = PAGES_REPORT_AT,      \
        .mapped = REGIONS_INITIALIZER(NULL),                                                       \
    }

/* The same with pages of 4 KiB. `huge`: in huge pages, if they become many; the system may have
 * none. */
void pages_init(struct pages *pages, bool huge);

/* All pages must have been given back. */
void pages_deinit(struct pages *pages);

/* A page at a multiple of its size, not initialised; never NULL. */
void *pages_take(struct pages *pages) __attribute__((returns_nonnull));

/* Gives a page of this pool back. */
void pages_give(struct pages *pages, void *page);

/* Bytes of memory that the pool occupies, with its free pages; needs no lock. */
size_t pages_memory(const struct pages *pages);

/* Counts bytes that a slab has begun (or, below 0, ceased) to use, and those of them in pages. */
void pages_report(struct pages *pages, ptrdiff_t used, ptrdiff_t paged);

/* Counts `bytes` as used beforehand, if no more than `limit` are used with them; else false. What
 * the slabs then report must be less by so much. */
bool pages_reserve(struct pages *pages, size_t bytes, size_t limit);

/* What the slabs have reported; needs no lock. */
size_t pages_used(const struct pages *pages);

/* Bytes of the pool that are not in use, as far as that was reported; needs no lock. */
size_t pages_slack(const struct pages *pages);

#endif
