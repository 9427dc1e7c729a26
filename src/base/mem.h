/*
 * Heap memory that is there or the process is not. What a client may ask for is bounded before it
 * comes here, so a failing allocation means that the machine is out of memory: abort with a message
 * instead of an error path in every caller.
 */
#ifndef KEYSTORE_BASE_MEM_H
#define KEYSTORE_BASE_MEM_H

#include "base/account.h"

#include <stddef.h>

/* `size` bytes, not initialised; never NULL. Free with free(). */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));

/* `size` zeroed bytes; never NULL. Free with free(). */
void *mem_alloc_zero(size_t size) __attribute__((malloc, returns_nonnull));

/* As realloc(), never NULL. */
void *mem_realloc(void *memory, size_t size) __attribute__((returns_nonnull));

/* As strdup(), never NULL. */
char *mem_copy_text(const char *text) __attribute__((malloc, returns_nonnull));

/* As malloc(), calloc() and realloc(), but NULL only if the reserve is used up, too
 * (base/reserve.h): for libraries that can tell of a failure. Free with free(). */
void *mem_try_alloc(size_t size) __attribute__((malloc));
void *mem_try_alloc_zero(size_t count, size_t size) __attribute__((malloc));
void *mem_try_realloc(void *memory, size_t size);

/*
 * What ends the process if there is no memory, for what may be large, where the one who frees knows
 * the size: blocks of ACCOUNT_LEAST bytes and more lie in runs of pages (base/runs.h), which go
 * back to the system when they are freed, and are counted in that account.
 */
void *mem_take(enum account account, size_t size) __attribute__((malloc, returns_nonnull));
void mem_give(enum account account, void *memory, size_t size);
/* NULL with an old size of 0 is nothing yet. */
void *mem_resize(enum account account, void *memory, size_t old_size, size_t new_size)
    __attribute__((returns_nonnull));

/* Bytes that malloc() holds for the process: those in use, and free ones that have not gone back to
 * the system, as far as that is known. Takes malloc's locks: for reports. */
size_t mem_held(void);

/*
 * Gives back to the system what malloc() has kept free between objects in use, if that is much and
 * has been for the time between two calls. For one thread that has nothing else to do, about once a
 * second: malloc() itself does so only at the end of its areas.
 */
void mem_trim(void);

#endif
