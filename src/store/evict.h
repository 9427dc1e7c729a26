/*
 * Which keys go when memory is short. Private to the store.
 *
 * A hand goes round over all shards, databases and buckets. The LRU policies are "second chance"
 * (Corbato 1968; SIEVE, Zhang et al., NSDI 2024, is its newest relative): a read marks the entry as
 * visited, the hand takes the mark away, and evicts what it finds without. So nothing is kept per
 * entry but the mark, and a key that is read once per round of the hand stays.
 */
#ifndef KEYSTORE_STORE_EVICT_H
#define KEYSTORE_STORE_EVICT_H

#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Keys that an operation works on: the hashes, ascending. */
struct evict_keep {
    const uint64_t *hashes;
    size_t count;
};

/* True if the policy evicts only keys with a deadline. */
static inline bool evict_goes_by_deadline(enum store_policy policy)
{
    return policy == STORE_VOLATILE_LRU || policy == STORE_VOLATILE_TTL;
}

/* Evicts a key that is none of `keep` (NULL = any), or frees some garbage of FlushDb; false if a
 * whole round met nothing that may be evicted. No shard may be locked. */
bool evict_one(struct store *store, const struct evict_keep *keep);

#endif
