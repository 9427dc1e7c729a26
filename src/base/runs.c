/*
 * Runs of pages, segregated by length into bins. The first page descriptor of a run describes it;
 * the last one repeats its length, for coalescing with the run that follows. Knows nothing of the
 * contents. Under the lock only descriptors are touched; system calls are made without it.
 */
#include "base/runs.h"

#include "base/check.h"
#include "base/mutex.h"
#include "base/reserve.h"
#include "base/shadow.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define REGION_SIZE  ((size_t)64 * 1024 * 1024)
#define REGION_PAGES ((uint32_t)(REGION_SIZE / RUNS_PAGE))
#define REGION_BITS  14
/* 8 TiB. */
#define MAX_REGIONS ((uint32_t)1 << 17)
/* Up to 64 pages, each length has a bin; above, there are eight bins per power of two. */
#define EXACT_BINS 64u
#define BINS       128u
#define BIN_WORDS  (BINS / 64)
/* Runs tried in a bin of several lengths. */
#define MAX_TRIED 8
/* From this size in bytes on, a cold run is populated by one call, which costs less than page
 * faults. */
#define MIN_POPULATED ((size_t)16 * 1024)

/* Less than this, in bytes, is not worth a call that purges it. */
#define MIN_PURGED ((size_t)256 * 1024)

_Static_assert((1u << REGION_BITS) == REGION_PAGES, "a page's number within its region");

enum state { STATE_USED, STATE_WARM, STATE_COLD };

/* A page descriptor; valid for the first page of a run, `pages` and `state` also for the last.
 * Pages are identified by their numbers over all regions; 0 is part of a region's header and means
 * none. */
struct page {
    uint32_t next, prev; /* in the bin */
    uint32_t age;        /* of a warm run: when it was freed */
    uint16_t pages;
    uint16_t state;
};

/* At the start of a region's memory. */
struct region {
    uint32_t number;
    uint32_t free_pages;
    uint32_t purged; /* runs being purged, that is turned from warm to cold */
    struct page pages[REGION_PAGES];
};

#define OWN_PAGES ((uint32_t)((sizeof(struct region) + RUNS_PAGE - 1) / RUNS_PAGE))

struct bins {
    uint64_t filled[BIN_WORDS];       /* a bit per bin that has a run */
    uint32_t first[BINS], last[BINS]; /* the last run in a bin is the oldest */
};

static struct mutex lock;
static struct bins bins_of[STATE_COLD + 1];
static struct region *regions[MAX_REGIONS];
static uint32_t regions_end; /* all regions have smaller numbers */
static uint32_t clock_age, empty_regions;
static uint32_t trimmed_age;            /* clock_age at the last runs_trim() */
static size_t warm_bytes, recent_bytes; /* the latter: RUNS_RECENT once runs_trim() is called */
/* Updated with and without the lock. */
static atomic_size_t used_bytes, held_bytes;

static void runs_count(atomic_size_t *counter, ptrdiff_t bytes)
{
    atomic_fetch_add_explicit(counter, (size_t)bytes, memory_order_relaxed);
}

size_t runs_used(void)
{
    return atomic_load_explicit(&used_bytes, memory_order_relaxed);
}

size_t runs_held(void)
{
    return atomic_load_explicit(&held_bytes, memory_order_relaxed);
}

/* ---- descriptors and bins; with the lock held ---- */

static struct region *runs_region_of(uint32_t id)
{
    return regions[id >> REGION_BITS];
}

static struct page *runs_page_of(uint32_t id)
{
    return &runs_region_of(id)->pages[id & (REGION_PAGES - 1)];
}

static void *runs_address_of(uint32_t id)
{
    return (uint8_t *)runs_region_of(id) + (id & (REGION_PAGES - 1)) * RUNS_PAGE;
}

static uint32_t runs_id_of(void *memory)
{
    uintptr_t offset = (uintptr_t)memory & (REGION_SIZE - 1);
    struct region *region = (struct region *)(void *)((uint8_t *)memory - offset);
    return region->number << REGION_BITS | (uint32_t)(offset / RUNS_PAGE);
}

static void runs_describe(uint32_t id, uint32_t pages, enum state state)
{
    CHECK(pages > 0 && (id & (REGION_PAGES - 1)) + pages <= REGION_PAGES);
    struct page *first = runs_page_of(id), *last = first + pages - 1;
    first->pages = last->pages = (uint16_t)pages;
    first->state = last->state = (uint16_t)state;
}

