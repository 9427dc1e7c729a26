/*
 * Which keys go when memory is short. Private to the store.
 *
 * Each shard has a hand that goes round over all its entries, of all databases at the same pace,
 * and meets none twice in a round. An eviction moves the hand of some shard on until it has met a
 * few entries, or the hands of several shards where they have few, and evicts the one that the
 * policy likes least:
 *
 * - LRU policies: the one of which the least use is to be expected (data/usage.h). For that an
 *   entry has a mark of two bits: *new*; *recalled* if its key was evicted not long ago; *visited*
 *   if it was used since the hand was there, which the hand makes *proven*. Reads and writes count
 *   as use, looking at what a key is does not.
 * - volatile-ttl: the one whose deadline is nearest.
 * - allkeys-random: the first one that comes, since the order of the keys is random.
 */
#ifndef KEYSTORE_STORE_EVICT_H
#define KEYSTORE_STORE_EVICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* What the operation on its way asks for. All zero: nothing. */
struct evict_terms {
    const uint64_t *keep; /* hashes (store_hash()) of the keys that it works on, ascending */
    size_t keep_count;
    bool quick; /* shards whose locks are held for long are passed over, */
    bool held;  /* set then: there was one */
};

/* Evicts a key, or frees some garbage of FlushDb; false if there is nothing that may be evicted.
 * No shard may be locked. */
bool evict_one(struct store *store, struct evict_terms *terms);

#endif
