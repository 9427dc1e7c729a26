/* Txn: several operations as one commit, all or nothing, with the undo log of its caller. Of the
 * operations it knows only how long their answers are. */
#include "base/arena.h"
#include "base/check.h"
#include "base/field_path.h"
#include "store/change.h"
#include "store/data/shard.h"
#include "store/ops/apply.h"
#include "store/ops/undo.h"

static bool txn_compares_hold(struct op_context *ctx, const struct op_txn *txn)
{
    for (size_t i = 0; i < txn->compare_count; i++) {
        const struct op *compare = &txn->compares[i];
        if (compare->compare.has_since && !apply_is_unchanged(ctx, compare))
            return false;
        struct lookup at = apply_lookup_read_key(ctx, compare);
        if (!apply_condition_holds(&compare->condition, &at))
            return false;
    }
    return true;
}

/* The size of an answer, as op_answer_size() counts. */
static size_t txn_answer_size(enum op_kind kind, const struct op_result *result)
{
    size_t size = op_answer_size(result->key.len + result->value.bytes.len);
    for (size_t i = 0; i < result->value_count; i++)
        size += op_answer_size(result->values[i].len);
    for (size_t i = 0; i < result->item_count; i++)
        size += op_answer_size(result->items[i].bytes.len);
    if (kind == OP_L_POS)
        size += result->index_count * op_answer_size(sizeof *result->indexes);
    if (kind == OP_BIT_FIELD)
        size += result->field_count * op_answer_size(sizeof *result->fields);
    if (kind == OP_LCS)
        size += result->match_count * op_answer_size(sizeof *result->matches);
    return size;
}

/* The operation as a part of the transaction: its answer may take what the others have left. */
static struct op txn_as_part(const struct op *txn, const struct op *op, size_t left)
{
    struct op part = *op;
    part.now_ms = txn->now_ms;
    part.max_reply = txn->max_reply; /* for the replies so far and this one */
    if (txn->max_answer != 0 && (part.max_answer == 0 || part.max_answer > left))
        part.max_answer = left > 0 ? left : 1; /* 0 would mean no limit */
    if (part.max_value == 0)
        part.max_value = txn->max_value;
    return part;
}

/* Carries out one operation; false if it failed or its answer does not fit. */
static bool txn_apply_part(struct op_context *ctx, const struct op *txn, const struct op *op,
                           size_t *left, struct op_result *result)
{
    struct op part = txn_as_part(txn, op, *left);
    apply_op(ctx, &part, result);
    if (ctx->undo->is_full)
        apply_fail(result, ERR_TOO_LARGE,
                   "the transaction would change more list elements than can be rolled back; use "
                   "several transactions, or none");
    if (result->err != ERR_NONE)
        return false;
    apply_discard(ctx, op);
    if (txn->max_answer == 0)
        return true;
    size_t size = txn_answer_size(op->kind, result);
    if (size > *left) {
        apply_fail(result, ERR_TOO_LARGE,
                   "the transaction's answers would not fit into one reply; ask for less, or use "
                   "several transactions");
        return false;
    }
    *left -= size;
    /* Copied once more into the message; answers of many elements have reserved that already. */
    size_t copied = result->value.blob == NULL ? result->value.bytes.len : 0;
    return apply_reserve_message(ctx, copied, result);
}

/* True if the caller accepts the replies so far, or nothing was written, so that no write's reply
 * can be lost; else the transaction has failed in this part. */
static bool txn_replies_fit(struct op_context *ctx, const struct op *txn, struct op_result *part)
{
    if (txn->max_reply == 0 || !ctx->wrote || ctx->replied <= txn->max_reply)
        return true;
    apply_fail_reply(ctx, txn, ctx->replied, part);
    return false;
}

static void txn_apply_parts(struct op_context *ctx, const struct op *op, const struct op *ops,
                            size_t count, struct op_result *result)
{
    size_t left = op->max_answer;
    ctx->replied = op_reply_size(OP_TXN, result);
    result->done = ops;
    result->results = apply_unfold(ctx, (count + 1) * sizeof *result->results, result);
    if (result->results == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        struct op_result *part = &result->results[result->result_count++];
        *part = (struct op_result){0};
        apply_fetch_ops(ctx, ops, count, i);
        if (txn_apply_part(ctx, op, &ops[i], &left, part)) {
            ctx->replied += op_reply_size(ops[i].kind, part);
            if (txn_replies_fit(ctx, op, part))
                continue;
        }
        struct op_result error = op_result_error(part);
        result->err = error.err;
        result->why = error.why;
        result->key = error.key;
        result->type = error.type;
        return;
    }
}

/* The error message with the path of the operation that failed, if it was one. */
static const char *txn_explain(struct arena *arena, const struct op_result *result)
{
    if (result->result_count == 0)
        return result->why;
    size_t failed = result->result_count - 1;
    char name[OP_FIELD_SIZE];
    return field_path_within(arena, result->why, "%s[%zu].%s", result->ok ? "success" : "failure",
                             failed, op_field(result->done[failed].kind, name));
}

void apply_txn(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    CHECK(ctx->undo != NULL && op->txn != NULL); /* all or nothing */
    result->ok = txn_compares_hold(ctx, op->txn);
    if (result->ok)
        txn_apply_parts(ctx, op, op->ops, op->op_count, result);
    else
        txn_apply_parts(ctx, op, op->txn->else_ops, op->txn->else_count, result);
    if (result->err == ERR_NONE)
        result->version = apply_version(ctx);
    else
        result->why = txn_explain(ctx->arena, result);
}
