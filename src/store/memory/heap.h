/*
 * Memory for what does not lie in a shard's pages (store/memory/slab.h): the parts of lists, which
 * wander from shard to shard, and entries of 1 to 16 KiB, for which each shard's own pages would be
 * filled badly. In place of malloc(), for two reasons: there is no header, as whoever frees says
 * how large the object is; and what is left where others were freed can be moved together, so that
 * the memory held stays near the memory in use. There is one for the process; any thread may call.
 *
 *     up to HEAP_SMALL      pages of 4 KiB, cut as store/memory/cells.h says
 *     up to HEAP_LARGEST    spans of 64 KiB, cut likewise
 *     nearly 4 KiB          a page of its own
 *     more                  runs of pages (base/runs.h)
 *
 * The pages are shared by several stripes with a lock each, and a thread takes from always the same
 * one; so threads seldom wait for each other, unless one frees what another has taken. Spans, which
 * hold so much more, have one lock.
 *
 * Invariants:
 * 1. Two sizes with the same heap_round() are one: an object may be freed as either.
 * 2. An object moves only in heap_move(); who calls that is the only one who knows the object, and
 *    holds the lock of the shard whose data it is.
 */
#ifndef KEYSTORE_STORE_MEMORY_HEAP_H
#define KEYSTORE_STORE_MEMORY_HEAP_H

#include <stdbool.h>
#include <stddef.h>

#define HEAP_SMALL   ((size_t)504)   /* eight to a page */
#define HEAP_LARGEST ((size_t)16376) /* four to a span */

/* What an object of `size` bytes takes; at least 1. */
size_t heap_round(size_t size);

/* `size` bytes, not initialised, at a multiple of 8; never NULL. */
void *heap_take(size_t size) __attribute__((returns_nonnull));

/* Frees what heap_take() gave for that size. */
void heap_give(void *object, size_t size);

/* As realloc(). */
void *heap_resize(void *object, size_t old_size, size_t new_size) __attribute__((returns_nonnull));

/* Moves the object to where it helps to empty pages and spans; NULL if it has stayed. */
void *heap_move(void *object, size_t size);

/* True if so much is held beyond what is in use that objects should be moved. */
bool heap_is_fragmented(void);

/* Bytes in use, as rounded, but for those in runs. */
size_t heap_used(void);

/* Bytes that are held but not in use, with those of the runs. */
size_t heap_slack(void);

#endif
