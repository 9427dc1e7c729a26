/* Pages of objects of equal size. Does not know what an object is and takes no lock. */
#include "store/memory/slab.h"

#include "base/check.h"
#include "base/runs.h"
#include "store/memory/cells.h"
#include "store/memory/heap.h"
#include "store/memory/pages.h"

#include <string.h>

#define USABLE (PAGES_PAGE_SIZE - CELLS_HEADER)
/* Bytes that may be free besides the page that each size is filling. */
#define ALLOWED_FREE PAGES_PAGE_SIZE

_Static_assert(SLAB_UNIT == CELLS_UNIT, "slabs and cells use the same unit");
_Static_assert(USABLE / 4 / SLAB_UNIT * SLAB_UNIT == SLAB_LARGEST, "four objects to a page");
_Static_assert(SLAB_LARGEST < HEAP_LARGEST, "larger objects come from the heap");

void slab_init(struct slab *slab, struct pages *pages)
{
    *slab = (struct slab){.pages = pages};
}

struct slab_change slab_take_change(struct slab *slab)
{
    size_t paged = slab->used - slab->heap;
    struct slab_change change = {
        .used = slab_unreported(slab),
        .paged = (ptrdiff_t)(paged - (slab->reported_used - slab->reported_heap))};
    slab->reported_used = slab->used;
    slab->reported_heap = slab->heap;
    return change;
}

void slab_report(struct slab *slab)
{
    struct slab_change change = slab_take_change(slab);
    pages_report(slab->pages, change.used, change.paged);
}

/* The difference in bytes, either way. */
static size_t slab_distance(size_t a, size_t b)
{
    return a > b ? a - b : b - a;
}

static void slab_count_used(struct slab *slab, ptrdiff_t bytes)
{
    size_t report_at = atomic_load_explicit(&slab->pages->report_at, memory_order_relaxed);
    slab->used += (size_t)bytes;
    if (slab_distance(slab->used, slab->reported_used) >= report_at && !slab->is_held)
        slab_report(slab);
    DCHECK(slab->heap <= slab->used && slab->heap <= slab->memory);
    DCHECK(slab->is_held || slab->used == slab->reported_used ||
           slab_distance(slab->used, slab->reported_used) < report_at);
}

static void slab_count_heap(struct slab *slab, ptrdiff_t bytes)
{
    slab->heap += (size_t)bytes;
    slab->memory += (size_t)bytes;
    slab_count_used(slab, bytes);
}

void slab_deinit(struct slab *slab)
{
    CHECK(slab->used == 0 && slab->memory == slab->spare_count * PAGES_PAGE_SIZE);
    while (slab->spares != NULL) {
        struct cells *page = slab->spares;
        slab->spares = page->next;
        pages_free(slab->pages, page);
    }
    slab_report(slab);
    slab_init(slab, slab->pages);
}

size_t slab_round(size_t size)
{
    if (size <= SLAB_LARGEST)
        return cells_size(PAGES_PAGE_SIZE, size);
    return size <= HEAP_LARGEST ? heap_round(size) : runs_round(size);
}

static struct cells *slab_new_page(struct slab *slab)
{
    struct cells *page = slab->spares;
    if (page == NULL) {
        slab->memory += PAGES_PAGE_SIZE;
        return pages_alloc(slab->pages);
    }
    slab->spares = page->next;
    slab->spare_count--;
    return page;
}

static void slab_retire_page(struct slab *slab, struct cells *page)
{
    CELLS_SHOW(page, PAGES_PAGE_SIZE);
    if (slab->spare_count < SLAB_SPARES) {
        page->next = slab->spares;
        slab->spares = page;
        slab->spare_count++;
        return;
    }
    CHECK(slab->memory - slab->heap >= PAGES_PAGE_SIZE);
    slab->memory -= PAGES_PAGE_SIZE;
    pages_free(slab->pages, page);
}

void *slab_alloc_page(struct slab *slab)
{
    slab_count_used(slab, PAGES_PAGE_SIZE);
    return slab_new_page(slab);
}

void slab_free_page(struct slab *slab, void *page)
{
    slab_count_used(slab, -(ptrdiff_t)PAGES_PAGE_SIZE);
    slab_retire_page(slab, page);
}

static void *slab_alloc_run(struct slab *slab, size_t size)
{
    slab_count_heap(slab, (ptrdiff_t)runs_round(size));
    return runs_take(size);
}

static void *slab_alloc_on_heap(struct slab *slab, size_t size)
{
    size_t rounded = slab_round(size);
    DCHECK(rounded >= size);
    char *object = heap_alloc(rounded);
    slab_count_heap(slab, (ptrdiff_t)rounded);
    CELLS_HIDE(object + size, rounded - size);
    return object;
}

