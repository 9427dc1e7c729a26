/* Records of list edits in the undo log, and their reversal. Of entries it knows only the list. */
#include "store/ops/undo_list.h"

#include "base/arena.h"
#include "base/blob.h"
#include "base/check.h"
#include "store/data/entry.h"
#include "store/data/shard.h"

enum kind { PUSHED, DROPPED, DROPPED_MANY, INSERTED, REPLACED, REMOVED };

/* Dropping more elements than this keeps a copy of the list: DROPPED_MANY. */
#define MAX_SAVED ((size_t)256)

struct saved {
    struct slice bytes; /* in the arena, if there is no blob */
    struct blob *blob;  /* one reference */
};

/* One step; what it saved is released when it is reversed or discarded. */
struct step {
    struct undo_edit edit; /* must be first: cast from it */
    enum kind kind;
    enum list_end end;    /* PUSHED, DROPPED */
    size_t index;         /* INSERTED, REPLACED, REMOVED */
    size_t count;         /* affected elements; not for DROPPED_MANY */
    struct list *former;  /* DROPPED_MANY: the list before; else NULL */
    struct saved saved[]; /* DROPPED, from that end inwards; REPLACED, REMOVED */
};

static void undo_list_push_saved(struct list *list, enum list_end end, const struct saved *saved)
{
    if (saved->blob != NULL)
        list_push_blob(list, end, saved->blob);
    else
        list_push(list, end, saved->bytes);
}

static void undo_list_replace_saved(struct list *list, size_t index, const struct saved *saved)
{
    if (saved->blob != NULL)
        list_replace_blob(list, index, saved->blob);
    else
        list_replace(list, index, saved->bytes);
}

static void undo_list_insert_saved(struct list *list, size_t index, const struct saved *saved)
{
    if (saved->blob != NULL)
        list_insert_blob(list, index, saved->blob);
    else
        list_insert(list, index, saved->bytes);
}

/* The list is as the step left it. */
static void undo_list_reverse_step(struct list *list, const struct step *step)
{
    switch (step->kind) {
    case PUSHED:
        CHECK(step->count <= list_length(list));
        list_drop(list, step->end, step->count);
        break;
    case DROPPED:
        for (size_t i = step->count; i > 0; i--)
            undo_list_push_saved(list, step->end, &step->saved[i - 1]);
        break;
    case DROPPED_MANY:
        list_swap(list, step->former);
        break;
    case INSERTED:
        CHECK(step->index < list_length(list));
        list_remove(list, step->index);
        break;
    case REPLACED:
        CHECK(step->index < list_length(list));
        undo_list_replace_saved(list, step->index, &step->saved[0]);
        break;
    case REMOVED:
        CHECK(step->index <= list_length(list));
        undo_list_insert_saved(list, step->index, &step->saved[0]);
        break;
    }
}

static size_t undo_list_count_saved(enum kind kind, size_t count)
{
    return kind == PUSHED || kind == DROPPED_MANY || kind == INSERTED ? 0 : count;
}

static void undo_list_discard(struct undo_edit *edit, const struct lookup *at)
{
    struct step *step = (struct step *)edit;
    (void)at;
    for (size_t i = 0; i < undo_list_count_saved(step->kind, step->count); i++)
        blob_release(step->saved[i].blob);
    list_free(step->former);
}

static void undo_list_reverse(struct undo_edit *edit, const struct lookup *at)
{
    CHECK(entry_type(at->entry) == ENTRY_LIST && entry_list(at->entry) != NULL);
    struct list *list = entry_list(at->entry);
    size_t memory = list_memory(list);
    undo_list_reverse_step(list, (struct step *)edit);
    lookup_recharge(at, memory);
    undo_list_discard(edit, at);
}

/* ---- recording ---- */

static size_t undo_list_step_size(enum kind kind, size_t count)
{
    return sizeof(struct step) + undo_list_count_saved(kind, count) * sizeof(struct saved);
}

static struct step *undo_list_add(struct undo *undo, const struct lookup *at, enum kind kind,
                                  size_t count)
{
    struct step *step = undo_alloc(undo, undo_list_step_size(kind, count));
    *step = (struct step){.edit = {.reverse = undo_list_reverse, .discard = undo_list_discard},
                          .kind = kind,
                          .count = count};
    undo_edit(undo, at, &step->edit);
    return step;
}

