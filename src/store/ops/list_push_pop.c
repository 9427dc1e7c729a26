/* The operations at the ends of lists: LPush, RPush, LPop, RPop, ListPop, LMove. */
#include "base/arena.h"
#include "base/check.h"
#include "store/data/entry.h"
#include "store/data/shard.h"
#include "store/ops/edit.h"
#include "store/ops/list_answer.h"
#include "store/ops/list_items.h"

static enum list_end push_pop_end_of(enum op_end end)
{
    return end == OP_HEAD ? LIST_HEAD : LIST_TAIL;
}

/* ---- pushing ---- */

/* Emits the push as requested, then the trim and the deadline as changes of their own. Both are
 * no-ops when a replayed push has done the same already. */
static void push_pop_emit_push(struct op_context *ctx, const struct op *op, enum list_end end,
                               bool was_cut)
{
    apply_change(ctx, op);
    int64_t max = (int64_t)op->push.max_length;
    if (was_cut)
        apply_change(ctx, &(struct op){.kind = OP_L_TRIM,
                                       .db = op->db,
                                       .key = op->key,
                                       .hash = op->hash,
                                       .start = end == LIST_HEAD ? 0 : -max,
                                       .stop = end == LIST_HEAD ? max - 1 : -1});
    if (op->expire_at_ms != 0)
        apply_change(ctx, &(struct op){.kind = OP_EXPIRE,
                                       .db = op->db,
                                       .key = op->key,
                                       .hash = op->hash,
                                       .expire_at_ms = op->expire_at_ms});
}

static void push_pop_push(struct op_context *ctx, const struct op *op, enum list_end end,
                          struct op_result *result)
{
    struct lookup at = apply_lookup_write_key(ctx, op);
    if (!apply_require_list(ctx, at.entry, result) || !apply_condition(ctx, op, &at, result))
        return;
    struct edit edit = edit_begin(ctx, &at);
    edit_push(&edit, end, op->values, op->value_count);
    size_t length = list_length(edit.list), cut = 0;
    if (op->push.max_length > 0 && length > op->push.max_length)
        cut = length - (size_t)op->push.max_length;
    edit_drop(&edit, end == LIST_HEAD ? LIST_TAIL : LIST_HEAD, cut);
    result->ok = true;
    result->count = (int64_t)(length - cut);
    result->version = edit_end(&edit, op->expire_at_ms);
    push_pop_emit_push(ctx, op, end, cut > 0);
}

void apply_l_push(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    push_pop_push(ctx, op, LIST_HEAD, result);
}

void apply_r_push(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    push_pop_push(ctx, op, LIST_TAIL, result);
}

/* ---- popping ---- */

/* Removes the elements, which the answer has already. */
static void push_pop_take(struct op_context *ctx, struct lookup *at, enum op_end end, size_t count,
                          struct op_result *result)
{
    struct edit edit = edit_begin(ctx, at);
    edit_drop(&edit, push_pop_end_of(end), count);
    edit_end(&edit, 0);
    list_answer_key(at, result);
    struct op_key key = {.bytes = at->key, .hash = at->hash};
    if (ctx->sink != NULL)
        apply_change_list(ctx, at,
                          &(struct op){.kind = OP_LIST_POP,
                                       .db = at->db,
                                       .keys = &key,
                                       .key_count = 1,
                                       .move.end = end,
                                       .count = (int64_t)count});
}

static void push_pop_pop(struct op_context *ctx, const struct op *op, enum op_end end,
                         struct op_result *result)
{
    struct lookup at = apply_lookup_write_key(ctx, op);
    if (at.entry == NULL || !apply_require_list(ctx, at.entry, result))
        return;
    const struct list *list = entry_list(at.entry);
    list_answer_value(ctx, list, list_answer_end(list, push_pop_end_of(end)), &result->value);
    if (apply_reply_fits(ctx, op, result))
        push_pop_take(ctx, &at, end, 1, result);
}

void apply_l_pop(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    push_pop_pop(ctx, op, OP_HEAD, result);
}

void apply_r_pop(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    push_pop_pop(ctx, op, OP_TAIL, result);
}

/* ---- waiting ---- */

/* True if the operation has to wait although there is an entry at the key: others wait for it, or
 * it is a string, which is an error only for an operation that is not in line yet. */