static void *slab_alloc_in_page(struct slab *slab, size_t size)
{
    size_t rounded = slab_round(size);
    struct cells **ring = &slab->open[rounded / SLAB_UNIT];
    if (*ring == NULL)
        cells_open(ring, slab_new_page(slab), PAGES_PAGE_SIZE, rounded);
    void *object = cells_alloc(ring);
    slab_count_used(slab, (ptrdiff_t)rounded);
    CELLS_HIDE((char *)object + size, rounded - size);
    return object;
}

void *slab_alloc(struct slab *slab, size_t size)
{
    DCHECK(size > 0);
    if (size <= SLAB_LARGEST)
        return slab_alloc_in_page(slab, size);
    return size <= HEAP_LARGEST ? slab_alloc_on_heap(slab, size) : slab_alloc_run(slab, size);
}

static void slab_free_run(struct slab *slab, void *memory, size_t size)
{
    slab_count_heap(slab, -(ptrdiff_t)runs_round(size));
    runs_give(memory, size);
}

static void slab_free_on_heap(struct slab *slab, void *memory, size_t size)
{
    slab_count_heap(slab, -(ptrdiff_t)slab_round(size));
    heap_free(memory, size);
}

static void slab_free_in_page(struct slab *slab, void *memory, size_t size)
{
    size_t rounded = slab_round(size);
    struct cells *page = cells_of(memory, PAGES_PAGE_SIZE);
    CHECK(page->size * CELLS_UNIT == rounded); /* freed with the size that it was allocated with */
    slab_count_used(slab, -(ptrdiff_t)rounded);
    if (cells_free(&slab->open[rounded / SLAB_UNIT], page, memory))
        slab_retire_page(slab, page);
}

void slab_free(struct slab *slab, void *memory, size_t size)
{
    if (size <= SLAB_LARGEST)
        slab_free_in_page(slab, memory, size);
    else if (size <= HEAP_LARGEST)
        slab_free_on_heap(slab, memory, size);
    else
        slab_free_run(slab, memory, size);
}

bool slab_resize(void *memory, size_t old_size, size_t new_size)
{
    (void)memory; /* used by the sanitizer only */
    size_t rounded = slab_round(old_size);
    if (rounded != slab_round(new_size))
        return false;
    CELLS_SHOW(memory, new_size);
    CELLS_HIDE((char *)memory + new_size, rounded - new_size);
    return true;
}

static bool slab_are_pages_fragmented(const struct slab *slab)
{
    size_t held = slab->memory - slab->heap - slab->spare_count * PAGES_PAGE_SIZE;
    size_t used = slab->used - slab->heap, allowed = ALLOWED_FREE;
    if (!cells_are_fragmented(held, used, allowed))
        return false;
    for (size_t i = 0; i <= SLAB_LARGEST / SLAB_UNIT; i++)
        allowed += slab->open[i] != NULL ? PAGES_PAGE_SIZE : 0;
    return cells_are_fragmented(held, used, allowed);
}

bool slab_is_fragmented(const struct slab *slab)
{
    return slab_are_pages_fragmented(slab) || heap_is_fragmented();
}

/* A cell for the object in a denser page, not yet counted; NULL if there is none. */
static void *slab_alloc_elsewhere(struct slab *slab, void *memory, size_t size)
{
    struct cells *page = cells_of(memory, PAGES_PAGE_SIZE);
    struct cells **ring = &slab->open[slab_round(size) / SLAB_UNIT];
    DCHECK(*ring == NULL || (*ring)->size == page->size);
    return cells_is_sparse(*ring, page) ? cells_alloc_elsewhere(ring, page) : NULL;
}

static void *slab_move_in_pages(struct slab *slab, void *memory, size_t size)
{
    void *moved = slab_are_pages_fragmented(slab) ? slab_alloc_elsewhere(slab, memory, size) : NULL;
    if (moved == NULL)
        return NULL;
    memcpy(moved, memory, size);
    slab_count_used(slab, (ptrdiff_t)slab_round(size));
    slab_free(slab, memory, size);
    return moved;
}

void *slab_move(struct slab *slab, void *memory, size_t size)
{
    char *moved =
        size <= SLAB_LARGEST ? slab_move_in_pages(slab, memory, size) : heap_move(memory, size);
    if (moved != NULL)
        CELLS_HIDE(moved + size, slab_round(size) - size);
    return moved;
}

void slab_charge(struct slab *slab, size_t size)
{
    slab_count_heap(slab, (ptrdiff_t)size);
}

void slab_refund(struct slab *slab, size_t size)
{
    slab_count_heap(slab, -(ptrdiff_t)size);
}
