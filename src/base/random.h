/* Unpredictable bytes from the kernel, for secrets. Not for tests, which replay from a seed. */
#ifndef KEYSTORE_BASE_RANDOM_H
#define KEYSTORE_BASE_RANDOM_H

#include <stddef.h>

/* Fills `size` bytes at `out`; aborts if the kernel has none to give. */
void random_fill(void *out, size_t size);

#endif
