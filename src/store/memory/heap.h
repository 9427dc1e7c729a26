/*
 * Memory for what does not lie in a shard's pages (store/memory/slab.h): parts of lists, which move
 * between shards, and entries of 1 to 16 KiB, which would leave much of a shard's own pages unused.
 * It replaces malloc() for two reasons: there is no header, because the caller that frees an object
 * passes its size; and fragmented memory can be compacted, so that the memory allocated stays close
 * to the memory in use. There is one heap per process; any thread may call.
 *
 *     up to HEAP_SMALL      pages of 4 KiB, cut into cells (store/memory/cells.h)
 *     up to HEAP_LARGEST    spans of 64 KiB, cut likewise
 *     nearly 4 KiB          a page of its own
 *     more                  runs of pages (base/runs.h)
 *
 * The pages are divided among several stripes with a lock each, and a thread always allocates from
 * the same stripe, so threads seldom contend unless one frees what another allocated. Spans, which
 * hold much more, share one lock.
 *
 * Invariants:
 * 1. Two sizes with the same heap_round() are interchangeable: an object may be freed as either.
 * 2. An object moves only in heap_move(), whose caller is the only one that refers to the object
 *    and holds the lock of the shard whose data it is.
 */
#ifndef KEYSTORE_STORE_MEMORY_HEAP_H
#define KEYSTORE_STORE_MEMORY_HEAP_H

#include <stdbool.h>
#include <stddef.h>

#define HEAP_SMALL   ((size_t)504)   /* eight to a page */
#define HEAP_LARGEST ((size_t)16376) /* four to a span */

/* The rounded size of an object of `size` bytes, at least 1. */
size_t heap_round(size_t size);

/* `size` bytes, not initialised, aligned to 8; never NULL. */
void *heap_alloc(size_t size) __attribute__((returns_nonnull));

/* Frees what heap_alloc() returned for that size. */
void heap_free(void *object, size_t size);

/* Like realloc(). */
void *heap_realloc(void *object, size_t old_size, size_t new_size) __attribute__((returns_nonnull));

/* Moves the object if that helps to empty a page or span; NULL if it stayed. */
void *heap_move(void *object, size_t size);

/* True if the memory is fragmented enough for compaction. */
bool heap_is_fragmented(void);

/* Bytes in use, as rounded, without those in runs. */
size_t heap_used(void);

/* Bytes allocated but not in use, including those of runs. */
size_t heap_slack(void);

#endif
