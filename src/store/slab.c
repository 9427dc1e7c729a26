/* Pages of objects of equal size. Refuses to know what an object is, and takes no lock. */
#include "store/slab.h"

#include "base/mem.h"
#include "store/pages.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#define HEADER_SIZE ((size_t)32)
#define ROOM        (PAGES_PAGE_SIZE - HEADER_SIZE)
#define SMALLEST    ((size_t)16)
/* Up to here another object fits into a page for every unit less, or nearly. */
#define STEPWISE ((size_t)128)
/* What glibc's heap puts before a block. */
#define HEAP_HEADER ((size_t)8)

struct slab_page {
    struct slab_page *next, *prev; /* pages of the same size with room, or the next spare */
    uint16_t size;
    uint16_t used;  /* objects in use */
    uint16_t free;  /* offset of the first freed object, 0 = none */
    uint16_t fresh; /* offset of the first object that was never used */
};

_Static_assert(sizeof(struct slab_page) <= HEADER_SIZE, "the first object follows the header");
_Static_assert(ROOM / 4 / SLAB_UNIT * SLAB_UNIT == SLAB_LARGEST, "four objects to a page");

/* The address sanitizer shall see free objects, and what is behind the end of used ones. */
#ifdef __SANITIZE_ADDRESS__
void __asan_poison_memory_region(const volatile void *address, size_t size);
void __asan_unpoison_memory_region(const volatile void *address, size_t size);
#define HIDE(address, size) __asan_poison_memory_region(address, size)
#define SHOW(address, size) __asan_unpoison_memory_region(address, size)
#else
#define HIDE(address, size) ((void)0)
#define SHOW(address, size) ((void)0)
#endif

void slab_init(struct slab *slab, struct pages *pages)
{
    *slab = (struct slab){.pages = pages};
}

void slab_report(struct slab *slab)
{
    pages_report(slab->pages, (ptrdiff_t)(slab->used - slab->reported_used));
    slab->reported_used = slab->used;
}

/* The difference in bytes, either way. */
static size_t apart(size_t a, size_t b)
{
    return a > b ? a - b : b - a;
}

static void count_used(struct slab *slab, ptrdiff_t bytes)
{
    slab->used += (size_t)bytes;
    if (apart(slab->used, slab->reported_used) >= slab->pages->report_at)
        slab_report(slab);
}

static void count_heap(struct slab *slab, ptrdiff_t bytes)
{
    slab->heap += (size_t)bytes;
    slab->memory += (size_t)bytes;
    count_used(slab, bytes);
}

void slab_deinit(struct slab *slab)
{
    while (slab->spares != NULL) {
        struct slab_page *page = slab->spares;
        slab->spares = page->next;
        pages_give(slab->pages, page);
    }
    slab_report(slab);
    slab_init(slab, slab->pages);
}

/* On the heap: sixteen sizes for each doubling, so that values of nearly the same length replace
 * each other in place; with the heap's header they fill whole units of the heap. */
static size_t round_on_heap(size_t size)
{
    size_t step = (size_t)1 << (63 - 4 - __builtin_clzll(size + HEAP_HEADER));
    return ((size + HEAP_HEADER + step - 1) & ~(step - 1)) - HEAP_HEADER;
}

size_t slab_round(size_t size)
{
    if (size <= SMALLEST)
        return SMALLEST;
    if (size <= STEPWISE)
        return (size + SLAB_UNIT - 1) & ~(SLAB_UNIT - 1);
    if (size > SLAB_LARGEST)
        return round_on_heap(size);
    uint32_t rounded = (uint32_t)((size + SLAB_UNIT - 1) & ~(SLAB_UNIT - 1));
    uint32_t objects = (uint32_t)ROOM / rounded;
    return (uint32_t)ROOM / objects & ~(SLAB_UNIT - 1);
}

static struct slab_page *take_page(struct slab *slab)
{
    struct slab_page *page = slab->spares;
    if (page == NULL) {
        slab->memory += PAGES_PAGE_SIZE;
        return pages_take(slab->pages);
    }
    slab->spares = page->next;
    slab->spare_count--;
    return page;
}

static void give_page(struct slab *slab, struct slab_page *page)
{
    SHOW(page, PAGES_PAGE_SIZE);
    if (slab->spare_count < SLAB_SPARES) {
        page->next = slab->spares;
        slab->spares = page;
        slab->spare_count++;
        return;
    }
    slab->memory -= PAGES_PAGE_SIZE;
    pages_give(slab->pages, page);
}

