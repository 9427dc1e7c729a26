/* Sums up what the shards count. They are not read at the same instant. */
#include "store/census.h"

#include "store/data/shard.h"
#include "store/list/list_garbage.h"
#include "store/memory/heap.h"

#include <string.h>

/* What is not of a shard. */
static struct store_stats census_shared(const struct store *store)
{
    return (struct store_stats){.resident_memory = pages_memory(&store->pages) + heap_slack() +
                                                   list_garbage_bytes()};
}

/* The shard's lock is held, also for the next one. */
static void census_add_stats(struct store_stats *stats, const struct shard *shard)
{
    stats->expired_keys += shard->expired_keys;
    for (size_t policy = 0; policy < STORE_POLICIES; policy++) {
        stats->evicted_keys += shard->evicted_keys[policy];
        stats->evicted_by[policy] += shard->evicted_keys[policy];
    }
    stats->misses += shard->lookups[false];
    stats->hits += shard->lookups[true];
    stats->used_memory += slab_used(&shard->slab);
    stats->resident_memory += slab_heap(&shard->slab) + removals_memory(&shard->removals);
}

static void census_add_keys(struct store_census *census, const struct shard *shard,
                            uint32_t databases)
{
    for (uint32_t db = 0; db < databases; db++) {
        census->keys[db] += shard->databases[db].dict.count;
        census->expiring[db] += shard->databases[db].expiring;
    }
}

bool store_take_census(struct store *store, struct store_census *census)
{
    census->stats = census_shared(store);
    memset(census->keys, 0, store->databases * sizeof *census->keys);
    memset(census->expiring, 0, store->databases * sizeof *census->expiring);
    for (size_t i = 0; i < store->shard_count; i++) {
        struct shard *shard = &store->shards[i];
        if (!mutex_lock_brief(&shard->lock))
            return false;
        census_add_stats(&census->stats, shard);
        census_add_keys(census, shard, store->databases);
        mutex_unlock(&shard->lock);
    }
    return true;
}

struct store_stats store_stats(struct store *store)
{
    struct store_stats stats = census_shared(store);
    for (size_t i = 0; i < store->shard_count; i++) {
        mutex_lock(&store->shards[i].lock);
        census_add_stats(&stats, &store->shards[i]);
        mutex_unlock(&store->shards[i].lock);
    }
    return stats;
}

size_t store_count(struct store *store, uint32_t db)
{
    size_t count = 0;
    for (size_t i = 0; i < store->shard_count; i++) {
        mutex_lock(&store->shards[i].lock);
        count += store->shards[i].databases[db].dict.count;
        mutex_unlock(&store->shards[i].lock);
    }
    return count;
}

size_t store_expiring(struct store *store, uint32_t db)
{
    size_t count = 0;
    for (size_t i = 0; i < store->shard_count; i++) {
        mutex_lock(&store->shards[i].lock);
        count += store->shards[i].databases[db].expiring;
        mutex_unlock(&store->shards[i].lock);
    }
    return count;
}
