/* Objects in pages and spans, divided among stripes. Does not know what the objects are. */
#include "store/memory/heap.h"

#include "base/check.h"
#include "base/runs.h"
#include "store/memory/cells.h"
#include "store/memory/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SPAN_SIZE ((size_t)64 * 1024)
#define STRIPES   8
/* Above this size, and up to a page, an object gets a page of its own: in a span it would be one of
 * at most sixteen. */
#define PAGE_ABOVE ((SPAN_SIZE - CELLS_HEADER) / 17 / CELLS_UNIT * CELLS_UNIT)
/* Bytes that may be free besides the page or span that each size is filling. */
#define ALLOWED_FREE (4 * SPAN_SIZE)
#define PAGE_RINGS   (HEAP_SMALL / CELLS_UNIT + 1)
#define SPAN_RINGS   (HEAP_LARGEST / CELLS_UNIT + 1)

_Static_assert((SPAN_SIZE - CELLS_HEADER) / HEAP_LARGEST == 4, "four objects to a span");

/* The part of a pool under one lock. The counters change under it but are read without it. */
struct stripe {
    pthread_mutex_t lock;
    atomic_size_t used;   /* bytes in objects, as rounded */
    atomic_size_t held;   /* bytes of pages that have objects */
    atomic_size_t open;   /* rings that are not empty */
    struct cells **rings; /* by size in units */
} __attribute__((aligned(64)));

#define STRIPE(memory)                                                                             \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .rings = (memory),                                      \
    }

static struct cells *page_rings[STRIPES][PAGE_RINGS], *span_rings[SPAN_RINGS];
static struct stripe page_stripes[STRIPES] = {
    STRIPE(page_rings[0]), STRIPE(page_rings[1]), STRIPE(page_rings[2]), STRIPE(page_rings[3]),
    STRIPE(page_rings[4]), STRIPE(page_rings[5]), STRIPE(page_rings[6]), STRIPE(page_rings[7]),
};
static struct stripe span_stripes[1] = {STRIPE(span_rings)};

/* Where objects of some sizes come from. */
struct pool {
    struct pages pages;
    struct stripe *stripes;
    unsigned count; /* a power of two */
    size_t page_size;
};

static struct pool page_pool = {PAGES_INITIALIZER(PAGES_PAGE_SIZE), page_stripes, STRIPES,
                                PAGES_PAGE_SIZE};
static struct pool span_pool = {PAGES_INITIALIZER(SPAN_SIZE), span_stripes, 1, SPAN_SIZE};

/* Bytes of objects that are whole pages. */
static atomic_size_t whole_pages;

/* True if an object of that size is a whole page. */
static bool heap_is_page(size_t size)
{
    return size > PAGE_ABOVE && size <= PAGES_PAGE_SIZE;
}

/* For a size up to HEAP_LARGEST. */
static size_t heap_find_rounded(size_t size)
{
    if (heap_is_page(size))
        return PAGES_PAGE_SIZE;
    return cells_size(size <= HEAP_SMALL ? PAGES_PAGE_SIZE : SPAN_SIZE, size);
}

/* Results are cached, because divisions are slow. */
size_t heap_round(size_t size)
{
    static atomic_ushort known[HEAP_LARGEST / CELLS_UNIT + 1]; /* by size in units; 0 = not yet */
    if (size > HEAP_LARGEST)
        return runs_round(size);
    size_t units = (size + CELLS_UNIT - 1) / CELLS_UNIT;
    size_t rounded = atomic_load_explicit(&known[units], memory_order_relaxed);
    if (rounded != 0)
        return rounded;
    rounded = heap_find_rounded(units * CELLS_UNIT);
    CHECK(rounded >= size && rounded <= UINT16_MAX);
    atomic_store_explicit(&known[units], (unsigned short)rounded, memory_order_relaxed);
    return rounded;
}

