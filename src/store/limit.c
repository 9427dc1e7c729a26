/*
 * Carries operations out near the memory limit, in attempts: an attempt measures what the operation
 * takes and rolls it back if that does not fit; before the next one, garbage is freed or keys are
 * evicted. An operation fails when nothing more can be freed. Knows neither eviction policies nor
 * what operations do.
 */
#include "store/limit.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/runs.h"
#include "store/compact.h"
#include "store/data/garbage.h"
#include "store/data/lock.h"
#include "store/data/shard.h"
#include "store/data/visits.h"
#include "store/evict.h"
#include "store/limit_change.h"
#include "store/list/list_garbage.h"
#include "store/memory/heap.h"
#include "store/ops/apply.h"
#include "store/ops/undo.h"
#include "store/reserve.h"

#include <stdlib.h>

/* Resident memory may exceed the limit by 1/SLACK_SHARE, which is more than compaction leaves, and
 * by SLACK_BASE: what pages of all sizes in all shards take. */
#define SLACK_SHARE 14
#define SLACK_BASE  ((size_t)16 * 1024 * 1024)
/* Beyond that, an operation takes a step of compaction, and one more for each COMPACT_BYTES of its
 * size, up to COMPACT_STEPS; it stops after COMPACT_VAIN steps that moved nothing. */
#define COMPACT_BYTES 64
#define COMPACT_STEPS 64
#define COMPACT_VAIN  4
/* Before that, an operation frees chunks of deleted lists: GARBAGE_CHUNKS, and one more for each
 * GARBAGE_CHUNK_BYTES of its size, which is more than it takes. */
#define GARBAGE_CHUNKS      64
#define GARBAGE_CHUNK_BYTES ((size_t)1024)
/* Operations that need only a few bytes may exceed the limit by 1/RESERVE_SHARE of it; slabs leave
 * less than another such share unreported. */
#define RESERVE_SHARE 64
/* Upper bound of what an operation takes: twice its size, MAX_RESERVE if a string grows, and
 * MAX_PER_OP for each operation in it: a chunk of a list and a part of a dictionary. */
#define MAX_PER_OP  ((size_t)16 * 1024)
#define MAX_RESERVE ((size_t)1024 * 1024)
/* All threads may pass the check at the same time, and while a large operation is carried out, many
 * small ones complete. So one that may take more than LARGE_GROWTH is only far from the limit if a
 * further 1/FAR_SHARE of it is free. */
#define LARGE_GROWTH ((size_t)64 * 1024)
#define FAR_SHARE    8
/* Bytes of small keys that are evicted on top of what is needed, and how small they are. */
#define EVICT_AHEAD       ((size_t)4 * 1024)
#define EVICT_AHEAD_SMALL ((size_t)1024)
/* What a table keeps at most for a key when all others have gone. */
#define TABLE_PER_KEY ((size_t)128)
/* Entries of FlushDb's garbage that are freed in one step. */
#define GARBAGE_ENTRIES 1000
/* Less than that is freed by an operation also if nothing may be evicted. */
#define LOWERED_LEAST ((size_t)1024 * 1024)
/* Keys that an operation evicts on top while a lowered limit is not reached. */
#define LOWERED_KEYS 8
/* Attempts before an operation is refused because other threads always take what was freed. */
#define MAX_ATTEMPTS 100
/* An undo log may copy 1/UNDO_SHARE of the limit, within these bounds. */
#define UNDO_MAX   ((size_t)32 * 1024 * 1024)
#define UNDO_MIN   ((size_t)1024 * 1024)
#define UNDO_SHARE 16

static const char no_memory[] =
    "the memory limit (--max-memory) is reached and nothing can be evicted; remove keys, raise the "
    "limit or choose another --max-memory-policy";

/* ---- far from the limit ---- */

