/* What a store holds, as a number: two stores with equal numbers have the same keys in the same
 * databases, with the same types, values, deadlines and versions. */
#ifndef KEYSTORE_TESTS_CRASH_CONTENTS_H
#define KEYSTORE_TESTS_CRASH_CONTENTS_H

#include <stdint.h>

struct store;

/* Nobody may write meanwhile. */
uint64_t contents_hash(const struct store *store);

/* Removes every key, which is faster than a new store, and sets the revision to 0. */
void contents_clear(struct store *store);

#endif
