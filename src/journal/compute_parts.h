/* What the commands of compute.h share; private to them. */
#ifndef KEYSTORE_JOURNAL_COMPUTE_PARTS_H
#define KEYSTORE_JOURNAL_COMPUTE_PARTS_H

#include "journal/compute.h"

/* Says why; returns COMPUTE_BAD. */
enum compute_verdict compute_bad(struct compute *compute, const char *why);

/* True if there is such an argument and it is the word, or a number. */
bool compute_is_word(const struct compute *compute, size_t index, const char *word);
bool compute_is_number(const struct compute *compute, size_t index, int64_t *number);

/* Carries the operation out in the command's database; false with `why` if it failed. */
bool compute_do(struct compute *compute, struct op *op);

/* The value that the operation answers, copied to the arena, for a key of the command's database.
 * Of one that was left out nothing is found and `unknown` is set. False as above. */
bool compute_read(struct compute *compute, struct op *op, struct slice *value, bool *found);

/* The same of a whole string. */
bool compute_string(struct compute *compute, struct slice key, struct slice *value, bool *found);

/* The key gets what the operation makes of none, or with OP_COUNT is none; false as above. */
bool compute_replace(struct compute *compute, struct slice key, struct op *op);

enum compute_verdict compute_sort(struct compute *compute);
enum compute_verdict compute_restore(struct compute *compute);

#endif
