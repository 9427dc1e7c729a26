/*
 * Creates the shards, and dispatches operations: takes the locks of an operation's keys and calls
 * its function. Knows no single operation but Txn, which runs with an undo log. Near the memory
 * limit, limit.c carries operations out instead.
 */
#include "store/store.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/change.h"
#include "store/data/garbage.h"
#include "store/data/lock.h"
#include "store/data/shard.h"
#include "store/data/visits.h"
#include "store/evict.h"
#include "store/limit.h"
#include "store/limit_change.h"
#include "store/list/list_garbage.h"
#include "store/ops/apply.h"
#include "store/ops/pieces.h"
#include "store/ops/undo.h"

#include <stdlib.h>
#include <xxhash.h>

/* Keys evicted by one call of store_shrink(). */
#define SHRINK_KEYS 8

static uint64_t store_hash_key(const void *secret, struct slice key)
{
    return XXH3_64bits_withSecret(key.data, key.len, secret, STORE_SECRET_SIZE);
}

uint64_t store_hash(const struct store *store, struct slice key)
{
    return store_hash_key(store->secret, key);
}

static void store_init_shard(struct store *store, struct shard *shard)
{
    *shard = (struct shard){0};
    slab_init(&shard->slab, &store->pages);
    shard->databases = mem_alloc_zero(store->databases * sizeof *shard->databases);
    for (uint32_t db = 0; db < store->databases; db++)
        dict_init(&shard->databases[db].dict, &shard->slab, &store->hasher);
}

static void store_deinit_shard(struct shard *shard, uint32_t databases)
{
    CHECK(!mutex_is_held(&shard->lock));
    garbage_collect(shard, SIZE_MAX);
    CHECK(shard->garbage == NULL); /* no snapshot in progress needs some */
    removals_deinit(&shard->removals);
    visits_deinit(shard);
    waiters_deinit(&shard->waiters);
    for (uint32_t db = 0; db < databases; db++)
        dict_deinit(&shard->databases[db].dict);
    free(shard->databases);
    slab_deinit(&shard->slab);
}

static size_t store_shards_for(unsigned threads)
{
    size_t count = SHARDS_MIN;
    while (count < SHARDS_MAX && count < (size_t)threads * SHARDS_PER_THREAD)
        count *= 2;
    return count;
}

struct store *store_new(const struct store_options *options)
{
    CHECK(options->databases > 0);
    size_t count = store_shards_for(options->threads);
    size_t size = sizeof(struct store) + count * sizeof(struct shard);
    void *memory;
    if (posix_memalign(&memory, CACHE_LINE, size) != 0)
        check_out_of_memory(size);
    struct store *store = memory;
    CHECK(count <= SHARDS_MAX && (count & (count - 1)) == 0);
    store->shard_count = count;
    store->databases = options->databases;
    store->threads = options->threads != 0 ? options->threads : DEFAULT_THREADS;
    store->usage = (struct usage_sums){0};
    store->sink = NULL;
    store->snapshot = NULL;
    store->on_freed = NULL;
    store->on_freed_user = NULL;
    atomic_init(&store->hand, 0);
    atomic_init(&store->compact_hand, 0);
    atomic_init(&store->revision, 0);
    atomic_init(&store->reserved, UINT64_MAX);
    store->reserve = NULL;
    random_fill(store->secret, sizeof store->secret);
    random_fill(&store->cursor_seed, sizeof store->cursor_seed);
    store->hasher = (struct dict_hasher){.hash = store_hash_key, .context = store->secret};
    pages_init(&store->pages, true);
    for (size_t i = 0; i < store->shard_count; i++)
        store_init_shard(store, &store->shards[i]);
    limit_change_init(store, (struct store_limit){options->max_memory, options->policy});
    return store;
}

void store_free(struct store *store)
{
    if (store == NULL)
        return;
    for (size_t i = 0; i < store->shard_count; i++)
        store_deinit_shard(&store->shards[i], store->databases);
    list_garbage_collect(SIZE_MAX);
    pages_deinit(&store->pages);
    free(store);
}

struct store_limit store_limit(const struct store *store)
{
    return (struct store_limit){.max_memory = atomic_load(&store->max_memory),
                                .policy = atomic_load(&store->policy)};
}

void store_set_limit(struct store *store, struct store_limit limit)
{
    limit_change_to(store, limit);
}

void store_lift_limit(struct store *store, bool is_lifted)
{
    limit_change_lift(store, is_lifted);
}

bool store_shrink(struct store *store)
{
    limit_change_retry(store);
    return limit_change_shrink(store, SHRINK_KEYS);
}

uint32_t store_databases(const struct store *store)
{
    return store->databases;
}

void store_set_sink(struct store *store, struct change_sink *sink)
{
    store->sink = sink;
}

bool store_change_sink(struct store *store,
                       struct change_sink *(*choose)(void *user, struct change_sink *present,
                                                     uint64_t revision),
                       void *user)
{
    struct op all = {.kind = OP_FLUSH_DB};
    struct lock_set set = lock_shards_of(store, &all);
    if (!lock_take(store, &set, true))
        return false;
    store->sink = choose(user, store->sink, atomic_load(&store->revision));
    if (store->sink != NULL && atomic_load(&store->revision) == 0) {
        atomic_store(&store->revision, store->sink->begin(store->sink));
        store->sink->end(store->sink);
    }
    lock_release(store, &set, true);
    return true;
}

