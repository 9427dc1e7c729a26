/* Carrying operations out near the memory limit. Knows neither policies nor what operations do. */
#include "store/room.h"

#include "base/arena.h"
#include "base/check.h"
#include "store/compact.h"
#include "store/data/garbage.h"
#include "store/data/lock.h"
#include "store/data/shard.h"
#include "store/data/visits.h"
#include "store/evict.h"
#include "store/list/list_garbage.h"
#include "store/memory/heap.h"
#include "store/ops/apply.h"
#include "store/ops/undo.h"
#include "store/reserve.h"

#include <stdlib.h>

/* The memory held may exceed the limit by one part in so many, which is more than what is not
 * compacted, and by this much: what pages of all sizes in all shards take. */
#define HELD_SHARE 14
#define HELD_BASE  ((size_t)16 * 1024 * 1024)
/* Beyond that, an operation moves the hand of the compaction on: once, and once more for so many
 * bytes that it brings along, but not too often, nor when that seems to be of no use. */
#define COMPACT_BYTES 64
#define COMPACT_TURNS 64
#define COMPACT_VAIN  4
/* Before that, an operation frees chunks of lists that are gone: so many, and one more for so many
 * bytes that it brings along, which is more than it takes. */
#define GARBAGE_CHUNKS      64
#define GARBAGE_CHUNK_BYTES ((size_t)1024)
/* What may be in use beyond the limit for operations that need only a few bytes, and what slabs may
 * not have reported, are each one part of the limit in so many. */
#define RESERVE_SHARE 64
/* An operation surely takes no more than twice the bytes that it brings along, the reserve of a
 * string that grows, and for each operation in it this: a chunk of a list and a part of a
 * dictionary. */
#define MOST_PER_OP  ((size_t)16 * 1024)
#define MOST_RESERVE ((size_t)1024 * 1024)
/* All threads may find at the same time that there is room; and while a large operation is carried
 * out, many small ones come to their end. So from this size on it must be far from the limit: by
 * one part of it in so many. */
#define QUICK     ((size_t)64 * 1024)
#define FAR_SHARE 8
/* Bytes of small keys that are evicted beyond what is needed, and how small they are. */
#define AHEAD       ((size_t)4 * 1024)
#define AHEAD_SMALL ((size_t)1024)
/* What a table at most keeps for a key when all others have gone. */
#define TABLE_PER_KEY ((size_t)128)
/* Entries that are freed for FlushDb in one turn. */
#define TURN_GARBAGE 1000
/* Attempts, each after room was made that others have taken, before an operation is refused. */
#define MAX_ATTEMPTS 100
/* What an undo may copy at most, and its share of the limit, of which it may have at least a MiB.
 */
#define UNDO_MOST  ((size_t)32 * 1024 * 1024)
#define UNDO_LEAST ((size_t)1024 * 1024)
#define UNDO_SHARE 16

static const char no_memory[] =
    "the memory limit (--max-memory) is reached and nothing can be evicted; remove keys, raise the "
    "limit or choose another --max-memory-policy";

/* ---- far from the limit ---- */

/* Bytes that the operation brings along. */
static size_t room_size_of(const struct op *op)
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

static size_t room_most_growth(const struct op *op);

static size_t room_most_of(const struct op *ops, size_t count)
{
    size_t most = 0;
    for (size_t i = 0; i < count && most < SIZE_MAX / 2; i++)
        most += room_most_growth(&ops[i]);
    return most;
}

/* More than the operation can take; at most SIZE_MAX / 2. */
static size_t room_most_growth(const struct op *op)
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
        return SIZE_MAX / 4;
    size_t most = MOST_PER_OP + 2 * room_size_of(op) + room_most_of(op->ops, op->op_count);
    if (op_is(op->kind, OP_SPLICES))
        most += MOST_RESERVE;
    if (op->txn != NULL)
        most += room_most_of(op->txn->else_ops, op->txn->else_count);
    return most < SIZE_MAX / 2 ? most : SIZE_MAX / 2;
}

/* True if the memory held exceeds the limit, because a good part of it is not in use. */
static bool room_holds_too_much(const struct store *store)
{
    size_t slack = heap_slack() + list_garbage_bytes() + pages_slack(&store->pages);
    return pages_used(&store->pages) + slack >
           store->max_memory + store->max_memory / HELD_SHARE + HELD_BASE;
}

/* Where keys of one size make room for those of another, pages are held that are full of holes. So
 * what is left in them is moved together as quickly as new memory is asked for. */