static unsigned runs_bin_of(uint32_t pages)
{
    if (pages <= EXACT_BINS)
        return pages - 1;
    unsigned log = 31 - (unsigned)__builtin_clz(pages);
    return EXACT_BINS + (log - 6) * 8 + ((pages >> (log - 3)) & 7);
}

static void runs_bin_put(uint32_t id, uint32_t pages, enum state state)
{
    struct bins *bins = &bins_of[state];
    unsigned bin = runs_bin_of(pages);
    struct page *page = runs_page_of(id);
    DCHECK(state != STATE_USED && bin < BINS);
    runs_describe(id, pages, state);
    page->prev = 0;
    page->next = bins->first[bin];
    page->age = clock_age++;
    if (page->next != 0)
        runs_page_of(page->next)->prev = id;
    else
        bins->last[bin] = id;
    bins->first[bin] = id;
    bins->filled[bin / 64] |= (uint64_t)1 << bin % 64;
    if (state == STATE_WARM)
        warm_bytes += pages * RUNS_PAGE;
}

static void runs_bin_remove(uint32_t id)
{
    const struct page *page = runs_page_of(id);
    CHECK(page->state != STATE_USED);
    struct bins *bins = &bins_of[page->state];
    unsigned bin = runs_bin_of(page->pages);
    if (page->prev != 0)
        runs_page_of(page->prev)->next = page->next;
    else
        bins->first[bin] = page->next;
    if (page->next != 0)
        runs_page_of(page->next)->prev = page->prev;
    else
        bins->last[bin] = page->prev;
    if (bins->first[bin] == 0)
        bins->filled[bin / 64] &= ~((uint64_t)1 << bin % 64);
    if (page->state == STATE_WARM)
        warm_bytes -= page->pages * RUNS_PAGE;
}

/* The first bin from `bin` on that has a run; BINS if there is none. */
static unsigned runs_next_filled(const struct bins *bins, unsigned bin)
{
    for (unsigned word = bin / 64; word < BIN_WORDS; word++) {
        uint64_t filled = bins->filled[word];
        if (word == bin / 64)
            filled &= UINT64_MAX << bin % 64;
        if (filled != 0)
            return word * 64 + (unsigned)__builtin_ctzll(filled);
    }
    return BINS;
}

/* A nearly best fit: a free run of at least `pages` pages; 0 if there is none. */
static uint32_t runs_find(enum state state, uint32_t pages)
{
    const struct bins *bins = &bins_of[state];
    unsigned bin = runs_bin_of(pages), tried = 0;
    for (uint32_t id = bins->first[bin]; id != 0 && tried < MAX_TRIED;
         id = runs_page_of(id)->next) {
        if (runs_page_of(id)->pages >= pages)
            return id;
        tried++;
    }
    bin = bin + 1 < BINS ? runs_next_filled(bins, bin + 1) : BINS;
    return bin < BINS ? bins->first[bin] : 0;
}

/* Coalesces the free run, which is in no bin, with free neighbours of the same state, and puts it
 * into a bin. */
static void runs_bin_merge(uint32_t id, uint32_t pages, enum state state)
{
    uint32_t place = id & (REGION_PAGES - 1), end = place + pages;
    const struct page *before = runs_page_of(id) - 1;
    if (place > OWN_PAGES && before->state == state) {
        id -= before->pages;
        pages += before->pages;
        runs_bin_remove(id);
    }
    const struct page *after = runs_region_of(id)->pages + end;
    if (end < REGION_PAGES && after->state == state) {
        pages += after->pages;
        runs_bin_remove((id & ~(REGION_PAGES - 1)) | end);
    }
    runs_bin_put(id, pages, state);
}

/* ---- regions ---- */

static void *runs_try_map(size_t size)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                0);
}

static void *runs_map(size_t size)
{
    unsigned seen = 0;
    void *memory = runs_try_map(size);
    while (memory == MAP_FAILED && reserve_break(&seen))
        memory = runs_try_map(size);
    if (memory == MAP_FAILED)
        check_out_of_memory(size);
    return memory;
}

/* Maps twice the size and trims it to an aligned region. */
static struct region *runs_map_region(void)
{
    uint8_t *memory = runs_map(2 * REGION_SIZE);
    size_t before = -(uintptr_t)memory & (REGION_SIZE - 1);
    if (before > 0)
        munmap(memory, before);
    munmap(memory + before + REGION_SIZE, REGION_SIZE - before);
    /* Even if huge pages are the system's default: a huge page is resident as a whole. */
    madvise(memory + before, REGION_SIZE, MADV_NOHUGEPAGE);
    return (struct region *)(void *)(memory + before);
}

