/* The operations on ranges of lists: LRange, LTrim. */
#include "base/check.h"
#include "store/data/entry.h"
#include "store/list/pinned.h"
#include "store/ops/edit.h"
#include "store/ops/list_answer.h"

/* Elements removed per step of apply_may_spend(): most are freed with their whole chunk. */
#define REMOVED_PER_STEP 16

/* The elements that the operation asks for; `count` may be 0. Redis' rules: negative indexes count
 * from the tail, then both ends are clipped to the list. */
static struct list_part list_ranges_clip(const struct op *op, const struct list *list)
{
    int64_t start = op->start, stop = op->stop, length = (int64_t)list_length(list);
    if (start < 0)
        start += length;
    if (stop < 0)
        stop += length;
    if (start < 0)
        start = 0;
    if (stop >= length)
        stop = length - 1;
    if (start > stop)
        return (struct list_part){.list = list};
    return (struct list_part){.list = list,
                              .first = (size_t)start,
                              .count = (size_t)(stop - start + 1),
                              .towards = LIST_TAIL};
}

void apply_l_range(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_read_key(ctx, op);
    if (at.entry == NULL || !apply_require_list(ctx, at.entry, result))
        return;
    struct list_part part = list_ranges_clip(op, entry_list(at.entry));
    if (op->range.pin != NULL) {
        struct pinned_id id = {.hash = at.hash, .db = at.db, .version = lookup_version(&at)};
        if (!pinned_take(op->range.pin, part.list, id)) {
            apply_fail(result, ERR_NO_CLIENT_MEMORY,
                       "too much memory is in lists that streams read; wait until some of these "
                       "streams have ended, or raise --max-client-memory");
            return;
        }
        result->count = (int64_t)part.count;
    } else if (!list_answer_part(
                   ctx, &part, op_most_answer(op),
                   "the elements do not fit into one answer; ask for a smaller range, or for "
                   "pages with StreamList",
                   result)) {
        return;
    }
    result->ok = true;
    result->length = (int64_t)list_length(part.list);
    result->version = lookup_version(&at);
    result->offset = (int64_t)part.first;
}

void apply_l_trim(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_write_key(ctx, op);
    if (at.entry == NULL || !apply_require_list(ctx, at.entry, result))
        return;
    struct list_part part = list_ranges_clip(op, entry_list(at.entry));
    size_t removed = list_length(part.list) - part.count;
    if (!apply_may_spend(ctx, removed / REMOVED_PER_STEP, result))
        return;
    if (removed > 0) {
        struct edit edit = edit_begin(ctx, &at);
        edit_trim(&edit, part.first, part.count);
        edit_end(&edit, 0);
        apply_change_list(ctx, &at, op);
    }
    result->count = (int64_t)part.count;
    list_answer_key(&at, result);
}