static void room_compact_for(struct store *store, size_t need, bool quick)
{
    size_t turns = 1 + need / COMPACT_BYTES, vain = 0;
    if (turns > COMPACT_TURNS)
        turns = COMPACT_TURNS;
    for (size_t i = 0; i < turns && vain < COMPACT_VAIN; i++) {
        unsigned number = atomic_fetch_add_explicit(&store->compact_hand, 1, memory_order_relaxed);
        struct shard *shard = &store->shards[number % store->shard_count];
        if (!shard_lock(shard, quick))
            continue;
        vain += compact_shard(store, shard).moved == 0;
        mutex_unlock(&shard->lock);
    }
}

bool room_is_ample(const struct store *store, const struct op *op)
{
    size_t most = room_most_growth(op), limit = store->max_memory;
    if (most == 0)
        return true;
    size_t taken = pages_used(&store->pages) + limit / RESERVE_SHARE;
    if (most > QUICK)
        taken += limit / FAR_SHARE;
    return taken < limit && most < (limit - taken) / store->threads && !room_holds_too_much(store);
}

size_t room_for_undo(const struct store *store)
{
    size_t share = store->max_memory / UNDO_SHARE;
    if (store->max_memory == 0 || share > UNDO_MOST)
        return UNDO_MOST;
    return share > UNDO_LEAST ? share : UNDO_LEAST;
}

/* ---- an attempt ---- */

/* A key that the operation works on. */
struct working_key {
    uint64_t hash;
    size_t memory; /* bytes that could be evicted if it did not */
};

/* An operation that is carried out near the limit. */
struct trial {
    struct store *store;
    struct op *op;
    struct arena *arena;
    struct op_result *result;
    bool quick;              /* it must not wait for a lock that is held for long... */
    bool held;               /* ...and there was one */
    enum store_answer later; /* why the last attempt has failed, if it is to be tried again */
    size_t limit;            /* for what is in use afterwards */
    bool is_tight;           /* strings that grow get no reserve */
    bool is_undoable;  /* false: its undo would become too large, so it is carried out without */
    bool took_reserve; /* one got some */
    size_t growth;     /* bytes that the last attempt needed */
    size_t working;    /* bytes of `keys` */
    uint64_t *keys;    /* the hashes of its keys, ascending; NULL = not known yet */
    size_t key_count;
};

static bool room_may_grow(const struct op *op)
{
    for (size_t i = 0; i < op->op_count; i++)
        if (room_may_grow(&op->ops[i]))
            return true;
    for (size_t i = 0; op->txn != NULL && i < op->txn->else_count; i++)
        if (room_may_grow(&op->txn->else_ops[i]))
            return true;
    return op_info(op->kind)->access == OP_GROW && op->kind != OP_TXN;
}

static size_t room_limit_for(const struct store *store, const struct op *op)
{
    return store->max_memory + (room_may_grow(op) ? 0 : store->max_memory / RESERVE_SHARE);
}

/* What the slabs of these shards use is reported, and from now on only on demand. */
static void room_hold_slabs(struct store *store, struct lock_set set)
{
    for (struct shard *shard; (shard = lock_next(store, &set)) != NULL;) {
        CHECK(!shard->slab.is_held);
        slab_report(&shard->slab);
        shard->slab.is_held = true;
    }
}

static void room_release_slabs(struct store *store, struct lock_set set, size_t reserved)
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

/* Bytes by which more would be in use if the unit stood; 0 if it is not more. */
static size_t room_growth_of(struct store *store, struct lock_set set, const struct undo *undo)
{
    ptrdiff_t growth = -(ptrdiff_t)undo->kept;
    for (struct shard *shard; (shard = lock_next(store, &set)) != NULL;) {
        DCHECK(shard->slab.is_held);
        growth += slab_unreported(&shard->slab);
    }
    return growth > 0 ? (size_t)growth : 0;
}

struct key_collector {
    struct lock_visitor visitor; /* first: the pointer to it is one to this */
    struct store *store;
    struct working_key *keys; /* NULL: they are only counted */
    size_t count;
};

/* Bytes that could be evicted under that key in all databases, for it is kept by its hash. */
static size_t room_evictable_under(struct store *store, struct slice key, uint64_t hash)
{
    bool by_deadline = store_policy_is_volatile(store->policy);
    size_t bytes = 0;
    for (uint32_t db = 0; db < store->databases; db++) {
        const struct dict *dict = &shard_of(store, hash)->databases[db].dict;
        const struct entry *entry = dict->count > 0 ? dict_find(dict, hash, key) : NULL;
        if (entry != NULL && (!by_deadline || entry_expire_at_ms(entry) != 0))
            bytes += entry_memory(entry) + TABLE_PER_KEY;
    }
    return bytes;
}

static void room_collect_key(struct lock_visitor *visitor, uint32_t db, struct slice key,
                             uint64_t *hash)
{
    struct key_collector *collector = (struct key_collector *)visitor;
    (void)db;
    if (collector->keys != NULL)
        collector->keys[collector->count] = (struct working_key){
            .hash = *hash, .memory = room_evictable_under(collector->store, key, *hash)};
    collector->count++;
}

