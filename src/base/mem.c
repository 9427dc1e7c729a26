/* The heap with one failure mode: see mem.h. Refuses to know who asks. */
#include "base/mem.h"

#include "base/account.h"
#include "base/reserve.h"
#include "base/runs.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory, size_t size)
{
    if (memory == NULL) {
        fprintf(stderr, "keystore: out of memory while allocating %zu bytes\n", size);
        abort();
    }
    return memory;
}

void *mem_alloc(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);
    if (memory == NULL && reserve_break())
        memory = malloc(size > 0 ? size : 1);
    return checked(memory, size);
}

void *mem_alloc_zero(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);
    if (memory == NULL && reserve_break())
        memory = calloc(1, size > 0 ? size : 1);
    return checked(memory, size);
}

void *mem_realloc(void *memory, size_t size)
{
    void *other = realloc(memory, size > 0 ? size : 1);
    if (other == NULL && reserve_break())
        other = realloc(memory, size > 0 ? size : 1);
    return checked(other, size);
}

static bool is_large(size_t size)
{
    return size >= ACCOUNT_LEAST;
}

void *mem_take(size_t size)
{
    if (!is_large(size))
        return mem_alloc(size);
    account_count((ptrdiff_t)runs_round(size));
    return runs_take(size);
}

void mem_give(void *memory, size_t size)
{
    if (!is_large(size)) {
        free(memory);
        return;
    }
    account_count(-(ptrdiff_t)runs_round(size));
    runs_give(memory, size);
}

void *mem_resize(void *memory, size_t old_size, size_t new_size)
{
    if (!is_large(old_size) && !is_large(new_size))
        return mem_realloc(memory, new_size);
    void *other = mem_take(new_size);
    size_t kept = old_size < new_size ? old_size : new_size;
    if (kept > 0)
        memcpy(other, memory, kept);
    mem_give(memory, old_size);
    return other;
}
