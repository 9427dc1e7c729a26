/* Inaccessible mappings that keep address space. Knows nothing of who needs memory. */
#include "base/reserve.h"

#include "base/mutex.h"

#include <stdatomic.h>
#include <sys/mman.h>

static struct mutex lock;
static void *reserve;
static struct reserve_lease *leases;
static unsigned breaks = 1; /* number of breaks so far, plus one */
static atomic_bool is_broken;

static void *reserve_keep(size_t size)
{
    void *memory = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

bool reserve_take(void)
{
    mutex_lock(&lock);
    if (reserve == NULL)
        reserve = reserve_keep(RESERVE_BYTES);
    bool is_there = reserve != NULL;
    if (is_there)
        atomic_store(&is_broken, false);
    mutex_unlock(&lock);
    return is_there;
}

static void reserve_unlink_lease(struct reserve_lease *lease)
{
    *lease->link = lease->next;
    if (lease->next != NULL)
        lease->next->link = lease->link;
    lease->memory = NULL;
    lease->mapped = 0;
}

/* Called with the lock held. */
static bool reserve_break_one(void)
{
    if (leases != NULL) {
        munmap(leases->memory, leases->mapped);
        reserve_unlink_lease(leases);
        return true;
    }
    if (reserve == NULL)
        return false;
    munmap(reserve, RESERVE_BYTES);
    reserve = NULL;
    atomic_store(&is_broken, true);
    return true;
}

bool reserve_break(unsigned *seen)
{
    mutex_lock(&lock);
    bool is_worth_retrying = *seen != breaks;
    if (!is_worth_retrying && reserve_break_one()) {
        breaks++;
        is_worth_retrying = true;
    }
    *seen = breaks;
    mutex_unlock(&lock);
    return is_worth_retrying;
}

bool reserve_is_broken(void)
{
    return atomic_load_explicit(&is_broken, memory_order_relaxed);
}

bool reserve_is_missing(void)
{
    return reserve_is_broken() && !reserve_take();
}

static void reserve_link_lease(struct reserve_lease *lease)
{
    lease->next = leases;
    lease->link = &leases;
    if (leases != NULL)
        leases->link = &lease->next;
    leases = lease;
}

/* NULL if the system refuses `size` more bytes. */
static void *reserve_extend(const struct reserve_lease *lease, size_t size)
{
    if (lease->memory == NULL)
        return reserve_keep(size);
    void *memory = mremap(lease->memory, lease->mapped, lease->mapped + size, MREMAP_MAYMOVE);
    return memory == MAP_FAILED ? NULL : memory;
}

bool reserve_lease(struct reserve_lease *lease, size_t size)
{
    mutex_lock(&lock);
    void *memory = reserve_extend(lease, size);
    if (memory != NULL) {
        if (lease->memory == NULL)
            reserve_link_lease(lease);
        lease->memory = memory;
        lease->mapped += size;
        lease->size += size;
    }
    mutex_unlock(&lock);
    return memory != NULL;
}

void reserve_release(struct reserve_lease *lease)
{
    mutex_lock(&lock);
    if (lease->memory != NULL) {
        munmap(lease->memory, lease->mapped);
        reserve_unlink_lease(lease);
    }
    lease->size = 0;
    mutex_unlock(&lock);
}
