/* Maps and unmaps regions. Does not know what lies in one. */
#include "store/memory/regions.h"

#include "base/check.h"
#include "base/reserve.h"

#include <stdint.h>
#include <sys/mman.h>

/* Maps twice as much as needed and cuts out the aligned region; NULL if there is no memory. */
static void *regions_try_map(void)
{
    uint8_t *memory = mmap(NULL, 2 * REGIONS_SIZE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)memory & (REGIONS_SIZE - 1);
    if (before > 0)
        munmap(memory, before);
    munmap(memory + before + REGIONS_SIZE, REGIONS_SIZE - before);
    DCHECK(((uintptr_t)memory + before) % REGIONS_SIZE == 0);
    return memory + before;
}

/* Both calls of madvise() are hints. Where huge pages are the default, they must be refused here,
 * or the caller would wait for one to be cleared. */
static void *regions_map_ordinary(void)
{
    unsigned seen = 0;
    void *region = regions_try_map();
    while (region == NULL && reserve_break(&seen))
        region = regions_try_map();
    if (region == NULL)
        check_out_of_memory(REGIONS_SIZE);
    madvise(region, REGIONS_SIZE, MADV_NOHUGEPAGE);
    return region;
}

/* NULL if there is no memory: a ready region only saves time. */
static void *regions_map_ready(void)
{
    void *region = regions_try_map();
    if (region == NULL)
        return NULL;
    madvise(region, REGIONS_SIZE, MADV_HUGEPAGE);
#ifdef MADV_POPULATE_WRITE
    madvise(region, REGIONS_SIZE, MADV_POPULATE_WRITE);
#endif
    *(volatile uint8_t *)region = 0; /* enough for a huge page; the above needs Linux 5.14 */
    madvise(region, REGIONS_SIZE, MADV_NOHUGEPAGE);
    return region;
}

/* ---- under the lock ---- */

static size_t regions_ready_limit(const struct regions *regions)
{
    if (regions->held == NULL || regions->ending)
        return 0;
    size_t held = atomic_load_explicit(regions->held, memory_order_relaxed);
    size_t most = held / REGIONS_SHARE / REGIONS_SIZE;
    return most < REGIONS_MAX_READY ? most : REGIONS_MAX_READY;
}

static void *regions_pop_ready(struct regions *regions)
{
    DCHECK(regions->ready_count <= REGIONS_MAX_READY);
    size_t count = atomic_load(&regions->ready_count);
    if (count == 0)
        return NULL;
    atomic_store(&regions->ready_count, count - 1);
    return regions->ready[count - 1];
}

static void regions_push_ready(struct regions *regions, void *region)
{
    size_t count = atomic_load(&regions->ready_count);
    CHECK(count < REGIONS_MAX_READY);
    regions->ready[count] = region;
    atomic_store(&regions->ready_count, count + 1);
}

static void regions_trim_locked(struct regions *regions)
{
    while (atomic_load(&regions->ready_count) > regions_ready_limit(regions))
        munmap(regions_pop_ready(regions), REGIONS_SIZE);
}

/* ---- the thread ---- */

static void *regions_make_ready(void *user)
{
    struct regions *regions = user;
    bool failed = false; /* the last attempt */
    pthread_mutex_lock(&regions->lock);
    while (!regions->ending) {
        if (failed || atomic_load(&regions->ready_count) >= regions_ready_limit(regions)) {
            failed = false;
            pthread_cond_wait(&regions->wanted, &regions->lock);
            continue;
        }
        pthread_mutex_unlock(&regions->lock);
        void *region = regions_map_ready();
        pthread_mutex_lock(&regions->lock);
        failed = region == NULL;
        if (failed)
            continue;
        regions_push_ready(regions, region);
        regions_trim_locked(regions);
    }
    pthread_mutex_unlock(&regions->lock);
    return NULL;
}

/* Without a thread no region is ever ready, which is slower but not wrong. */
static void regions_wake_thread(struct regions *regions)
{
    if (regions->started)
        pthread_cond_signal(&regions->wanted);
    else if (pthread_create(&regions->thread, NULL, regions_make_ready, regions) == 0)
        regions->started = true;
}

/* ---- for any thread ---- */

void *regions_alloc(struct regions *regions)
{
    pthread_mutex_lock(&regions->lock);
    void *region = regions_pop_ready(regions);
    if (atomic_load(&regions->ready_count) < regions_ready_limit(regions))
        regions_wake_thread(regions);
    pthread_mutex_unlock(&regions->lock);
    return region != NULL ? region : regions_map_ordinary();
}

void regions_free(void *region)
{
    CHECK((uintptr_t)region % REGIONS_SIZE == 0);
    munmap(region, REGIONS_SIZE);
}

void regions_trim_ready(struct regions *regions)
{
    pthread_mutex_lock(&regions->lock);
    regions_trim_locked(regions);
    pthread_mutex_unlock(&regions->lock);
}

void regions_deinit(struct regions *regions)
{
    pthread_mutex_lock(&regions->lock);
    regions->ending = true;
    pthread_cond_signal(&regions->wanted);
    pthread_mutex_unlock(&regions->lock);
    if (regions->started)
        pthread_join(regions->thread, NULL);
    regions_trim_locked(regions);
    pthread_mutex_destroy(&regions->lock);
    pthread_cond_destroy(&regions->wanted);
    CHECK(regions->ready_count == 0);
}
