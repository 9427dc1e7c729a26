/* Copies and shares elements of lists for answers. Knows no operations. */
#include "store/ops/list_answer.h"

#include "base/arena.h"
#include "base/blob.h"
#include "base/check.h"
#include "store/data/entry.h"

/* Shares the blob of element `i` with the result. False if the operation has failed. */
static bool list_answer_share_element(struct op_context *ctx, struct op_result *result, size_t i,
                                      struct blob *blob)
{
    if (result->blobs == NULL) {
        size_t size = result->value_count * sizeof(struct blob *);
        result->blobs = apply_unfold(ctx, size, result);
        if (result->blobs == NULL)
            return false;
        memset(result->blobs, 0, size);
    }
    result->blobs[i] = blob_retain(blob);
    return true;
}

/*
 * Short texts are not copied one by one. Those of one chunk lie a byte or two apart, so the answer
 * first points into the chunk; then the whole range that they span is copied in one go, if there is
 * memory for it.
 */
struct borrowed {
    const struct chunk *chunk;
    const uint8_t *begin, *end; /* of the texts; NULL = none */
    size_t first;               /* index of the answer's first value from this chunk */
};

static void list_answer_borrow(struct borrowed *borrowed, struct slice text)
{
    if (borrowed->begin == NULL || text.data < borrowed->begin)
        borrowed->begin = text.data;
    if (borrowed->end == NULL || text.data + text.len > borrowed->end)
        borrowed->end = text.data + text.len;
}

/* Copies the texts borrowed from the chunk into the arena, and makes the values up to before `end`
 * point there. False if the operation has failed. */
static bool list_answer_copy_borrowed(struct op_context *ctx, const struct borrowed *borrowed,
                                      struct op_result *result, size_t end)
{
    if (borrowed->begin == NULL)
        return true;
    struct slice copy, texts = slice_make(borrowed->begin, 0);
    texts.len = (size_t)(borrowed->end - borrowed->begin);
    if (!apply_copy_bytes(ctx, texts, &copy, result))
        return false;
    struct slice *values = result->values;
    for (size_t i = borrowed->first; i < end; i++) {
        size_t offset = (uintptr_t)values[i].data - (uintptr_t)texts.data;
        if (offset <= texts.len) /* numbers and blobs lie elsewhere */
            values[i].data = copy.data + offset;
    }
    return true;
}

/* Puts the cursor's element into value `i`. False if the operation has failed. */
static bool list_answer_add_element(struct op_context *ctx, struct list_cursor *cursor,
                                    struct borrowed *borrowed, struct op_result *result, size_t i)
{
    struct slice *value = &result->values[i];
    *value = list_cursor_value(cursor);
    if (cursor->chunk != borrowed->chunk) {
        if (!list_answer_copy_borrowed(ctx, borrowed, result, i))
            return false;
        *borrowed = (struct borrowed){.chunk = cursor->chunk, .first = i};
    }
    if (cursor->blob != NULL)
        return list_answer_share_element(ctx, result, i, cursor->blob);
    if (cursor->element.is_number)
        return apply_copy_bytes(ctx, *value, value, result);
    list_answer_borrow(borrowed, *value);
    return true;
}

/* Clears the elements from the result of the operation, which has failed. Returns false. */
static bool list_answer_clear(struct op_result *result)
{
    struct op_result failed = op_result_error(result);
    op_result_release(result);
    *result = failed;
    return false;
}

bool list_answer_part(struct op_context *ctx, const struct list_part *part, size_t most,
                      const char *too_large, struct op_result *result)
{
    DCHECK(part->count <= list_length(part->list) &&
           (part->count == 0 || part->first < list_length(part->list)));
    /* Even an empty element counts. */
    if (part->count > most / op_answer_size(0)) {
        apply_fail(result, ERR_TOO_LARGE, too_large);
        return false;
    }
    if (!apply_may_spend(ctx, part->count, result))
        return false;
    result->values = apply_unfold(ctx, part->count * sizeof *result->values, result);
    if (result->values == NULL)
        return false;
    result->value_count = part->count;
    struct borrowed borrowed = {.chunk = NULL};
    struct list_cursor cursor;
    bool on = list_seek(part->list, &cursor, part->first);
    for (size_t i = 0; on && i < part->count; i++, on = list_step(&cursor, part->towards)) {
        size_t size = op_answer_size(list_cursor_length(&cursor));
        if (size > most) {
            apply_fail(result, ERR_TOO_LARGE, too_large);
            return list_answer_clear(result);
        }
        most -= size;
        if (size >= APPLY_STEP_BYTES && !apply_may_spend(ctx, size / APPLY_STEP_BYTES, result))
            return list_answer_clear(result);
        if (!list_answer_add_element(ctx, &cursor, &borrowed, result, i))
            return list_answer_clear(result);
    }
    return list_answer_copy_borrowed(ctx, &borrowed, result, part->count) ||
           list_answer_clear(result);
}

void list_answer_value(struct op_context *ctx, const struct list *list, size_t index,
                       struct op_value *value)
{
    DCHECK(index < list_length(list));
    struct list_cursor cursor;
    if (list_seek(list, &cursor, index))
        apply_return_bytes(ctx, list_cursor_value(&cursor), cursor.blob, value);
}

void list_answer_key(const struct lookup *at, struct op_result *result)
{
    result->ok = true;
    result->version = lookup_version(at);
    result->value.version = result->version;
    result->value.expire_at_ms = at->entry != NULL ? entry_expire_at_ms(at->entry) : 0;
}
