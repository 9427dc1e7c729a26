/* Random changes of an input, of the kinds that libFuzzer makes without looking at the program. */
#ifndef KEYSTORE_TESTS_FUZZ_MUTATE_H
#define KEYSTORE_TESTS_FUZZ_MUTATE_H

#include "base/slice.h"
#include "differential/dice.h"

/* Changes the `len` bytes at `data`, which has room for `most`; `other` is an input to take parts
 * from. Returns the new length. */
size_t mutate(struct dice *dice, uint8_t *data, size_t len, size_t most, struct slice other);

#endif
