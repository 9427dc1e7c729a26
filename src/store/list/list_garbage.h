/*
 * Garbage of long lists. Freeing ten thousand chunks takes milliseconds, for which the caller that
 * deletes a list would hold its shard's lock. So the spine is put aside, which takes the same time
 * for any length, and is cleared a few chunks at a time, outside all locks: by the sweep, and near
 * the memory limit by whichever caller needs memory. One for the process, like the heap. Private to
 * the store.
 *
 * Garbage is not in use any more: no shard is charged for it, and it counts as memory that is
 * allocated but not in use (store_stats(), limit.h).
 */
#ifndef KEYSTORE_STORE_LIST_LIST_GARBAGE_H
#define KEYSTORE_STORE_LIST_LIST_GARBAGE_H

#include <stddef.h>

struct spine;

/* Only spines of more chunks are put aside: freeing this many takes some microseconds. */
#define LIST_GARBAGE_CHUNKS 16

/* Takes over the spine, which takes that many bytes with its chunks and their blobs; shared ones
 * count in full. */
void list_garbage_add(const struct spine *spine, size_t bytes);

/* Drops chunks and nodes, in at most `steps` steps; returns how many it took. If fewer, nothing is
 * left except what other threads are clearing. Any thread may call. */
size_t list_garbage_collect(size_t steps);

/* Bytes not yet freed. */
size_t list_garbage_bytes(void);

#endif
