/*
 * The hand that moves objects out of sparse pages. Does not know which pages are sparse.
 *
 * Normal path: if the shard's memory is fragmented, the hand visits a few buckets of one dictionary
 * in scan order. In each it first moves the linked buckets, then every entry with the parts of its
 * list. Whether an object moves is decided where its memory comes from (slab.h, heap.h): one in a
 * dense page stays. The dictionary gets the new address. At the end of a dictionary the hand moves
 * to the next database that has entries.
 *
 * Failure modes: a move cannot fail for lack of memory, because it takes a free cell of a page that
 * is in use already, never memory of the system. An object that finds no better page stays where it
 * is, as do entries beyond MAX_NOTED of a bucket; a later round tries again. If compaction frees
 * too little, eviction makes up for it.
 */
#include "store/compact.h"

#include "base/check.h"
#include "store/data/entry.h"
#include "store/data/shard.h"

/* Buckets, of about seven entries each, that the hand visits per call; fewer once MAX_MOVED objects
 * were moved. */
#define STEP_BUCKETS 4
#define MAX_MOVED    32
/* Entries noted per bucket; any beyond that stay where they are until the bucket is split. */
#define MAX_NOTED 64

/* The entries of a bucket. */
struct noted {
    size_t count;
    struct entry *entries[MAX_NOTED];
};

static void compact_note(void *context, struct entry *entry)
{
    struct noted *noted = context;
    __builtin_prefetch(entry);
    if (noted->count < MAX_NOTED)
        noted->entries[noted->count++] = entry;
}

static void compact_move_entry(struct store *store, struct shard *shard, struct dict *dict,
                               struct entry *entry, struct compact_result *compacted)
{
    struct entry *moved = entry_move(&shard->slab, entry, &compacted->moved);
    if (moved != entry)
        dict_replace(dict, store_hash(store, entry_key(moved)), entry, moved);
    DCHECK(dict_find(dict, store_hash(store, entry_key(moved)), entry_key(moved)) == moved);
    compacted->visited++;
}

/* Compacts the hand's bucket and advances the hand to the next one. */
static void compact_bucket(struct store *store, struct shard *shard,
                           struct compact_result *compacted)
{
    struct dict *dict = &shard->databases[shard->compact_db].dict;
    struct noted noted;
    noted.count = 0;
    compacted->moved += dict_move_links(dict, shard->compact_cursor);
    shard->compact_cursor = dict_scan(dict, shard->compact_cursor, compact_note, &noted);
    for (size_t i = 0; i < noted.count; i++)
        compact_move_entry(store, shard, dict, noted.entries[i], compacted);
}

/* Moves the hand to the next database that has entries; false if there is none. */
static bool compact_next_database(const struct store *store, struct shard *shard)
{
    for (uint32_t i = 0; i < store->databases; i++) {
        shard->compact_db = (shard->compact_db + 1) % store->databases;
        if (shard->databases[shard->compact_db].dict.count > 0)
            return true;
    }
    return false;
}

struct compact_result compact_shard(struct store *store, struct shard *shard)
{
    DCHECK(shard->compact_db < store->databases);
    struct compact_result compacted = {0};
    if (!slab_is_fragmented(&shard->slab))
        return compacted;
    for (size_t i = 0; i < STEP_BUCKETS && compacted.moved < MAX_MOVED; i++) {
        if (shard->compact_cursor == 0 && !compact_next_database(store, shard))
            break;
        compact_bucket(store, shard, &compacted);
    }
    return compacted;
}
