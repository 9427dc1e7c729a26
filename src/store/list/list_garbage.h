/*
 * What long lists leave when they are freed. To free ten thousand chunks takes milliseconds, for
 * which whoever deletes a list would hold its shard's lock; so the spine is put aside, which takes
 * as long for any, and is cleared some chunks at a time, outside of all locks: by the sweep, and
 * near the memory limit by whoever needs memory. For the whole process, as the heap is. Private to
 * the store.
 *
 * It is not in use any more: no shard is charged for it, and it counts as memory that is held
 * beyond that (store_stats(), limit.h).
 */
#ifndef KEYSTORE_STORE_LIST_LIST_GARBAGE_H
#define KEYSTORE_STORE_LIST_LIST_GARBAGE_H

#include <stddef.h>

struct spine;

/* Spines of more chunks are put aside: so many take some microseconds. */
#define LIST_GARBAGE_CHUNKS 16

/* Takes the spine over, which with its chunks and their blobs has so many bytes; those that others
 * share count in full. */
void list_garbage_add(const struct spine *spine, size_t bytes);

/* Gives chunks and nodes up, `steps` of them at most; how many: if less, nothing is left that no
 * other thread is at. Any thread may call. */
size_t list_garbage_collect(size_t steps);

/* Bytes that are left. */
size_t list_garbage_bytes(void);

#endif
