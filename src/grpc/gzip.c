/* Deflates what a chain refers to, piece by piece, without copying it first. */
#include "grpc/gzip.h"

#include "base/check.h"
#include "base/mem.h"
#include "grpc/message.h"

#include <limits.h>
#include <stdlib.h>

#include <zlib.h>

/* Of deflateInit2(): the largest window, 15 bits, and gzip's header and trailer; zlib's default. */
#define WINDOW_BITS  (15 + 16)
#define MEMORY_LEVEL 8
/* Bytes that the output grows by, and pieces of input at a time. */
#define STEP        ((size_t)16 * 1024)
#define MOST_PIECES 16

struct gzip {
    z_stream stream;
};

static void *gzip_allocate(void *user, unsigned count, unsigned size)
{
    (void)user;
    return mem_try_alloc((size_t)count * size);
}

static void gzip_release(void *user, void *memory)
{
    (void)user;
    free(memory);
}

struct gzip *gzip_new(void)
{
    struct gzip *gzip = mem_alloc(sizeof *gzip);
    gzip->stream = (z_stream){.zalloc = gzip_allocate, .zfree = gzip_release};
    if (deflateInit2(&gzip->stream, Z_BEST_SPEED, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) == Z_OK)
        return gzip;
    free(gzip);
    return NULL;
}

void gzip_free(struct gzip *gzip)
{
    if (gzip == NULL)
        return;
    deflateEnd(&gzip->stream);
    free(gzip);
}

/* Deflates the stream's input to `to`, as long as the output has at most `most` bytes in all. */
static bool gzip_drain(z_stream *stream, int flush, size_t most, struct chain *to)
{
    do {
        size_t room = most - stream->total_out < STEP ? most - stream->total_out : STEP;
        if (room == 0)
            return false;
        stream->next_out = chain_append(to, room);
        stream->avail_out = (unsigned)room;
        int result = deflate(stream, flush);
        CHECK(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR);
        to->bytes.len -= stream->avail_out;
        if (result == Z_STREAM_END)
            return true;
    } while (stream->avail_out == 0 || flush == Z_FINISH);
    return true;
}

/* Deflates the `size` bytes that follow the cursor; false if that takes more than `most`. */
static bool gzip_deflate(z_stream *stream, const struct chain *from, struct chain_cursor cursor,
                         size_t size, size_t most, struct chain *to)
{
    struct iovec pieces[MOST_PIECES];
    while (size > 0) {
        size_t count = chain_pieces(from, cursor, pieces, MOST_PIECES), passed = 0;
        CHECK(count > 0); /* `size` bytes follow the cursor */
        for (size_t i = 0; i < count && size > 0; i++) {
            size_t len = pieces[i].iov_len < size ? pieces[i].iov_len : size;
            stream->next_in = pieces[i].iov_base;
            stream->avail_in = (unsigned)len;
            size -= len;
            passed += len;
            if (!gzip_drain(stream, size == 0 ? Z_FINISH : Z_NO_FLUSH, most, to))
                return false;
        }
        chain_skip(from, &cursor, passed);
    }
    return true;
}

size_t gzip_append(struct gzip *gzip, const struct chain *from, struct chain_cursor cursor,
                   size_t size, struct chain *to)
{
    CHECK(size <= UINT_MAX); /* what a prefix can say */
    if (gzip == NULL || size < GZIP_LEAST)
        return 0;
    size_t start = to->bytes.len;
    chain_append(to, GRPC_PREFIX_SIZE);
    bool fits = deflateReset(&gzip->stream) == Z_OK &&
                gzip_deflate(&gzip->stream, from, cursor, size, size - size / 8, to);
    if (!fits) {
        to->bytes.len = start;
        return 0;
    }
    size_t compressed = to->bytes.len - start - GRPC_PREFIX_SIZE;
    grpc_message_write_prefix(to->bytes.data + start, compressed);
    to->bytes.data[start] = GRPC_COMPRESSED;
    return compressed;
}