/* The operation's size: bytes of its keys and values, and those that it extends a string by. */
static size_t limit_op_size(const struct op *op)
{
    size_t size = op->key.len + op->target.bytes.len + op->value.len;
    for (size_t i = 0; i < op->value_count; i++)
        size += op->values[i].len + sizeof op->values[i];
    for (size_t i = 0; op->kind == OP_BIT_FIELD && i < op->parts.field_count; i++)
        size += (size_t)(op->parts.fields[i].offset / 8) + sizeof(int64_t) + 1;
    if (op_is(op->kind, OP_SPLICES) && op->start > 0)
        size += (size_t)(op_is(op->kind, OP_COUNTS_BITS) ? op->start / 8 + 1 : op->start);
    return size;
}

static size_t limit_max_growth(const struct op *op);

/* Both are at most SIZE_MAX / 2, and so is the sum: transactions add up terms of any size. */
static size_t limit_add(size_t a, size_t b)
{
    DCHECK(a <= SIZE_MAX / 2 && b <= SIZE_MAX / 2);
    return a < SIZE_MAX / 2 - b ? a + b : SIZE_MAX / 2;
}

static size_t limit_max_growth_of_all(const struct op *ops, size_t count)
{
    size_t most = 0;
    for (size_t i = 0; i < count; i++)
        most = limit_add(most, limit_max_growth(&ops[i]));
    return most;
}

/* An upper bound of what the operation can take; at most SIZE_MAX / 2. */
static size_t limit_max_growth(const struct op *op)
{
    switch (op_info(op->kind)->access) {
    case OP_READ:
    case OP_WRITE:
        return 0;
    case OP_ADJUST:
    case OP_GROW:
        break;
    }
    if (op_is(op->kind, OP_GROWS_BY_DATA))
        return SIZE_MAX / 2;
    size_t size = limit_op_size(op);
    if (size > SIZE_MAX / 8) /* it starts beyond the end of any string */
        return SIZE_MAX / 2;
    size_t most = limit_add(MAX_PER_OP + 2 * size, limit_max_growth_of_all(op->ops, op->op_count));
    if (op_is(op->kind, OP_SPLICES))
        most = limit_add(most, MAX_RESERVE);
    if (op->txn != NULL)
        most = limit_add(most, limit_max_growth_of_all(op->txn->else_ops, op->txn->else_count));
    return most;
}

/* Returns what is only kept to be used again (runs_trim()) to the system while resident memory
 * exceeds the limit. False if it still does then, because much of it is fragmented. */
static bool limit_purge(const struct store *store, size_t limit)
{
    size_t most = limit + limit / SLACK_SHARE + SLACK_BASE;
    size_t slack = heap_slack() + list_garbage_bytes() + pages_slack(&store->pages);
    size_t held = pages_used(&store->pages) + slack;
    return held <= most || runs_purge(held - most) >= held - most;
}

/* When keys of one size are replaced by keys of another, pages stay resident though they are mostly
 * empty. So memory is compacted at the rate at which new memory is asked for. */
static void limit_compact_for(struct store *store, size_t need, bool quick)
{
    size_t turns = 1 + need / COMPACT_BYTES, vain = 0;
    if (turns > COMPACT_STEPS)
        turns = COMPACT_STEPS;
    for (size_t i = 0; i < turns && vain < COMPACT_VAIN; i++) {
        unsigned number = atomic_fetch_add_explicit(&store->compact_hand, 1, memory_order_relaxed);
        struct shard *shard = &store->shards[number % store->shard_count];
        if (!shard_lock(shard, quick))
            continue;
        vain += compact_shard(store, shard).moved == 0;
        mutex_unlock(&shard->lock);
    }
}

bool limit_is_far(const struct store *store, const struct op *op)
{
    size_t most = limit_max_growth(op);
    size_t limit = atomic_load_explicit(&store->max_memory, memory_order_relaxed);
    if (most == 0 || limit == 0)
        return true;
    size_t taken = pages_used(&store->pages) + limit / RESERVE_SHARE;
    if (most > LARGE_GROWTH)
        taken += limit / FAR_SHARE;
    return taken < limit && most < (limit - taken) / store->threads && limit_purge(store, limit);
}

