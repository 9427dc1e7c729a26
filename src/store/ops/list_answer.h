/* Puts elements of lists into answers; private to the store. */
#ifndef KEYSTORE_STORE_OPS_LIST_ANSWER_H
#define KEYSTORE_STORE_OPS_LIST_ANSWER_H

#include "store/list/list.h"
#include "store/ops/apply.h"

/* Consecutive elements, all of which exist, in the order of the answer. */
struct list_part {
    const struct list *list;
    size_t first; /* index of the first element of the answer */
    size_t count;
    enum list_end towards; /* the direction of the others from there */
};

/* Index of the element at that end; the list is not empty. */
static inline size_t list_answer_end(const struct list *list, enum list_end end)
{
    return end == LIST_HEAD ? 0 : list_length(list) - 1;
}

/* Puts the part into the result's values: long elements are shared, short ones copied. False if it
 * takes more than `most` bytes, as op_answer_size() counts, or more memory than answers may take:
 * then the operation has failed, in the first case with the error message `too_large`, and the
 * result has no values. */
bool list_answer_part(struct op_context *ctx, const struct list_part *part, size_t most,
                      const char *too_large, struct op_result *result)
    __attribute__((warn_unused_result));

/* Puts the element at `index`, which exists, into the value, in the same way. */
void list_answer_value(struct op_context *ctx, const struct list *list, size_t index,
                       struct op_value *value);

/* Puts the key's present version and deadline into the result and its value. */
void list_answer_key(const struct lookup *at, struct op_result *result);

#endif
