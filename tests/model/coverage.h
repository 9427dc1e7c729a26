/* What a run has seen: a test of answers that are all misses would find nothing. */
#ifndef KEYSTORE_TESTS_MODEL_COVERAGE_H
#define KEYSTORE_TESTS_MODEL_COVERAGE_H

#include <keystore/client.h>
#include <stdbool.h>

/* Counts an answer. Threads may call it. */
void coverage_note(const struct keystore_op *op, const struct keystore_reply *reply);

/* Prints the counts. */
void coverage_print(void);

/* False, with a sentence, if some operation has never succeeded, missed or failed as it can. */
bool coverage_is_full(void);

#endif