size_t limit_max_undo(const struct store *store)
{
    size_t limit = atomic_load_explicit(&store->max_memory, memory_order_relaxed);
    size_t share = limit / UNDO_SHARE;
    if (limit == 0 || share > UNDO_MAX)
        return UNDO_MAX;
    return share > UNDO_MIN ? share : UNDO_MIN;
}

/* ---- an attempt ---- */

/* A key that the operation works on. */
struct working_key {
    uint64_t hash;
    size_t memory; /* bytes that could be evicted but for the operation */
};

/* An operation near the limit, over all its attempts. */
struct trial {
    struct store *store;
    struct op *op;
    struct arena *arena;
    struct op_result *result;
    bool quick;                /* it must not wait for a lock that is held for long... */
    bool held;                 /* ...and some lock was */
    enum store_answer outcome; /* of the last attempt */
    enum store_policy policy;
    size_t limit;      /* of memory in use after the operation */
    bool is_tight;     /* strings that grow get no reserve */
    bool is_undoable;  /* false: its undo log would become too large, so it runs without one */
    bool took_reserve; /* a string got a reserve in the last attempt */
    size_t growth;     /* bytes that the last attempt needed */
    size_t working;    /* bytes that could be evicted under `keys` */
    uint64_t *keys;    /* the hashes of its keys, ascending; NULL = not known yet */
    size_t key_count;
};

static bool limit_op_may_grow(const struct op *op)
{
    for (size_t i = 0; i < op->op_count; i++)
        if (limit_op_may_grow(&op->ops[i]))
            return true;
    for (size_t i = 0; op->txn != NULL && i < op->txn->else_count; i++)
        if (limit_op_may_grow(&op->txn->else_ops[i]))
            return true;
    return op_info(op->kind)->access == OP_GROW && op->kind != OP_TXN;
}

static size_t limit_for(size_t in_force, const struct op *op)
{
    return in_force + (limit_op_may_grow(op) ? 0 : in_force / RESERVE_SHARE);
}

/* Makes the slabs of these shards report what they use, and from now on report only on demand. */
static void limit_defer_reports(struct store *store, struct lock_set set)
{
    for (struct shard *shard; (shard = lock_next(store, &set)) != NULL;) {
        CHECK(!shard->slab.is_held);
        slab_report(&shard->slab);
        shard->slab.is_held = true;
    }
}

static void limit_resume_reports(struct store *store, struct lock_set set, size_t reserved)
{
    struct slab_change sum = {.used = -(ptrdiff_t)reserved};
    for (struct shard *shard; (shard = lock_next(store, &set)) != NULL;) {
        CHECK(shard->slab.is_held);
        struct slab_change change = slab_take_change(&shard->slab);
        sum.used += change.used;
        sum.paged += change.paged;
        shard->slab.is_held = false;
    }
    pages_report(&store->pages, sum.used, sum.paged);
}

/* Bytes by which memory in use would grow if the commit stood; 0 if it would not. */
static size_t limit_growth(struct store *store, struct lock_set set, const struct undo *undo)
{
    ptrdiff_t growth = -(ptrdiff_t)undo->kept;
    for (struct shard *shard; (shard = lock_next(store, &set)) != NULL;) {
        DCHECK(shard->slab.is_held);
        growth += slab_unreported(&shard->slab);
    }
    return growth > 0 ? (size_t)growth : 0;
}

struct key_collector {
    struct lock_visitor visitor; /* must be first: cast from it */
    struct store *store;
    enum store_policy policy;
    struct working_key *keys; /* NULL: only count them */
    size_t count;
};

/* Bytes that could be evicted under that key in all databases: eviction spares it by its hash. */
static size_t limit_evictable_under(struct store *store, enum store_policy policy, struct slice key,
                                    uint64_t hash)
{
    bool by_deadline = store_policy_is_volatile(policy);
    size_t bytes = 0;
    for (uint32_t db = 0; db < store->databases; db++) {
        const struct dict *dict = &shard_of(store, hash)->databases[db].dict;
        const struct entry *entry = dict->count > 0 ? dict_find(dict, hash, key) : NULL;
        if (entry != NULL && (!by_deadline || entry_expire_at_ms(entry) != 0))
            bytes += entry_memory(entry) + TABLE_PER_KEY;
    }
    return bytes;
}

