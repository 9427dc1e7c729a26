/*
 * Immutable bytes that several holders share: a large value is kept once, whether the store holds
 * it or an answer on its way out does. Retain and release may happen on different threads.
 */
#ifndef KEYSTORE_BASE_BLOB_H
#define KEYSTORE_BASE_BLOB_H

#include "base/slice.h"

#include <stdatomic.h>

struct blob {
    atomic_size_t holders;
    size_t len;
    uint8_t data[];
};

/* A blob of `len` bytes with one holder; the caller fills `data` before it shares it. */
struct blob *blob_new(size_t len);

/* A blob with a copy of the bytes. */
struct blob *blob_copy(struct slice bytes);

/* One holder more; returns the blob. */
struct blob *blob_retain(struct blob *blob);

/* One holder less; the last one frees it. NULL is allowed. */
void blob_release(struct blob *blob);

static inline struct slice blob_slice(const struct blob *blob)
{
    return slice_make(blob->data, blob->len);
}

#endif
