/*
 * Pages of 4 KiB for the small objects of all shards. They are cut from regions of 2 MiB, for which
 * the system is asked for huge pages, so that ten million entries need few address translations.
 * Any thread may take and give pages; everything else about a page is its holder's business.
 *
 * Invariants:
 * 1. A region is mapped at a multiple of its size; its first page describes it, 511 are given out.
 * 2. A free page is idle, or purged: then it occupies no memory. A region is in the list `idle` if
 *    it has an idle page, else in the list `purged` if it has a free one, else in none.
 * 3. After a page was given back, idle ones are at most one region's and 1/8 of those in use: what
 *    exceeds that has gone back to the system, an empty region as a whole, else page by page.
 */
#ifndef KEYSTORE_STORE_PAGES_H
#define KEYSTORE_STORE_PAGES_H

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
    size_t regions;
    size_t used_count;    /* pages held by somebody */
    size_t idle_count;    /* free pages that occupy memory */
    atomic_size_t memory; /* bytes that the regions occupy */
    atomic_size_t used;   /* bytes in use, pages and heap, as the slabs report them */
    size_t report_at; /* so many bytes a slab may change before it reports: seldom, for all slabs
                         share the line of these counters */
    bool huge;
};

/* A pool that holds no memory yet. `huge`: ask the system for huge pages; it may have none. */
void pages_init(struct pages *pages, bool huge);

/* All pages must have been given back. */
void pages_deinit(struct pages *pages);

/* A page at a multiple of its size, not initialised; never NULL. */
void *pages_take(struct pages *pages) __attribute__((returns_nonnull));

/* Gives a page of this pool back. */
void pages_give(struct pages *pages, void *page);

/* Bytes of memory that the pool occupies, with its free pages; needs no lock. */
size_t pages_memory(const struct pages *pages);

/* Counts bytes that a slab has begun (or, below 0, ceased) to use. */
void pages_report(struct pages *pages, ptrdiff_t used);

/* What the slabs have reported; needs no lock. */
size_t pages_used(const struct pages *pages);

#endif
