/* The operation table as data: names, access and categories. Knows nothing of how they are done. */
#include "store/op.h"

#include "base/blob.h"

static const struct op_info table[OP_COUNT] = {
#define OPERATION(kind, method, request, reply, access_, category_, apply)                         \
    [OP_##kind] = {.name = #method, .access = OP_##access_, .category = OP_CATEGORY_##category_},
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
    for (size_t i = 0; result->blobs != NULL && i < result->value_count; i++)
        blob_release(result->blobs[i]);
    result->value.blob = NULL;
    result->blobs = NULL;
}
