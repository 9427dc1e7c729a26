/* Regions of pages with a bit per free page. Does not know what lies in a page. */
#include "store/memory/pages.h"

#include "base/check.h"

#include <stdint.h>
#include <sys/mman.h>

#define WORD_BITS 64
/* Enough for the smallest pages. */
#define WORDS (REGIONS_SIZE / PAGES_PAGE_SIZE / WORD_BITS)
/* One page may be idle for this many in use. */
#define IDLE_SHARE 64

struct pages_region {
    struct pages_region *next, *prev; /* in one of the lists */
    size_t free_count;
    size_t idle_count;
    uint64_t idle[WORDS]; /* a bit per page */
    uint64_t purged[WORDS];
};

_Static_assert(sizeof(struct pages_region) <= PAGES_PAGE_SIZE,
               "a region's first page describes it");

void pages_init(struct pages *pages, bool huge)
{
    *pages = (struct pages)PAGES_INITIALIZER(PAGES_PAGE_SIZE);
    pages->mapped.held = huge ? &pages->memory : NULL;
}

/* Pages of a region, including the one that describes it. */
static size_t pages_in_region(const struct pages *pages)
{
    return REGIONS_SIZE / pages->page_size;
}

/* Counts pages that start to occupy memory, or with a negative number stop to. */
static void pages_count_memory(struct pages *pages, ptrdiff_t count)
{
    atomic_fetch_add_explicit(&pages->memory, (size_t)count * pages->page_size,
                              memory_order_relaxed);
}

/* The same for the pages that describe regions: of a larger page the rest is never touched. */
static void pages_count_description(struct pages *pages, ptrdiff_t count)
{
    atomic_fetch_add_explicit(&pages->memory, (size_t)count * PAGES_PAGE_SIZE,
                              memory_order_relaxed);
}

static void pages_link_first(struct pages_list *list, struct pages_region *region)
{
    region->prev = NULL;
    region->next = list->first;
    if (region->next != NULL)
        region->next->prev = region;
    else
        list->last = region;
    list->first = region;
}

static void pages_unlink_from(struct pages_list *list, struct pages_region *region)
{
    if (region->prev != NULL)
        region->prev->next = region->next;
    else
        list->first = region->next;
    if (region->next != NULL)
        region->next->prev = region->prev;
    else
        list->last = region->prev;
}

/* True if the bits and the counters agree. */
static bool pages_is_sound(const struct pages_region *region)
{
    size_t idle = 0, purged = 0;
    for (size_t i = 0; i < WORDS; i++) {
        idle += (size_t)__builtin_popcountll(region->idle[i]);
        purged += (size_t)__builtin_popcountll(region->purged[i]);
        if ((region->idle[i] & region->purged[i]) != 0)
            return false;
    }
    return idle == region->idle_count && idle + purged == region->free_count;
}

/* The list in which invariant 2 wants the region; NULL = none. */
static struct pages_list *pages_list_of(struct pages *pages, const struct pages_region *region)
{
    if (region->idle_count > 0)
        return &pages->idle;
    return region->free_count > 0 ? &pages->purged : NULL;
}

/* Changes the counts, and the list to match. */
static void pages_recount(struct pages *pages, struct pages_region *region, ptrdiff_t free,
                          ptrdiff_t idle)
{
    struct pages_list *from = pages_list_of(pages, region);
    region->free_count += (size_t)free;
    region->idle_count += (size_t)idle;
    pages->idle_count += (size_t)idle;
    struct pages_list *to = pages_list_of(pages, region);
    CHECK(region->idle_count <= region->free_count && region->free_count < pages_in_region(pages));
    if (from == to)
        return;
    if (from != NULL)
        pages_unlink_from(from, region);
    if (to != NULL)
        pages_link_first(to, region);
}

static struct pages_region *pages_new_region(struct pages *pages)
{
    size_t count = pages_in_region(pages);
    struct pages_region *region = regions_alloc(&pages->mapped);
    for (size_t i = 1; i < count; i++)
        region->idle[i / WORD_BITS] |= (uint64_t)1 << i % WORD_BITS;
    return region;
}

static void pages_free_regions(struct pages_list *list)
{
    while (list->first != NULL) {
        struct pages_region *region = list->first;
        pages_unlink_from(list, region);
        regions_free(region);
    }
}

void pages_deinit(struct pages *pages)
{
    CHECK(pages->used_count == 0);
    pages_free_regions(&pages->idle);
    pages_free_regions(&pages->purged);
    regions_deinit(&pages->mapped);
    pthread_mutex_destroy(&pages->lock);
}

/* Mapping a region takes time, so the lock is released meanwhile. */
static struct pages_region *pages_add_region(struct pages *pages)
{
    pthread_mutex_unlock(&pages->lock);
    struct pages_region *region = pages_new_region(pages);
    pthread_mutex_lock(&pages->lock);
    pages->regions++;
    ptrdiff_t count = (ptrdiff_t)pages_in_region(pages) - 1;
    pages_count_memory(pages, count);
    pages_count_description(pages, 1);
    pages_recount(pages, region, count, count);
    return region;
}

/* Removes the first page from a set that is not empty and returns its index. */
static size_t pages_remove_first(uint64_t *set)
{
    size_t word = 0;
    while (word < WORDS && set[word] == 0)
        word++;
    CHECK(word < WORDS);
    size_t bit = (size_t)__builtin_ctzll(set[word]);
    set[word] &= set[word] - 1;
    return word * WORD_BITS + bit;
}