/* For objects that are neither pages nor runs. */
static struct pool *heap_pool_of(size_t size)
{
    return size <= HEAP_SMALL ? &page_pool : &span_pool;
}

/* The stripe that the calling thread allocates from. */
static unsigned heap_stripe_of_thread(const struct pool *pool)
{
    static atomic_uint threads;
    static _Thread_local unsigned number; /* plus one; 0 = not yet known */
    if (number == 0)
        number = atomic_fetch_add(&threads, 1) % STRIPES + 1;
    return (number - 1) & (pool->count - 1);
}

static struct stripe *heap_stripe_of_page(const struct pool *pool, const struct cells *page)
{
    return &pool->stripes[page->owner];
}

/* Under the stripe's lock. */
static void heap_count(atomic_size_t *counter, ptrdiff_t change)
{
    size_t now = atomic_load_explicit(counter, memory_order_relaxed) + (size_t)change;
    DCHECK(now < SIZE_MAX / 2);
    atomic_store_explicit(counter, now, memory_order_relaxed);
}

/* Updates the count of open rings after a change to `ring`. */
static void heap_count_open(struct stripe *stripe, bool was_open, struct cells *const *ring)
{
    if (was_open != (*ring != NULL))
        heap_count(&stripe->open, was_open ? -1 : 1);
}

/* ---- allocating and freeing ---- */

static void heap_open_page(struct pool *pool, unsigned number, struct cells **ring, size_t rounded)
{
    cells_open(ring, pages_alloc(&pool->pages), pool->page_size, rounded);
    DCHECK(number < pool->count);
    (*ring)->owner = (uint16_t)number;
    heap_count(&pool->stripes[number].held, (ptrdiff_t)pool->page_size);
}

static void *heap_alloc_cell(struct pool *pool, size_t rounded)
{
    unsigned number = heap_stripe_of_thread(pool);
    struct stripe *stripe = &pool->stripes[number];
    struct cells **ring = &stripe->rings[rounded / CELLS_UNIT];
    pthread_mutex_lock(&stripe->lock);
    bool was_open = *ring != NULL;
    if (!was_open)
        heap_open_page(pool, number, ring, rounded);
    void *object = cells_alloc(ring);
    heap_count_open(stripe, was_open, ring);
    heap_count(&stripe->used, (ptrdiff_t)rounded);
    pthread_mutex_unlock(&stripe->lock);
    return object;
}

/* Under the stripe's lock; true if the page is now empty. */
static bool heap_free_in_page(struct stripe *stripe, struct cells *page, void *object,
                              size_t page_size)
{
    struct cells **ring = &stripe->rings[page->size];
    bool was_open = *ring != NULL, is_empty;
    heap_count(&stripe->used, -(ptrdiff_t)(page->size * CELLS_UNIT));
    is_empty = cells_free(ring, page, object);
    heap_count_open(stripe, was_open, ring);
    if (is_empty)
        heap_count(&stripe->held, -(ptrdiff_t)page_size);
    DCHECK(stripe->used <= stripe->held);
    return is_empty;
}

static void heap_free_cell(struct pool *pool, void *object)
{
    struct cells *page = cells_of(object, pool->page_size);
    struct stripe *stripe = heap_stripe_of_page(pool, page);
    pthread_mutex_lock(&stripe->lock);
    bool is_empty = heap_free_in_page(stripe, page, object, pool->page_size);
    pthread_mutex_unlock(&stripe->lock);
    if (!is_empty)
        return;
    CELLS_SHOW(page, pool->page_size);
    pages_free(&pool->pages, page);
}

static void *heap_alloc_page(void)
{
    atomic_fetch_add_explicit(&whole_pages, PAGES_PAGE_SIZE, memory_order_relaxed);
    return pages_alloc(&page_pool.pages);
}

static void heap_free_page(void *page)
{
    CHECK((uintptr_t)page % PAGES_PAGE_SIZE == 0);
    atomic_fetch_sub_explicit(&whole_pages, PAGES_PAGE_SIZE, memory_order_relaxed);
    CELLS_SHOW(page, PAGES_PAGE_SIZE);
    pages_free(&page_pool.pages, page);
}

