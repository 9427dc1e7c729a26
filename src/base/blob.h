/*
 * Bytes that several holders share: a large value is kept once, whether the store holds it or an
 * answer on its way out does. Retain and release may happen on different threads.
 *
 * Bytes in use do not change while there is more than one holder, but there may come more of them
 * behind: a holder who knows of fewer keeps its own length.
 */
#ifndef KEYSTORE_BASE_BLOB_H
#define KEYSTORE_BASE_BLOB_H

#include "base/slice.h"

#include <stdatomic.h>

/* Values from this many bytes on are kept as blobs, and sent without being copied. */
#define BLOB_LEAST ((size_t)16 * 1024)

/* A holder counts one; that of a chain counts BLOB_QUEUED more. */
#define BLOB_QUEUED ((size_t)1 << 32)
/* In `holders`: nobody but chains holds it, so that it counts in the account. It stays so. */
#define BLOB_ORPHAN ((size_t)1 << 63)

struct blob {
    atomic_size_t holders;
    atomic_size_t len; /* bytes in use */
    size_t capacity;   /* bytes there are */
    uint8_t *data;     /* behind this, in the same memory */
};

/* A blob of `len` bytes with one holder; the caller fills `data` before it shares it. */
struct blob *blob_new(size_t len);

/* The same, but NULL if it is large and the system does not give the memory. */
struct blob *blob_try_new(size_t len);

/* A blob of `len` bytes with room for `capacity`, at least len. */
struct blob *blob_new_roomy(size_t len, size_t capacity);

/* A blob with a copy of the bytes. */
struct blob *blob_copy(struct slice bytes);

/*
 * A reference to a blob that is `part` alone, without a copy: this one, cut to that, if the part
 * lies in it, the blob takes no more memory than one of the part's length would, and nobody but the
 * calling holder has it, or it was cut to the same before. Else NULL, and nothing has changed. What
 * is cut off is not used any more, but stays readable as long as the blob lives.
 */
struct blob *blob_cut(struct blob *blob, struct slice part);

/* The part, which lies in the blob, is not needed any more: of a large blob that nobody but the
 * calling holder has, its pages go back to the system at once, and its bytes may be anything. */
void blob_discard(struct blob *blob, struct slice part);

/* One holder more; returns the blob. */
struct blob *blob_retain(struct blob *blob);

/* One holder less; the last one frees it. NULL is allowed. */
void blob_release(struct blob *blob);

/* The calling holder is a chain from now on; and one that is ceases to hold it. While chains alone
 * hold a blob, what it takes counts as memory of queued answers (base/account.h). */
void blob_join_chain(struct blob *blob);
void blob_leave_chain(struct blob *blob);

/*
 * Takes `count` bytes into use behind the first `len`, of which the calling holder knows; they are
 * the caller's to fill. False if there is no room, or another holder has taken it.
 */
bool blob_extend(struct blob *blob, size_t len, size_t count);

/* What the blob takes of memory, whole pages (base/runs.h); as long as it lives that does not
 * change. */
size_t blob_memory(const struct blob *blob);

/* What one of so many bytes would take. */
size_t blob_memory_for(size_t capacity);

/* True if the calling holder is the only one, and so may change the bytes. */
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