static int room_compare_keys(const void *a, const void *b)
{
    uint64_t left = ((const struct working_key *)a)->hash;
    uint64_t right = ((const struct working_key *)b)->hash;
    return left < right ? -1 : left > right;
}

/* Each hash once. */
static void room_keep_unique(struct trial *trial, const struct working_key *keys, size_t count)
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

/* The operation's shards are locked and as they were before it. */
static void room_collect_keys(struct trial *trial)
{
    struct key_collector collector = {.visitor = {.visit = room_collect_key},
                                      .store = trial->store};
    lock_each_key(trial->op, &collector.visitor);
    size_t count = collector.count;
    collector.keys = arena_alloc(trial->arena, count * sizeof *collector.keys);
    collector.count = 0;
    lock_each_key(trial->op, &collector.visitor);
    CHECK(collector.count == count);
    qsort(collector.keys, count, sizeof *collector.keys, room_compare_keys);
    if (trial->keys == NULL)
        trial->keys = arena_alloc(trial->arena, count * sizeof *trial->keys);
    room_keep_unique(trial, collector.keys, count);
}

/* False if the operation, which has been carried out, took more than there is. */
static bool room_may_stand(struct trial *trial, struct lock_set set, const struct undo *undo)
{
    trial->growth = room_growth_of(trial->store, set, undo);
    return trial->growth == 0 || pages_reserve(&trial->store->pages, trial->growth, trial->limit);
}

/* The unit, which has not failed, stands or is taken back. */
static bool room_judge(struct trial *trial, struct lock_set set, struct op_context *ctx)
{
    bool stands = !ctx->undo->is_full && room_may_stand(trial, set, ctx->undo);
    if (stands) {
        undo_forget(ctx->undo, ctx->revision);
        return true;
    }
    trial->is_undoable = !ctx->undo->is_full;
    trial->took_reserve = ctx->took_reserve;
    apply_roll_back(ctx, trial->result);
    room_collect_keys(trial);
    return false;
}

static bool room_lock(struct trial *trial, struct shard *shard)
{
    bool locked = shard_lock(shard, trial->quick);
    trial->held |= !locked;
    return locked;
}

/* Carries the operation out; false if it must not stand, and nothing has changed. */
static bool room_attempt(struct trial *trial)
{
    struct store *store = trial->store;
    struct lock_set set = lock_shards_of(store, trial->op);
    if (!lock_take(store, &set, trial->quick)) {
        trial->later = STORE_HELD;
        return true;
    }
    room_hold_slabs(store, set);
    struct undo undo;
    undo_init(&undo, trial->arena, room_for_undo(store));
    struct op_context ctx = apply_space(store, trial->op, trial->arena, trial->quick);
    ctx.undo = trial->is_undoable ? &undo : NULL;
    ctx.is_tight = trial->is_tight;
    trial->growth = 0;
    apply_unit(&ctx, trial->op, trial->result);
    bool failed = trial->result->err != ERR_NONE, stands = true;
    if (!failed && trial->is_undoable)
        stands = room_judge(trial, set, &ctx);
    size_t reserved = stands && !failed ? trial->growth : 0;
    room_release_slabs(store, set, reserved);
    apply_end(&ctx);
    trial->result->seen = apply_seen(&ctx);
    trial->later = ctx.later;
    lock_release(store, &set, trial->quick);
    return stands;
}

/* ---- making room ---- */

static bool room_fits(const struct store *store, size_t limit)
{
    return pages_used(&store->pages) <= limit;
}

/* Frees what FlushDb has left; `all`: has every shard report what it uses, too. */
static bool room_collect_garbage(struct trial *trial, size_t limit, bool all)
{
    struct store *store = trial->store;
    for (size_t i = 0; i < store->shard_count && !room_fits(store, limit); i++) {
        struct shard *shard = &store->shards[i];
        if (!all && !atomic_load_explicit(&shard->has_garbage, memory_order_relaxed))
            continue;
        if (!room_lock(trial, shard))
            continue;
        slab_report(&shard->slab);
        while (!room_fits(store, limit) && garbage_collect(shard, TURN_GARBAGE) > 0)
            slab_report(&shard->slab);
        mutex_unlock(&shard->lock);
    }
    return room_fits(store, limit);
}

/* Bytes of the shard, which is locked, that could be evicted. */
static size_t room_evictable_in(const struct store *store, const struct shard *shard)
{
    size_t bytes = 0;
    if (!store_policy_is_volatile(store->policy))
        bytes = slab_used(&shard->slab) - visits_memory(shard);
    for (uint32_t db = 0; db < store->databases; db++) {
        const struct database *database = &shard->databases[db];
        if (store_policy_is_volatile(store->policy))
            bytes += database->expiring_memory;
        else
            bytes -= dict_min_memory(&database->dict);
    }
    DCHECK(bytes < SIZE_MAX / 2);
    return bytes;
}

