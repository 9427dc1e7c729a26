/*
 * Compresses messages of replies, each as one gzip member (RFC 1952), at zlib's fastest level. Only
 * messages that are worth it: a small one, or one that hardly shrinks, is sent as it is.
 */
#ifndef KEYSTORE_GRPC_GZIP_H
#define KEYSTORE_GRPC_GZIP_H

#include "base/chain.h"

/* A smaller message, in bytes, fits in a packet as it is. */
#define GZIP_LEAST ((size_t)1024)
/* Of a larger one, compression takes more than a millisecond, and so is no work for a thread that
 * serves others. */
#define GZIP_MOST_INLINE ((size_t)65 * 1024)

/* What compression needs, some 264 KiB. Belongs to one thread at a time. */
struct gzip;

/* NULL if there is no memory. */
struct gzip *gzip_new(void);

/* NULL is allowed. */
void gzip_free(struct gzip *gzip);

/*
 * Compresses the message of `size` bytes that follows the cursor in `from`, and appends it, with
 * its prefix, to `to`. Returns the compressed size; 0, with nothing appended, if the message is
 * small, if that would not save an eighth, or if `gzip` is NULL: then it is to be sent as it is.
 */
size_t gzip_append(struct gzip *gzip, const struct chain *from, struct chain_cursor cursor,
                   size_t size, struct chain *to);

#endif
