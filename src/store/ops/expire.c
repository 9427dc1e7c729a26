/* Expire: sets and removes the deadline of a key. */
#include "store/data/entry.h"
#include "store/ops/apply.h"

/* As in Redis, a key without a deadline counts as one whose deadline is infinite. */
static bool expire_is_wanted(enum op_when when, int64_t present_ms, int64_t wanted_ms)
{
    switch (when) {
    case OP_ALWAYS:
        return true;
    case OP_NO_EXPIRY:
        return present_ms == 0;
    case OP_HAS_EXPIRY:
        return present_ms != 0;
    case OP_LATER:
        return present_ms != 0 && wanted_ms > present_ms;
    case OP_SOONER:
        return present_ms == 0 || wanted_ms < present_ms;
    }
    return false;
}

static bool expire_is_met(const struct op *op, const struct entry *entry)
{
    int64_t present_ms = entry_expire_at_ms(entry), wanted_ms = op->expire_at_ms;
    if (op->expire.persist)
        return present_ms != 0;
    return expire_is_wanted(op->expire.when, present_ms, wanted_ms);
}

void apply_expire(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_write_key(ctx, op);
    if (at.entry == NULL)
        return;
    if (!expire_is_met(op, at.entry)) {
        result->version = entry_version(at.entry);
        return;
    }
    result->ok = true;
    result->count = 1;
    if (!op->expire.persist && op->expire_at_ms <= ctx->now_ms) {
        apply_remove(ctx, &at);
        apply_change_delete(ctx, &at);
        return;
    }
    apply_set_stamp(ctx, &at, op->expire.persist ? 0 : op->expire_at_ms);
    apply_change(ctx, &(struct op){.kind = OP_EXPIRE,
                                   .db = op->db,
                                   .key = op->key,
                                   .hash = op->hash,
                                   .expire.persist = op->expire.persist,
                                   .expire_at_ms = op->expire.persist ? 0 : op->expire_at_ms});
    result->version = ctx->revision;
}
