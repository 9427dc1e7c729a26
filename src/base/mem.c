/* The heap with one failure mode: see mem.h. Knows nothing of its callers. */
#include "base/mem.h"

#include "base/account.h"
#include "base/check.h"
#include "base/reserve.h"
#include "base/runs.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Free bytes kept for later allocations: KEPT_FREE and 1/KEPT_FREE_SHARE of the bytes in use. */
#define KEPT_FREE       ((size_t)1024 * 1024)
#define KEPT_FREE_SHARE 16

/* Of malloc's free bytes, those that the last trim returned to the system: mapped, but not
 * resident. */
static atomic_size_t returned;

static void *mem_checked(void *memory, size_t size)
{
    if (memory == NULL)
        check_out_of_memory(size);
    return memory;
}

static size_t mem_at_least_one(size_t size)
{
    return size > 0 ? size : 1;
}

void *mem_try_alloc(size_t size)
{
    unsigned seen = 0;
    void *memory = malloc(mem_at_least_one(size));
    while (memory == NULL && reserve_break(&seen))
        memory = malloc(mem_at_least_one(size));
    return memory;
}

void *mem_try_alloc_zero(size_t count, size_t size)
{
    unsigned seen = 0;
    void *memory = calloc(mem_at_least_one(count), mem_at_least_one(size));
    while (memory == NULL && reserve_break(&seen))
        memory = calloc(mem_at_least_one(count), mem_at_least_one(size));
    return memory;
}

void *mem_try_realloc(void *memory, size_t size)
{
    unsigned seen = 0;
    for (;;) { /* not as above, where GCC 12 takes a second try for a use after free */
        void *other = realloc(memory, mem_at_least_one(size));
        if (other != NULL || !reserve_break(&seen))
            return other;
    }
}

void *mem_alloc(size_t size)
{
    return mem_checked(mem_try_alloc(size), size);
}

void *mem_alloc_zero(size_t size)
{
    return mem_checked(mem_try_alloc_zero(1, size), size);
}

void *mem_realloc(void *memory, size_t size)
{
    return mem_checked(mem_try_realloc(memory, size), size);
}

static bool mem_is_large(size_t size)
{
    return size >= ACCOUNT_LEAST;
}

char *mem_copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(mem_alloc(size), text, size);
}

void *mem_take(enum account account, size_t size)
{
    if (!mem_is_large(size))
        return mem_alloc(size);
    account_count(account, (ptrdiff_t)runs_round(size));
    return runs_take(size);
}

void mem_give(enum account account, void *memory, size_t size)
{
    if (!mem_is_large(size)) {
        free(memory);
        return;
    }
    account_count(account, -(ptrdiff_t)runs_round(size));
    runs_give(memory, size);
}

void *mem_resize(enum account account, void *memory, size_t old_size, size_t new_size)
{
    if (!mem_is_large(old_size) && !mem_is_large(new_size))
        return mem_realloc(memory, new_size);
    if (mem_is_large(old_size) && mem_is_large(new_size)) {
        account_count(account, (ptrdiff_t)runs_round(new_size) - (ptrdiff_t)runs_round(old_size));
        return runs_resize(memory, old_size, new_size);
    }
    void *other = mem_take(account, new_size);
    size_t kept = old_size < new_size ? old_size : new_size;
    if (kept > 0)
        memcpy(other, memory, kept);
    mem_give(account, memory, old_size);
    return other;
}

/* Free bytes that are resident. */
static size_t mem_resident_free(const struct mallinfo2 *info)
{
    size_t gone = atomic_load_explicit(&returned, memory_order_relaxed);
    return info->fordblks > gone ? info->fordblks - gone : 0;
}

size_t mem_held(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd + mem_resident_free(&info);
}

void mem_trim(void)
{
    static size_t before; /* excess free bytes at the last call */
    struct mallinfo2 info = mallinfo2();
    size_t free_bytes = mem_resident_free(&info),
           kept = KEPT_FREE + info.uordblks / KEPT_FREE_SHARE;
    bool is_excessive = before > 0 && free_bytes > kept;
    before = free_bytes > kept ? free_bytes - kept : 0;
    if (is_excessive) {
        malloc_trim(0);
        info = mallinfo2();
        before = 0;
    } else if (info.fordblks >= atomic_load_explicit(&returned, memory_order_relaxed)) {
        return;
    }
    atomic_store_explicit(&returned, info.fordblks, memory_order_relaxed);
}