/* Called with the lock held, which is released meanwhile. */
static void runs_add_region(void)
{
    uint32_t number = 0;
    mutex_unlock(&lock);
    struct region *region = runs_map_region();
    mutex_lock(&lock);
    while (number < MAX_REGIONS && regions[number] != NULL)
        number++;
    if (number == MAX_REGIONS)
        check_out_of_memory(REGION_SIZE);
    regions[number] = region;
    if (regions_end <= number)
        regions_end = number + 1;
    region->number = number;
    region->free_pages = REGION_PAGES - OWN_PAGES;
    empty_regions++;
    runs_count(&held_bytes, (ptrdiff_t)(OWN_PAGES * RUNS_PAGE));
    runs_bin_put(number << REGION_BITS | OWN_PAGES, region->free_pages, STATE_COLD);
}

/* Called with the lock held. Counts pages of the region that become used or, if negative, free. */
static void runs_count_used_pages(struct region *region, int32_t pages)
{
    const uint32_t all = REGION_PAGES - OWN_PAGES;
    empty_regions -= region->free_pages == all;
    region->free_pages -= (uint32_t)pages;
    empty_regions += region->free_pages == all;
    CHECK(region->free_pages <= all);
}

/* Called with the lock held. If the region is empty and another one is, too, removes it and returns
 * it to be unmapped, else NULL. */
static struct region *runs_remove_if_empty(struct region *region)
{
    if (region->free_pages != REGION_PAGES - OWN_PAGES || region->purged > 0 || empty_regions < 2)
        return NULL;
    size_t warm_before = warm_bytes;
    for (uint32_t at = OWN_PAGES; at < REGION_PAGES; at += region->pages[at].pages)
        runs_bin_remove(region->number << REGION_BITS | at);
    regions[region->number] = NULL;
    CHECK(empty_regions > 0 && warm_bytes <= warm_before);
    empty_regions--;
    runs_count(&held_bytes, -(ptrdiff_t)(OWN_PAGES * RUNS_PAGE + warm_before - warm_bytes));
    return region;
}

/* The same, but warm runs in it are kept for runs_trim(), if that is called. */
static struct region *runs_remove_if_cold(struct region *region)
{
    if (region->free_pages != REGION_PAGES - OWN_PAGES)
        return NULL;
    for (uint32_t at = OWN_PAGES; recent_bytes > 0 && at < REGION_PAGES;
         at += region->pages[at].pages)
        if (region->pages[at].state != STATE_COLD)
            return NULL;
    return runs_remove_if_empty(region);
}

/* Called with the lock held, which is released meanwhile; NULL is allowed. */
static void runs_unmap_region(struct region *region)
{
    if (region == NULL)
        return;
    mutex_unlock(&lock);
    SHADOW_SHOW(region, REGION_SIZE);
    munmap(region, REGION_SIZE);
    mutex_lock(&lock);
}

/* ---- objects with a mapping of their own ---- */

/* Uses huge pages if the system has them: one page fault per 2 MiB. */
static void *runs_use_mapping(void *memory, size_t size)
{
    madvise(memory, size, MADV_HUGEPAGE);
    runs_count(&used_bytes, (ptrdiff_t)size);
    runs_count(&held_bytes, (ptrdiff_t)size);
    return memory;
}

static void runs_give_mapping(void *memory, size_t size)
{
    SHADOW_SHOW(memory, size);
    munmap(memory, size);
    runs_count(&used_bytes, -(ptrdiff_t)size);
    runs_count(&held_bytes, -(ptrdiff_t)size);
}

/* As mremap(). The thread sanitizer does not see that one, and would take what the new addresses
 * held for another thread for a race. */