static bool store_has_one_key(const struct op *op)
{
    return op_info(op->kind)->keys == OP_KEYS_KEY;
}

static void store_prefetch_bucket(struct store *store, struct op *op)
{
    if (!store_has_one_key(op))
        return;
    if (op->hash == 0)
        op->hash = store_hash(store, op->key);
    dict_prefetch_bucket(&shard_of(store, op->hash)->databases[op->db].dict, op->hash);
}

static struct dict_guess store_guess(struct store *store, const struct op *op, unsigned links)
{
    if (!store_has_one_key(op))
        return (struct dict_guess){.at = NULL};
    struct shard *shard = shard_of(store, op->hash);
    if (!mutex_lock_brief(&shard->lock))
        return (struct dict_guess){.at = NULL};
    struct dict_guess guess = dict_guess(&shard->databases[op->db].dict, op->hash, links);
    mutex_unlock(&shard->lock);
    return guess;
}

/* Does each step for all operations before the next step, so that the prefetches of a step overlap.
 * A lock makes the processor wait for earlier loads, so nothing is prefetched between locks.
 * Entries in a linked bucket, about one in seven, take one more step. */
void store_prefetch(struct store *store, struct op *const *ops, size_t count)
{
    CHECK(count <= STORE_PREFETCH);
    struct dict_guess guesses[STORE_PREFETCH];
    for (size_t i = 0; i < count; i++)
        store_prefetch_bucket(store, ops[i]);
    for (size_t i = 0; i < count; i++)
        guesses[i] = store_guess(store, ops[i], 0);
    for (size_t i = 0; i < count; i++)
        dict_prefetch(guesses[i]);
    for (size_t i = 0; i < count; i++)
        if (guesses[i].is_bucket)
            dict_prefetch(store_guess(store, ops[i], 1));
}

void store_on_freed(struct store *store, void (*on_freed)(void *user), void *user)
{
    store->on_freed = on_freed;
    store->on_freed_user = user;
}

/* The operation's shards are locked. A transaction is rolled back if one of its operations fails.
 */
static enum store_answer store_apply_locked(struct store *store, const struct op *op,
                                            struct arena *arena, struct op_result *result,
                                            bool quick)
{
    struct undo undo;
    struct op_context ctx = apply_context(store, op, arena, quick);
    ctx.is_final = !quick;
    if (op->kind == OP_TXN) {
        undo_init(&undo, arena, limit_max_undo(store));
        ctx.undo = &undo;
    }
    apply_atomically(&ctx, op, result);
    if (ctx.undo != NULL)
        undo_discard(&undo, ctx.revision);
    apply_commit_op(&ctx, op, result);
    result->seen = apply_seen(&ctx);
    return ctx.outcome;
}

/* The fast path: one key, one lock. */
static enum store_answer store_apply_to_key(struct store *store, struct op *op, struct arena *arena,
                                            struct op_result *result)
{
    if (op->hash == 0)
        op->hash = store_hash(store, op->key);
    DCHECK(op->db < store->databases && op->hash == store_hash(store, op->key));
    struct shard *shard = shard_of(store, op->hash);
    if (!mutex_lock_brief(&shard->lock))
        return STORE_HELD;
    enum store_answer answer = store_apply_locked(store, op, arena, result, true);
    mutex_unlock(&shard->lock);
    return answer;
}

static enum store_answer store_apply_to_keys(struct store *store, struct op *op,
                                             struct arena *arena, struct op_result *result,
                                             bool quick)
{
    struct lock_set set = lock_shards_of(store, op);
    if (!lock_take(store, &set, quick))
        return STORE_HELD;
    enum store_answer answer = store_apply_locked(store, op, arena, result, quick);
    lock_release(store, &set, quick);
    return answer;
}

void store_apply(struct store *store, struct op *op, struct arena *arena, struct op_result *result)
{
    *result = (struct op_result){0};
    if (atomic_load_explicit(&store->max_memory, memory_order_relaxed) != 0 &&
        !limit_is_far(store, op))
        limit_apply(store, op, arena, result, false);
    else if (!pieces_apply(store, op, arena, result))
        store_apply_to_keys(store, op, arena, result, false);
}

enum store_answer store_try_apply(struct store *store, struct op *op, struct arena *arena,
                                  struct op_result *result)
{
    enum store_answer answer;
    *result = (struct op_result){0};
    if (atomic_load_explicit(&store->max_memory, memory_order_relaxed) != 0 &&
        !limit_is_far(store, op))
        answer = limit_apply(store, op, arena, result, true);
    else if (store_has_one_key(op))
        answer = store_apply_to_key(store, op, arena, result);
    else
        answer = store_apply_to_keys(store, op, arena, result, true);
    if (answer != STORE_DONE && answer != STORE_NOTIFIED)
        *result = (struct op_result){0};
    return answer;
}
