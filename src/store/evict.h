/*
 * Which keys go when memory is short. Private to the store.
 *
 * Each shard has a hand that goes round over all its entries, of all databases at the same pace,
 * and meets none twice in a round. An eviction moves the hand of some shard on until it has met a
 * few entries, or the hands of several shards where they have few, and evicts the one that the
 * policy likes least:
 *
 * - LRU policies: the one of which the least use is to be expected (usage.h). For that an entry
 *   has a mark of two bits: *new*; *recalled* if its key was evicted not long ago; *visited* if it
 *   was used since the hand was there, which the hand makes *proven*. Reads and writes count as
 * use, looking at what a key is does not.
 * - volatile-ttl: the one whose deadline is nearest.
 * - allkeys-random: the first one that comes, since the order of the keys is random.
 */
#ifndef KEYSTORE_STORE_EVICT_H
#define KEYSTORE_STORE_EVICT_H

#include "store/entry.h"
#include "store/shard.h"

/* What the operation on its way asks for. All zero: nothing. */
struct evict_terms {
    const uint64_t *keep; /* hashes (store_hash()) of the keys that it works on, ascending */
    size_t keep_count;
    bool quick; /* shards whose locks are held for long are passed over, */
    bool held;  /* set then: there was one */
};

/* True if the policy evicts only keys with a deadline. */
static inline bool evict_goes_by_deadline(enum store_policy policy)
{
    return policy == STORE_VOLATILE_LRU || policy == STORE_VOLATILE_TTL;
}

/* Evicts a key, or frees some garbage of FlushDb; false if there is nothing that may be evicted.
 * No shard may be locked. */
bool evict_one(struct store *store, struct evict_terms *terms);

/* The first use of an entry since the hand was there; see evict_note_use(). */
void evict_note_first_use(struct store *store, struct shard *shard, struct entry *entry,
                          uint64_t hash);

/* Notes that an entry of the locked shard is used, whose key has that hash; to be called before
 * that changes its version. */
static inline void evict_note_use(struct store *store, struct shard *shard, struct entry *entry,
                                  uint64_t hash)
{
    if (entry_mark(entry) != ENTRY_VISITED)
        evict_note_first_use(store, shard, entry, hash);
}

/* Gives the entry of a new key of the locked shard its mark. */
static inline void evict_note_new(struct shard *shard, uint64_t hash, struct entry *entry)
{
    if (shard->usage != NULL && usage_recall(shard->usage, hash))
        entry_set_mark(entry, ENTRY_RECALLED);
}

/* Makes what eviction keeps for the shard, at once: it must not take memory when that is short. */
void evict_init(struct store *store, struct shard *shard);

/* Bytes of what eviction keeps for the shard, which count as its data. */
size_t evict_memory(const struct shard *shard);

/* Frees that. */
void evict_deinit(struct shard *shard);

#endif
