/* Rename and Copy: move or copy the value of a key, with its deadline, to another key. */
#include "base/check.h"
#include "store/ops/apply.h"

#include "store/data/entry.h"
#include "store/data/shard.h"
#include "store/list/list.h"
#include "store/ops/undo.h"

static bool rename_is_same_key(const struct op *op)
{
    return op->db == op->target_db && slice_equal(op->key, op->target.bytes);
}

static struct lookup rename_lookup_target(struct op_context *ctx, const struct op *op)
{
    return apply_lookup_write(ctx, op->target_db, op->target.bytes, op->target.hash);
}

/* True if the target exists and must not be replaced; then the result has its version. */
static bool rename_is_taken(const struct lookup *to, bool replace, struct op_result *result)
{
    if (to->entry == NULL || replace)
        return false;
    result->version = lookup_version(to);
    return true;
}

static void rename_set_result(const struct op_context *ctx, struct op_result *result)
{
    result->ok = true;
    result->count = 1;
    result->version = ctx->revision;
}

static void rename_emit(struct op_context *ctx, const struct op *op, enum op_kind kind)
{
    apply_change(ctx, &(struct op){.kind = kind,
                                   .db = op->db,
                                   .key = op->key,
                                   .hash = op->hash,
                                   .target = op->target,
                                   .target_db = op->target_db,
                                   .copy.replace = kind == OP_COPY});
}

/* ---- Rename ---- */

/* A list that was moved from one entry to another. */
struct moved_list {
    struct undo_edit edit; /* of the target; must be first: cast from it */
    struct lookup from;
};

static struct list *rename_take_list(const struct lookup *at)
{
    struct list *list = entry_take_list(&at->shard->slab, at->entry);
    if (entry_expire_at_ms(at->entry) != 0)
        at->database->expiring_memory -= list_memory(list);
    return list;
}

static void rename_reverse_move(struct undo_edit *edit, const struct lookup *to)
{
    const struct lookup *from = &((struct moved_list *)edit)->from;
    struct entry *source = dict_find(&from->database->dict, from->hash, from->key);
    CHECK(source != NULL && entry_list(source) == NULL); /* its list was taken */
    entry_give_list(&from->shard->slab, source, rename_take_list(to));
    if (entry_expire_at_ms(source) != 0)
        from->database->expiring_memory += list_memory(entry_list(source));
}

static void rename_note_moved_list(struct undo *undo, const struct lookup *from,
                                   const struct lookup *to)
{
    struct moved_list *moved = undo_alloc(undo, sizeof *moved);
    *moved = (struct moved_list){.edit = {.reverse = rename_reverse_move}, .from = *from};
    undo_edit(undo, to, &moved->edit);
}

/* Moves the value. Afterwards `from` must be removed: a list has been taken from it. */
static void rename_move_value(struct op_context *ctx, struct lookup *from, struct lookup *to)
{
    DCHECK(from->entry != NULL && from->entry != to->entry);
    struct slab *slab = &to->shard->slab;
    struct entry_stamp stamp = {.version = apply_revision(ctx),
                                .expire_at_ms = entry_expire_at_ms(from->entry)};
    if (entry_type(from->entry) == ENTRY_STRING) {
        apply_put(ctx, to, entry_new_copy(slab, to->key, from->entry, stamp));
        return;
    }
    apply_preserve(ctx, from);
    apply_put(ctx, to, entry_new_list(slab, to->key, rename_take_list(from), stamp));
    if (ctx->undo != NULL)
        rename_note_moved_list(ctx->undo, from, to);
}

static void rename_emit_rename(struct op_context *ctx, const struct op *op,
                               const struct lookup *from)
{
    if (op->db == op->target_db) {
        rename_emit(ctx, op, OP_RENAME);
        return;
    }
    rename_emit(ctx, op, OP_COPY);
    apply_change_delete(ctx, from);
}

void apply_rename(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup from = apply_lookup_write_key(ctx, op);
    if (from.entry == NULL)
        return;
    if (rename_is_same_key(op)) {
        result->ok = !op->copy.absent_only;
        result->version = lookup_version(&from);
        return;
    }
    struct lookup to = rename_lookup_target(ctx, op);
    if (rename_is_taken(&to, !op->copy.absent_only, result))
        return;
    rename_move_value(ctx, &from, &to);
    apply_remove(ctx, &from);
    rename_emit_rename(ctx, op, &from);
    rename_set_result(ctx, result);
}

/* ---- Copy ---- */

void apply_copy(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    if (rename_is_same_key(op)) {
        apply_fail(result, ERR_BAD_ARGUMENT,
                   "target: it is the same key as source; a copy needs another key or database");
        return;
    }
    const struct entry *source = apply_lookup_read_key(ctx, op).entry;
    if (source == NULL)
        return;
    struct lookup to = rename_lookup_target(ctx, op);
    if (rename_is_taken(&to, op->copy.replace, result))
        return;
    struct entry_stamp stamp = {.version = apply_revision(ctx),
                                .expire_at_ms = entry_expire_at_ms(source)};
    apply_put(ctx, &to, entry_new_copy(&to.shard->slab, to.key, source, stamp));
    rename_emit(ctx, op, OP_COPY);
    rename_set_result(ctx, result);
}
