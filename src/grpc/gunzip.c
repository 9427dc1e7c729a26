/* One call of zlib per message, which needs no window beside the output. Knows nothing of framing.
 */
#include "grpc/gunzip.h"

#include "base/account.h"
#include "base/check.h"
#include "base/mem.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <zlib.h>

/* RFC 1952: a header of 10 bytes, at least 2 bytes of data, 4 of checksum and 4 of size. */
#define MEMBER_LEAST ((size_t)20)
/* Deflate's largest ratio: 258 bytes for every 2 bits. */
#define DEFLATE_MOST 1032
/* Of inflateInit2(): the largest window, 15 bits, and gzip's header and trailer. */
#define WINDOW_BITS (15 + 16)

static _Thread_local char message[200];

static enum err gunzip_refuse(const char *what, const char **why)
{
    snprintf(message, sizeof message,
             "the message is marked as compressed, but is not valid gzip: %s; send exactly one "
             "gzip member (RFC 1952) per message",
             what);
    *why = message;
    return ERR_BAD_MESSAGE;
}

enum err gunzip_size(struct slice member, size_t max, size_t *size, const char **why)
{
    *why = message;
    if (member.len < MEMBER_LEAST)
        return gunzip_refuse("it is truncated", why);
    if (member.data[0] != 0x1f || member.data[1] != 0x8b)
        return gunzip_refuse("it does not begin with 1f 8b", why);
    *size = gunzip_read_size(member);
    if (*size > member.len * DEFLATE_MOST)
        return gunzip_refuse("its last four bytes are not its size", why);
    if (*size > max) {
        snprintf(message, sizeof message,
                 "the message inflates to %zu bytes, but this server accepts %zu (--max-value plus "
                 "1 MiB); send less in one message",
                 *size, max);
        return ERR_TOO_LARGE;
    }
    if (*size > GUNZIP_FREE_BYTES && *size > member.len * GUNZIP_MAX_RATIO) {
        snprintf(message, sizeof message,
                 "the message inflates from %zu to %zu bytes, but beyond 1 MiB this server accepts "
                 "at most %d times the compressed size; send it uncompressed",
                 member.len, *size, GUNZIP_MAX_RATIO);
        return ERR_TOO_LARGE;
    }
    return ERR_NONE;
}

static void *gunzip_allocate(void *user, unsigned count, unsigned size)
{
    (void)user;
    return mem_try_alloc((size_t)count * size);
}

static void gunzip_free(void *user, void *memory)
{
    (void)user;
    free(memory);
}

/* What zlib's result says of the member; `stream` is where it stopped. */
static enum err gunzip_judge(int result, const z_stream *stream, const char **why)
{
    if (result == Z_MEM_ERROR) {
        *why = account_starved;
        return ERR_NO_CLIENT_MEMORY;
    }
    if (result == Z_STREAM_END)
        return stream->avail_in == 0 ? ERR_NONE : gunzip_refuse("bytes follow its end", why);
    if (result == Z_DATA_ERROR && stream->msg != NULL)
        return gunzip_refuse(stream->msg, why);
    return gunzip_refuse(
        stream->avail_in == 0 ? "it is truncated" : "it inflates to more than it says", why);
}

enum err gunzip(struct slice member, uint8_t *out, size_t size, const char **why)
{
    uint8_t nothing;
    CHECK(member.len <= UINT_MAX && size <= UINT_MAX); /* what 4 bytes of length can say */
    z_stream stream = {.next_in = (uint8_t *)member.data,
                       .avail_in = (unsigned)member.len,
                       .next_out = size > 0 ? out : &nothing,
                       .avail_out = (unsigned)size,
                       .zalloc = gunzip_allocate,
                       .zfree = gunzip_free};
    int result = inflateInit2(&stream, WINDOW_BITS);
    if (result == Z_OK)
        result = inflate(&stream, Z_FINISH);
    enum err err = gunzip_judge(result, &stream, why);
    DCHECK(err != ERR_NONE || stream.total_out == size); /* zlib has compared them */
    inflateEnd(&stream);
    return err;
}
