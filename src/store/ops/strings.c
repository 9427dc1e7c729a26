/* The operations on whole strings: Set, Get, GetDel, GetEx, MGet, MSet. */
#include "base/arena.h"
#include "base/blob.h"
#include "store/data/entry.h"
#include "store/data/shard.h"
#include "store/ops/apply.h"

/* ---- one key ---- */

/* Removes the key, if there is one: what a write with a past deadline amounts to. */
static void strings_remove_key(struct op_context *ctx, struct lookup *at)
{
    if (at->entry == NULL)
        return;
    apply_remove(ctx, at);
    apply_change_delete(ctx, at);
}

/* What a Set does when its condition holds. */
static inline void strings_set(struct op_context *ctx, struct lookup *at, const struct op *op)
{
    int64_t expire_at_ms = op->expire_at_ms;
    if (op->set.keep_ttl && at->entry != NULL)
        expire_at_ms = entry_expire_at_ms(at->entry);
    if (apply_is_due(ctx, expire_at_ms)) {
        strings_remove_key(ctx, at);
        return;
    }
    apply_put_string(ctx, at, op->value, expire_at_ms);
    apply_change(ctx, op);
}

void apply_set(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_write_key(ctx, op);
    if (op->set.return_previous && !apply_require_string(ctx, at.entry, result))
        return;
    if (!apply_condition(ctx, op, &at, result))
        return;
    if (op->set.return_previous) {
        result->has_previous = true;
        if (at.entry != NULL)
            apply_return_string(ctx, &at, &result->value);
        if (!apply_reply_fits(ctx, op, result))
            return;
    }
    strings_set(ctx, &at, op);
    result->ok = true;
    result->count = 1;
    result->version = at.entry != NULL ? ctx->revision : 0;
}

void apply_get(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_read_key(ctx, op);
    if (op->read.want_as_of)
        result->as_of = at.as_of;
    if (at.entry != NULL && apply_require_string(ctx, at.entry, result))
        apply_return_string(ctx, &at, &result->value);
}

/* Fills the value, with version 0 because the key is removed. If the condition does not hold, the
 * value is not found and has the version of the present one. */
void apply_get_del(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_write_key(ctx, op);
    if (at.entry == NULL || !apply_require_string(ctx, at.entry, result))
        return;
    if (!apply_condition_holds(&op->condition, &at)) {
        result->version = lookup_version(&at);
        result->value.version = result->version;
        return;
    }
    apply_return_string(ctx, &at, &result->value);
    if (!apply_reply_fits(ctx, op, result))
        return;
    strings_remove_key(ctx, &at);
    result->ok = true;
    result->value.version = 0;
    result->value.expire_at_ms = 0;
}

/* Sets the key's deadline, 0 = none; one in the past removes the key. */
static void strings_set_deadline(struct op_context *ctx, struct lookup *at, int64_t expire_at_ms)
{
    if (apply_is_due(ctx, expire_at_ms)) {
        strings_remove_key(ctx, at);
        return;
    }
    apply_set_stamp(ctx, at, expire_at_ms);
    apply_change(ctx, &(struct op){.kind = OP_EXPIRE,
                                   .db = at->db,
                                   .key = at->key,
                                   .hash = at->hash,
                                   .expire_at_ms = expire_at_ms,
                                   .expire.persist = expire_at_ms == 0});
}

void apply_get_ex(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_write_key(ctx, op);
    if (at.entry == NULL || !apply_require_string(ctx, at.entry, result))
        return;
    apply_return_string(ctx, &at, &result->value);
    if (op->expire.persist ? entry_expire_at_ms(at.entry) != 0 : op->expire_at_ms != 0) {
        if (!apply_reply_fits(ctx, op, result))
            return;
        strings_set_deadline(ctx, &at, op->expire.persist ? 0 : op->expire_at_ms);
        result->value.version = at.entry != NULL ? ctx->revision : 0;
        result->value.expire_at_ms = at.entry != NULL ? entry_expire_at_ms(at.entry) : 0;
    }
    result->ok = true;
    result->version = lookup_version(&at);
}

/* ---- several keys ---- */

/* The string under the key; NULL if the key does not exist or is not a string. */
static const struct entry *strings_find_string(struct op_context *ctx, uint32_t db,
                                               const struct op_key *key)
{
    const struct entry *entry = apply_lookup_read(ctx, db, key->bytes, key->hash).entry;
    return entry != NULL && entry_type(entry) == ENTRY_STRING ? entry : NULL;
}

/* Finds the strings under all keys; false if they take more than `most` bytes in an answer. */
static bool strings_find(struct op_context *ctx, const struct op *op, size_t most,
                         const struct entry **entries)
{
    for (size_t i = 0; i < op->key_count; i++) {
        apply_fetch_keys(ctx, op, i);
        entries[i] = strings_find_string(ctx, op->db, &op->keys[i]);
        size_t size = op_answer_size(entries[i] != NULL ? entry_string(entries[i]).len : 0);
        if (size > most)
            return false;
        most -= size;
    }
    return true;
}

/* Puts the string into one of many values, without its version. False if the operation has
 * failed. */
static bool strings_answer_string(struct op_context *ctx, const struct entry *entry,
                                  struct op_value *value, struct op_result *result)
{
    struct blob *blob = entry_blob(entry);
    value->found = true;
    value->expire_at_ms = entry_expire_at_ms(entry);
    if (blob == NULL)
        return apply_copy_bytes(ctx, entry_string(entry), &value->bytes, result);
    value->bytes = entry_string(entry);
    value->blob = blob_retain(blob);
    return true;
}

void apply_m_get(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    const struct entry **entries = apply_unfold(ctx, op->key_count * sizeof *entries, result);
    if (entries == NULL)
        return;
    if (result->items == NULL) /* else it is a piece of a larger answer (pieces.h) */
        result->items = apply_unfold(ctx, op->key_count * sizeof *result->items, result);
    if (result->items == NULL)
        return;
    if (!strings_find(ctx, op, op_most_answer(op), entries)) {
        apply_fail(result, ERR_TOO_LARGE,
                   "the values do not fit into one answer; ask for fewer keys at a time");
        return;
    }
    for (size_t i = 0; i < op->key_count; i++) {
        struct op_value *value = &result->items[result->item_count++];
        *value = (struct op_value){0};
        if (entries[i] == NULL)
            continue;
        value->version =
            database_version(database_of(ctx->store, op->db, op->keys[i].hash), entries[i]);
        if (!strings_answer_string(ctx, entries[i], value, result)) {
            op_result_release(result);
            return;
        }
    }
}

/* True if all conditions hold before the first write; else the result describes the first that does
 * not. */
static bool strings_all_conditions_hold(struct op_context *ctx, const struct op *op,
                                        struct op_result *result)
{
    for (size_t i = 0; i < op->op_count; i++) {
        struct lookup at = apply_lookup_read_key(ctx, &op->ops[i]);
        if (!apply_condition(ctx, &op->ops[i], &at, result))
            return false;
    }
    return true;
}

/* The result's version is that of all keys that it wrote. */
void apply_m_set(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    if (!strings_all_conditions_hold(ctx, op, result))
        return;
    for (size_t i = 0; i < op->op_count; i++) {
        apply_fetch_ops(ctx, op->ops, op->op_count, i);
        struct lookup at = apply_lookup_write_key(ctx, &op->ops[i]);
        strings_set(ctx, &at, &op->ops[i]);
        apply_discard(ctx, &op->ops[i]);
    }
    result->ok = true;
    result->count = (int64_t)op->op_count;
    result->version = apply_version(ctx);
}
