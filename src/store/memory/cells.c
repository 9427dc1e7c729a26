/* Objects in a page and pages in a ring. Does not know where pages come from. */
#include "store/memory/cells.h"

#include "base/check.h"

size_t cells_round(size_t page_size, size_t size)
{
    uint32_t usable = (uint32_t)(page_size - CELLS_HEADER);
    uint32_t units = (uint32_t)((size + CELLS_UNIT - 1) & ~(CELLS_UNIT - 1));
    uint32_t objects = usable / units;
    DCHECK(objects > 0);
    return usable / objects & ~(CELLS_UNIT - 1);
}

static size_t cells_bytes_of(uint16_t units)
{
    return (size_t)units * CELLS_UNIT;
}

static uint16_t cells_place_of(const struct cells *page, const void *object)
{
    return (uint16_t)((size_t)((const uint8_t *)object - (const uint8_t *)page) / CELLS_UNIT);
}

static void cells_link_last(struct cells **ring, struct cells *page)
{
    if (*ring == NULL) {
        *ring = page->next = page->prev = page;
        return;
    }
    page->next = *ring;
    page->prev = (*ring)->prev;
    page->prev->next = page;
    page->next->prev = page;
}

static void cells_link_first(struct cells **ring, struct cells *page)
{
    cells_link_last(ring, page);
    *ring = page;
}

static void cells_unlink_page(struct cells **ring, struct cells *page)
{
    CHECK(page->next->prev == page && page->prev->next == page);
    if (page->next == page) {
        *ring = NULL;
        return;
    }
    page->next->prev = page->prev;
    page->prev->next = page->next;
    if (*ring == page)
        *ring = page->next;
}

static bool cells_is_full(const struct cells *page)
{
    return page->free == 0 && page->fresh == page->end;
}

/* The place of the first object. */
static size_t cells_first_place(const struct cells *page)
{
    size_t objects = (cells_bytes_of(page->end) - CELLS_HEADER) / cells_bytes_of(page->size);
    return page->end - objects * page->size;
}

/* True if an object that was ever used starts at the place. */
static bool cells_is_place(const struct cells *page, size_t place)
{
    return place >= cells_first_place(page) && place < page->fresh &&
           (place - cells_first_place(page)) % page->size == 0;
}

/* True if the counters agree: each object that was ever used is in use or in the free list. */
static bool cells_is_sound(const struct cells *page)
{
    size_t started = (page->fresh - cells_first_place(page)) / page->size;
    bool has_free = page->free != 0;
    return page->fresh <= page->end && page->used <= started &&
           has_free == (page->used < started) && (!has_free || cells_is_place(page, page->free));
}

void cells_open(struct cells **ring, void *memory, size_t page_size, size_t size)
{
    CHECK(size >= CELLS_SMALLEST && size % CELLS_UNIT == 0);
    DCHECK(((uintptr_t)memory & (page_size - 1)) == 0);
    struct cells *page = memory;
    size_t objects = (page_size - CELLS_HEADER) / size;
    page->size = (uint16_t)(size / CELLS_UNIT);
    page->used = 0;
    page->free = 0;
    page->fresh = (uint16_t)((page_size - objects * size) / CELLS_UNIT);
    page->end = (uint16_t)(page_size / CELLS_UNIT);
    page->owner = 0;
    CELLS_HIDE((uint8_t *)page + cells_bytes_of(page->fresh), objects * size);
    cells_link_first(ring, page);
    DCHECK(cells_is_sound(page));
}

static void *cells_alloc_object(struct cells *page)
{
    DCHECK(cells_is_sound(page) && !cells_is_full(page));
    page->used++;
    if (page->free == 0) {
        void *fresh = (uint8_t *)page + cells_bytes_of(page->fresh);
        page->fresh = (uint16_t)(page->fresh + page->size);
        CELLS_SHOW(fresh, cells_bytes_of(page->size));
        return fresh;
    }
    uint16_t *object = (uint16_t *)((uint8_t *)page + cells_bytes_of(page->free));
    CELLS_SHOW(object, cells_bytes_of(page->size));
    page->free = *object;
    return object;
}

void *cells_alloc(struct cells **ring)
{
    struct cells *page = *ring;
    void *object = cells_alloc_object(page);
    if (cells_is_full(page))
        cells_unlink_page(ring, page);
    return object;
}

bool cells_free(struct cells **ring, struct cells *page, void *object)
{
    CHECK(page->used > 0 && page->free != cells_place_of(page, object)); /* else a double free */
    DCHECK(cells_is_sound(page) && cells_is_place(page, cells_place_of(page, object)));
    /* A page that was full is used next, so that the others have a chance to become empty. */
    if (cells_is_full(page))
        cells_link_first(ring, page);
    CELLS_SHOW(object, cells_bytes_of(page->size));
    *(uint16_t *)object = page->free;
    CELLS_HIDE(object, cells_bytes_of(page->size));
    page->free = cells_place_of(page, object);
    if (--page->used > 0)
        return false;
    cells_unlink_page(ring, page);
    return true;
}

bool cells_is_sparse(const struct cells *first, const struct cells *page)
{
    size_t dense = cells_bytes_of(page->end) / CELLS_SPARSE * (CELLS_SPARSE - 1);
    return page != first && !cells_is_full(page) && cells_bytes_of(page->size) * page->used < dense;
}

void *cells_alloc_elsewhere(struct cells **ring, struct cells *page)
{
    cells_unlink_page(ring, page);
    cells_link_last(ring, page);
    CHECK(*ring != page); /* a sparse page is never the only one */
    return cells_alloc(ring);
}
