/* FlushDb: turns each shard's part of the database into garbage, which is freed later
 * (data/garbage.h). */
#include "base/check.h"
#include "store/data/garbage.h"
#include "store/data/shard.h"
#include "store/ops/apply.h"

static size_t flush_db_shard(struct op_context *ctx, struct shard *shard, uint32_t db)
{
    apply_observe_revision(ctx, shard->removed);
    size_t count = garbage_take(ctx->store, shard, db);
    if (count == 0)
        return 0;
    shard->removed = apply_revision(ctx);
    removals_note_all(&shard->removals, shard->removed);
    return count;
}

void apply_flush_db(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    size_t count = 0;
    for (size_t i = 0; i < ctx->store->shard_count; i++)
        count += flush_db_shard(ctx, &ctx->store->shards[i], op->db);
    if (count > 0)
        apply_change(ctx, &(struct op){.kind = OP_FLUSH_DB, .db = op->db});
    result->ok = count > 0;
    result->count = (int64_t)count;
}