static bool push_pop_must_pass(const struct op_context *ctx, const struct op *op,
                               const struct op_key *key, const struct entry *entry)
{
    const struct waiter *waiter = op->move.take->waiter;
    if (entry_type(entry) != ENTRY_LIST)
        return waiter != NULL && waiter->places != NULL;
    return !waiters_may_take(&shard_of(ctx->store, key->hash)->waiters, op->db, key, waiter);
}

/* There was nothing to take at the keys. */
static void push_pop_wait(struct op_context *ctx, const struct op *op, const struct op_key *keys,
                          size_t count)
{
    struct waiter *waiter = op->move.take->waiter;
    ctx->outcome = STORE_WAITING;
    if (waiter == NULL)
        return;
    waiters_prepare(waiter, count);
    for (size_t i = 0; i < count; i++)
        waiters_join(&shard_of(ctx->store, keys[i].hash)->waiters, op->db, &keys[i], waiter, i);
}

/* ---- from the first of several keys ---- */

/* The first key that exists and is not passed over; NULL if there is none, or if it is not a list:
 * then the operation has failed. */
static const struct op_key *push_pop_first_list(struct op_context *ctx, const struct op *op,
                                                struct op_result *result)
{
    for (size_t i = 0; i < op->key_count; i++) {
        const struct op_key *key = &op->keys[i];
        const struct entry *entry = apply_lookup_read(ctx, op->db, key->bytes, key->hash).entry;
        if (entry == NULL || (op_waits(op) && push_pop_must_pass(ctx, op, key, entry)))
            continue;
        return apply_require_list(ctx, entry, result) ? key : NULL;
    }
    if (op_waits(op))
        push_pop_wait(ctx, op, op->keys, op->key_count);
    return NULL;
}

static struct list_part push_pop_part(const struct op *op, const struct lookup *at)
{
    struct list_part part = {.list = entry_list(at->entry), .count = 1};
    part.first = list_answer_end(part.list, push_pop_end_of(op->move.end));
    part.towards = op->move.end == OP_HEAD ? LIST_TAIL : LIST_HEAD;
    if (op->count > 0)
        part.count = (size_t)op->count;
    if (part.count > list_length(part.list))
        part.count = list_length(part.list);
    return part;
}

/* How many elements of the part fit into the answer, at least one. */
static size_t push_pop_count_fitting(const struct op *op, const struct list_part *part)
{
    size_t left = op_most_answer(op), count = 0;
    struct list_cursor cursor;
    bool on = list_seek(part->list, &cursor, part->first);
    for (; on && count < part->count; on = list_step(&cursor, part->towards), count++) {
        size_t size = op_answer_size(list_cursor_length(&cursor));
        if (size > left)
            break;
        left -= size;
    }
    return count > 0 ? count : 1;
}

/* False if the operation has failed. */
static bool push_pop_answer_popped(struct op_context *ctx, const struct op *op,
                                   const struct op_key *key, struct list_part *part,
                                   struct op_result *result)
{
    if (op->move.take != NULL && op->move.take->fits) {
        part->count = push_pop_count_fitting(op, part);
        return list_answer_part(ctx, part, SIZE_MAX, "", result);
    }
    size_t most = op_most_answer(op), taken = op_answer_size(key->bytes.len);
    bool is_callers = op->max_reply != 0 && op->max_reply < most;
    if (is_callers) {
        most = op->max_reply;
        taken += ctx->replied;
    }
    if (list_answer_part(
            ctx, part, taken <= most ? most - taken : 0,
            "the elements do not fit into one answer, so none was popped; ask for fewer", result))
        return true;
    if (is_callers && ctx->arena->refusal == ERR_NONE)
        apply_fail_reply(ctx, op, most + 1, result);
    return false;
}

/* The elements of the answer become the last ones of the target at that end, in their order. */
static void push_pop_push_answer(struct op_context *ctx, struct lookup *target, const struct op *op,
                                 const struct op_result *result)
{
    enum list_end end = push_pop_end_of(op->move.target_end);
    struct edit to = edit_begin(ctx, target);
    for (size_t i = 0; i < result->value_count; i++)
        edit_push_value(
            &to, end,
            &(struct op_value){.bytes = result->values[i],
                               .blob = result->blobs != NULL ? result->blobs[i] : NULL});
    edit_end(&to, 0);
    apply_change(ctx, &(struct op){.kind = end == LIST_HEAD ? OP_L_PUSH : OP_R_PUSH,
                                   .db = op->db,
                                   .key = target->key,
                                   .hash = target->hash,
                                   .values = result->values,
                                   .value_count = result->value_count});
}

