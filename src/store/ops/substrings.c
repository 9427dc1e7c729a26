/* The operations on parts of strings. */
#include "store/ops/substrings.h"

#include "base/blob.h"
#include "base/check.h"
#include "store/data/entry.h"
#include "store/data/shard.h"

/* Copies a short part of a long string, so that it does not keep the whole string in memory. */
static void substrings_return_part(struct op_context *ctx, const struct lookup *at,
                                   struct slice part, struct op_value *value)
{
    struct blob *blob = part.len < BLOB_LEAST ? NULL : entry_blob(at->entry);
    apply_return_bytes(ctx, part, blob, value);
    value->version = lookup_version(at);
    value->expire_at_ms = entry_expire_at_ms(at->entry);
}

/* Redis' rules, even where they surprise: a stop before the first byte means the first byte. */
static struct slice substrings_part_of(struct slice string, int64_t start, int64_t stop)
{
    int64_t length = (int64_t)string.len;
    if ((start < 0 && stop < 0 && start > stop) || length == 0)
        return slice_make(NULL, 0);
    if (start < 0)
        start = start + length < 0 ? 0 : start + length;
    if (stop < 0)
        stop = stop + length < 0 ? 0 : stop + length;
    if (stop >= length)
        stop = length - 1;
    if (start > stop)
        return slice_make(NULL, 0);
    return slice_make(string.data + start, (size_t)(stop - start) + 1);
}

void apply_get_range(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_read_key(ctx, op);
    if (at.entry != NULL && apply_require_string(ctx, at.entry, result))
        substrings_return_part(ctx, &at,
                               substrings_part_of(entry_string(at.entry), op->start, op->stop),
                               &result->value);
}

bool substrings_may_hold(const struct op *op, uint64_t offset, struct op_result *result)
{
    uint64_t limit = op->max_value != 0 ? op->max_value : ENTRY_MAX_VALUE;
    if (op->value.len <= limit && offset <= limit - op->value.len)
        return true;
    apply_fail(result, ERR_TOO_LARGE,
               "the string would become longer than a value may be; keep it shorter, or split it "
               "over several keys");
    return false;
}

static size_t substrings_length_of(const struct lookup *at)
{
    return at->entry != NULL ? entry_string(at->entry).len : 0;
}

/* The splice that writes the operation's value into the string at `offset`. */
static struct entry_splice substrings_splice_at(const struct op_context *ctx,
                                                const struct lookup *at, const struct op *op,
                                                size_t offset)
{
    bool keep = ctx->undo != NULL && !apply_is_own(ctx, at->entry);
    return (struct entry_splice){
        .offset = offset, .bytes = op->value, .keep = keep, .is_tight = ctx->is_tight};
}

bool substrings_may_write(struct op_context *ctx, const struct lookup *at, const struct op *op,
                          size_t offset, struct op_result *result)
{
    size_t copied = 0, length = substrings_length_of(at), end = offset + op->value.len;
    if (offset > length)
        copied += offset - length;
    if (length >= BLOB_LEAST) {
        struct entry_splice splice = substrings_splice_at(ctx, at, op, offset);
        copied += entry_splice_copies(at->entry, &splice);
    }
    if (!apply_may_spend(ctx, copied / APPLY_STEP_BYTES, result))
        return false;
    bool in_place = length >= BLOB_LEAST && copied == 0; /* the memory is there already */
    return in_place || apply_lease(ctx, end > length ? end : length, result);
}

void substrings_write(struct op_context *ctx, struct lookup *at, const struct op *op, size_t offset)
{
    if (at->entry == NULL) {
        apply_put_string(ctx, at, offset == 0 ? op->value : SLICE_LITERAL(""), 0);
        if (offset == 0)
            return;
    }
    struct entry_stamp stamp = {.version = apply_revision(ctx),
                                .expire_at_ms = entry_expire_at_ms(at->entry)};
    struct entry_splice splice = substrings_splice_at(ctx, at, op, offset);
    struct entry *entry = entry_new_spliced(&at->shard->slab, at->entry, &splice, stamp);
    ctx->took_reserve |= entry_reserve(entry) > 0;
    apply_put(ctx, at, entry);
    DCHECK(substrings_length_of(at) >= offset + op->value.len);
}

static void substrings_answer(const struct lookup *at, struct op_result *result)
{
    if (at->entry == NULL)
        return;
    result->ok = true;
    result->count = (int64_t)substrings_length_of(at);
    result->version = lookup_version(at);
}

/* As in Redis, appending an empty value to an absent key creates it. */
void apply_append(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_write_key(ctx, op);
    if (!apply_require_string(ctx, at.entry, result) ||
        !substrings_may_hold(op, substrings_length_of(&at), result) ||
        !substrings_may_write(ctx, &at, op, substrings_length_of(&at), result))
        return;
    if (at.entry == NULL || op->value.len > 0) {
        substrings_write(ctx, &at, op, substrings_length_of(&at));
        apply_change(ctx, op);
    }
    substrings_answer(&at, result);
}

/* As in Redis, an empty value changes nothing, whatever the offset. */
void apply_set_range(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    if (op->start < 0) {
        apply_fail(result, ERR_OUT_OF_RANGE,
                   "start: it is negative; it counts from the first byte, which is 0");
        return;
    }
    struct lookup at = apply_lookup_write_key(ctx, op);
    if (!apply_require_string(ctx, at.entry, result))
        return;
    if (op->value.len > 0) {
        if (!substrings_may_hold(op, (uint64_t)op->start, result) ||
            !substrings_may_write(ctx, &at, op, (size_t)op->start, result))
            return;
        substrings_write(ctx, &at, op, (size_t)op->start);
        apply_change(ctx, op);
    }
    substrings_answer(&at, result);
}
