/* Writing into strings, for the operations that change parts of them; private to the store. */
#ifndef KEYSTORE_STORE_OPS_SUBSTRINGS_H
#define KEYSTORE_STORE_OPS_SUBSTRINGS_H

#include "store/ops/apply.h"

/* True if a string may have the operation's value from `offset` on; else the operation has failed
 * with ERR_TOO_LARGE. */
bool substrings_may_hold(const struct op *op, uint64_t offset, struct op_result *result);

/* True if writing it copies so little that this may be done here (apply_may_spend()), and the
 * system gives the memory that it takes (apply_lease()); to be asked before. */
bool substrings_may_write(struct op_context *ctx, const struct lookup *at, const struct op *op,
                          size_t offset, struct op_result *result);

/* Writes the operation's value into the string at `at`, which was opened, from `offset` on, behind
 * zeros if it is shorter; creates the string if there is no entry. */
void substrings_write(struct op_context *ctx, struct lookup *at, const struct op *op,
                      size_t offset);

#endif
