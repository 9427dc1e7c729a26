/*
 * An allocator for objects of about 16 KiB and more, in runs of whole pages: long strings and
 * elements, long keys, large directories. It replaces malloc(), which keeps free memory between
 * objects without limit and without reporting how much. There is one for the process; thread-safe.
 *
 * Runs are cut from regions of 64 MiB of address space, so that the system's limit on mappings
 * (vm.max_map_count) does not matter; an object larger than RUNS_LARGEST has a mapping of its own.
 *
 * Invariants:
 * 1. A free run is either warm, that is resident and reusable without page faults, or cold, that is
 *    not resident. Two free neighbours are never both warm or both cold.
 * 2. After a run is freed, warm runs take at most RUNS_WARM bytes plus 1/RUNS_WARM_SHARE of the
 *    bytes in use, and RUNS_RECENT more in a process that calls runs_trim(); those freed first have
 *    been returned to the system.
 * 3. runs_held() is the size of runs in use, warm runs and the headers of regions.
 */
#ifndef KEYSTORE_BASE_RUNS_H
#define KEYSTORE_BASE_RUNS_H

#include <stddef.h>

/* In bytes. */
#define RUNS_PAGE       ((size_t)4096)
#define RUNS_LARGEST    ((size_t)20 * 1024 * 1024)
#define RUNS_WARM       ((size_t)4 * 1024 * 1024)
#define RUNS_WARM_SHARE 64
#define RUNS_RECENT     ((size_t)64 * 1024 * 1024)

/* The memory of an object of `size` bytes: whole pages. */
static inline size_t runs_round(size_t size)
{
    return (size + RUNS_PAGE - 1) & ~(RUNS_PAGE - 1);
}

/* Allocates `size` bytes, at least 1, aligned to a page; not initialised, never NULL. */
void *runs_take(size_t size) __attribute__((malloc, returns_nonnull));

/* The same, but NULL if the object has a mapping of its own and the system refuses it. The reserve
 * (base/reserve.h) is not broken for such an object, only for smaller ones. */
void *runs_try(size_t size) __attribute__((malloc));

/* Frees what runs_take() returned for that size, or for one with as many pages. */
void runs_give(void *memory, size_t size);

/* Resizes an object, which may move; the bytes that fit are kept. Nothing is copied if it has a
 * mapping of its own before and after. */
void *runs_resize(void *memory, size_t size, size_t new_size) __attribute__((returns_nonnull));

/* Discards `count` bytes at `at`, in the object of `size` bytes; their contents become undefined.
 * If the object has a mapping of its own, whole pages among them are returned to the system
 * immediately. They count as in use until the object is freed. */
void runs_discard(size_t size, void *at, size_t count);

/* Returns warm runs beyond RUNS_WARM and its share to the system, except those freed since the
 * previous call. To be called about once a second: memory that is replaced all the time stays
 * resident, and what is no longer used is returned within two seconds. */
void runs_trim(void);

/* Returns warm runs beyond RUNS_WARM and its share to the system, those freed first at first, until
 * that are at least `bytes`; returns how many there were. */
size_t runs_purge(size_t bytes);

/* Bytes of runs in use; takes no lock. */
size_t runs_used(void);

/* Resident bytes; takes no lock. */
size_t runs_held(void);

/* Bytes of runs_held() that describe the regions; grows with the address space in use. */
size_t runs_headers(void);

/* Bytes that are resident but not in use. */
static inline size_t runs_slack(void)
{
    size_t held = runs_held(), used = runs_used();
    return held > used ? held - used : 0;
}

#endif
