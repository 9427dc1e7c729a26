/* The operation table as data, and results. Does not know how operations are carried out. */
#include "store/op.h"

#include "base/blob.h"
#include "base/check.h"

static const struct op_info table[OP_COUNT] = {
#define OPERATION(kind_, method, request, reply, access_, category_, keys_, apply, call, log,      \
                  traits_, needs_)                                                                 \
    [OP_##kind_] = {.name = #method,                                                               \
                    .kind = #kind_,                                                                \
                    .access = OP_##access_,                                                        \
                    .category = OP_CATEGORY_##category_,                                           \
                    .keys = OP_KEYS_##keys_,                                                       \
                    .traits = traits_,                                                             \
                    .needs = OP_NEEDS_##needs_},
#include "store/operations.def"
#undef OPERATION
};

const struct op_info *op_info(enum op_kind kind)
{
    return &table[kind];
}

const char *op_field(enum op_kind kind, char name[OP_FIELD_SIZE])
{
    const char *upper = table[kind].kind;
    size_t length = strlen(upper);
    CHECK(length < OP_FIELD_SIZE);
    for (size_t i = 0; i <= length; i++)
        name[i] = upper[i] >= 'A' && upper[i] <= 'Z' ? (char)(upper[i] - 'A' + 'a') : upper[i];
    return name;
}

/* Upper bounds in bytes: all numbers of a reply message and of the enclosing one in a Txn's reply,
 * with their tags; those of one item of an array; an index of LPos. */
#define MAX_REPLY_NUMBERS ((size_t)96)
#define MAX_ITEM_NUMBERS  ((size_t)32)
#define MAX_INDEX         ((size_t)10)

/* Bytes with their tag and their length as a varint. */
static size_t op_bytes_size(size_t len)
{
    size_t size = 2 + len;
    for (size_t rest = len >> 7; rest > 0; rest >>= 7)
        size++;
    return size;
}

size_t op_reply_size(enum op_kind kind, const struct op_result *result)
{
    size_t size =
        MAX_REPLY_NUMBERS + op_bytes_size(result->key.len) + op_bytes_size(result->value.bytes.len);
    for (size_t i = 0; i < result->value_count; i++)
        size += op_bytes_size(result->values[i].len);
    for (size_t i = 0; i < result->item_count; i++)
        size += MAX_ITEM_NUMBERS + op_bytes_size(result->items[i].bytes.len);
    if (kind == OP_L_POS)
        size += result->index_count * MAX_INDEX;
    if (kind == OP_BIT_FIELD)
        size += result->field_count * MAX_ITEM_NUMBERS;
    if (kind == OP_LCS)
        size += result->match_count * MAX_ITEM_NUMBERS;
    return size;
}

void op_result_release(struct op_result *result)
{
    blob_release(result->value.blob);
    result->value.blob = NULL;
    for (size_t i = 0; result->blobs != NULL && i < result->value_count; i++)
        blob_release(result->blobs[i]);
    result->blobs = NULL;
    for (size_t i = 0; i < result->item_count; i++)
        blob_release(result->items[i].blob);
    result->item_count = 0;
    for (size_t i = 0; i < result->result_count; i++)
        op_result_release(&result->results[i]);
    result->result_count = 0;
}

struct op_result op_result_error(const struct op_result *failed)
{
    struct op_result error = {.err = failed->err, .why = failed->why};
    if (failed->err == ERR_WRONG_TYPE) {
        error.key = failed->key;
        error.type = failed->type;
    }
    return error;
}
