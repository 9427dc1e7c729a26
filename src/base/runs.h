/*
 * Memory for objects of some 16 KiB and more, in runs of whole pages: long strings and elements,
 * long keys, large directories. In place of malloc(), which keeps what is freed between objects in
 * use, without bound and without telling how much. There is one for the process; any thread may
 * call.
 *
 * Runs are cut from regions of 64 MiB of addresses, so that the number of mappings that the system
 * grants a process (vm.max_map_count) does not matter; an object of more than RUNS_LARGEST has a
 * mapping of its own.
 *
 * Invariants:
 * 1. A free run is warm, so that it occupies memory and is used again without page faults, or cold:
 *    then it occupies none. Two neighbours that are free are not both warm or both cold.
 * 2. After a run was given back, the warm ones are at most RUNS_WARM and one byte for
 *    RUNS_WARM_SHARE in use; those that were freed first have gone back to the system.
 * 3. runs_held() is what runs in use, warm runs and the descriptions of regions take.
 */
#ifndef KEYSTORE_BASE_RUNS_H
#define KEYSTORE_BASE_RUNS_H

#include <stddef.h>

#define RUNS_PAGE       ((size_t)4096)
#define RUNS_LARGEST    ((size_t)16 * 1024 * 1024)
#define RUNS_WARM       ((size_t)4 * 1024 * 1024)
#define RUNS_WARM_SHARE 64

/* What an object of `size` bytes takes: whole pages. */
static inline size_t runs_round(size_t size)
{
    return (size + RUNS_PAGE - 1) & ~(RUNS_PAGE - 1);
}

/* `size` bytes, at least 1, at the begin of a page; not initialised, never NULL. */
void *runs_take(size_t size) __attribute__((malloc, returns_nonnull));

/* The same for what can be refused, a large object: NULL if the system does not give it. Then
 * nothing was broken up for it (base/reserve.h), unless it is small. */
void *runs_try(size_t size) __attribute__((malloc));

/* Frees what runs_take() gave for that size, or one that takes as many pages. */
void runs_give(void *memory, size_t size);

/* The object with `new_size` bytes instead, as many of its bytes as fit kept, perhaps elsewhere; of
 * one that has a mapping of its own, before and afterwards, nothing is copied. */
void *runs_resize(void *memory, size_t size, size_t new_size) __attribute__((returns_nonnull));

/* `count` bytes from `at` on, of the object of `size` bytes, are not needed any more and read as
 * anything: of an object that has a mapping of its own, whole pages among them go back to the
 * system at once. They count as in use until the object is freed. */
void runs_discard(size_t size, void *at, size_t count);

/* Bytes of the runs in use; needs no lock. */
size_t runs_used(void);

/* Bytes of memory that all of it occupies; needs no lock. */
size_t runs_held(void);

/* Bytes that are held but not in use. */
static inline size_t runs_slack(void)
{
    size_t held = runs_held(), used = runs_used();
    return held > used ? held - used : 0;
}

#endif
