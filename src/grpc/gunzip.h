/*
 * Inflates the compressed message of a request: exactly one gzip member (RFC 1952). The member ends
 * with the size of what it holds, so an oversized message, and a compression bomb, is refused by
 * those four bytes before memory is allocated for it. No state is kept between messages.
 */
#ifndef KEYSTORE_GRPC_GUNZIP_H
#define KEYSTORE_GRPC_GUNZIP_H

#include "base/err.h"
#include "base/slice.h"

/* A message may inflate to GUNZIP_MAX_RATIO times its compressed size, or to GUNZIP_FREE_BYTES if
 * that is more: compression bombs. */
#define GUNZIP_MAX_RATIO  100
#define GUNZIP_FREE_BYTES ((size_t)1024 * 1024)

/*
 * The size in bytes that the member says it inflates to. ERR_TOO_LARGE if that is more than `max`
 * or than the ratio allows, ERR_BAD_MESSAGE if no gzip member can say so. On errors *why is the
 * error message, valid until the next call by this thread.
 */
enum err gunzip_size(struct slice member, size_t max, size_t *size, const char **why)
    __attribute__((warn_unused_result));

/* The size that the last four bytes of a member say, modulo 4 GiB. */
static inline size_t gunzip_read_size(struct slice member)
{
    const uint8_t *end = member.data + member.len - 4;
    return (size_t)end[0] | (size_t)end[1] << 8 | (size_t)end[2] << 16 | (size_t)end[3] << 24;
}

/*
 * Inflates the member to the `size` bytes at `out`, which gunzip_size() has returned. Never writes
 * more, whatever the member holds. ERR_BAD_MESSAGE if it is corrupt or truncated, or if bytes
 * follow it, ERR_NO_CLIENT_MEMORY if there is no memory for zlib; *why as above.
 */
enum err gunzip(struct slice member, uint8_t *out, size_t size, const char **why)
    __attribute__((warn_unused_result));

#endif