/* Prefers a page that occupies memory already. */
static void *pages_alloc_one(struct pages *pages)
{
    struct pages_region *region = pages->idle.first;
    size_t index;
    if (region == NULL && pages->purged.first != NULL) {
        region = pages->purged.first;
        index = pages_remove_first(region->purged);
        pages_recount(pages, region, -1, 0);
        pages_count_memory(pages, 1);
    } else {
        if (region == NULL)
            region = pages_add_region(pages);
        index = pages_remove_first(region->idle);
        pages_recount(pages, region, -1, -1);
    }
    CHECK(index > 0 && index < pages_in_region(pages));
    DCHECK(pages_is_sound(region));
    return (uint8_t *)region + index * pages->page_size;
}

void *pages_alloc(struct pages *pages)
{
    pthread_mutex_lock(&pages->lock);
    void *page = pages_alloc_one(pages);
    pages->used_count++;
    pthread_mutex_unlock(&pages->lock);
    return page;
}

static bool pages_has_bit(const uint64_t *set, size_t index)
{
    return set[index / WORD_BITS] >> index % WORD_BITS & 1;
}

/* Returns the memory of the region's idle pages to the system, adjacent ones in one call. */
static void pages_purge(struct pages *pages, struct pages_region *region)
{
    size_t count = pages_in_region(pages), page_size = pages->page_size;
    for (size_t begin = 1, end; begin < count; begin = end + 1) {
        for (end = begin; end < count && pages_has_bit(region->idle, end);)
            end++;
        if (end > begin)
            madvise((uint8_t *)region + begin * page_size, (end - begin) * page_size,
                    MADV_DONTNEED);
    }
    for (size_t i = 0; i < WORDS; i++) {
        region->purged[i] |= region->idle[i];
        region->idle[i] = 0;
    }
    pages_count_memory(pages, -(ptrdiff_t)region->idle_count);
    pages_recount(pages, region, 0, -(ptrdiff_t)region->idle_count);
    DCHECK(pages_is_sound(region) && region->idle_count == 0);
}

static bool pages_is_empty(const struct pages *pages, const struct pages_region *region)
{
    return region->free_count == pages_in_region(pages) - 1;
}

/* Unlinks the empty region from the pool and prepends it to those to free. */
static void pages_unlink_region(struct pages *pages, struct pages_region *region,
                                struct pages_region **unused)
{
    DCHECK(pages_is_sound(region));
    pages->regions--;
    pages_count_memory(pages, -(ptrdiff_t)region->idle_count);
    pages_count_description(pages, -1);
    pages_recount(pages, region, -(ptrdiff_t)region->free_count, -(ptrdiff_t)region->idle_count);
    region->next = *unused;
    *unused = region;
}

/* Restores invariant 3 after a page of the region was freed; returns the regions to free. If the
 * region is empty, it goes before any other loses pages; among the others, the one whose pages were
 * unused for longest goes first. */
static struct pages_region *pages_trim(struct pages *pages, struct pages_region *region)
{
    struct pages_region *unused = NULL;
    size_t most = pages_in_region(pages) - 1 + pages->used_count / IDLE_SHARE;
    if (pages->idle_count > most && pages_is_empty(pages, region))
        pages_unlink_region(pages, region, &unused);
    while (pages->idle_count > most) {
        region = pages->idle.last;
        CHECK(region != NULL);
        if (pages_is_empty(pages, region))
            pages_unlink_region(pages, region, &unused);
        else
            pages_purge(pages, region);
    }
    DCHECK(pages->idle_count <= most);
    return unused;
}

void pages_free(struct pages *pages, void *page)
{
    uintptr_t address = (uintptr_t)page;
    struct pages_region *region = (struct pages_region *)(address & ~(REGIONS_SIZE - 1));
    size_t index = (address & (REGIONS_SIZE - 1)) / pages->page_size;
    CHECK(index > 0 && address % pages->page_size == 0);
    pthread_mutex_lock(&pages->lock);
    CHECK(!pages_has_bit(region->idle, index) &&
          !pages_has_bit(region->purged, index)); /* else a double free */
    region->idle[index / WORD_BITS] |= (uint64_t)1 << index % WORD_BITS;
    pages->used_count--;
    pages_recount(pages, region, 1, 1);
    DCHECK(pages_is_sound(region));
    struct pages_region *unused = pages_trim(pages, region);
    pthread_mutex_unlock(&pages->lock);
    while (unused != NULL) {
        region = unused;
        unused = region->next;
        regions_free(region);
    }
    regions_trim(&pages->mapped);
}

size_t pages_memory(const struct pages *pages)
{
    return atomic_load_explicit(&pages->memory, memory_order_relaxed) +
           regions_ready(&pages->mapped);
}

void pages_report(struct pages *pages, ptrdiff_t used, ptrdiff_t paged)
{
    atomic_fetch_add_explicit(&pages->used, (size_t)used, memory_order_relaxed);
    atomic_fetch_add_explicit(&pages->paged, (size_t)paged, memory_order_relaxed);
}

bool pages_reserve(struct pages *pages, size_t bytes, size_t limit)
{
    size_t used = pages_used(pages);
    do {
        if (bytes > limit || used > limit - bytes)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&pages->used, &used, used + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

size_t pages_slack(const struct pages *pages)
{
    size_t paged = atomic_load_explicit(&pages->paged, memory_order_relaxed);
    size_t memory = pages_memory(pages);
    return memory > paged ? memory - paged : 0;
}

size_t pages_used(const struct pages *pages)
{
    return atomic_load_explicit(&pages->used, memory_order_relaxed);
}