static struct saved undo_list_save(struct undo *undo, struct list_cursor *cursor)
{
    if (cursor->blob != NULL)
        return (struct saved){.blob = blob_retain(cursor->blob)};
    struct slice value = list_cursor_value(cursor);
    uint8_t *copy = undo_alloc(undo, value.len);
    slice_write(copy, value);
    return (struct saved){.bytes = slice_make(copy, value.len)};
}

/* True if a step that removes `count` elements may be recorded, with a copy of the first of them.
 */
static bool undo_list_may_copy(struct undo *undo, enum kind kind, size_t count,
                               struct list_cursor *cursor)
{
    size_t bytes = cursor->blob != NULL ? 0 : list_cursor_value(cursor).len;
    return undo_may_copy(undo, undo_list_step_size(kind, count) + bytes);
}

void undo_list_pushed(struct undo *undo, const struct lookup *at, enum list_end end, size_t count)
{
    DCHECK(count <= list_length(entry_list(at->entry)));
    undo_list_add(undo, at, PUSHED, count)->end = end;
}

void undo_list_inserted(struct undo *undo, const struct lookup *at, size_t index)
{
    DCHECK(index < list_length(entry_list(at->entry)));
    undo_list_add(undo, at, INSERTED, 1)->index = index;
}

static bool undo_list_step_from(struct list_cursor *cursor, enum list_end end)
{
    return end == LIST_HEAD ? list_next(cursor) : list_previous(cursor);
}

/* How many of the elements may be copied: `count` or fewer. */
static size_t undo_list_count_fitting(struct undo *undo, struct list_cursor cursor,
                                      enum list_end end, size_t count)
{
    size_t bytes = undo_list_step_size(DROPPED, count);
    for (size_t i = 0; i < count; i++) {
        if (cursor.blob == NULL)
            bytes += undo_round(list_cursor_value(&cursor).len);
        if (!undo_may_copy(undo, bytes) || (!undo_list_step_from(&cursor, end) && i + 1 < count))
            return i;
    }
    return count;
}

static bool undo_list_dropping_many(struct undo *undo, const struct lookup *at)
{
    if (!undo_may_copy(undo, undo_list_step_size(DROPPED_MANY, 0)))
        return false;
    undo_list_add(undo, at, DROPPED_MANY, 0)->former = list_copy(entry_list(at->entry));
    return true;
}

bool undo_list_dropping(struct undo *undo, const struct lookup *at, enum list_end end, size_t count)
{
    const struct list *list = entry_list(at->entry);
    struct list_cursor cursor;
    DCHECK(count > 0 && count <= list_length(list));
    if (count > MAX_SAVED)
        return undo_list_dropping_many(undo, at);
    if (!list_seek(list, &cursor, end == LIST_HEAD ? 0 : list_length(list) - 1) ||
        undo_list_count_fitting(undo, cursor, end, count) < count)
        return false;
    struct step *step = undo_list_add(undo, at, DROPPED, count);
    step->end = end;
    for (size_t i = 0; i < count; i++) {
        step->saved[i] = undo_list_save(undo, &cursor);
        undo_list_step_from(&cursor, end);
    }
    return true;
}

bool undo_list_replacing(struct undo *undo, const struct lookup *at, size_t index)
{
    struct list_cursor cursor;
    if (!list_seek(entry_list(at->entry), &cursor, index) ||
        !undo_list_may_copy(undo, REPLACED, 1, &cursor))
        return false;
    struct step *step = undo_list_add(undo, at, REPLACED, 1);
    step->index = index;
    step->saved[0] = undo_list_save(undo, &cursor);
    return true;
}

bool undo_list_removing(struct undo *undo, const struct lookup *at, struct list_cursor *cursor)
{
    if (!undo_list_may_copy(undo, REMOVED, 1, cursor))
        return false;
    struct step *step = undo_list_add(undo, at, REMOVED, 1);
    step->index = cursor->index;
    step->saved[0] = undo_list_save(undo, cursor);
    return true;
}
