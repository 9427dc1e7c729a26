/* The operations on single elements of lists: LIndex, LSet, LInsert, LRem, LPos. */
#include "store/ops/list_items.h"
#include "base/arena.h"
#include "base/blob.h"
#include "base/check.h"
#include "store/data/entry.h"
#include "store/ops/edit.h"
#include "store/ops/list_answer.h"

/* Seeks the element where a walk towards that end starts. */
static bool list_items_seek_start(const struct list *list, struct list_cursor *cursor,
                                  enum list_end towards)
{
    return list_seek(list, cursor, towards == LIST_TAIL ? 0 : list_length(list) - 1);
}

static uint64_t list_items_magnitude(int64_t number)
{
    return number < 0 ? -(uint64_t)number : (uint64_t)number;
}

/* Call before each element is compared: calls apply_may_spend() once for many. */
static inline bool list_items_may_compare(struct op_context *ctx, size_t *compared,
                                          struct op_result *result)
{
    enum { BATCH = 1024 };
    return (*compared)++ % BATCH != 0 || apply_may_spend(ctx, BATCH, result);
}

/* ---- by index ---- */

/* False if no element has that index; a negative one counts from the tail. */
static bool list_items_find_index(const struct list *list, int64_t index, size_t *found)
{
    int64_t length = (int64_t)list_length(list);
    if (index < 0)
        index += length;
    *found = (size_t)index;
    return index >= 0 && index < length;
}

void apply_l_index(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_read_key(ctx, op);
    size_t index;
    if (at.entry == NULL || !apply_require_list(ctx, at.entry, result) ||
        !list_items_find_index(entry_list(at.entry), op->index, &index))
        return;
    list_answer_value(ctx, entry_list(at.entry), index, &result->value);
    list_answer_key(&at, result);
}

void apply_l_set(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_write_key(ctx, op);
    size_t index;
    if (at.entry == NULL || !apply_require_list(ctx, at.entry, result))
        return;
    if (!list_items_find_index(entry_list(at.entry), op->index, &index)) {
        apply_fail(
            result, ERR_OUT_OF_RANGE,
            "index: the list has no element with that index; the head is 0 or -length, the tail "
            "length - 1 or -1");
        return;
    }
    struct edit edit = edit_begin(ctx, &at);
    edit_replace(&edit, index, op->value);
    edit_end(&edit, 0);
    apply_change(ctx, op);
    result->count = 1;
    list_answer_key(&at, result);
}

/* ---- by value ---- */

void apply_l_insert(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_write_key(ctx, op);
    if (at.entry == NULL || !apply_require_list(ctx, at.entry, result))
        return;
    struct element pivot = element_of(op->insert.pivot);
    struct list_cursor cursor;
    size_t compared = 0;
    bool on = list_items_seek_start(entry_list(at.entry), &cursor, LIST_TAIL);
    for (; on && !list_cursor_equal(&cursor, &pivot); on = list_next(&cursor))
        if (!list_items_may_compare(ctx, &compared, result))
            return;
    if (!on) {
        result->count = -1;
        result->version = lookup_version(&at);
        return;
    }
    struct edit edit = edit_begin(ctx, &at);
    edit_insert(&edit, cursor.index + op->insert.after, op->value);
    result->count = (int64_t)list_length(edit.list);
    edit_end(&edit, 0);
    apply_change(ctx, op);
    list_answer_key(&at, result);
}

/* Removes at most `most` elements that equal the needle, from the cursor on. Returns how many. */
static uint64_t list_items_remove_equal(struct edit *edit, struct list_cursor *cursor,
                                        enum list_end towards, const struct element *needle,
                                        uint64_t most)
{
    uint64_t removed = 0;
    for (bool on = true; on && removed < most;) {
        if (!list_cursor_equal(cursor, needle)) {
            on = list_step(cursor, towards);
            continue;
        }
        on = edit_remove_here(edit, cursor, towards);
        removed++;
    }
    return removed;
}

/* Places the cursor on the first element that equals the needle, on the way to that end. False if
 * there is none or the operation has failed. */
static bool list_items_find_equal(struct op_context *ctx, const struct list *list,
                                  enum list_end towards, const struct element *needle,
                                  struct list_cursor *cursor, struct op_result *result)
{
    enum { BATCH = 64 }; /* small, as a transaction may search for many elements at the end */
    size_t compared = 0;
    bool on = list_items_seek_start(list, cursor, towards);
    for (; on && !list_cursor_equal(cursor, needle); on = list_step(cursor, towards))
        if (++compared % BATCH == 0 && !apply_may_spend(ctx, BATCH, result))
            return false;
    return on;
}

/* Emits the removal of one element and its push, which do the same whatever the lists are. */
static void list_items_emit_move(struct op_context *ctx, const struct op *op)
{
    if (ctx->sink == NULL)
        return;
    apply_change(ctx, &(struct op){.kind = OP_L_REM,
                                   .db = op->db,
                                   .key = op->key,
                                   .hash = op->hash,
                                   .value = op->value,
                                   .count = op->move.take->from_tail ? -1 : 1});
    apply_change(ctx, &(struct op){.kind = op->move.target_end == OP_HEAD ? OP_L_PUSH : OP_R_PUSH,
                                   .db = op->db,
                                   .key = op->target.bytes,
                                   .hash = op->target.hash,
                                   .values = &op->value,
                                   .value_count = 1});
}