static void *runs_remap(void *memory, size_t size, size_t new_size)
{
#ifdef __SANITIZE_THREAD__
    void *moved = mmap(NULL, new_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (moved == MAP_FAILED)
        return MAP_FAILED;
    memcpy(moved, memory, size < new_size ? size : new_size);
    munmap(memory, size);
    return moved;
#else
    return mremap(memory, size, new_size, MREMAP_MAYMOVE);
#endif
}

/* NULL if the system refuses. */
static void *runs_move_mapping(void *memory, size_t size, size_t new_size)
{
    unsigned seen = 0;
    SHADOW_SHOW(memory, size);
    void *moved = runs_remap(memory, size, new_size);
    while (moved == MAP_FAILED && reserve_break(&seen))
        moved = runs_remap(memory, size, new_size);
    if (moved == MAP_FAILED)
        return NULL;
    runs_count(&used_bytes, (ptrdiff_t)new_size - (ptrdiff_t)size);
    runs_count(&held_bytes, (ptrdiff_t)new_size - (ptrdiff_t)size);
    return moved;
}

/* ---- runs ---- */

/* Called with the lock held. Allocates the first pages of a free run; the rest stays free in the
 * same state. */
static void runs_cut(uint32_t id, uint32_t pages)
{
    uint32_t all = runs_page_of(id)->pages;
    enum state state = runs_page_of(id)->state;
    CHECK(all >= pages);
    runs_bin_remove(id);
    runs_describe(id, pages, STATE_USED);
    if (all > pages)
        runs_bin_put(id + pages, all - pages, state);
}

static void *runs_take_run(uint32_t pages)
{
    size_t size = pages * RUNS_PAGE;
    mutex_lock(&lock);
    uint32_t id = runs_find(STATE_WARM, pages);
    bool is_cold = id == 0;
    while (id == 0) {
        id = runs_find(STATE_COLD, pages);
        if (id == 0)
            runs_add_region();
    }
    runs_cut(id, pages);
    runs_count_used_pages(runs_region_of(id), (int32_t)pages);
    void *memory = runs_address_of(id);
    mutex_unlock(&lock);
    runs_count(&used_bytes, (ptrdiff_t)size);
    if (!is_cold)
        return memory;
    runs_count(&held_bytes, (ptrdiff_t)size);
#ifdef MADV_POPULATE_WRITE
    if (size >= MIN_POPULATED)
        madvise(memory, size, MADV_POPULATE_WRITE); /* a hint; of Linux 5.14 */
#endif
    return memory;
}

/* Called with the lock held: the warm run that was freed first. */
static uint32_t runs_oldest_warm(void)
{
    const struct bins *bins = &bins_of[STATE_WARM];
    uint32_t oldest = 0;
    for (unsigned bin = runs_next_filled(bins, 0); bin < BINS;
         bin = bin + 1 < BINS ? runs_next_filled(bins, bin + 1) : BINS) {
        uint32_t id = bins->last[bin];
        if (oldest == 0 || (int32_t)(runs_page_of(id)->age - runs_page_of(oldest)->age) < 0)
            oldest = id;
    }
    return oldest;
}

/* Called with the lock held. Bytes that warm runs may take, however long ago they were freed. */
static size_t runs_most_warm(void)
{
    return RUNS_WARM + runs_used() / RUNS_WARM_SHARE;
}

/* Called with the lock held, which is released meanwhile. Purges the oldest warm run, or a part of
 * it with at least `least` bytes; returns how many were purged. */
static size_t runs_purge_oldest(size_t least)
{
    uint32_t id = runs_oldest_warm();
    CHECK(id != 0); /* there are warm bytes */
    uint32_t all = runs_page_of(id)->pages, pages = all;
    if (least < all * RUNS_PAGE)
        pages = (uint32_t)(runs_round(least > MIN_PURGED ? least : MIN_PURGED) / RUNS_PAGE);
    if (pages > all)
        pages = all;
    struct region *region = runs_region_of(id);
    runs_bin_remove(id);
    runs_describe(id, pages, STATE_USED); /* so that no neighbour coalesces with it */
    if (pages < all)
        runs_bin_put(id + pages, all - pages, STATE_WARM);
    region->purged++;
    mutex_unlock(&lock);
    madvise((uint8_t *)region + (id & (REGION_PAGES - 1)) * RUNS_PAGE, pages * RUNS_PAGE,
            MADV_DONTNEED);
    mutex_lock(&lock);
    region->purged--;
    runs_count(&held_bytes, -(ptrdiff_t)(pages * RUNS_PAGE));
    runs_bin_merge(id, pages, STATE_COLD);
    runs_unmap_region(runs_remove_if_cold(region));
    return pages * RUNS_PAGE;
}

/* Called with the lock held. True if the region is empty, and has been since then. */
static bool runs_is_abandoned(const struct region *region, uint32_t since)
{
    if (region == NULL || region->free_pages != REGION_PAGES - OWN_PAGES || region->purged > 0)
        return false;
    for (uint32_t at = OWN_PAGES; at < REGION_PAGES; at += region->pages[at].pages)
        if ((int32_t)(region->pages[at].age - since) >= 0)
            return false;
    return true;
}

size_t runs_headers(void)
{
    size_t count = 0;
    mutex_lock(&lock);
    for (uint32_t i = 0; i < regions_end; i++)
        count += regions[i] != NULL;
    mutex_unlock(&lock);
    return count * OWN_PAGES * RUNS_PAGE;
}

void runs_trim(void)
{
    mutex_lock(&lock);
    uint32_t id, before = trimmed_age;
    recent_bytes = RUNS_RECENT;
    trimmed_age = clock_age;
    while (warm_bytes > runs_most_warm() && (id = runs_oldest_warm()) != 0 &&
           (int32_t)(runs_page_of(id)->age - before) < 0)
        runs_purge_oldest(SIZE_MAX);
    for (uint32_t i = 0; i < regions_end && empty_regions > 1; i++)
        if (runs_is_abandoned(regions[i], before))
            runs_unmap_region(runs_remove_if_empty(regions[i]));
    mutex_unlock(&lock);
}

size_t runs_purge(size_t bytes)
{
    size_t purged = 0;
    mutex_lock(&lock);
    while (purged < bytes && warm_bytes > runs_most_warm())
        purged += runs_purge_oldest(bytes - purged);
    mutex_unlock(&lock);
    return purged;
}

static void runs_give_run(void *memory, uint32_t pages)
{
    size_t most;
    SHADOW_HIDE(memory, pages * RUNS_PAGE);
    mutex_lock(&lock);
    uint32_t id = runs_id_of(memory);
    runs_count(&used_bytes, -(ptrdiff_t)(pages * RUNS_PAGE));
    struct region *region = runs_region_of(id);
    CHECK(region != NULL && runs_page_of(id)->state == STATE_USED &&
          runs_page_of(id)->pages == pages);
    runs_count_used_pages(region, -(int32_t)pages);
    runs_bin_merge(id, pages, STATE_WARM);
    runs_unmap_region(runs_remove_if_cold(region));
    while (warm_bytes > (most = runs_most_warm() + recent_bytes))
        runs_purge_oldest(warm_bytes - most);
    mutex_unlock(&lock);
}

/* Makes `size` bytes of the allocation accessible to the address sanitizer. */
static void *runs_show(uint8_t *memory, size_t size)
{
    SHADOW_SHOW(memory, size);
    SHADOW_HIDE(memory + size, runs_round(size) - size);
    return memory;
}

void *runs_take(size_t size)
{
    size_t rounded = runs_round(size);
    return runs_show(rounded > RUNS_LARGEST ? runs_use_mapping(runs_map(rounded), rounded)
                                            : runs_take_run((uint32_t)(rounded / RUNS_PAGE)),
                     size);
}

void *runs_try(size_t size)
{
    size_t rounded = runs_round(size);
    if (rounded <= RUNS_LARGEST)
        return runs_take(size);
    void *memory = runs_try_map(rounded);
    return memory != MAP_FAILED ? runs_show(runs_use_mapping(memory, rounded), size) : NULL;
}

void runs_give(void *memory, size_t size)
{
    DCHECK((uintptr_t)memory % RUNS_PAGE == 0 && size > 0);
    size_t rounded = runs_round(size);
    if (rounded > RUNS_LARGEST)
        runs_give_mapping(memory, rounded);
    else
        runs_give_run(memory, (uint32_t)(rounded / RUNS_PAGE));
}

static bool runs_has_own_mapping(size_t size)
{
    return runs_round(size) > RUNS_LARGEST;
}

void *runs_resize(void *memory, size_t size, size_t new_size)
{
    if (runs_has_own_mapping(size) && runs_has_own_mapping(new_size)) {
        uint8_t *moved = runs_move_mapping(memory, runs_round(size), runs_round(new_size));
        if (moved != NULL)
            return runs_show(moved, new_size);
    }
    void *other = runs_take(new_size);
    memcpy(other, memory, size < new_size ? size : new_size);
    runs_give(memory, size);
    return other;
}

void runs_discard(size_t size, void *at, size_t count)
{
    uintptr_t start = ((uintptr_t)at + RUNS_PAGE - 1) & ~(RUNS_PAGE - 1);
    uintptr_t end = ((uintptr_t)at + count) & ~(RUNS_PAGE - 1);
    if (runs_has_own_mapping(size) && start < end)
        madvise((uint8_t *)at + (start - (uintptr_t)at), end - start, MADV_DONTNEED);
}
