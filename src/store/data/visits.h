/*
 * Notes when entries are used, for the eviction policies that depend on it (evict.h): an entry is
 * marked (data/entry.h) and counted for its class (data/usage.h). Private to the store.
 */
#ifndef KEYSTORE_STORE_DATA_VISITS_H
#define KEYSTORE_STORE_DATA_VISITS_H

#include "store/data/entry.h"
#include "store/data/shard.h"

/* The first use of an entry since the hand last passed; see visits_note(). */
void visits_note_first(struct store *store, struct shard *shard, struct entry *entry,
                       uint64_t hash);

/* Notes a use of an entry of the locked shard whose key has that hash; call it before the use
 * changes the entry's version. */
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

/*
 * Makes what eviction keeps for each shard, as large as that limit allows, up front: eviction must
 * not allocate when memory is short. What there is is resized, without the ghosts. False if a shard
 * has nothing yet because its lock is held for long. May be called while operations are carried
 * out, by one thread at a time; what was made stays until the end.
 */
bool visits_prepare(struct store *store, size_t max_memory);

/* Bytes of what eviction keeps for the shard, which count as its data. */
size_t visits_memory(const struct shard *shard);

/* Frees that. */
void visits_deinit(struct shard *shard);

/* The hand passes the entry at that revision: returns the use to expect of it. */
double visits_pass(struct shard *shard, struct entry *entry, uint64_t revision);

#endif
