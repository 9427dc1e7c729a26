/* Chooses and removes keys when memory is short. Knows neither operations nor the limit. */
#include "store/evict.h"

#include "base/check.h"
#include "store/data/entry.h"
#include "store/data/garbage.h"
#include "store/data/shard.h"
#include "store/data/visits.h"
#include "store/ops/apply.h"

#include <math.h>

/* The most entries among which a victim is chosen; usage.h says when fewer are enough. The victim's
 * deadline is among the nearest fiftieth. */
#define WINDOW          30
#define WINDOW_DEADLINE 48
/* The most buckets that the hand visits in one shard before the search goes on to the next
 * shard. */
#define TURN_BUCKETS 16
/* Buckets prefetched ahead of the hand. */
#define PREFETCH_BUCKETS 2
/* Garbage entries of FlushDb freed in one turn, instead of an eviction. */
#define TURN_GARBAGE 50
/* The hand's position in a database that it has finished in this round. */
#define HAND_END UINT64_MAX

/* An entry that may be evicted. */
struct candidate {
    struct shard *shard; /* NULL = none yet */
    struct entry *entry; /* NULL once the shard is unlocked: another thread may free it */
    uint64_t hash;       /* of its key; set by then, or from the start if keys must stay */
    uint32_t db;
};

/* The choice of a victim. */
struct search {
    struct store *store;
    struct evict_request *request;
    struct shard *shard; /* whose hand is moving; locked */
    uint64_t revision;
    struct candidate best;
    double score;     /* of the best; the lowest is evicted */
    uint32_t ties;    /* entries with that score */
    uint32_t random;  /* decides between them */
    double threshold; /* a score that ends the search immediately */
    size_t seen;      /* eligible entries met */
    size_t window;    /* entries that end it with any score */
};

/* ---- scores ---- */

static double evict_score_of(struct search *search, struct entry *entry)
{
    switch (search->request->policy) {
    case STORE_ALLKEYS_LRU:
    case STORE_VOLATILE_LRU:
        return visits_pass(search->shard, entry, search->revision);
    case STORE_VOLATILE_TTL:
        return (double)entry_expire_at_ms(entry);
    case STORE_NOEVICTION:
    case STORE_ALLKEYS_RANDOM:
    case STORE_POLICIES:
        break;
    }
    return 0;
}

