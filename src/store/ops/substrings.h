/* Writing into strings, for the operations that change parts of them; private to the store. */
#ifndef KEYSTORE_STORE_OPS_SUBSTRINGS_H
#define KEYSTORE_STORE_OPS_SUBSTRINGS_H

#include "store/ops/apply.h"

/* True if a string with the operation's value at `offset` is not too long; else the operation has
 * failed with ERR_TOO_LARGE. */
bool substrings_may_hold(const struct op *op, uint64_t offset, struct op_result *result);

/* Call before substrings_write(): true if the write does not take too long (apply_may_spend()) and
 * the system has the memory (apply_lease()). Else the operation has failed. */
bool substrings_may_write(struct op_context *ctx, const struct lookup *at, const struct op *op,
                          size_t offset, struct op_result *result);

/* Writes the operation's value into the string at `offset`, after padding a shorter string with
 * zeros; creates the string if there is none. `at` is from apply_lookup_write(). */
void substrings_write(struct op_context *ctx, struct lookup *at, const struct op *op,
                      size_t offset);

#endif
