/* Changes a list together with its entry, its charge and its undo records. */
#include "store/ops/edit.h"

#include "base/blob.h"
#include "base/check.h"
#include "store/data/entry.h"
#include "store/data/shard.h"
#include "store/ops/undo_list.h"

struct edit edit_begin(struct op_context *ctx, struct lookup *at)
{
    if (at->entry == NULL) {
        struct entry_stamp stamp = {.version = apply_revision(ctx)};
        apply_put(ctx, at, entry_new_list(&at->shard->slab, at->key, list_new(), stamp));
    }
    apply_preserve(ctx, at);
    CHECK(entry_type(at->entry) == ENTRY_LIST);
    struct list *list = entry_list(at->entry);
    return (struct edit){.ctx = ctx, .at = at, .list = list, .memory = list_memory(list)};
}

static void edit_push_one(struct edit *edit, enum list_end end, struct slice value)
{
    struct blob *blob = apply_adopt(edit->ctx, value);
    if (blob != NULL)
        list_push_blob(edit->list, end, blob);
    else
        list_push(edit->list, end, value);
    blob_release(blob);
}

void edit_push(struct edit *edit, enum list_end end, const struct slice *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        edit_push_one(edit, end, values[i]);
    if (edit->ctx->undo != NULL)
        undo_list_pushed(edit->ctx->undo, edit->at, end, count);
}

void edit_push_value(struct edit *edit, enum list_end end, const struct op_value *value)
{
    if (value->blob != NULL)
        list_push_blob(edit->list, end, value->blob);
    else
        list_push(edit->list, end, value->bytes);
    if (edit->ctx->undo != NULL)
        undo_list_pushed(edit->ctx->undo, edit->at, end, 1);
}

/* When all elements are dropped, they are not touched: the list is freed, or kept for a rollback,
 * as a whole. */
void edit_drop(struct edit *edit, enum list_end end, size_t count)
{
    DCHECK(!edit->is_dropped && count <= list_length(edit->list));
    struct undo *undo = edit->ctx->undo;
    if (count == list_length(edit->list))
        edit->is_dropped = true;
    else if (count > 0 && (undo == NULL || undo_list_dropping(undo, edit->at, end, count)))
        list_drop(edit->list, end, count);
}

void edit_trim(struct edit *edit, size_t first, size_t count)
{
    if (count == 0) {
        edit->is_dropped = true;
        return;
    }
    DCHECK(first + count <= list_length(edit->list));
    edit_drop(edit, LIST_TAIL, list_length(edit->list) - first - count);
    edit_drop(edit, LIST_HEAD, first);
}

void edit_insert(struct edit *edit, size_t index, struct slice value)
{
    struct blob *blob = apply_adopt(edit->ctx, value);
    if (blob != NULL)
        list_insert_blob(edit->list, index, blob);
    else
        list_insert(edit->list, index, value);
    blob_release(blob);
    if (edit->ctx->undo != NULL)
        undo_list_inserted(edit->ctx->undo, edit->at, index);
}

void edit_replace(struct edit *edit, size_t index, struct slice value)
{
    struct undo *undo = edit->ctx->undo;
    if (undo != NULL && !undo_list_replacing(undo, edit->at, index))
        return;
    struct blob *blob = apply_adopt(edit->ctx, value);
    if (blob != NULL)
        list_replace_blob(edit->list, index, blob);
    else
        list_replace(edit->list, index, value);
    blob_release(blob);
}

bool edit_remove_here(struct edit *edit, struct list_cursor *cursor, enum list_end towards)
{
    if (edit->ctx->undo != NULL && !undo_list_removing(edit->ctx->undo, edit->at, cursor))
        return false;
    return list_remove_here(edit->list, cursor, towards);
}

uint64_t edit_end(struct edit *edit, int64_t expire_at_ms)
{
    struct lookup *at = edit->at;
    CHECK(entry_list(at->entry) == edit->list); /* not replaced during the edit */
    lookup_recharge(at, edit->memory);
    if (edit->is_dropped || list_length(edit->list) == 0) {
        apply_remove(edit->ctx, at);
        return 0;
    }
    int64_t present = entry_expire_at_ms(at->entry);
    if (expire_at_ms == 0)
        expire_at_ms = present;
    uint64_t revision = apply_revision(edit->ctx);
    if (entry_version(at->entry) != revision || expire_at_ms != present)
        apply_set_stamp(edit->ctx, at, expire_at_ms);
    DCHECK(entry_version(at->entry) == revision && entry_expire_at_ms(at->entry) == expire_at_ms);
    return revision;
}
