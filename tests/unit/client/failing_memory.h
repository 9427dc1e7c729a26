/*
 * An allocation that fails on purpose. The library's calls of malloc() and its kin come here (the
 * test is linked with --wrap); those of other threads, such as a fake server's, never fail.
 */
#ifndef KEYSTORE_TESTS_CLIENT_FAILING_MEMORY_H
#define KEYSTORE_TESTS_CLIENT_FAILING_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static _Thread_local long memory_left = -1; /* allocations that succeed; -1 = all */
static _Thread_local bool memory_lasting;   /* all that follow the first failing one fail, too */
static _Thread_local long memory_failures;  /* since memory_fail_after() */
static _Thread_local size_t memory_largest = SIZE_MAX; /* bytes; an allocation of more fails */

/* The next `count` allocations of this thread succeed, then one fails, or all if `lasting`. */
static inline void memory_fail_after(long count, bool lasting)
{
    memory_left = count;
    memory_lasting = lasting;
    memory_failures = 0;
}

/* There is memory again; returns how many allocations have failed. */
static inline long memory_recover(void)
{
    memory_left = -1;
    return memory_failures;
}

static inline bool memory_fails(size_t size)
{
    if (size > memory_largest)
        return true;
    if (memory_left < 0)
        return false;
    if (memory_left > 0) {
        memory_left--;
        return false;
    }
    memory_failures++;
    if (!memory_lasting)
        memory_left = -1;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return memory_fails(size) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return memory_fails(count * size) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return memory_fails(size) ? NULL : __real_realloc(memory, size);
}

#endif
