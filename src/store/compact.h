/*
 * Compaction. When entries of one size are removed here and there and entries of another size are
 * added, memory becomes fragmented: pages stay allocated that are half empty. Compaction moves the
 * objects in such sparse pages to fuller ones until the sparse pages are empty and can be freed.
 * Each shard has a hand that moves through its entries; the sweep advances it all the time, and a
 * write that needs memory advances it when too much memory is allocated. Private to the store.
 *
 * Invariants:
 * 1. Entries, parts of lists and linked buckets move only under their shard's lock and only between
 *    operations, so a pointer to one is valid while the lock is held. That is why neither an undo
 *    log (undo.h), which ends before the locks are released, nor a snapshot (snapshot.h), which
 *    keeps no pointers, has to be notified.
 * 2. A move changes addresses and nothing else: no version, no count, no position in a dictionary
 *    and no amount of memory in use. Blobs, which others may hold, chunks that several lists share,
 *    and garbage of FlushDb are not moved.
 */
#ifndef KEYSTORE_STORE_COMPACT_H
#define KEYSTORE_STORE_COMPACT_H

#include <stddef.h>

struct shard;
struct store;

/* What one call has done. */
struct compact_result {
    size_t visited; /* entries looked at */
    size_t moved;   /* objects moved: entries, parts of lists, buckets */
};

/* Advances the hand by a few buckets in the shard, which is locked. Does nothing if the memory is
 * not fragmented. */
struct compact_result compact_shard(struct store *store, struct shard *shard);

#endif
