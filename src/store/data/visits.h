/*
 * Notes when entries are used, for the eviction policies that go by it (evict.h): an entry is
 * marked (data/entry.h), and counted for the class that it is of (data/usage.h). Private to the
 * store.
 */
#ifndef KEYSTORE_STORE_DATA_VISITS_H
#define KEYSTORE_STORE_DATA_VISITS_H

#include "store/data/entry.h"
#include "store/data/shard.h"

/* The first use of an entry since the hand was there; see visits_note(). */
void visits_note_first(struct store *store, struct shard *shard, struct entry *entry,
                       uint64_t hash);

/* Notes that an entry of the locked shard is used, whose key has that hash; to be called before
 * that changes its version. */
static inline void visits_note(struct store *store, struct shard *shard, struct entry *entry,
                               uint64_t hash)
{
    if (entry_mark(entry) != ENTRY_VISITED)
        visits_note_first(store, shard, entry, hash);
}

/* Gives the entry of a new key of the locked shard its mark. */
static inline void visits_note_new(struct shard *shard, uint64_t hash, struct entry *entry)
{
    if (shard->usage != NULL && usage_recall(shard->usage, hash))
        entry_set_mark(entry, ENTRY_RECALLED);
}

/* Makes what eviction keeps for the shard, at once: it must not take memory when that is short. */
void visits_init(struct store *store, struct shard *shard);

/* Bytes of what eviction keeps for the shard, which count as its data. */
size_t visits_memory(const struct shard *shard);

/* Frees that. */
void visits_deinit(struct shard *shard);

/* The hand has passed the entry at that revision: the use that is to be expected of it. */
double visits_pass(struct shard *shard, struct entry *entry, uint64_t revision);

#endif