static void limit_collect_key(struct lock_visitor *visitor, uint32_t db, struct slice key,
                              uint64_t *hash)
{
    struct key_collector *collector = (struct key_collector *)visitor;
    (void)db;
    if (collector->keys != NULL)
        collector->keys[collector->count] = (struct working_key){
            .hash = *hash,
            .memory = limit_evictable_under(collector->store, collector->policy, key, *hash)};
    collector->count++;
}

static int limit_compare_keys(const void *a, const void *b)
{
    uint64_t left = ((const struct working_key *)a)->hash;
    uint64_t right = ((const struct working_key *)b)->hash;
    return left < right ? -1 : left > right;
}

/* Stores the hashes without duplicates. `keys` are sorted. */
static void limit_keep_unique(struct trial *trial, const struct working_key *keys, size_t count)
{
    trial->working = trial->key_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && keys[i].hash == keys[i - 1].hash)
            continue;
        DCHECK(i == 0 || keys[i].hash > keys[i - 1].hash);
        trial->keys[trial->key_count++] = keys[i].hash;
        trial->working += keys[i].memory;
    }
    DCHECK(trial->key_count <= count);
}

/* The operation's shards are locked, and as they were before the operation. */
static void limit_collect_keys(struct trial *trial)
{
    struct key_collector collector = {
        .visitor = {.visit = limit_collect_key}, .store = trial->store, .policy = trial->policy};
    lock_each_key(trial->op, &collector.visitor);
    size_t count = collector.count;
    collector.keys = arena_alloc(trial->arena, count * sizeof *collector.keys);
    collector.count = 0;
    lock_each_key(trial->op, &collector.visitor);
    CHECK(collector.count == count);
    qsort(collector.keys, count, sizeof *collector.keys, limit_compare_keys);
    if (trial->keys == NULL)
        trial->keys = arena_alloc(trial->arena, count * sizeof *trial->keys);
    limit_keep_unique(trial, collector.keys, count);
}

/* Reserves what the operation, which has been carried out, needed; false if there is not enough. */
static bool limit_reserve_growth(struct trial *trial, struct lock_set set, const struct undo *undo)
{
    trial->growth = limit_growth(trial->store, set, undo);
    return trial->growth == 0 || pages_reserve(&trial->store->pages, trial->growth, trial->limit);
}

/* True if the commit, which has not failed, stands; else it has been rolled back. */
static bool limit_keep_or_roll_back(struct trial *trial, struct lock_set set,
                                    struct op_context *ctx)
{
    bool stands = !ctx->undo->is_full && limit_reserve_growth(trial, set, ctx->undo);
    if (stands) {
        undo_discard(ctx->undo, ctx->revision);
        return true;
    }
    trial->is_undoable = !ctx->undo->is_full;
    trial->took_reserve = ctx->took_reserve;
    apply_roll_back(ctx, trial->result);
    limit_collect_keys(trial);
    return false;
}

static bool limit_lock(struct trial *trial, struct shard *shard)
{
    bool locked = shard_lock(shard, trial->quick);
    trial->held |= !locked;
    return locked;
}

