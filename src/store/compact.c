/* The hand that moves what lies in sparse pages. Refuses to know which pages are sparse. */
#include "store/compact.h"

#include "base/check.h"
#include "store/data/entry.h"
#include "store/data/shard.h"

/* Buckets, of some seven entries each, that the hand passes while the shard is locked, unless so
 * many objects were moved. */
#define HAND_BUCKETS 4
#define MOST_MOVED   32
/* Entries that are noted in one bucket; if there are more, they stay where they are until the
 * bucket is split. */
#define MAX_MET 64

/* The entries of a bucket. */
struct met {
    size_t count;
    struct entry *entries[MAX_MET];
};

static void compact_meet(void *context, struct entry *entry)
{
    struct met *met = context;
    __builtin_prefetch(entry);
    if (met->count < MAX_MET)
        met->entries[met->count++] = entry;
}

static void compact_move_entry(struct store *store, struct shard *shard, struct dict *dict,
                               struct entry *entry, struct compacted *compacted)
{
    struct entry *now = entry_move(&shard->slab, entry, &compacted->moved);
    if (now != entry)
        dict_replace(dict, store_hash(store, entry_key(now)), entry, now);
    DCHECK(dict_find(dict, store_hash(store, entry_key(now)), entry_key(now)) == now);
    compacted->visited++;
}

/* One bucket where the hand is; it goes on to the next one. */
static void compact_bucket(struct store *store, struct shard *shard, struct compacted *compacted)
{
    struct dict *dict = &shard->databases[shard->compact_db].dict;
    struct met met;
    met.count = 0;
    compacted->moved += dict_move_links(dict, shard->compact_to);
    shard->compact_to = dict_scan(dict, shard->compact_to, compact_meet, &met);
    for (size_t i = 0; i < met.count; i++)
        compact_move_entry(store, shard, dict, met.entries[i], compacted);
}

/* The hand goes on to the next database that has entries; false if there is none. */
static bool compact_next_database(const struct store *store, struct shard *shard)
{
    for (uint32_t i = 0; i < store->databases; i++) {
        shard->compact_db = (shard->compact_db + 1) % store->databases;
        if (shard->databases[shard->compact_db].dict.count > 0)
            return true;
    }
    return false;
}

struct compacted compact_shard(struct store *store, struct shard *shard)
{
    DCHECK(shard->compact_db < store->databases);
    struct compacted compacted = {0};
    if (!slab_is_fragmented(&shard->slab))
        return compacted;
    for (size_t i = 0; i < HAND_BUCKETS && compacted.moved < MOST_MOVED; i++) {
        if (shard->compact_to == 0 && !compact_next_database(store, shard))
            break;
        compact_bucket(store, shard, &compacted);
    }
    return compacted;
}
