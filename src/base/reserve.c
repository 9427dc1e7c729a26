/* A mapping that nobody may touch. Refuses to know who needs what. */
#include "base/reserve.h"

#include <stdatomic.h>
#include <sys/mman.h>

static _Atomic(void *) reserve;
static atomic_bool is_broken;

bool reserve_take(void)
{
    void *none = NULL;
    if (atomic_load(&reserve) != NULL)
        return true;
    void *memory =
        mmap(NULL, RESERVE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    if (!atomic_compare_exchange_strong(&reserve, &none, memory))
        munmap(memory, RESERVE_BYTES); /* another thread was first */
    atomic_store(&is_broken, false);
    return true;
}

bool reserve_break(void)
{
    void *memory = atomic_exchange(&reserve, NULL);
    if (memory == NULL)
        return false;
    atomic_store(&is_broken, true);
    munmap(memory, RESERVE_BYTES);
    return true;
}

bool reserve_is_broken(void)
{
    return atomic_load_explicit(&is_broken, memory_order_relaxed);
}
