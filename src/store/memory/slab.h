/*
 * Memory for the small objects of one shard, without a header per object: whoever frees an object
 * says how long it is. Used under the shard's lock. They lie in pages of 4 KiB (see
 * store/memory/pages.h) that are cut as store/memory/cells.h says; larger objects come from the
 * heap (store/memory/heap.h), which all shards share, and those of more than 16 KiB are runs of
 * pages (base/runs.h).
 *
 * Invariants:
 * 1. Objects have sizes that are multiples of 8; between two such sizes with equally many objects
 *    per page the larger is used.
 * 2. A page without objects in use goes back to the pool, but for SLAB_SPARES kept for any size.
 * 3. slab_memory() is the sum of: pages held, objects on the heap, runs, charges.
 * 4. What the pages know of this slab is less than pages->report_at away from the truth.
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
    struct cells *open[SLAB_LARGEST / SLAB_UNIT + 1]; /* pages with room, by size in units */
    struct cells *spares;
    size_t spare_count;
    size_t used;
    size_t memory;
    size_t heap;          /* of `memory`, what is not in pages */
    size_t reserve;       /* of `heap`, what strings hold for growth; their entries count it */
    bool is_held;         /* nothing is reported but by slab_report() */
    size_t reported_used; /* to the pages */
    size_t reported_heap;
};

/* An empty slab that holds no memory yet; `pages` is borrowed and shared with others. */
void slab_init(struct slab *slab, struct pages *pages);

/* All objects and pages must have been freed. */
void slab_deinit(struct slab *slab);

/* What an object of `size` bytes takes: two lengths with the same result are one size. */
size_t slab_round(size_t size);

/* `size` bytes, at least 1, at a multiple of 8; not initialised, never NULL. */
void *slab_alloc(struct slab *slab, size_t size) __attribute__((returns_nonnull));

/* Frees what slab_alloc() gave for that size. */
void slab_free(struct slab *slab, void *memory, size_t size);

/* Makes an object of `old_size` one of `new_size` where it is, if both take the same; else false,
 * and nothing has changed. */
bool slab_resize(void *memory, size_t old_size, size_t new_size);

/* True if so much is held beyond what is in use that objects should be moved. */
bool slab_is_fragmented(const struct slab *slab);

/* Moves an object of that size to another page, if the slab is loose and its page is sparse, which
 * becomes empty thus in time. Returns where it is now; NULL if it has stayed. The caller must know
 * all pointers to it. */
void *slab_move(struct slab *slab, void *memory, size_t size);

/* A whole page, not initialised. */
void *slab_take_page(struct slab *slab) __attribute__((returns_nonnull));
void slab_give_page(struct slab *slab, void *page);

/* Counts memory that belongs to the shard's data, but was taken elsewhere. */
void slab_charge(struct slab *slab, size_t size);
void slab_refund(struct slab *slab, size_t size);

/* Lets the pages know at once what this slab uses. */
void slab_report(struct slab *slab);

/* What slab_report() would tell of, which counts as told from now on: the caller does so. */
struct slab_change {
    ptrdiff_t used, paged;
};
struct slab_change slab_take_change(struct slab *slab);

/* Bytes by which more is used than was reported. */
static inline ptrdiff_t slab_unreported(const struct slab *slab)
{
    return (ptrdiff_t)(slab->used - slab->reported_used);
}

/* Bytes that are held, with what is free in pages. */
static inline size_t slab_memory(const struct slab *slab)
{
    return slab->memory;
}

/* Of those, what is not in pages. */
static inline size_t slab_heap(const struct slab *slab)
{
    return slab->heap;
}

/* Bytes in objects, pages and charges, as rounded. */
static inline size_t slab_used(const struct slab *slab)
{
    return slab->used;
}

#endif
