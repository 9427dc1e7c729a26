/* Unpredictable bytes from the kernel, for secrets. Not for tests, which must be replayable from a
 * seed. */
#ifndef KEYSTORE_BASE_RANDOM_H
#define KEYSTORE_BASE_RANDOM_H

#include <stddef.h>

/* Fills `size` bytes at `out`; aborts if the kernel fails. */
void random_fill(void *out, size_t size);

#endif
