/* Objects in a page and pages in a ring. Refuses to know where pages come from. */
#include "store/memory/cells.h"

#include "base/check.h"

size_t cells_round(size_t page_size, size_t size)
{
    uint32_t room = (uint32_t)(page_size - CELLS_HEADER);
    uint32_t units = (uint32_t)((size + CELLS_UNIT - 1) & ~(CELLS_UNIT - 1));
    uint32_t objects = room / units;
    DCHECK(objects > 0);
    return room / objects & ~(CELLS_UNIT - 1);
}

static size_t bytes_of(uint16_t units)
{
    return (size_t)units * CELLS_UNIT;
}

static uint16_t place_of(const struct cells *page, const void *object)
{
    return (uint16_t)((size_t)((const uint8_t *)object - (const uint8_t *)page) / CELLS_UNIT);
}

static void link_last(struct cells **ring, struct cells *page)
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

static void link_first(struct cells **ring, struct cells *page)
{
    link_last(ring, page);
    *ring = page;
}

static void unlink_page(struct cells **ring, struct cells *page)
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

static bool is_full(const struct cells *page)
{
    return page->free == 0 && page->fresh == page->end;
}

/* Where the first object is. */
static size_t first_place(const struct cells *page)
{
    size_t objects = (bytes_of(page->end) - CELLS_HEADER) / bytes_of(page->size);
    return page->end - objects * page->size;
}

/* True if an object of the page that was used at some time is there. */
static bool is_place(const struct cells *page, size_t place)
{
    return place >= first_place(page) && place < page->fresh &&
           (place - first_place(page)) % page->size == 0;
}

/* True if the counters agree: what was used at some time is in use or in the list of free ones. */
static bool is_sound(const struct cells *page)
{
    size_t begun = (page->fresh - first_place(page)) / page->size;
    bool has_free = page->free != 0;
    return page->fresh <= page->end && page->used <= begun && has_free == (page->used < begun) &&
           (!has_free || is_place(page, page->free));
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
    CELLS_HIDE((uint8_t *)page + bytes_of(page->fresh), objects * size);
    link_first(ring, page);
    DCHECK(is_sound(page));
}

static void *take_object(struct cells *page)
{
    DCHECK(is_sound(page) && !is_full(page));
    page->used++;
    if (page->free == 0) {
        void *fresh = (uint8_t *)page + bytes_of(page->fresh);
        page->fresh = (uint16_t)(page->fresh + page->size);
        CELLS_SHOW(fresh, bytes_of(page->size));
        return fresh;
    }
    uint16_t *object = (uint16_t *)((uint8_t *)page + bytes_of(page->free));
    CELLS_SHOW(object, bytes_of(page->size));
    page->free = *object;
    return object;
}

void *cells_take(struct cells **ring)
{
    struct cells *page = *ring;
    void *object = take_object(page);
    if (is_full(page))
        unlink_page(ring, page);
    return object;
}

bool cells_give(struct cells **ring, struct cells *page, void *object)
{
    CHECK(page->used > 0 && page->free != place_of(page, object)); /* or it was freed before */
    DCHECK(is_sound(page) && is_place(page, place_of(page, object)));
    /* A page that was full is used next: so the others have a chance to become empty. */
    if (is_full(page))
        link_first(ring, page);
    CELLS_SHOW(object, bytes_of(page->size));
    *(uint16_t *)object = page->free;
    CELLS_HIDE(object, bytes_of(page->size));
    page->free = place_of(page, object);
    if (--page->used > 0)
        return false;
    unlink_page(ring, page);
    return true;
}

bool cells_is_sparse(const struct cells *first, const struct cells *page)
{
    size_t dense = bytes_of(page->end) / CELLS_SPARSE * (CELLS_SPARSE - 1);
    return page != first && !is_full(page) && bytes_of(page->size) * page->used < dense;
}

void *cells_take_elsewhere(struct cells **ring, struct cells *page)
{
    unlink_page(ring, page);
    link_last(ring, page);
    CHECK(*ring != page); /* a sparse page is not the only one */
    return cells_take(ring);
}
