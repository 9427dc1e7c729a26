/* The operations that read or remove keys of any type: Delete, DeleteMany, Exists, Touch, Describe,
 * RandomKey. */
#include "store/ops/apply.h"

#include "base/arena.h"
#include "base/random.h"
#include "store/data/entry.h"
#include "store/data/shard.h"
#include "store/list/list.h"

/* ---- removing ---- */

static void keys_remove_key(struct op_context *ctx, struct lookup *at, struct op_result *result)
{
    apply_remove(ctx, at);
    apply_change_delete(ctx, at);
    result->ok = true;
    result->count++;
}

void apply_delete(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_write_key(ctx, op);
    if (apply_condition(ctx, op, at.entry, result) && at.entry != NULL)
        keys_remove_key(ctx, &at, result);
}

void apply_delete_many(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    for (size_t i = 0; i < op->key_count; i++) {
        apply_fetch_keys(ctx, op, i);
        struct lookup at = apply_lookup_write(ctx, op->db, op->keys[i].bytes, op->keys[i].hash);
        if (at.entry != NULL)
            keys_remove_key(ctx, &at, result);
    }
}

/* ---- reading ---- */

/* A key that is given twice counts twice. */
void apply_exists(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    for (size_t i = 0; i < op->key_count; i++) {
        apply_fetch_keys(ctx, op, i);
        if (apply_peek(ctx, op->db, op->keys[i].bytes, op->keys[i].hash).entry != NULL)
            result->count++;
    }
    result->ok = result->count > 0;
}

/* Like Exists, but counts as a use for eviction. */
void apply_touch(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    for (size_t i = 0; i < op->key_count; i++) {
        apply_fetch_keys(ctx, op, i);
        if (apply_lookup_read(ctx, op->db, op->keys[i].bytes, op->keys[i].hash).entry != NULL)
            result->count++;
    }
    result->ok = result->count > 0;
}

/* memory_bytes is the entry's object with its key and inline value, as rounded by the slab, plus
 * its blob or list, plus an equal share of its dictionary's buckets. */
void apply_describe(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_peek(ctx, op->db, op->key, op->hash);
    if (op->read.want_as_of)
        result->as_of = at.as_of;
    if (at.entry == NULL)
        return;
    result->ok = true;
    result->version = entry_version(at.entry);
    result->value.expire_at_ms = entry_expire_at_ms(at.entry);
    result->memory_bytes =
        (int64_t)(entry_memory(at.entry) + dict_memory_per_entry(&at.database->dict));
    if (entry_type(at.entry) == ENTRY_LIST) {
        result->type = OP_TYPE_LIST;
        result->length = (int64_t)list_length(entry_list(at.entry));
    } else {
        result->type = OP_TYPE_STRING;
        result->length = (int64_t)entry_string(at.entry).len;
    }
}

/* ---- RandomKey: locks the shards itself, one at a time ---- */

/* After this many draws of expired keys, all keys are searched for a valid one. */
#define RANDOM_TRIES 100
/* Buckets that are searched while the lock is held. */
#define RANDOM_BUCKETS 16

/* The number of keys in each shard. */
struct counts {
    size_t shards[SHARDS_MAX];
    size_t total;
};

static uint64_t keys_draw(void)
{
    uint64_t random;
    random_fill(&random, sizeof random);
    return random;
}

/* False if a shard is held for long. */
static bool keys_count(struct op_context *ctx, uint32_t db, struct counts *counts)
{
    counts->total = 0;
    for (size_t i = 0; i < ctx->store->shard_count; i++) {
        struct shard *shard = &ctx->store->shards[i];
        if (!shard_lock(shard, ctx->quick))
            return false;
        counts->shards[i] = shard->databases[db].dict.count;
        apply_observe_revision(ctx, shard->removed);
        mutex_unlock(&shard->lock);
        counts->total += counts->shards[i];
    }
    return true;
}

/* Chooses a shard in proportion to its keys, so that each key of the database is equally likely.
 * There is at least one key. */
static size_t keys_draw_shard(const struct counts *counts)
{
    size_t number = (size_t)((unsigned __int128)keys_draw() * counts->total >> 64), i = 0;
    while (number >= counts->shards[i])
        number -= counts->shards[i++];
    return i;
}

/* Makes the entry the answer; false if it is NULL or has expired. */
static bool keys_answer_key(struct op_context *ctx, const struct entry *entry,
                            struct op_result *result)
{
    if (entry == NULL || apply_is_due(ctx, entry_expire_at_ms(entry)))
        return false;
    apply_observe_revision(ctx, entry_version(entry));
    result->key = arena_copy(ctx->arena, entry_key(entry));
    result->version = entry_version(entry);
    return result->ok = true;
}

/* True if the operation is complete: a key was found, or it has failed. */
static bool keys_draw_key(struct op_context *ctx, struct shard *shard, uint32_t db,
                          struct op_result *result)
{
    if (!shard_lock(shard, ctx->quick)) {
        apply_fail_held(ctx, result);
        return true;
    }
    const struct entry *entry = dict_random(&shard->databases[db].dict, keys_draw());
    bool found = keys_answer_key(ctx, entry, result);
    mutex_unlock(&shard->lock);
    return found;
}

struct search {
    struct op_context *ctx;
    struct op_result *result;
};

static void keys_visit(void *context, struct entry *entry)
{
    struct search *search = context;
    if (!search->result->ok)
        keys_answer_key(search->ctx, entry, search->result);
}

static void keys_search_shard(struct search *search, struct shard *shard, uint32_t db)
{
    uint64_t cursor = 0;
    do {
        if (!shard_lock(shard, search->ctx->quick)) {
            apply_fail_held(search->ctx, search->result);
            return;
        }
        for (size_t i = 0; i == 0 || (i < RANDOM_BUCKETS && cursor != 0); i++)
            cursor = dict_scan(&shard->databases[db].dict, cursor, keys_visit, search);
        mutex_unlock(&shard->lock);
    } while (cursor != 0 && !search->result->ok);
}

void apply_random_key(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct store *store = ctx->store;
    struct counts counts = {.total = 0};
    if (!keys_count(ctx, op->db, &counts)) {
        apply_fail_held(ctx, result);
        return;
    }
    if (counts.total == 0)
        return;
    for (int tries = 0; tries < RANDOM_TRIES; tries++)
        if (keys_draw_key(ctx, &store->shards[keys_draw_shard(&counts)], op->db, result))
            return;
    /* Nearly all keys have expired but are not removed yet; now any valid one will do. */
    struct search search = {.ctx = ctx, .result = result};
    size_t first = keys_draw_shard(&counts);
    for (size_t i = 0; i < store->shard_count && !result->ok && result->err == ERR_NONE; i++)
        keys_search_shard(&search, &store->shards[(first + i) % store->shard_count], op->db);
}
