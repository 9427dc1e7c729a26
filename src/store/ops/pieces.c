/*
 * Optimistic reads: a piece is an operation of its own on some of the keys, whose answer is added
 * to the whole one while their locks are still held. Knows which kinds answer how.
 */
#include "store/ops/pieces.h"

#include "base/check.h"
#include "store/data/lock.h"
#include "store/data/shard.h"
#include "store/ops/apply.h"

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

/* The locks of the piece's keys are held. */
static bool pieces_are_unchanged(struct store *store, const struct op *piece, uint64_t since)
{
    for (size_t i = 0; i < piece->key_count; i++) {
        const struct op_key *key = &piece->keys[i];
        struct shard *shard = shard_of(store, key->hash);
        const struct entry *entry =
            dict_find(&shard->databases[piece->db].dict, key->hash, key->bytes);
        uint64_t changed = entry != NULL ? entry_version(entry)
                                         : removals_latest(&shard->removals, piece->db, key->hash);
        if (changed > since)
            return false;
    }
    return true;
}

/* Room for the answers of all pieces; false if the operation has failed. */
static bool pieces_make_room(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    if (op->kind != OP_M_GET || result->items != NULL)
        return true;
    result->items = apply_unfold(ctx, op->key_count * sizeof *result->items, result);
    return result->items != NULL;
}

/* Carries out the piece that starts with key `first`, and adds its answer; `left` is what the whole
 * answer may still take. False if the operation has failed. */
static bool pieces_read(struct op_context *ctx, const struct op *piece, size_t first, size_t *left,
                        struct op_result *result)
{
    struct op_result part = {.items = result->items != NULL ? result->items + first : NULL};
    apply_op(ctx, piece, &part);
    if (part.err != ERR_NONE) {
        op_result_release(result);
        *result = (struct op_result){.err = part.err, .why = part.why};
        return false;
    }
    for (size_t i = 0; i < part.item_count; i++)
        *left -= op_answer_size(part.items[i].bytes.len);
    result->item_count += part.item_count;
    result->count += part.count;
    result->ok |= part.ok;
    return true;
}

/* False if a key has changed since the read began: then all that was read is void. */
static bool pieces_try(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    uint64_t since = atomic_load(&ctx->store->revision);
    size_t left = op_most_answer(op), count;
    for (size_t first = 0; first < op->key_count; first += count) {
        count = op->key_count - first < PIECE_KEYS ? op->key_count - first : PIECE_KEYS;
        struct op piece = *op;
        piece.keys = op->keys + first;
        piece.key_count = count;
        if (op->max_answer != 0)
            piece.max_answer = left > 0 ? left : 1; /* 0 would mean: any */
        struct lock_set set = lock_shards_of(ctx->store, &piece);
        lock_take_waiting(ctx->store, &set);
        bool unchanged = pieces_are_unchanged(ctx->store, &piece, since);
        bool done = unchanged && pieces_read(ctx, &piece, first, &left, result);
        lock_release(ctx->store, &set, true);
        if (!done)
            return unchanged;
    }
    return true;
}

bool pieces_apply(struct store *store, struct op *op, struct arena *arena, struct op_result *result)
{
    if (!pieces_gain(op))
        return false;
    struct op_context ctx = apply_context(store, op, arena, false);
    for (int i = 0; i < ATTEMPTS; i++) {
        if (!pieces_make_room(&ctx, op, result))
            return true;
        if (pieces_try(&ctx, op, result)) {
            result->seen = apply_seen(&ctx);
            return true;
        }
        struct op_value *items = result->items;
        op_result_release(result);
        *result = (struct op_result){.items = items};
    }
    *result = (struct op_result){0};
    return false;
}
