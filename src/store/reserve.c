/* Walks over all strings that have a reserve. Knows no operation. */
#include "store/reserve.h"

#include "store/data/shard.h"

/* A walk through a database. */
struct walk {
    struct slab *slab;
    struct database *database;
};

static void reserve_visit(void *context, struct entry *entry)
{
    const struct walk *walk = context;
    if (entry_type(entry) != ENTRY_STRING || entry_reserve(entry) == 0)
        return;
    database_uncount(walk->database, entry);
    entry_drop_reserve(walk->slab, entry);
    database_count(walk->database, entry);
}

static void reserve_walk_database(struct shard *shard, struct database *database)
{
    struct walk walk = {.slab = &shard->slab, .database = database};
    uint64_t cursor = 0;
    do {
        cursor = dict_scan(&database->dict, cursor, reserve_visit, &walk);
    } while (cursor != 0 && shard->slab.reserve > 0);
}

bool reserve_reclaim(struct store *store, size_t limit, bool quick, bool *held)
{
    for (size_t i = 0; i < store->shard_count && pages_used(&store->pages) > limit; i++) {
        struct shard *shard = &store->shards[i];
        if (!shard_lock(shard, quick)) {
            *held = true;
            continue;
        }
        for (uint32_t db = 0; db < store->databases && shard->slab.reserve > 0; db++)
            reserve_walk_database(shard, &shard->databases[db]);
        slab_report(&shard->slab);
        mutex_unlock(&shard->lock);
    }
    return pages_used(&store->pages) <= limit;
}
