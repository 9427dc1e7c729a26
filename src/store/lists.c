/* The operations on lists. */
#include "base/arena.h"
#include "base/blob.h"
#include "store/apply.h"
#include "store/entry.h"
#include "store/list.h"

/* The list entry of the key, or NULL if there is none; a string is an error in the result. */
static struct entry *find_list(struct keyspace *space, const struct op *op,
                               struct op_result *result)
{
    struct entry *entry = apply_find(space, op);
    if (entry != NULL && entry_type(entry) != ENTRY_LIST) {
        apply_wrong_type(entry, result);
        return NULL;
    }
    return entry;
}

void apply_lpush(struct keyspace *space, const struct op *op, struct op_result *result)
{
    struct entry *entry = find_list(space, op, result);
    if (result->err != ERR_NONE || !apply_condition(space, op, entry, result))
        return;
    if (entry == NULL) {
        entry = entry_new_list(space->dict->slab, op->key, list_new(), (struct entry_stamp){0});
        dict_put(space->dict, op->hash, entry);
    }
    struct list *list = entry_list(entry);
    for (size_t i = 0; i < op->value_count; i++)
        list_push(list, LIST_HEAD, op->values[i]);
    size_t length = list_length(list);
    if (op->max_length > 0 && length > op->max_length)
        list_drop(list, LIST_TAIL, length - op->max_length);
    entry_set_version(entry, apply_next_revision(space));
    result->ok = true;
    result->count = (int64_t)list_length(list);
    result->version = entry_version(entry);
}

/* Redis' rules: negative indexes count from the tail, then both ends are clipped to the list. */
static void clip(int64_t *start, int64_t *stop, int64_t length)
{
    if (*start < 0)
        *start += length;
    if (*stop < 0)
        *stop += length;
    if (*start < 0)
        *start = 0;
    if (*stop >= length)
        *stop = length - 1;
}

/* True if elements first..first+count-1 are no more than the answer may hold. */
static bool fit(const struct op *op, const struct list *list, size_t first, size_t count)
{
    if (op->max_answer == 0)
        return true;
    struct list_cursor cursor;
    size_t bytes = 0;
    bool on = list_seek(list, &cursor, first);
    for (size_t i = 0; on && i < count; i++, on = list_next(&cursor)) {
        bytes += op_answer_size(cursor.value.len);
        if (bytes > op->max_answer)
            return false;
    }
    return true;
}

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

static void copy_elements(struct keyspace *space, const struct list *list, size_t first,
                          size_t count, struct op_result *result)
{
    result->values = arena_alloc(space->arena, count * sizeof *result->values);
    result->value_count = count;
    struct list_cursor cursor;
    bool on = list_seek(list, &cursor, first);
    for (size_t i = 0; on && i < count; i++, on = list_next(&cursor)) {
        result->values[i] = cursor.value;
        if (cursor.blob != NULL)
            share_element(space, result, i, cursor.blob);
        else
            result->values[i] = arena_copy(space->arena, cursor.value);
    }
}

void apply_lrange(struct keyspace *space, const struct op *op, struct op_result *result)
{
    const struct entry *entry = find_list(space, op, result);
    if (entry == NULL)
        return;
    const struct list *list = entry_list(entry);
    int64_t start = op->start, stop = op->stop;
    int64_t length = (int64_t)list_length(list);
    clip(&start, &stop, length);
    result->ok = true;
    result->length = length;
    result->version = entry_version(entry);
    if (start > stop)
        return;
    size_t first = (size_t)start, count = (size_t)(stop - start + 1);
    if (!fit(op, list, first, count)) {
        result->err = ERR_TOO_LARGE;
        result->why = "the elements do not fit into one answer; ask for a smaller range, or for "
                      "pages with StreamList";
        return;
    }
    result->offset = start;
    copy_elements(space, list, first, count, result);
}

void apply_lpop(struct keyspace *space, const struct op *op, struct op_result *result)
{
    struct entry *entry = find_list(space, op, result);
    if (entry == NULL)
        return;
    struct list *list = entry_list(entry);
    apply_return_bytes(space, list_at(list, 0), list_blob_at(list, 0), result);
    list_drop(list, LIST_HEAD, 1);
    uint64_t revision = apply_next_revision(space);
    if (list_length(list) == 0) {
        dict_remove(space->dict, op->hash, op->key);
        return;
    }
    entry_set_version(entry, revision);
    result->value.version = revision;
}