/* True if so many bytes could be evicted, if nobody worked on a key. */
static bool room_is_evictable(struct trial *trial, size_t needed)
{
    struct store *store = trial->store;
    if (!store_policy_is_volatile(store->policy) && needed < pages_used(&store->pages) / 2)
        return true; /* dictionaries without entries take far less than that */
    size_t bytes = 0;
    for (size_t i = 0; i < store->shard_count && bytes < needed; i++) {
        struct shard *shard = &store->shards[i];
        if (!room_lock(trial, shard))
            continue;
        bytes += room_evictable_in(store, shard);
        mutex_unlock(&shard->lock);
    }
    return bytes >= needed;
}

static bool room_can_evict(struct trial *trial, size_t limit)
{
    struct store *store = trial->store;
    size_t used = pages_used(&store->pages);
    if (used <= limit)
        return true;
    return store->policy != STORE_NOEVICTION &&
           room_is_evictable(trial, used - limit + trial->working);
}

/* Evicts until so much is in use, and then small keys until it is a little less; or less than that,
 * when other threads were faster. False if nothing could be evicted and more is in use. */
static bool room_evict_to(struct trial *trial, size_t limit)
{
    struct store *store = trial->store;
    struct evict_request terms = {
        .keep = trial->keys, .keep_count = trial->key_count, .quick = trial->quick};
    size_t ahead = limit > AHEAD ? limit - AHEAD : 0, freed = 0;
    bool found = false;
    while (!room_fits(store, limit) || (freed < AHEAD_SMALL && !room_fits(store, ahead))) {
        size_t before = pages_used(&store->pages);
        if (!evict_one(store, &terms)) {
            trial->held |= terms.held;
            return found || room_fits(store, limit);
        }
        found = true;
        size_t after = pages_used(&store->pages);
        freed = before > after ? before - after : 0;
    }
    return true;
}

/* What is left when not enough can be evicted; false if that is not enough either. True also if
 * some was found: keys may make up for the rest, or what the operation copies is smaller now. */
static bool room_scrape_together(struct trial *trial, size_t limit)
{
    struct store *store = trial->store;
    size_t before = pages_used(&store->pages);
    return room_collect_garbage(trial, limit, true) ||
           reserve_give_up(store, limit, trial->quick, &trial->held) ||
           pages_used(&store->pages) < before;
}

/* Makes room for what the last attempt needed, which other threads may take before the next one;
 * false if there is none to be had. */
static bool room_make(struct trial *trial)
{
    if (trial->growth > trial->limit)
        return false;
    size_t limit = trial->limit - trial->growth;
    if (room_collect_garbage(trial, limit, false))
        return true;
    if (room_can_evict(trial, limit))
        return room_evict_to(trial, limit);
    return room_scrape_together(trial, limit);
}

/* ---- near the limit ---- */

/* The limit for a first attempt: while too much is held, although it was compacted, a little less
 * than is in use. Little, for the operation waits for what goes. */
static size_t room_first_limit(struct store *store, const struct op *op, size_t limit, bool quick)
{
    if (!room_holds_too_much(store))
        return limit;
    size_t need = MOST_PER_OP + room_size_of(op);
    if (list_garbage_collect(GARBAGE_CHUNKS + need / GARBAGE_CHUNK_BYTES) > 0)
        return limit;
    room_compact_for(store, need, quick);
    if (store->policy == STORE_NOEVICTION || !room_holds_too_much(store))
        return limit;
    size_t used = pages_used(&store->pages), more = need / 4 < used / 8 ? need / 4 : used / 8;
    return used - more < limit ? used - more : limit;
}

enum store_answer room_apply(struct store *store, struct op *op, struct arena *arena,
                             struct op_result *result, bool quick)
{
    size_t limit = room_limit_for(store, op);
    struct trial trial = {.store = store,
                          .op = op,
                          .arena = arena,
                          .result = result,
                          .limit = room_first_limit(store, op, limit, quick),
                          .quick = quick,
                          .is_undoable = true};
    for (int i = 0; i < MAX_ATTEMPTS; i++) {
        if (room_attempt(&trial))
            return trial.later;
        bool may_try_more = !trial.is_undoable || trial.limit < limit;
        if (trial.is_undoable && trial.took_reserve && !trial.is_tight) {
            trial.is_tight = true;
            continue;
        }
        if (trial.is_undoable && !room_make(&trial) && !may_try_more)
            break;
        trial.limit = limit;
    }
    if (trial.held) /* where there may be some */
        return STORE_HELD;
    apply_fail(result, ERR_OUT_OF_MEMORY, no_memory);
    return STORE_DONE;
}
