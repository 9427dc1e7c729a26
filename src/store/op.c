/* The operation table as data, and results. Knows nothing of how operations are done. */
#include "store/op.h"

#include "base/blob.h"

static const struct op_info table[OP_COUNT] = {
#define OPERATION(kind, method, request, reply, access_, category_, keys_, apply)                  \
    [OP_##kind] = {.name = #method,                                                                \
                   .access = OP_##access_,                                                         \
                   .category = OP_CATEGORY_##category_,                                            \
                   .keys = OP_KEYS_##keys_},
#include "store/operations.def"
#undef OPERATION
};

const struct op_info *op_info(enum op_kind kind)
{
    return &table[kind];
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
