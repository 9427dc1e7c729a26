/*
 * Optimistic reads: a piece is an operation of its own on some keys of one shard, whose answer is
 * added to the whole one while the lock is held. Knows which kinds answer how.
 */
#include "store/ops/pieces.h"

#include "base/check.h"
#include "store/data/lock.h"
#include "store/data/shard.h"
#include "store/ops/apply.h"

#include <string.h>

/* Fewer keys are read in less time than they would delay anybody. */
#define LEAST_KEYS 2048
/* Keys of a piece. */
#define PIECE_KEYS ((size_t)256)
/* Attempts before the read takes all locks. */
#define ATTEMPTS 3

static bool pieces_gain(const struct op *op)
{
    const struct op_info *info = op_info(op->kind);
    return info->access == OP_READ && info->keys == OP_KEYS_KEYS && op->key_count >= LEAST_KEYS;
}

/* All keys of the piece are in the shard, which is locked. */
static bool pieces_are_unchanged(const struct shard *shard, const struct op *piece, uint64_t since)
{
    for (size_t i = 0; i < piece->key_count; i++) {
        const struct op_key *key = &piece->keys[i];
        const struct database *database = &shard->databases[piece->db];
        const struct entry *entry = dict_find(&database->dict, key->hash, key->bytes);
        uint64_t changed = entry != NULL ? entry_version(entry)
                                         : removals_latest(&shard->removals, piece->db, key->hash);
        if (changed > since || database->swapped_at > since)
            return false;
    }
    return true;
}

/* Which keys to read in which order: those of a shard together, so that a piece needs one lock. */
struct pieces_order {
    uint32_t *keys;                /* their places in the operation, */
    size_t starts[SHARDS_MAX + 1]; /* those of a shard from here to the next shard's */
};

/* Room for the answers of all pieces and for the order; false if the operation has failed. */
static bool pieces_make_room(struct op_context *ctx, const struct op *op,
                             struct pieces_order *order, struct op_result *result)
{
    order->keys = apply_unfold(ctx, op->key_count * sizeof *order->keys, result);
    if (order->keys == NULL)
        return false;
    if (op->kind == OP_M_GET)
        result->items = apply_unfold(ctx, op->key_count * sizeof *result->items, result);
    return op->kind != OP_M_GET || result->items != NULL;
}

/* Sorts by counting. The hashes are known. */
static void pieces_sort(const struct store *store, const struct op *op, struct pieces_order *order)
{
    size_t *starts = order->starts;
    memset(starts, 0, sizeof order->starts);
    for (size_t i = 0; i < op->key_count; i++)
        starts[shard_number(store, op->keys[i].hash) + 1]++;
    for (size_t shard = 1; shard <= store->shard_count; shard++)
        starts[shard] += starts[shard - 1];
    for (size_t i = op->key_count; i-- > 0;)
        order->keys[--starts[shard_number(store, op->keys[i].hash) + 1]] = (uint32_t)i;
    /* Each start has moved to that of the shard before it. */
    memmove(starts, starts + 1, store->shard_count * sizeof *starts);
    starts[store->shard_count] = op->key_count;
}

/* Some keys of one shard, and where their answers go. */
struct piece {
    struct op op;
    struct op_key keys[PIECE_KEYS];
    struct op_value items[PIECE_KEYS];
    const uint32_t *places;
};

static void pieces_fill(struct piece *piece, const struct op *op, const uint32_t *places,
                        size_t count)
{
    piece->op = *op;
    piece->op.keys = piece->keys;
    piece->op.key_count = count;
    piece->places = places;
    for (size_t i = 0; i < count; i++)
        piece->keys[i] = op->keys[places[i]];
}

/* Carries the piece out, and adds its answer; `left` is what the whole answer may still take. False
 * if the operation has failed. */
static bool pieces_read(struct op_context *ctx, struct piece *piece, size_t *left,
                        struct op_result *result)
{
    struct op_result part = {.items = piece->items};
    if (piece->op.max_answer != 0)
        piece->op.max_answer = *left > 0 ? *left : 1; /* 0 would mean: any */
    apply_op(ctx, &piece->op, &part);
    if (part.err != ERR_NONE) {
        op_result_release(result);
        *result = op_result_error(&part);
        return false;
    }
    for (size_t i = 0; result->items != NULL && i < part.item_count; i++) {
        *left -= op_answer_size(part.items[i].bytes.len);
        result->items[piece->places[i]] = part.items[i];
    }
    result->count += part.count;
    result->ok |= part.ok;
    return true;
}

/* False if a key has changed since the read began: then all that was read is void; or if the
 * operation has failed. */
static bool pieces_read_shard(struct op_context *ctx, const struct op *op, const uint32_t *places,
                              size_t count, uint64_t since, size_t *left, struct op_result *result)
{
    struct piece piece;
    for (size_t first = 0; first < count; first += PIECE_KEYS) {
        size_t rest = count - first;
        pieces_fill(&piece, op, places + first, rest < PIECE_KEYS ? rest : PIECE_KEYS);
        struct shard *shard = shard_of(ctx->store, piece.keys[0].hash);
        mutex_lock(&shard->lock);
        bool done =
            pieces_are_unchanged(shard, &piece.op, since) && pieces_read(ctx, &piece, left, result);
        mutex_unlock(&shard->lock);
        if (!done)
            return false;
    }
    return true;
}

/* As pieces_read_shard(). */
static bool pieces_try(struct op_context *ctx, const struct op *op,
                       const struct pieces_order *order, struct op_result *result)
{
    uint64_t since = atomic_load(&ctx->store->revision);
    size_t left = op_most_answer(op);
    if (result->items != NULL) { /* released as a whole, whichever are there */
        result->item_count = op->key_count;
        memset(result->items, 0, op->key_count * sizeof *result->items);
    }
    for (size_t shard = 0; shard < ctx->store->shard_count; shard++) {
        size_t first = order->starts[shard];
        if (!pieces_read_shard(ctx, op, order->keys + first, order->starts[shard + 1] - first,
                               since, &left, result))
            return false;
    }
    return true;
}

bool pieces_apply(struct store *store, struct op *op, struct arena *arena, struct op_result *result)
{
    if (!pieces_gain(op))
        return false;
    struct op_context ctx = apply_context(store, op, arena, false);
    struct pieces_order order;
    if (!pieces_make_room(&ctx, op, &order, result))
        return true;
    lock_shards_of(store, op); /* for the hashes */
    pieces_sort(store, op, &order);
    for (int i = 0; i < ATTEMPTS; i++) {
        bool done = pieces_try(&ctx, op, &order, result);
        if (done)
            result->seen = apply_seen(&ctx);
        if (done || result->err != ERR_NONE)
            return true;
        struct op_value *items = result->items;
        op_result_release(result);
        *result = (struct op_result){.items = items};
    }
    *result = (struct op_result){0};
    return false;
}
