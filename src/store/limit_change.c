/* Puts a new limit and policy in effect, in an order in which each operation finds what it needs,
 * and lowers what is in use to a lowered limit. */
#include "store/limit_change.h"

#include "base/check.h"
#include "store/data/shard.h"
#include "store/data/visits.h"
#include "store/evict.h"

/* What slabs have not reported is less than 1/REPORT_SHARE of the limit. */
#define REPORT_SHARE 64

/* ---- changes ---- */

static void limit_change_report_at(struct store *store, size_t max_memory)
{
    size_t share = max_memory / store->shard_count / REPORT_SHARE;
    if (max_memory == 0 || share > PAGES_REPORT_AT)
        share = PAGES_REPORT_AT;
    atomic_store_explicit(&store->pages.report_at, share, memory_order_relaxed);
}

/* From now on no slab has more to report than that. Those that are held for long report when they
 * change. */
static void limit_change_report_all(struct store *store)
{
    for (size_t i = 0; i < store->shard_count; i++) {
        struct shard *shard = &store->shards[i];
        if (!mutex_lock_brief(&shard->lock))
            continue;
        slab_report(&shard->slab);
        mutex_unlock(&shard->lock);
    }
}

/* Operations read the limit before the ceiling and the policy, and lock shards after that. So one
 * that finds a limit finds its ceiling, and one that finds a policy that depends on use finds its
 * counts. A ceiling that is no longer needed is left to limit_change_follow(): an operation that
 * still finds the former limit needs it. */
static void limit_change_publish(struct store *store, struct store_limit limit)
{
    size_t used = pages_used(&store->pages);
    bool is_lower = limit.max_memory != 0 && used > limit.max_memory;
    atomic_store(&store->note_visits, limit.max_memory != 0 && store_policy_is_lru(limit.policy));
    atomic_store(&store->policy, limit.policy);
    if (is_lower)
        atomic_store(&store->ceiling, used);
    atomic_store(&store->max_memory, limit.max_memory);
}

/* The limit lock is held. */
static void limit_change_apply(struct store *store)
{
    struct store_limit limit = store->wanted;
    bool needs_visits = limit.max_memory != 0 && store_policy_is_lru(limit.policy);
    bool is_ready = !needs_visits || visits_prepare(store, limit.max_memory);
    atomic_store(&store->is_limit_pending, !is_ready);
    if (!is_ready)
        return;
    limit_change_report_at(store, limit.max_memory);
    limit_change_report_all(store);
    limit_change_publish(store, limit);
}

void limit_change_init(struct store *store, struct store_limit limit)
{
    store->limit_lock = (struct mutex){0};
    store->wanted = limit;
    store->is_lifted = false;
    atomic_init(&store->ceiling, 0);
    limit_change_apply(store);
    CHECK(!atomic_load(&store->is_limit_pending)); /* nobody holds a lock */
}

void limit_change_lift(struct store *store, bool is_lifted)
{
    mutex_lock(&store->limit_lock);
    CHECK(store->is_lifted != is_lifted);
    store->is_lifted = is_lifted;
    if (is_lifted)
        atomic_store(&store->max_memory, 0);
    else
        limit_change_apply(store);
    mutex_unlock(&store->limit_lock);
}

void limit_change_to(struct store *store, struct store_limit limit)
{
    mutex_lock(&store->limit_lock);
    bool is_new =
        limit.max_memory != store->wanted.max_memory || limit.policy != store->wanted.policy;
    store->wanted = limit;
    if (is_new && !store->is_lifted)
        limit_change_apply(store);
    mutex_unlock(&store->limit_lock);
}

void limit_change_retry(struct store *store)
{
    if (!atomic_load(&store->is_limit_pending) || !mutex_try(&store->limit_lock, MUTEX_HELD))
        return;
    if (atomic_load(&store->is_limit_pending) && !store->is_lifted)
        limit_change_apply(store);
    mutex_unlock(&store->limit_lock);
}

/* ---- the ceiling ---- */

/* Lowers it to what is in use, and returns it; the limit once that is reached. */
static size_t limit_change_follow(struct store *store, size_t limit)
{
    size_t ceiling = atomic_load(&store->ceiling), used = pages_used(&store->pages);
    if (ceiling <= limit)
        return limit;
    size_t lower = used > limit ? used : limit;
    if (lower >= ceiling)
        return ceiling;
    atomic_compare_exchange_strong(&store->ceiling, &ceiling, lower);
    return lower;
}

size_t limit_change_in_force(struct store *store, enum store_policy policy)
{
    size_t limit = atomic_load(&store->max_memory);
    if (limit == 0)
        return SIZE_MAX / 2;
    return policy == STORE_NOEVICTION ? limit : limit_change_follow(store, limit);
}

bool limit_change_shrink(struct store *store, size_t keys)
{
    size_t limit = atomic_load(&store->max_memory);
    struct evict_request request = {.policy = atomic_load(&store->policy), .quick = true};
    bool found = false;
    if (limit == 0 || atomic_load(&store->ceiling) <= limit)
        return false;
    for (size_t i = 0; i < keys && request.policy != STORE_NOEVICTION; i++) {
        if (pages_used(&store->pages) <= limit || !evict_one(store, &request))
            break;
        found = true;
    }
    limit_change_follow(store, limit);
    return found;
}