/* Moves elements from the key to the target, which is another one. */
static void push_pop_transfer(struct op_context *ctx, const struct op *op, const struct op_key *key,
                              struct op_result *result)
{
    const struct op_take *take = op->move.take;
    struct lookup at = apply_lookup_write(ctx, op->db, key->bytes, key->hash);
    struct lookup target = apply_lookup_write(ctx, op->db, take->target.bytes, take->target.hash);
    struct list_part part = push_pop_part(op, &at);
    DCHECK(!slice_equal(key->bytes, take->target.bytes));
    if (!apply_require_list(ctx, target.entry, result) ||
        !push_pop_answer_popped(ctx, op, key, &part, result))
        return;
    result->key = arena_copy(ctx->arena, key->bytes);
    result->count = (int64_t)part.count;
    push_pop_take(ctx, &at, op->move.end, part.count, result);
    push_pop_push_answer(ctx, &target, op, result);
}

void apply_list_pop(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    const struct op_take *take = op->move.take;
    if (take != NULL && take->unless != NULL && atomic_load(take->unless) != 0)
        return;
    const struct op_key *key = push_pop_first_list(ctx, op, result);
    if (key == NULL)
        return;
    if (take != NULL && take->target.bytes.len > 0) {
        push_pop_transfer(ctx, op, key, result);
        return;
    }
    struct lookup at = apply_lookup_write(ctx, op->db, key->bytes, key->hash);
    struct list_part part = push_pop_part(op, &at);
    if (!push_pop_answer_popped(ctx, op, key, &part, result))
        return;
    result->key = arena_copy(ctx->arena, key->bytes);
    result->count = (int64_t)part.count;
    if (apply_reply_fits(ctx, op, result))
        push_pop_take(ctx, &at, op->move.end, part.count, result);
}

/* ---- moving ---- */

/* Source and target may be the same list. The push comes first, so that the list does not become
 * empty in between; if the drop then removes the pushed element, that is fine, as it is equal. */
static void push_pop_move(struct op_context *ctx, struct lookup *source, struct lookup *target,
                          const struct op *op, const struct op_value *value)
{
    struct edit to = edit_begin(ctx, target);
    edit_push_value(&to, push_pop_end_of(op->move.target_end), value);
    edit_end(&to, 0);
    struct edit from = edit_begin(ctx, source);
    edit_drop(&from, push_pop_end_of(op->move.end), 1);
    edit_end(&from, 0);
}

/* True if the operation waits for a list at the source. */
static bool push_pop_move_waits(struct op_context *ctx, const struct op *op,
                                const struct entry *source)
{
    struct op_key key = {.bytes = op->key, .hash = op->hash};
    if (!op_waits(op) || (source != NULL && !push_pop_must_pass(ctx, op, &key, source)))
        return false;
    push_pop_wait(ctx, op, &key, 1);
    return true;
}

/* What replays the move, without what it waited for. */
static void push_pop_emit_move(struct op_context *ctx, const struct op *op, bool empties)
{
    if (ctx->sink == NULL)
        return;
    struct op change = *op;
    change.move.take = NULL;
    change.move.empties = empties;
    apply_change(ctx, &change);
}

void apply_l_move(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    if (op->move.take != NULL && op->move.take->is_equal) {
        list_items_move_equal(ctx, op, result);
        return;
    }
    struct lookup source = apply_lookup_write_key(ctx, op);
    if (push_pop_move_waits(ctx, op, source.entry))
        return;
    if (source.entry == NULL || !apply_require_list(ctx, source.entry, result))
        return;
    struct lookup target = apply_lookup_write(ctx, op->db, op->target.bytes, op->target.hash);
    if (!apply_require_list(ctx, target.entry, result))
        return;
    const struct list *list = entry_list(source.entry);
    list_answer_value(ctx, list, list_answer_end(list, push_pop_end_of(op->move.end)),
                      &result->value);
    if (!apply_reply_fits(ctx, op, result))
        return;
    bool is_same = target.entry == source.entry;
    push_pop_move(ctx, is_same ? &target : &source, &target, op, &result->value);
    list_answer_key(&target, result);
    push_pop_emit_move(ctx, op, !is_same && source.entry == NULL);
}
