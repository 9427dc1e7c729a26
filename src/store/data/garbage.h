/*
 * FlushDb empties a database while all shards are locked, so it only puts the shards' parts of it
 * aside, which takes the same time for ten million keys as for ten. They are garbage, which is
 * freed later, a few entries at a time under their shard's lock, and counts as memory in use until
 * then. Private to the store.
 */
#ifndef KEYSTORE_STORE_DATA_GARBAGE_H
#define KEYSTORE_STORE_DATA_GARBAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entry;
struct shard;
struct store;

/* Puts the shard's part of a database aside, which is empty afterwards; the shard is locked.
 * Returns how many keys it had. */
size_t garbage_take(struct store *store, struct shard *shard, uint32_t db);

/* Frees `max_entries` of the shard's garbage or, to complete a bucket, a few more; the shard is
 * locked. Returns how many: if fewer, nothing is left or a snapshot still needs it. */
size_t garbage_collect(struct shard *shard, size_t max_entries);

/* Garbage that a snapshot has not saved yet is not freed. Continues its scan like dict_scan(),
 * under the shard's lock; `cursor` is the position before the call. False if no such garbage is
 * left. */
bool garbage_scan_unsaved(struct shard *shard,
                          void (*on_entry)(void *context, uint32_t db, uint64_t cursor,
                                           struct entry *entry),
                          void *context);

/* No snapshot needs the shard's garbage any more. */
void garbage_forget_unsaved(struct shard *shard);

#endif
