/* Rename and Copy: the value of a key, with its deadline, comes to be another key's too, or
 * instead. */
#include "base/check.h"
#include "store/ops/apply.h"

#include "store/data/entry.h"
#include "store/data/shard.h"
#include "store/list/list.h"
#include "store/ops/undo.h"

static bool is_same_key(const struct op *op)
{
    return op->db == op->target_db && slice_equal(op->key, op->target.bytes);
}

static struct lookup open_target(struct keyspace *space, const struct op *op)
{
    return apply_open(space, op->target_db, op->target.bytes, op->target.hash);
}

/* True if the target is there and must not be replaced; then the result says so. */
static bool is_taken(const struct lookup *to, bool replace, struct op_result *result)
{
    if (to->entry == NULL || replace)
        return false;
    result->version = entry_version(to->entry);
    return true;
}

static void done(const struct keyspace *space, struct op_result *result)
{
    result->ok = true;
    result->count = 1;
    result->version = space->revision;
}

static void tell(struct keyspace *space, const struct op *op, enum op_kind kind)
{
    apply_change(space, &(struct op){.kind = kind,
                                     .db = op->db,
                                     .key = op->key,
                                     .hash = op->hash,
                                     .target = op->target,
                                     .target_db = op->target_db,
                                     .replace = kind == OP_COPY});
}

/* ---- Rename ---- */

/* A list that went from one entry to another. */
struct moved_list {
    struct undo_edit edit; /* of the target; first: the pointer to it is one to this */
    struct lookup from;
};

static struct list *take_list(const struct lookup *at)
{
    struct list *list = entry_take_list(&at->shard->slab, at->entry);
    if (entry_expire_at_ms(at->entry) != 0)
        at->database->expiring_memory -= list_memory(list);
    return list;
}

static void move_list_back(struct undo_edit *edit, const struct lookup *to)
{
    const struct lookup *from = &((struct moved_list *)edit)->from;
    struct entry *source = dict_find(&from->database->dict, from->hash, from->key);
    CHECK(source != NULL && entry_list(source) == NULL); /* it waits for its list */
    entry_give_list(&from->shard->slab, source, take_list(to));
    if (entry_expire_at_ms(source) != 0)
        from->database->expiring_memory += list_memory(entry_list(source));
}

static void note_moved_list(struct undo *undo, const struct lookup *from, const struct lookup *to)
{
    struct moved_list *moved = undo_alloc(undo, sizeof *moved);
    *moved = (struct moved_list){.edit = {.reverse = move_list_back}, .from = *from};
    undo_edit(undo, to, &moved->edit);
}

/* The value goes over; `from` holds a key without use afterwards. */
static void move_value(struct keyspace *space, struct lookup *from, struct lookup *to)
{
    DCHECK(from->entry != NULL && from->entry != to->entry);
    struct slab *slab = &to->shard->slab;
    struct entry_stamp stamp = {.version = apply_revision(space),
                                .expire_at_ms = entry_expire_at_ms(from->entry)};
    if (entry_type(from->entry) == ENTRY_STRING) {
        apply_put(space, to, entry_new_copy(slab, to->key, from->entry, stamp));
        return;
    }
    apply_preserve(space, from);
    apply_put(space, to, entry_new_list(slab, to->key, take_list(from), stamp));
    if (space->undo != NULL)
        note_moved_list(space->undo, from, to);
}

static void tell_renamed(struct keyspace *space, const struct op *op, const struct lookup *from)
{
    if (op->db == op->target_db) {
        tell(space, op, OP_RENAME);
        return;
    }
    tell(space, op, OP_COPY);
    apply_change_delete(space, from);
}

void apply_rename(struct keyspace *space, const struct op *op, struct op_result *result)
{
    struct lookup from = apply_open_key(space, op);
    if (from.entry == NULL)
        return;
    if (is_same_key(op)) {
        result->ok = !op->absent_only;
        result->version = entry_version(from.entry);
        return;
    }
    struct lookup to = open_target(space, op);
    if (is_taken(&to, !op->absent_only, result))
        return;
    move_value(space, &from, &to);
    apply_remove(space, &from);
    tell_renamed(space, op, &from);
    done(space, result);
}

/* ---- Copy ---- */

void apply_copy(struct keyspace *space, const struct op *op, struct op_result *result)
{
    if (is_same_key(op)) {
        apply_fail(result, ERR_BAD_ARGUMENT,
                   "source and target are the same key; a copy needs another key or database");
        return;
    }
    const struct entry *source = apply_find_key(space, op).entry;
    if (source == NULL)
        return;
    struct lookup to = open_target(space, op);
    if (is_taken(&to, op->replace, result))
        return;
    struct entry_stamp stamp = {.version = apply_revision(space),
                                .expire_at_ms = entry_expire_at_ms(source)};
    apply_put(space, &to, entry_new_copy(&to.shard->slab, to.key, source, stamp));
    tell(space, op, OP_COPY);
    done(space, result);
}
