/* Copying and sharing elements of lists for answers. Knows no operations. */
#include "store/list_answer.h"

#include "base/arena.h"
#include "base/blob.h"
#include "store/entry.h"

/* Element i of the result stays in its blob. */
static void share_element(struct keyspace *space, struct op_result *result, size_t i,
                          struct blob *blob)
{
    if (result->blobs == NULL) {
        size_t size = result->value_count * sizeof(struct blob *);
        result->blobs = arena_alloc(space->arena, size);
        memset(result->blobs, 0, size);
    }
    result->blobs[i] = blob_retain(blob);
}

bool list_answer_part(struct keyspace *space, const struct list_part *part, size_t most,
                      struct op_result *result)
{
    /* An empty element takes some too, so what is allocated here is not much more than the answer.
     */
    if (part->count > most / op_answer_size(0))
        return false;
    result->values = arena_alloc(space->arena, part->count * sizeof *result->values);
    result->value_count = part->count;
    struct list_cursor cursor;
    bool on = list_seek(part->list, &cursor, part->first);
    for (size_t i = 0; on && i < part->count; i++, on = list_step(&cursor, part->towards)) {
        struct slice value = list_cursor_value(&cursor);
        if (op_answer_size(value.len) > most) {
            op_result_release(result);
            result->value_count = 0;
            return false;
        }
        most -= op_answer_size(value.len);
        if (cursor.blob != NULL)
            share_element(space, result, i, cursor.blob);
        else
            value = arena_copy(space->arena, value);
        result->values[i] = value;
    }
    return true;
}

void list_answer_value(struct keyspace *space, const struct list *list, size_t index,
                       struct op_value *value)
{
    struct list_cursor cursor;
    if (list_seek(list, &cursor, index))
        apply_return_bytes(space, list_cursor_value(&cursor), cursor.blob, value);
}

void list_answer_key(const struct lookup *at, struct op_result *result)
{
    result->ok = true;
    result->version = at->entry != NULL ? entry_version(at->entry) : 0;
    result->value.version = result->version;
    result->value.expire_at_ms = at->entry != NULL ? entry_expire_at_ms(at->entry) : 0;
}