/* Carries the operation out; false if it did not fit and was rolled back. */
static bool limit_attempt(struct trial *trial)
{
    struct store *store = trial->store;
    struct lock_set set = lock_shards_of(store, trial->op);
    if (!lock_take(store, &set, trial->quick)) {
        trial->outcome = STORE_HELD;
        return true;
    }
    limit_defer_reports(store, set);
    struct undo undo;
    undo_init(&undo, trial->arena, limit_max_undo(store));
    struct op_context ctx = apply_context(store, trial->op, trial->arena, trial->quick);
    ctx.undo = trial->is_undoable ? &undo : NULL;
    ctx.is_tight = trial->is_tight;
    trial->growth = 0;
    apply_atomically(&ctx, trial->op, trial->result);
    bool failed = trial->result->err != ERR_NONE, stands = true;
    if (!failed && trial->is_undoable)
        stands = limit_keep_or_roll_back(trial, set, &ctx);
    size_t reserved = stands && !failed ? trial->growth : 0;
    limit_resume_reports(store, set, reserved);
    apply_commit_op(&ctx, trial->op, trial->result);
    trial->result->seen = apply_seen(&ctx);
    trial->outcome = ctx.outcome;
    lock_release(store, &set, trial->quick);
    return stands;
}

/* ---- freeing memory ---- */

static bool limit_fits(const struct store *store, size_t limit)
{
    return pages_used(&store->pages) <= limit;
}

/* Frees garbage of FlushDb; if `all`, also makes every shard report what it uses. */
static bool limit_collect_garbage(struct trial *trial, size_t limit, bool all)
{
    struct store *store = trial->store;
    for (size_t i = 0; i < store->shard_count && !limit_fits(store, limit); i++) {
        struct shard *shard = &store->shards[i];
        if (!all && !atomic_load_explicit(&shard->has_garbage, memory_order_relaxed))
            continue;
        if (!limit_lock(trial, shard))
            continue;
        slab_report(&shard->slab);
        while (!limit_fits(store, limit) && garbage_collect(shard, GARBAGE_ENTRIES) > 0)
            slab_report(&shard->slab);
        mutex_unlock(&shard->lock);
    }
    return limit_fits(store, limit);
}

/* Bytes that could be evicted from the shard, which is locked. */
static size_t limit_evictable_in(const struct store *store, enum store_policy policy,
                                 const struct shard *shard)
{
    size_t bytes = 0;
    if (!store_policy_is_volatile(policy))
        bytes = slab_used(&shard->slab) - visits_memory(shard);
    for (uint32_t db = 0; db < store->databases; db++) {
        const struct database *database = &shard->databases[db];
        if (store_policy_is_volatile(policy))
            bytes += database->expiring_memory;
        else
            bytes -= dict_min_memory(&database->dict);
    }
    DCHECK(bytes < SIZE_MAX / 2);
    return bytes;
}

/* True if `needed` bytes could be evicted, were no operation working on any key. */
static bool limit_is_evictable(struct trial *trial, size_t needed)
{
    struct store *store = trial->store;
    if (!store_policy_is_volatile(trial->policy) && needed < pages_used(&store->pages) / 2)
        return true; /* empty dictionaries take far less than that */
    size_t bytes = 0;
    for (size_t i = 0; i < store->shard_count && bytes < needed; i++) {
        struct shard *shard = &store->shards[i];
        if (!limit_lock(trial, shard))
            continue;
        bytes += limit_evictable_in(store, trial->policy, shard);
        mutex_unlock(&shard->lock);
    }
    return bytes >= needed;
}

static bool limit_can_evict(struct trial *trial, size_t limit)
{
    struct store *store = trial->store;
    size_t used = pages_used(&store->pages);
    if (used <= limit)
        return true;
    return trial->policy != STORE_NOEVICTION &&
           limit_is_evictable(trial, used - limit + trial->working);
}

/* Evicts until no more than `limit` is in use, and then small keys until it is a little less; fewer
 * if other threads evict, too. False if nothing could be evicted and more is in use. */
static bool limit_evict_to(struct trial *trial, size_t limit)
{
    struct store *store = trial->store;
    struct evict_request terms = {.policy = trial->policy,
                                  .keep = trial->keys,
                                  .keep_count = trial->key_count,
                                  .quick = trial->quick};
    size_t ahead = limit > EVICT_AHEAD ? limit - EVICT_AHEAD : 0, freed = 0;
    bool found = false;
    while (!limit_fits(store, limit) || (freed < EVICT_AHEAD_SMALL && !limit_fits(store, ahead))) {
        size_t before = pages_used(&store->pages);
        if (!evict_one(store, &terms)) {
            trial->held |= terms.held;
            return found || limit_fits(store, limit);
        }
        found = true;
        size_t after = pages_used(&store->pages);
        freed = before > after ? before - after : 0;
    }
    return true;
}

