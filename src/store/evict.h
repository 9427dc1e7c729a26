/*
 * Chooses which keys are evicted when memory is short. Private to the store.
 *
 * Each shard has a clock hand that goes round all its entries, in all databases at the same pace,
 * and meets none twice in a round. An eviction advances the hand of some shard until it has met a
 * few entries (or the hands of several shards if these have few entries) and evicts the entry that
 * the policy ranks lowest:
 *
 * - LRU policies: the one with the lowest expected use (data/usage.h). For that, each entry has a
 *   mark of two bits: *new*; *recalled* if its key was evicted not long ago; *visited* if it was
 *   used since the hand last passed, which the hand turns into *proven*. Reads and writes count as
 *   use; asking for a key's type or existence does not.
 * - volatile-ttl: the one with the nearest deadline.
 * - allkeys-random: the first one met, since keys are in random order.
 */
#ifndef KEYSTORE_STORE_EVICT_H
#define KEYSTORE_STORE_EVICT_H

#include "store/options.h"

struct store;

/* What the caller asks for. All zero but for the policy: nothing. */
struct evict_request {
    enum store_policy policy; /* not STORE_NOEVICTION; it may be a former one of the store */
    const uint64_t *keep;     /* hashes (store_hash()) of the keys that must stay, ascending */
    size_t keep_count;
    bool quick; /* skip shards whose locks are held for long... */
    bool held;  /* ...and set this if there was one */
};

/* Evicts a key or frees some garbage of FlushDb; false if nothing can be evicted. The caller holds
 * no shard's lock. */
bool evict_one(struct store *store, struct evict_request *request);

#endif
