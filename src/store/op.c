/* The operation table as data, and results. Knows nothing of how operations are done. */
#include "store/op.h"

#include "base/blob.h"

static const struct op_info table[OP_COUNT] = {
#define OPERATION(kind, method, request, reply, access_, category_, keys_, apply, call, log,       \
                  traits_)                                                                         \
    [OP_##kind] = {.name = #method,                                                                \
                   .access = OP_##access_,                                                         \
                   .category = OP_CATEGORY_##category_,                                            \
                   .keys = OP_KEYS_##keys_,                                                        \
                   .traits = traits_},
#include "store/operations.def"
#undef OPERATION
};

const struct op_info *op_info(enum op_kind kind)
{
    return &table[kind];
}

/* The numbers of a message and of the one around it in a Txn's reply, with their tags, at most; the
 * same of one item of several. */
#define MOST_REPLY_NUMBERS ((size_t)96)
#define MOST_ITEM_NUMBERS  ((size_t)32)
/* An index of LPos. */
#define MOST_INDEX ((size_t)10)

/* Bytes with their tag and length: one byte of length for each 7 bits of it. */
static size_t op_bytes_size(size_t len)
{
    size_t size = 2 + len;
    for (size_t rest = len >> 7; rest > 0; rest >>= 7)
        size++;
    return size;
}

size_t op_reply_size(enum op_kind kind, const struct op_result *result)
{
    size_t size = MOST_REPLY_NUMBERS + op_bytes_size(result->key.len) +
                  op_bytes_size(result->value.bytes.len);
    for (size_t i = 0; i < result->value_count; i++)
        size += op_bytes_size(result->values[i].len);
    for (size_t i = 0; i < result->item_count; i++)
        size += MOST_ITEM_NUMBERS + op_bytes_size(result->items[i].bytes.len);
    if (kind == OP_L_POS)
        size += result->index_count * MOST_INDEX;
    if (kind == OP_BIT_FIELD)
        size += result->field_count * MOST_ITEM_NUMBERS;
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
