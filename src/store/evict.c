/* Choosing and removing keys when memory is short. Knows no operation but its size. */
#include "store/evict.h"

#include "store/apply.h"
#include "store/change.h"
#include "store/compact.h"
#include "store/entry.h"
#include "store/flush.h"
#include "store/heap.h"
#include "store/shard.h"
#include "store/store.h"

/* Buckets that the hand passes in one shard before it goes on to the next. */
#define HAND_BUCKETS 16
/* Entries that are freed for FlushDb in one turn, instead of evicting one. */
#define TURN_GARBAGE 50
/* The memory held may exceed the limit by one part in so many, which is more than what is not
 * compacted, and by this much: what pages of all sizes in all shards take. */
#define HELD_SHARE 14
#define HELD_BASE  ((size_t)16 * 1024 * 1024)
/* Beyond that, an operation moves the hand of the compaction on: once, and once more for so many
 * bytes that it brings along, but not too often, nor when that seems to be of no use. */
#define COMPACT_BYTES 64
#define COMPACT_TURNS 64
#define COMPACT_VAIN  4
/* What a key costs beside its bytes, roughly. */
#define KEY_OVERHEAD 32

/* What the hand has found. */
struct search {
    enum store_policy policy;
    struct entry *victim; /* NULL = none yet; with STORE_VOLATILE_TTL the nearest so far */
};

static bool goes_by_deadline(enum store_policy policy)
{
    return policy == STORE_VOLATILE_LRU || policy == STORE_VOLATILE_TTL;
}

static bool is_nearer(const struct entry *entry, const struct entry *than)
{
    return than == NULL || entry_expire_at_ms(entry) < entry_expire_at_ms(than);
}

static void consider(void *context, struct entry *entry)
{
    struct search *search = context;
    if (goes_by_deadline(search->policy) && entry_expire_at_ms(entry) == 0)
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
    return goes_by_deadline(store->policy) ? database->expiring > 0 : database->dict.count > 0;
}

/* The hand goes on in one database of a locked shard; false if it evicted nothing. For the nearest
 * deadline it looks at all its buckets, for the others it stops behind the first find: a mark
 * that it has just taken away counts until the next round. */
static bool move_hand(struct store *store, struct shard *shard, uint32_t db)
{
    struct database *database = &shard->databases[db];
    struct search search = {.policy = store->policy};
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
static bool turn(struct store *store, struct shard *shard, bool *candidates)
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
        evicted = move_hand(store, shard, db);
    }
    mutex_unlock(&shard->lock);
    return evicted;
}

/* Evicts a key; false if a whole round met nothing that may be evicted. */
static bool evict_one(struct store *store)
{
    for (;;) {
        bool candidates = false;
        for (size_t i = 0; i < store->shard_count; i++) {
            unsigned shard = atomic_fetch_add_explicit(&store->hand, 1, memory_order_relaxed);
            if (turn(store, &store->shards[shard % store->shard_count], &candidates))
                return true;
        }
        if (!candidates)
            return false;
    }
}

/* Bytes that the operation brings along. */
static size_t size_of(const struct op *op)
{
    size_t size = KEY_OVERHEAD + op->key.len + op->value.len;
    for (size_t i = 0; i < op->value_count; i++)
        size += op->values[i].len;
    for (size_t i = 0; i < op->op_count; i++)
        size += size_of(&op->ops[i]);
    if (op->kind == OP_SET_RANGE && op->start > 0)
        size += (size_t)op->start;
    return size;
}

static bool may_grow(const struct op *op)
{
    for (size_t i = 0; i < op->op_count; i++)
        if (may_grow(&op->ops[i]))
            return true;
    return op_info(op->kind)->access == OP_GROW;
}

/* True if the memory held exceeds the limit, because a good part of it is not in use. */
static bool holds_too_much(const struct store *store)
{
    size_t slack = heap_slack() + pages_slack(&store->pages);
    return pages_used(&store->pages) + slack >
           store->max_memory + store->max_memory / HELD_SHARE + HELD_BASE;
}

/* Where keys of one size make room for those of another, pages are held that are full of holes. So
 * what is left in them is moved together as quickly as new memory is asked for. */
static void compact_for(struct store *store, size_t need)
{
    size_t turns = 1 + need / COMPACT_BYTES, vain = 0;
    if (turns > COMPACT_TURNS)
        turns = COMPACT_TURNS;
    for (size_t i = 0; i < turns && vain < COMPACT_VAIN; i++) {
        unsigned number = atomic_fetch_add_explicit(&store->compact_hand, 1, memory_order_relaxed);
        struct shard *shard = &store->shards[number % store->shard_count];
        mutex_lock(&shard->lock);
        vain += compact_shard(store, shard).moved == 0;
        mutex_unlock(&shard->lock);
    }
}

/* What may be in use when the operation has brought `need` bytes along, as long as too much is held
 * although it was compacted: a little less than before. Little, for the operation waits for what
 * goes. */
static size_t lower_limit(const struct store *store, size_t need)
{
    size_t used = pages_used(&store->pages), more = need / 4 < used / 8 ? need / 4 : used / 8;
    return used - more < store->max_memory ? used - more : store->max_memory;
}

bool evict_for(struct store *store, const struct op *op)
{
    if (store->max_memory == 0 || !may_grow(op))
        return true;
    size_t need = size_of(op), limit = store->max_memory;
    if (holds_too_much(store)) {
        compact_for(store, need);
        if (store->policy != STORE_NOEVICTION && holds_too_much(store))
            limit = lower_limit(store, need);
    }
    while (pages_used(&store->pages) + need > limit) {
        if (need > store->max_memory || store->policy == STORE_NOEVICTION || !evict_one(store))
            return pages_used(&store->pages) + need <= store->max_memory;
    }
    return true;
}
