/*
 * Memory for the small objects of one shard, without a header per object: the caller that frees an
 * object passes its size. Used under the shard's lock. Small objects lie in pages of 4 KiB
 * (store/memory/pages.h) cut into cells (store/memory/cells.h); larger ones come from the heap
 * (store/memory/heap.h), which all shards share, and those above 16 KiB are runs of pages
 * (base/runs.h).
 *
 * Invariants:
 * 1. Object sizes are multiples of 8; of two such sizes with equally many objects per page the
 *    larger is used.
 * 2. A page without objects in use goes back to the pool, except SLAB_SPARES that are kept for any
 *    size.
 * 3. slab_memory() is the sum of pages held, objects on the heap, runs and charges.
 * 4. What the slab last reported to the pages differs from its real use by less than
 *    pages->report_at, as it was then.
 */
#ifndef KEYSTORE_STORE_MEMORY_SLAB_H
#define KEYSTORE_STORE_MEMORY_SLAB_H

#include <stdbool.h>
#include <stddef.h>

struct cells;
struct pages;

#define SLAB_UNIT    ((size_t)8)
#define SLAB_LARGEST ((size_t)1016) /* larger objects do not lie in pages */
#define SLAB_SPARES  2

struct slab {
    struct pages *pages;
    struct cells *open[SLAB_LARGEST / SLAB_UNIT + 1]; /* pages with free cells, by size in units */
    struct cells *spares;
    size_t spare_count;
    size_t used;
    size_t memory;
    size_t heap;          /* of `memory`, what is not in pages */
    size_t reserve;       /* of `heap`, what strings reserve for growth; their entries count it */
    bool is_held;         /* only slab_report() reports */
    size_t reported_used; /* to the pages */
    size_t reported_heap;
};

/* An empty slab that holds no memory yet; `pages` is borrowed and shared with other slabs. */
void slab_init(struct slab *slab, struct pages *pages);

/* All objects and pages must have been freed. */
void slab_deinit(struct slab *slab);

/* The rounded size of an object of `size` bytes: two sizes with the same result are
 * interchangeable. */
size_t slab_round(size_t size);

/* `size` bytes, at least 1, aligned to 8, not initialised; never NULL. */
void *slab_alloc(struct slab *slab, size_t size) __attribute__((returns_nonnull));

/* Frees what slab_alloc() returned for that size. */
void slab_free(struct slab *slab, void *memory, size_t size);

/* Resizes an object in place from `old_size` to `new_size` if both have the same rounded size; else
 * returns false and changes nothing. */
bool slab_resize(void *memory, size_t old_size, size_t new_size);

/* True if the memory is fragmented enough for compaction. */
bool slab_is_fragmented(const struct slab *slab);

/* Moves an object of that size out of a sparse page, which becomes empty that way in time, if the
 * slab is fragmented. Returns the new address; NULL if the object stayed. The caller must know all
 * pointers to it. */
void *slab_move(struct slab *slab, void *memory, size_t size);

/* A whole page, not initialised. */
void *slab_alloc_page(struct slab *slab) __attribute__((returns_nonnull));
void slab_free_page(struct slab *slab, void *page);

/* Counts memory that belongs to the shard's data but was allocated elsewhere. */
void slab_charge(struct slab *slab, size_t size);
void slab_refund(struct slab *slab, size_t size);

/* Reports to the pages immediately what this slab uses. */
void slab_report(struct slab *slab);

/* Returns what slab_report() would report and counts it as reported: the caller must report it. */
struct slab_change {
    ptrdiff_t used, paged;
};
struct slab_change slab_take_change(struct slab *slab);

/* Bytes in use beyond those reported. */
static inline ptrdiff_t slab_unreported(const struct slab *slab)
{
    return (ptrdiff_t)(slab->used - slab->reported_used);
}

/* Bytes allocated, including free ones in pages. */
static inline size_t slab_memory(const struct slab *slab)
{
    return slab->memory;
}

/* Of those, the bytes not in pages. */
static inline size_t slab_heap(const struct slab *slab)
{
    return slab->heap;
}

/* Bytes in use: objects as rounded, pages and charges. */
static inline size_t slab_used(const struct slab *slab)
{
    return slab->used;
}

#endif