/* The last resort when not enough can be evicted: garbage and reserves of strings. False if nothing
 * was freed. True also if too little was: eviction may supply the rest, or the operation may copy
 * less now. */
static bool limit_reclaim_rest(struct trial *trial, size_t limit)
{
    struct store *store = trial->store;
    size_t before = pages_used(&store->pages);
    return limit_collect_garbage(trial, limit, true) ||
           reserve_reclaim(store, limit, trial->quick, &trial->held) ||
           pages_used(&store->pages) < before;
}

/* The limit was lowered far below what is in use, and nothing may be evicted. What else there is to
 * free would be too little, or take long. */
static bool limit_is_lowered(const struct trial *trial)
{
    size_t used = pages_used(&trial->store->pages);
    return trial->policy == STORE_NOEVICTION && used > trial->limit &&
           used - trial->limit > LOWERED_LEAST;
}

/* Frees what the last attempt needed, which other threads may take before the next one; false if
 * that is impossible. */
static bool limit_free_memory(struct trial *trial)
{
    if (trial->growth > trial->limit || limit_is_lowered(trial))
        return false;
    size_t limit = trial->limit - trial->growth;
    if (limit_collect_garbage(trial, limit, false))
        return true;
    if (limit_can_evict(trial, limit))
        return limit_evict_to(trial, limit);
    return limit_reclaim_rest(trial, limit);
}

/* ---- near the limit ---- */

/* The limit for the first attempt. While resident memory stays too large despite compaction, it is
 * less than what is in use, so that keys are evicted; only a little, as the operation waits. */
static size_t limit_for_first_attempt(struct store *store, const struct op *op,
                                      enum store_policy policy, size_t in_force, bool quick)
{
    size_t limit = limit_for(in_force, op);
    if (limit_purge(store, in_force))
        return limit;
    size_t need = MAX_PER_OP + limit_op_size(op);
    if (list_garbage_collect(GARBAGE_CHUNKS + need / GARBAGE_CHUNK_BYTES) > 0)
        return limit;
    limit_compact_for(store, need, quick);
    if (policy == STORE_NOEVICTION || limit_purge(store, in_force))
        return limit;
    size_t used = pages_used(&store->pages), more = need / 4 < used / 8 ? need / 4 : used / 8;
    return used - more < limit ? used - more : limit;
}

enum store_answer limit_apply(struct store *store, struct op *op, struct arena *arena,
                              struct op_result *result, bool quick)
{
    enum store_policy policy = atomic_load_explicit(&store->policy, memory_order_relaxed);
    limit_change_shrink(store, LOWERED_KEYS);
    size_t in_force = limit_change_in_force(store, policy), limit = limit_for(in_force, op);
    struct trial trial = {.store = store,
                          .op = op,
                          .arena = arena,
                          .result = result,
                          .policy = policy,
                          .limit = limit_for_first_attempt(store, op, policy, in_force, quick),
                          .quick = quick,
                          .is_undoable = true};
    for (int i = 0; i < MAX_ATTEMPTS; i++) {
        if (limit_attempt(&trial))
            return trial.outcome;
        bool may_try_more = !trial.is_undoable || trial.limit < limit;
        if (trial.is_undoable && trial.took_reserve && !trial.is_tight) {
            trial.is_tight = true;
            continue;
        }
        if (trial.is_undoable && !limit_free_memory(&trial) && !may_try_more)
            break;
        trial.limit = limit;
    }
    if (trial.held) /* that shard may have memory to free */
        return STORE_HELD;
    apply_fail(result, ERR_OUT_OF_MEMORY, no_memory);
    return STORE_DONE;
}
