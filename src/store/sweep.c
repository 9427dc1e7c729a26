/* Removes expired keys, frees garbage and compacts memory, a few buckets at a time. Knows no clock
 * and no operation. */
#include "base/check.h"
#include "store/change.h"
#include "store/compact.h"
#include "store/data/entry.h"
#include "store/data/garbage.h"
#include "store/data/shard.h"
#include "store/list/list_garbage.h"
#include "store/ops/apply.h"
#include "store/store.h"

/* Keys and buckets visited while the shard is locked. When most keys of a database expire, the
 * remaining ones gather in few buckets, so that a bucket may hold far more than the usual seven. */
#define STEP_ENTRIES 112
#define STEP_BUCKETS 16
/* Garbage entries of FlushDb freed while the shard is locked. */
#define STEP_GARBAGE 100
/* Chunks of freed lists released per step. */
#define STEP_CHUNKS 64
/* Shards and databases without deadlines that a step skips. */
#define STEP_PLACES 1024
/* Expired keys noted per bucket; any beyond that wait for the next lap. */
#define MAX_DUE 64

/* The expired keys of a bucket. */
struct due {
    int64_t now_ms;
    size_t visited;
    size_t count;
    struct entry *entries[MAX_DUE];
};

static void sweep_visit(void *context, struct entry *entry)
{
    struct due *due = context;
    due->visited++;
    if (entry_is_due(entry, due->now_ms) && due->count < MAX_DUE)
        due->entries[due->count++] = entry;
}

/* Each removal is a commit of its own. */
static void sweep_remove_due(struct store *store, struct shard *shard, uint32_t db, struct due *due)
{
    for (size_t i = 0; i < due->count; i++) {
        struct slice key = entry_key(due->entries[i]);
        struct op_context ctx = apply_internal_context(store, due->now_ms);
        struct lookup at = {.shard = shard,
                            .database = &shard->databases[db],
                            .entry = due->entries[i],
                            .key = key,
                            .hash = store_hash(store, key),
                            .db = db};
        DCHECK(apply_is_due(&ctx, entry_expire_at_ms(at.entry)));
        apply_drop(&ctx, &at, OP_CAUSE_EXPIRY);
        shard->expired_keys++;
        apply_commit(&ctx);
    }
}

static void sweep_next_database(const struct store *store, struct store_sweep *sweep,
                                struct store_swept *swept)
{
    sweep->cursor = 0;
    if (++sweep->db < store->databases)
        return;
    sweep->db = 0;
    sweep->shard += sweep->parts;
    if (sweep->shard < store->shard_count)
        return;
    sweep->shard = sweep->part;
    swept->lap = true;
}

/* The shard is locked. */
static void sweep_database(struct store *store, struct store_sweep *sweep, int64_t now_ms,
                           struct store_swept *swept)
{
    struct shard *shard = &store->shards[sweep->shard];
    const struct database *database = &shard->databases[sweep->db];
    DCHECK(mutex_is_held(&shard->lock) && sweep->db < store->databases);
    size_t visited = 0;
    for (size_t i = 0; i < STEP_BUCKETS && visited < STEP_ENTRIES; i++) {
        struct due due = {.now_ms = now_ms};
        sweep->cursor = dict_scan(&database->dict, sweep->cursor, sweep_visit, &due);
        sweep_remove_due(store, shard, sweep->db, &due);
        visited += due.visited;
        swept->visited += due.visited;
        swept->removed += due.count;
        if (sweep->cursor == 0 || database->expiring == 0) {
            sweep_next_database(store, sweep, swept);
            return;
        }
    }
}

/* Compacts the locked shard and removes expired keys. */
static void sweep_shard(struct store *store, struct store_sweep *sweep, int64_t now_ms,
                        struct store_swept *swept)
{
    struct shard *shard = &store->shards[sweep->shard];
    struct compact_result compacted = compact_shard(store, shard);
    swept->visited += compacted.visited;
    swept->removed += compacted.moved;
    if (shard->databases[sweep->db].expiring > 0)
        sweep_database(store, sweep, now_ms, swept);
    else
        sweep_next_database(store, sweep, swept);
}

struct store_swept store_sweep(struct store *store, struct store_sweep *sweep, int64_t now_ms)
{
    CHECK(sweep->part < sweep->parts);
    struct store_swept swept = {.lap = sweep->part >= store->shard_count};
    if (sweep->shard % sweep->parts != sweep->part)
        sweep->shard = sweep->part;
    swept.visited = swept.removed = list_garbage_collect(STEP_CHUNKS);
    if (swept.visited > 0)
        swept.lap = false; /* there may be more */
    for (size_t i = 0; i < STEP_PLACES && swept.visited == 0 && !swept.lap; i++) {
        struct shard *shard = &store->shards[sweep->shard];
        if (!mutex_lock_brief(&shard->lock)) {
            sweep->db = store->databases - 1; /* skip the shard; its turn comes again */
            sweep_next_database(store, sweep, &swept);
            continue;
        }
        swept.visited = swept.removed = garbage_collect(shard, STEP_GARBAGE);
        if (swept.visited > 0)
            swept.lap = false; /* there may be more */
        else
            sweep_shard(store, sweep, now_ms, &swept);
        mutex_unlock(&shard->lock);
    }
    return swept;
}
