/* Choosing and removing keys when memory is short. Knows neither operations nor the limit. */
#include "store/evict.h"

#include "store/apply.h"
#include "store/change.h"
#include "store/entry.h"
#include "store/flush.h"
#include "store/shard.h"
#include "store/store.h"

/* Buckets that the hand passes in one shard before it goes on to the next. */
#define HAND_BUCKETS 16
/* Entries that are freed for FlushDb in one turn, instead of evicting one. */
#define TURN_GARBAGE 50

/* What the hand has found. */
struct search {
    const struct store *store;
    const struct evict_keep *keep;
    enum store_policy policy;
    struct entry *victim; /* NULL = none yet; with STORE_VOLATILE_TTL the nearest so far */
};

static bool is_nearer(const struct entry *entry, const struct entry *than)
{
    return than == NULL || entry_expire_at_ms(entry) < entry_expire_at_ms(than);
}

static bool is_kept(const struct search *search, const struct entry *entry)
{
    size_t low = 0, high = search->keep != NULL ? search->keep->count : 0;
    uint64_t hash = high > 0 ? store_hash(search->store, entry_key(entry)) : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (search->keep->hashes[middle] == hash)
            return true;
        if (search->keep->hashes[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static void consider(void *context, struct entry *entry)
{
    struct search *search = context;
    if (is_kept(search, entry))
        return;
    if (evict_goes_by_deadline(search->policy) && entry_expire_at_ms(entry) == 0)
        return;
    if (search->policy == STORE_VOLATILE_TTL) {
        if (is_nearer(entry, search->victim))
            search->victim = entry;
    } else if (search->victim == NULL) {
        /* The hash is keyed, so the first one here is a random one. */
        if (search->policy == STORE_ALLKEYS_RANDOM || !entry_is_visited(entry))
            search->victim = entry;
        else
            entry_set_visited(entry, false);
    }
}

static void evict(struct store *store, struct shard *shard, uint32_t db, struct entry *entry)
{
    struct slice key = entry_key(entry);
    struct keyspace space = {.store = store};
    struct lookup at = {.shard = shard,
                        .database = &shard->databases[db],
                        .entry = entry,
                        .key = key,
                        .hash = store_hash(store, key),
                        .db = db};
    apply_drop(&space, &at);
    apply_end(&space);
    shard->evicted_keys++;
    slab_report(&shard->slab); /* else many more would go before it is known that one has */
}

static bool has_candidates(const struct store *store, const struct database *database)
{
    return evict_goes_by_deadline(store->policy) ? database->expiring > 0
                                                 : database->dict.count > 0;
}

/* The hand goes on in one database of a locked shard; false if it evicted nothing. For the nearest
 * deadline it looks at all its buckets, for the others it stops behind the first find: a mark
 * that it has just taken away counts until the next round. */
static bool move_hand(struct store *store, struct shard *shard, uint32_t db,
                      const struct evict_keep *keep)
{
    struct database *database = &shard->databases[db];
    struct search search = {.store = store, .keep = keep, .policy = store->policy};
    for (size_t i = 0; i < HAND_BUCKETS; i++) {
        database->hand = dict_scan(&database->dict, database->hand, consider, &search);
        if (search.victim != NULL && search.policy != STORE_VOLATILE_TTL)
            break;
    }
    if (search.victim == NULL)
        return false;
    evict(store, shard, db, search.victim);
    return true;
}

/* One turn of the hand in a shard; false if it evicted nothing. */
static bool turn(struct store *store, struct shard *shard, const struct evict_keep *keep,
                 bool *candidates)
{
    bool evicted = false;
    mutex_lock(&shard->lock);
    if (flush_collect(shard, TURN_GARBAGE) > 0) {
        slab_report(&shard->slab);
        evicted = true;
    }
    for (uint32_t i = 0; i < store->databases && !evicted; i++) {
        uint32_t db = shard->hand;
        shard->hand = (db + 1) % store->databases;
        if (!has_candidates(store, &shard->databases[db]))
            continue;
        *candidates = true;
        evicted = move_hand(store, shard, db, keep);
    }
    mutex_unlock(&shard->lock);
    return evicted;
}

bool evict_one(struct store *store, const struct evict_keep *keep)
{
    /* The first round may find marks only, the second one takes what is left without. */
    for (int round = 0; round < 3; round++) {
        bool candidates = false;
        for (size_t i = 0; i < store->shard_count; i++) {
            unsigned shard = atomic_fetch_add_explicit(&store->hand, 1, memory_order_relaxed);
            if (turn(store, &store->shards[shard % store->shard_count], keep, &candidates))
                return true;
        }
        if (!candidates)
            return false;
    }
    return false;
}