void *slab_take_page(struct slab *slab)
{
    count_used(slab, PAGES_PAGE_SIZE);
    return take_page(slab);
}

void slab_give_page(struct slab *slab, void *page)
{
    count_used(slab, -(ptrdiff_t)PAGES_PAGE_SIZE);
    give_page(slab, page);
}

static void link_page(struct slab *slab, struct slab_page *page)
{
    struct slab_page **head = &slab->open[page->size / SLAB_UNIT];
    page->prev = NULL;
    page->next = *head;
    if (page->next != NULL)
        page->next->prev = page;
    *head = page;
}

static void unlink_page(struct slab *slab, struct slab_page *page)
{
    if (page->prev != NULL)
        page->prev->next = page->next;
    else
        slab->open[page->size / SLAB_UNIT] = page->next;
    if (page->next != NULL)
        page->next->prev = page->prev;
}

static struct slab_page *open_page(struct slab *slab, size_t size)
{
    struct slab_page *page = take_page(slab);
    page->size = (uint16_t)size;
    page->used = 0;
    page->free = 0;
    page->fresh = (uint16_t)(PAGES_PAGE_SIZE - ROOM / size * size);
    HIDE((uint8_t *)page + page->fresh, PAGES_PAGE_SIZE - page->fresh);
    link_page(slab, page);
    return page;
}

static bool is_full(const struct slab_page *page)
{
    return page->free == 0 && page->fresh == PAGES_PAGE_SIZE;
}

/* An object of a page that is not full. */
static void *take_object(struct slab_page *page)
{
    page->used++;
    if (page->free == 0) {
        void *fresh = (uint8_t *)page + page->fresh;
        page->fresh = (uint16_t)(page->fresh + page->size);
        SHOW(fresh, page->size);
        return fresh;
    }
    uint16_t *object = (uint16_t *)((uint8_t *)page + page->free);
    SHOW(object, page->size);
    page->free = *object;
    return object;
}

static void *alloc_on_heap(struct slab *slab, size_t size)
{
    void *memory = mem_alloc(slab_round(size));
    ptrdiff_t taken = (ptrdiff_t)(malloc_usable_size(memory) + HEAP_HEADER);
    count_heap(slab, taken);
    return memory;
}

void *slab_alloc(struct slab *slab, size_t size)
{
    if (size > SLAB_LARGEST)
        return alloc_on_heap(slab, size);
    size_t rounded = slab_round(size);
    struct slab_page *page = slab->open[rounded / SLAB_UNIT];
    if (page == NULL)
        page = open_page(slab, rounded);
    uint8_t *object = take_object(page);
    if (is_full(page))
        unlink_page(slab, page);
    count_used(slab, (ptrdiff_t)rounded);
    HIDE(object + size, rounded - size);
    return object;
}

static void free_on_heap(struct slab *slab, void *memory)
{
    ptrdiff_t taken = (ptrdiff_t)(malloc_usable_size(memory) + HEAP_HEADER);
    count_heap(slab, -taken);
    free(memory);
}

void slab_free(struct slab *slab, void *memory, size_t size)
{
    if (size > SLAB_LARGEST) {
        free_on_heap(slab, memory);
        return;
    }
    uintptr_t offset = (uintptr_t)memory & (PAGES_PAGE_SIZE - 1);
    struct slab_page *page = (struct slab_page *)((uint8_t *)memory - offset);
    count_used(slab, -(ptrdiff_t)page->size);
    /* A page that was full is used next: so the others have a chance to become empty. */
    if (is_full(page))
        link_page(slab, page);
    SHOW(memory, page->size);
    *(uint16_t *)memory = page->free;
    HIDE(memory, page->size);
    page->free = (uint16_t)offset;
    if (--page->used == 0) {
        unlink_page(slab, page);
        give_page(slab, page);
    }
}

bool slab_resize(void *memory, size_t old_size, size_t new_size)
{
    (void)memory; /* but for the sanitizer */
    size_t rounded = slab_round(old_size);
    if (rounded != slab_round(new_size))
        return false;
    /* On the heap the sanitizer sees the rounded block. */
    if (new_size <= SLAB_LARGEST) {
        SHOW(memory, new_size);
        HIDE((uint8_t *)memory + new_size, rounded - new_size);
    }
    return true;
}

void slab_charge(struct slab *slab, size_t size)
{
    count_heap(slab, (ptrdiff_t)size);
}

void slab_refund(struct slab *slab, size_t size)
{
    count_heap(slab, -(ptrdiff_t)size);
}
