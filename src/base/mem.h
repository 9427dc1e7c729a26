/*
 * Heap memory that never fails. What clients can request is limited before it gets here, so a
 * failed allocation means that the machine is out of memory: the process aborts with a message, and
 * callers need no error path.
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

/* As malloc(), calloc() and realloc(), but NULL only if the reserve is exhausted, too
 * (base/reserve.h): for libraries that can report a failure. Free with free(). */
void *mem_try_alloc(size_t size) __attribute__((malloc));
void *mem_try_alloc_zero(size_t count, size_t size) __attribute__((malloc));
void *mem_try_realloc(void *memory, size_t size);

/*
 * For memory that may be large and whose size is known when it is freed; never NULL. Blocks of
 * ACCOUNT_LEAST bytes and more are runs of pages (base/runs.h), which are returned to the system
 * when freed, and are counted in the account.
 */
void *mem_take(enum account account, size_t size) __attribute__((malloc, returns_nonnull));
void mem_give(enum account account, void *memory, size_t size);
/* `memory` may be NULL with an old size of 0. */
void *mem_resize(enum account account, void *memory, size_t old_size, size_t new_size)
    __attribute__((returns_nonnull));

/* Resident bytes of malloc()'s heap: those in use, and free ones not known to have been returned to
 * the system. Takes malloc's locks: for reports only. */
size_t mem_held(void);

/*
 * Returns free memory between malloc()'s objects to the system, if there was much of it at two
 * calls in a row; malloc() itself does so only at the end of its areas. To be called by one thread
 * that has nothing else to do, about once a second.
 */
void mem_trim(void);

#endif