void *heap_alloc(size_t size)
{
    DCHECK(size > 0);
    if (size > HEAP_LARGEST)
        return runs_take(heap_round(size));
    return heap_is_page(size) ? heap_alloc_page()
                              : heap_alloc_cell(heap_pool_of(size), heap_round(size));
}

/* Invariant 1: true if the object was allocated with an interchangeable size. */
static bool heap_has_size(const struct pool *pool, void *object, size_t size)
{
    return cells_of(object, pool->page_size)->size * CELLS_UNIT == heap_round(size);
}

void heap_free(void *object, size_t size)
{
    if (size > HEAP_LARGEST) {
        runs_give(object, size);
    } else if (heap_is_page(size)) {
        heap_free_page(object);
    } else {
        CHECK(heap_has_size(heap_pool_of(size), object, size));
        heap_free_cell(heap_pool_of(size), object);
    }
}

void *heap_realloc(void *object, size_t old_size, size_t new_size)
{
    if (heap_round(old_size) == heap_round(new_size))
        return object;
    void *other = heap_alloc(new_size);
    memcpy(other, object, old_size < new_size ? old_size : new_size);
    heap_free(object, old_size);
    return other;
}

/* ---- moving ---- */

/* Totals over all stripes, each read at its own instant. */
struct totals {
    size_t used, held, open;
};

static struct totals heap_totals(const struct pool *pool)
{
    struct totals totals = {0};
    for (unsigned i = 0; i < pool->count; i++) {
        const struct stripe *stripe = &pool->stripes[i];
        totals.used += atomic_load_explicit(&stripe->used, memory_order_relaxed);
        totals.held += atomic_load_explicit(&stripe->held, memory_order_relaxed);
        totals.open += atomic_load_explicit(&stripe->open, memory_order_relaxed);
    }
    return totals;
}

static bool heap_pool_is_fragmented(const struct pool *pool)
{
    struct totals totals = heap_totals(pool);
    return cells_are_fragmented(totals.held, totals.used,
                                ALLOWED_FREE + totals.open * pool->page_size);
}

bool heap_is_fragmented(void)
{
    return heap_pool_is_fragmented(&page_pool) || heap_pool_is_fragmented(&span_pool);
}

static void *heap_alloc_elsewhere(struct pool *pool, void *object)
{
    struct cells *page = cells_of(object, pool->page_size);
    struct stripe *stripe = heap_stripe_of_page(pool, page);
    void *other = NULL;
    pthread_mutex_lock(&stripe->lock);
    struct cells **ring = &stripe->rings[page->size];
    if (cells_is_sparse(*ring, page)) {
        other = cells_alloc_elsewhere(ring, page);
        heap_count(&stripe->used, (ptrdiff_t)(page->size * CELLS_UNIT));
    }
    pthread_mutex_unlock(&stripe->lock);
    return other;
}

void *heap_move(void *object, size_t size)
{
    if (size > HEAP_LARGEST || heap_is_page(size) || !heap_pool_is_fragmented(heap_pool_of(size)))
        return NULL;
    void *moved = heap_alloc_elsewhere(heap_pool_of(size), object);
    if (moved == NULL)
        return NULL;
    CHECK(heap_has_size(heap_pool_of(size), moved, size));
    memcpy(moved, object, size);
    heap_free(object, size);
    return moved;
}

size_t heap_used(void)
{
    return heap_totals(&page_pool).used + heap_totals(&span_pool).used +
           atomic_load_explicit(&whole_pages, memory_order_relaxed);
}

size_t heap_slack(void)
{
    size_t memory = pages_memory(&page_pool.pages) + pages_memory(&span_pool.pages);
    size_t used = heap_used();
    return (memory > used ? memory - used : 0) + runs_slack();
}
