/*
 * SwapDb exchanges the numbers of two databases. In each shard their parts are exchanged, with all
 * that belongs to the entries; no entry is touched, so it takes as long for ten million keys as for
 * ten. shard.h explains how a key's versions stay distinct.
 */
#include "base/check.h"
#include "store/data/shard.h"
#include "store/ops/apply.h"
#include "store/snapshot.h"

/* Copies what belongs to the entries, except the dictionary. */
static void swap_db_take(struct database *to, const struct database *from)
{
    to->expiring = from->expiring;
    to->expiring_memory = from->expiring_memory;
    to->hand = from->hand;
    to->ahead = from->ahead;
    to->saving = from->saving;
}

static void swap_db_in_shard(struct shard *shard, uint32_t one, uint32_t other, uint64_t revision)
{
    DCHECK(mutex_is_held(&shard->lock));
    struct database *first = &shard->databases[one], *second = &shard->databases[other];
    struct database former;
    swap_db_take(&former, first);
    swap_db_take(first, second);
    swap_db_take(second, &former);
    dict_swap(&first->dict, &second->dict);
    DCHECK(revision > first->swapped_at && revision > second->swapped_at);
    first->swapped_at = second->swapped_at = revision;
}

/* The number of keys in both databases. */
static size_t swap_db_count(struct op_context *ctx, const struct op *op)
{
    size_t count = 0;
    for (size_t i = 0; i < ctx->store->shard_count; i++) {
        const struct shard *shard = &ctx->store->shards[i];
        const struct database *one = &shard->databases[op->db];
        const struct database *other = &shard->databases[op->target_db];
        apply_observe_revision(ctx, shard->removed);
        apply_observe_revision(ctx, one->swapped_at);
        apply_observe_revision(ctx, other->swapped_at);
        count += one->dict.count + other->dict.count;
    }
    return count;
}

void apply_swap_db(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    CHECK(ctx->undo == NULL); /* it cannot be rolled back */
    size_t count = op->db != op->target_db ? swap_db_count(ctx, op) : 0;
    if (count == 0)
        return;
    uint64_t revision = apply_revision(ctx);
    for (size_t i = 0; i < ctx->store->shard_count; i++)
        swap_db_in_shard(&ctx->store->shards[i], op->db, op->target_db, revision);
    snapshot_swap(ctx->store, op->db, op->target_db);
    for (size_t i = 0; i < ctx->store->shard_count; i++)
        apply_note_notified(ctx,
                            waiters_on_swap(&ctx->store->shards[i].waiters, op->db, op->target_db));
    apply_change(ctx, &(struct op){.kind = OP_SWAP_DB, .db = op->db, .target_db = op->target_db});
    result->ok = true;
    result->count = (int64_t)count;
}