static bool evict_is_kept(const struct evict_request *request, uint64_t hash)
{
    size_t low = 0, high = request->keep_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (request->keep[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < request->keep_count && request->keep[low] == hash;
}

/* Each of several entries with the same score is equally likely to win. */
static bool evict_wins_tie(struct search *search)
{
    search->random = search->random * 1664525 + 1013904223;
    return (uint64_t)search->random * ++search->ties >> 32 == 0;
}

static void evict_consider(void *context, struct entry *entry)
{
    struct search *search = context;
    if (store_policy_is_volatile(search->request->policy) && entry_expire_at_ms(entry) == 0)
        return;
    double score = evict_score_of(search, entry);
    search->seen++;
    if (score > search->score || (score == search->score && !evict_wins_tie(search)))
        return;
    uint64_t hash = 0;
    if (search->request->keep_count > 0) {
        hash = store_hash(search->store, entry_key(entry));
        if (evict_is_kept(search->request, hash))
            return;
    }
    if (score < search->score)
        search->ties = 1;
    search->score = score;
    search->best = (struct candidate){
        .shard = search->shard, .entry = entry, .hash = hash, .db = search->shard->hand};
    DCHECK(search->best.shard == search->shard && search->ties > 0);
}

/* ---- the hand ---- */

static size_t evict_count_entries(const struct store *store, const struct shard *shard)
{
    size_t count = 0;
    for (uint32_t db = 0; db < store->databases; db++)
        count += shard->databases[db].dict.count;
    return count;
}

/* The hand has reached the stride in all databases. Cursors are reversed hashes, so the next stride
 * covers the same part of each database: in total about as many entries as the larger of the window
 * and the number of databases. True if the round is over. */
static bool evict_next_stride(const struct store *store, struct shard *shard)
{
    shard->hand = 0;
    if (shard->stride == HAND_END) {
        for (uint32_t db = 0; db < store->databases; db++)
            shard->databases[db].hand = 0;
        shard->stride = 0;
        return true;
    }
    size_t entries = store->databases > WINDOW ? store->databases : WINDOW;
    uint64_t width = HAND_END / (1 + evict_count_entries(store, shard) / entries);
    DCHECK(width > 0); /* else the hand would stand still */
    shard->stride = shard->stride < HAND_END - width ? shard->stride + width : HAND_END;
    return false;
}

/* Prefetches what the hand meets in the shard's next turn, while other shards have theirs. */
static void evict_prefetch(struct database *database)
{
    size_t buckets = 1;
    if (database->hand == 0) {
        database->ahead = 0;
        buckets = PREFETCH_BUCKETS;
    }
    for (size_t i = 0; i < buckets; i++)
        database->ahead = dict_scan_prefetch(&database->dict, database->ahead);
}

/* Advances the hand by one bucket; true if the round is over. */
static bool evict_step(struct search *search)
{
    struct store *store = search->store;
    struct shard *shard = search->shard;
    for (; shard->hand < store->databases; shard->hand++) {
        struct database *database = &shard->databases[shard->hand];
        if (database->dict.count == 0 || database->hand >= shard->stride)
            continue;
        evict_prefetch(database);
        uint64_t cursor = dict_scan(&database->dict, database->hand, evict_consider, search);
        database->hand = cursor != 0 ? cursor : HAND_END;
        return false;
    }
    return evict_next_stride(store, shard);
}

static bool evict_is_complete(const struct search *search)
{
    return search->best.shard != NULL &&
           (search->seen >= search->window || search->score <= search->threshold);
}

/* Advances the hand of the locked shard until the search is complete, the round is over, or the
 * turn is; true if the round is over. */
static bool evict_move_hand(struct search *search)
{
    struct store *store = search->store;
    struct shard *shard = search->shard;
    bool is_lru = store_policy_is_lru(search->request->policy);
    if (is_lru) {
        usage_begin(shard->usage, search->revision);
        search->threshold = shard->usage->threshold;
    }
    for (size_t i = 0; i < TURN_BUCKETS && !evict_is_complete(search); i++) {
        if (!evict_step(search))
            continue;
        if (is_lru)
            usage_end_round(shard->usage, &store->usage, store->shard_count, search->revision);
        return true;
    }
    return false;
}

/* ---- evicting ---- */

static void evict_entry(struct store *store, enum store_policy policy,
                        const struct candidate *victim)
{
    CHECK(victim->entry != NULL && mutex_is_held(&victim->shard->lock));
    struct shard *shard = victim->shard;
    struct slice key = entry_key(victim->entry);
    struct op_context ctx = apply_internal_context(store, 0);
    struct lookup at = {.shard = shard,
                        .database = &shard->databases[victim->db],
                        .entry = victim->entry,
                        .key = key,
                        .hash = victim->hash != 0 ? victim->hash : store_hash(store, key),
                        .db = victim->db};
    DCHECK(at.hash == store_hash(store, key));
    DCHECK(!store_policy_is_volatile(policy) || entry_expire_at_ms(victim->entry) != 0);
    if (store_policy_is_lru(policy))
        usage_remember(shard->usage, at.hash);
    apply_drop(&ctx, &at, OP_CAUSE_EVICTION);
    apply_commit(&ctx);
    shard->evicted_keys[policy]++;
    slab_report(&shard->slab); /* so that no more are evicted than necessary */
}

struct key_search {
    const struct store *store;
    enum store_policy policy;
    uint64_t hash;
    struct entry *found;
};

static void evict_match_hash(void *context, struct entry *entry)
{
    struct key_search *key_search = context;
    if (store_policy_is_volatile(key_search->policy) && entry_expire_at_ms(entry) == 0)
        return; /* since it was chosen it has lost its deadline, or its database was swapped */
    if (store_hash(key_search->store, entry_key(entry)) == key_search->hash)
        key_search->found = entry;
}

static bool evict_lock_shard(struct shard *shard, struct evict_request *request)
{
    bool locked = shard_lock(shard, request->quick);
    request->held |= !locked;
    return locked;
}

/* Evicts the victim, whose shard was unlocked meanwhile; false if the entry is gone. */
static bool evict_if_present(struct search *search)
{
    struct store *store = search->store;
    struct candidate *victim = &search->best;
    struct shard *shard = victim->shard;
    const struct dict *dict = &shard->databases[victim->db].dict;
    enum store_policy policy = search->request->policy;
    struct key_search key_search = {.store = store, .policy = policy, .hash = victim->hash};
    if (!evict_lock_shard(shard, search->request))
        return false;
    dict_scan(dict, dict_scan_position(victim->hash), evict_match_hash, &key_search);
    victim->entry = key_search.found;
    if (victim->entry != NULL)
        evict_entry(store, policy, victim);
    mutex_unlock(&shard->lock);
    return victim->entry != NULL;
}

static bool evict_has_candidates(const struct store *store, enum store_policy policy,
                                 const struct shard *shard)
{
    for (uint32_t db = 0; db < store->databases; db++) {
        const struct database *database = &shard->databases[db];
        if (store_policy_is_volatile(policy) ? database->expiring > 0 : database->dict.count > 0)
            return true;
    }
    return false;
}

/* The outcome of a turn in a shard. */
enum turn {
    TURN_MORE,       /* there may be more */
    TURN_ROUND_OVER, /* the round is over, the shard is skipped, or it has no candidates */
    TURN_EVICTED,    /* a key was evicted or garbage freed */
};

/* The best entry's shard is about to be unlocked: from now on only its hash identifies the
 * entry. */
static void evict_keep_hash_only(struct search *search)
{
    CHECK(search->best.entry != NULL && search->best.shard == search->shard);
    struct candidate *best = &search->best;
    if (best->hash == 0)
        best->hash = store_hash(search->store, entry_key(best->entry));
    best->entry = NULL;
}

/* One turn of a shard's hand. If the search is then complete and the best entry lies in this shard,
 * it is evicted. */
static enum turn evict_turn(struct search *search, struct shard *shard)
{
    struct store *store = search->store;
    enum store_policy policy = search->request->policy;
    enum turn turn = TURN_ROUND_OVER;
    DCHECK(search->best.entry == NULL); /* the hash was kept when the previous shard was unlocked */
    search->shard = shard;
    if (!evict_lock_shard(shard, search->request))
        return TURN_ROUND_OVER;
    if (garbage_collect(shard, TURN_GARBAGE) > 0) {
        slab_report(&shard->slab);
        turn = TURN_EVICTED;
    } else if (evict_has_candidates(store, policy, shard)) {
        turn = evict_move_hand(search) ? TURN_ROUND_OVER : TURN_MORE;
        if (search->best.entry != NULL && evict_is_complete(search)) {
            if (store_policy_is_lru(policy))
                usage_adjust_threshold(shard->usage, search->seen);
            evict_entry(store, policy, &search->best);
            turn = TURN_EVICTED;
        } else if (search->best.entry != NULL) {
            evict_keep_hash_only(search);
        }
    }
    mutex_unlock(&shard->lock);
    return turn;
}

static struct shard *evict_next_shard(struct store *store)
{
    unsigned number = atomic_fetch_add_explicit(&store->hand, 1, memory_order_relaxed);
    return &store->shards[number % store->shard_count];
}

static size_t evict_window_of(enum store_policy policy)
{
    switch (policy) {
    case STORE_VOLATILE_TTL:
        return WINDOW_DEADLINE;
    case STORE_ALLKEYS_RANDOM:
        return 1;
    case STORE_NOEVICTION:
    case STORE_ALLKEYS_LRU:
    case STORE_VOLATILE_LRU:
    case STORE_POLICIES:
        break;
    }
    return WINDOW;
}

/* For when candidates are rare: advances every shard's hand until it has met all entries or found
 * one candidate. */
static enum turn evict_search_all(struct search *search)
{
    for (size_t i = 0; i < search->store->shard_count; i++) {
        struct shard *shard = evict_next_shard(search->store);
        search->window = 1;
        for (int rounds = 0; rounds < 2;) {
            enum turn result = evict_turn(search, shard);
            if (result == TURN_EVICTED)
                return result;
            rounds += result == TURN_ROUND_OVER;
        }
    }
    return TURN_ROUND_OVER;
}

bool evict_one(struct store *store, struct evict_request *request)
{
    DCHECK(request->policy != STORE_NOEVICTION);
    for (;;) {
        struct search search = {.store = store,
                                .request = request,
                                .revision = atomic_load(&store->revision),
                                .score = INFINITY,
                                .threshold = -INFINITY,
                                .random = atomic_load(&store->hand) * 2654435761u,
                                .window = evict_window_of(request->policy)};
        for (size_t i = 0; i < store->shard_count && !evict_is_complete(&search); i++)
            if (evict_turn(&search, evict_next_shard(store)) == TURN_EVICTED)
                return true;
        if (search.best.shard == NULL)
            return evict_search_all(&search) == TURN_EVICTED;
        if (evict_if_present(&search))
            return true;
    }
}
