/* The operation table as data: names, access and categories. Knows nothing of how they are done. */
#include "store/op.h"

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
