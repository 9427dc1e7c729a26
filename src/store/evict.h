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

#include <stdbool.h>

struct store;

/* Evicts a key, or frees some garbage of FlushDb; false if a whole round met nothing that may be
 * evicted. No shard may be locked. */
bool evict_one(struct store *store);

#endif
