/*
 * Reference-counted bytes: a large value exists once, whether the store or a queued answer holds
 * it. Thread-safe.
 *
 * Bytes in use do not change while there is more than one holder, but others may be appended: a
 * holder that knows fewer keeps its own length.
 */
#ifndef KEYSTORE_BASE_BLOB_H
#define KEYSTORE_BASE_BLOB_H

#include "base/slice.h"

#include <stdatomic.h>

/* Values of at least this many bytes are stored as blobs, and sent without being copied. */
#define BLOB_LEAST ((size_t)16 * 1024)

/* In `holders`: each holder counts 1; a chain counts BLOB_QUEUED more. */
#define BLOB_QUEUED ((size_t)1 << 32)
/* In `holders`: only chains hold the blob, so it counts in the account. Never cleared. */
#define BLOB_ORPHAN ((size_t)1 << 63)

struct blob {
    atomic_size_t holders;
    atomic_size_t len; /* bytes in use */
    size_t capacity;   /* bytes allocated */
    uint8_t *data;     /* after this struct, in the same allocation */
};

/* A blob of `len` bytes with one holder; the caller fills `data` before it shares it. */
struct blob *blob_new(size_t len);

/* The same, but NULL if it is large and the system refuses the memory. */
struct blob *blob_try_new(size_t len);

/* A blob of `len` bytes with a capacity of `capacity`, at least `len`. */
struct blob *blob_new_with_capacity(size_t len, size_t capacity);

/* A blob with a copy of the bytes. */
struct blob *blob_copy(struct slice bytes);

/*
 * Returns a reference to a blob that consists of `part` only, without a copy: this blob, cut to the
 * part, provided that it contains the part, takes no more memory than a blob of the part's length,
 * and either has no other holder or has been cut to the same part before. Else NULL, with nothing
 * changed. The bytes cut off are no longer in use, but stay readable as long as the blob exists.
 */
struct blob *blob_cut(struct blob *blob, struct slice part);

/* Marks a part of the blob as no longer needed. If the blob is large and has no other holder, the
 * part's pages are returned to the system immediately, and its bytes become undefined. */
void blob_discard(struct blob *blob, struct slice part);

/* Adds a holder; returns the blob. */
struct blob *blob_retain(struct blob *blob);

/* Removes a holder; the last one frees the blob. NULL is allowed. */
void blob_release(struct blob *blob);

/* blob_join_chain() makes the calling holder a chain; blob_leave_chain() removes a holder that is
 * one. While only chains hold a blob, its memory counts as that of queued answers (base/account.h).
 */
void blob_join_chain(struct blob *blob);
void blob_leave_chain(struct blob *blob);

/*
 * Extends the bytes in use, of which the calling holder knows the first `len`, by `count`; the
 * caller fills them. False if the capacity is too small or another holder has extended the blob.
 */
bool blob_extend(struct blob *blob, size_t len, size_t count);

/* Memory of the blob in bytes, whole pages (base/runs.h); constant during its life. */
size_t blob_memory(const struct blob *blob);

/* The memory of a blob of that capacity. */
size_t blob_memory_for(size_t capacity);

/* True if the calling holder is the only one and may therefore change the bytes. */
static inline bool blob_is_sole(const struct blob *blob)
{
    return atomic_load_explicit(&blob->holders, memory_order_acquire) == 1;
}

/* All bytes in use. */
static inline struct slice blob_slice(const struct blob *blob)
{
    return slice_make(blob->data, atomic_load_explicit(&blob->len, memory_order_relaxed));
}

#endif
