/*
 * Moving entries together. Where entries of one size were removed here and there, and others of
 * another size came, pages of memory are held that are half empty; so what lies in such pages is
 * moved to fuller ones, until they can be given back. A hand goes through each shard for that,
 * which the sweep moves on by and by, and whoever needs memory, when too much is held. Private to
 * the store.
 *
 * Invariants:
 * 1. Entries, parts of lists and linked buckets move under their shard's lock, and only between
 *    operations: so a pointer to one is good as long as the lock is held. That is why an undo
 *    (undo.h), which ends before the locks are released, and a snapshot (snapshot.h), which keeps
 *    no pointers, need not be told.
 * 2. A move changes nothing but addresses: no version, no count, no place in a dictionary, nor what
 *    memory is in use. Blobs, which others may hold, chunks of lists while others do hold them, and
 *    garbage of FlushDb are not moved.
 */
#ifndef KEYSTORE_STORE_COMPACT_H
#define KEYSTORE_STORE_COMPACT_H

#include <stddef.h>

struct shard;
struct store;

/* What the hand has done. */
struct compacted {
    size_t visited; /* entries looked at */
    size_t moved;   /* objects that were moved: entries, parts of lists, buckets */
};

/* The hand goes on in the shard, which is locked, for a few buckets; it stays where it is if the
 * memory is not loose. */
struct compacted compact_shard(struct store *store, struct shard *shard);

#endif
