/* Elements found by their value, for operations of several files; private to the store. */
#ifndef KEYSTORE_STORE_OPS_LIST_ITEMS_H
#define KEYSTORE_STORE_OPS_LIST_ITEMS_H

#include "store/ops/apply.h"

/* LMove with op_take.is_equal. */
void list_items_move_equal(struct op_context *ctx, const struct op *op, struct op_result *result);

#endif