void list_items_move_equal(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup source = apply_lookup_write_key(ctx, op);
    struct lookup target = apply_lookup_write(ctx, op->db, op->target.bytes, op->target.hash);
    enum list_end towards = op->move.take->from_tail ? LIST_HEAD : LIST_TAIL;
    struct element needle = element_of(op->value);
    struct list_cursor cursor;
    DCHECK(!slice_equal(op->key, op->target.bytes));
    if (source.entry == NULL || entry_type(source.entry) != ENTRY_LIST ||
        !apply_require_list(ctx, target.entry, result) ||
        !list_items_find_equal(ctx, entry_list(source.entry), towards, &needle, &cursor, result))
        return;
    struct op_value value = {.bytes = op->value, .blob = cursor.blob};
    struct edit to = edit_begin(ctx, &target);
    edit_push_value(&to, op->move.target_end == OP_HEAD ? LIST_HEAD : LIST_TAIL, &value);
    edit_end(&to, 0);
    struct edit from = edit_begin(ctx, &source);
    edit_remove_here(&from, &cursor, towards);
    edit_end(&from, 0);
    list_items_emit_move(ctx, op);
    list_answer_key(&target, result);
}

void apply_l_rem(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_write_key(ctx, op);
    if (at.entry == NULL || !apply_require_list(ctx, at.entry, result))
        return;
    enum list_end towards = op->count < 0 ? LIST_HEAD : LIST_TAIL;
    uint64_t most = op->count == 0 ? UINT64_MAX : list_items_magnitude(op->count);
    struct element needle = element_of(op->value);
    struct list_cursor cursor;
    /* The search for more than one cannot stop half way. */
    size_t spent = ctx->spent, length = list_length(entry_list(at.entry));
    if (most != 1 && !apply_may_spend(ctx, length, result))
        return;
    ctx->spent = spent;
    if (!list_items_find_equal(ctx, entry_list(at.entry), towards, &needle, &cursor, result)) {
        if (result->err == ERR_NONE)
            result->version = lookup_version(&at);
        return;
    }
    struct edit edit = edit_begin(ctx, &at);
    result->count = (int64_t)list_items_remove_equal(&edit, &cursor, towards, &needle, most);
    edit_end(&edit, 0);
    apply_change_list(ctx, &at, op);
    list_answer_key(&at, result);
}

/* ---- positions ---- */

/* Bytes of an index in an answer. */
#define INDEX_SIZE ((size_t)8)

/* Collects positions in the result. */
struct positions {
    struct op_context *ctx;
    struct op_result *result;
    size_t capacity;
};

/* False if there is no memory: the operation has failed. */
static bool list_items_add_position(struct positions *positions, size_t index)
{
    struct op_result *result = positions->result;
    if (result->index_count == positions->capacity) {
        positions->capacity = positions->capacity == 0 ? 8 : 2 * positions->capacity;
        int64_t *indexes =
            apply_unfold(positions->ctx, positions->capacity * sizeof *indexes, result);
        if (indexes == NULL)
            return false;
        if (result->index_count > 0)
            memcpy(indexes, result->indexes, result->index_count * sizeof *indexes);
        result->indexes = indexes;
    }
    DCHECK(result->index_count < positions->capacity);
    result->indexes[result->index_count++] = (int64_t)index;
    return true;
}

/* False if there are more than fit into the answer, or the search takes too long: the operation has
 * failed. */
static bool list_items_find_positions(struct positions *positions, const struct op *op,
                                      const struct list *list)
{
    enum list_end towards = op->pos.rank < 0 ? LIST_HEAD : LIST_TAIL;
    uint64_t skip = op->pos.rank == 0 ? 0 : list_items_magnitude(op->pos.rank) - 1;
    uint64_t most = op->count == 0 ? UINT64_MAX : list_items_magnitude(op->count);
    uint64_t scan = op->pos.max_scan == 0 ? UINT64_MAX : op->pos.max_scan;
    size_t fitting = op_most_answer(op) / op_answer_size(INDEX_SIZE);
    struct element needle = element_of(op->value);
    struct list_cursor cursor;
    size_t compared = 0;
    bool on = list_items_seek_start(list, &cursor, towards);
    for (; on && scan > 0 && most > 0; on = list_step(&cursor, towards), scan--) {
        if (!list_items_may_compare(positions->ctx, &compared, positions->result))
            return false;
        if (!list_cursor_equal(&cursor, &needle))
            continue;
        if (skip > 0) {
            skip--;
            continue;
        }
        if (positions->result->index_count == fitting) {
            apply_fail(positions->result, ERR_TOO_LARGE,
                       "the positions do not fit into one answer; ask for fewer with count");
            return false;
        }
        if (!list_items_add_position(positions, cursor.index))
            return false;
        most--;
    }
    return true;
}

void apply_l_pos(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_read_key(ctx, op);
    const struct entry *entry = at.entry;
    if (entry == NULL || !apply_require_list(ctx, entry, result))
        return;
    struct positions positions = {.ctx = ctx, .result = result};
    if (!list_items_find_positions(&positions, op, entry_list(entry))) {
        result->index_count = 0;
        return;
    }
    result->ok = result->index_count > 0;
    result->version = lookup_version(&at);
}
