/* Gzip members for tests, made by zlib itself. */
#ifndef KEYSTORE_TESTS_GRPC_GZIPPED_H
#define KEYSTORE_TESTS_GRPC_GZIPPED_H

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

/* The bytes as one member; to be freed with buf_deinit(). */
static inline struct buf gzipped(struct slice bytes)
{
    z_stream stream = {.next_in = (uint8_t *)bytes.data, .avail_in = (unsigned)bytes.len};
    struct buf member;
    buf_init(&member, SIZE_MAX);
    assert_int_equal(
        deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
    size_t most = deflateBound(&stream, bytes.len);
    stream.next_out = buf_reserve(&member, most);
    stream.avail_out = (unsigned)most;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    member.len = stream.total_out;
    deflateEnd(&stream);
    return member;
}

/* The same as a message with its prefix, marked as compressed. */
static inline struct buf gzipped_message(struct slice bytes)
{
    struct buf member = gzipped(bytes), framed;
    const uint8_t prefix[5] = {1, (uint8_t)(member.len >> 24), (uint8_t)(member.len >> 16),
                               (uint8_t)(member.len >> 8), (uint8_t)member.len};
    buf_init(&framed, SIZE_MAX);
    assert_true(buf_append(&framed, slice_make(prefix, sizeof prefix)));
    assert_true(buf_append(&framed, buf_slice(&member)));
    buf_deinit(&member);
    return framed;
}

/* Inflates a member to `size` bytes at `out`, to which it must inflate. */
static inline void gzipped_restore(struct slice member, uint8_t *out, size_t size)
{
    z_stream stream = {.next_in = (uint8_t *)member.data,
                       .avail_in = (unsigned)member.len,
                       .next_out = out,
                       .avail_out = (unsigned)size};
    assert_int_equal(inflateInit2(&stream, 31), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, size);
    assert_int_equal(stream.avail_in, 0);
    inflateEnd(&stream);
}

/* `size` bytes that deflate to about a third, at static memory that the next call overwrites. */
static inline struct slice gzipped_text(size_t size)
{
    static uint8_t text[8 * 1024 * 1024];
    uint32_t random = 1;
    assert_true(size <= sizeof text);
    for (size_t i = 0; i < size; i++) {
        random = random * 1664525 + 1013904223;
        text[i] = (uint8_t)("abcdefgh"[random >> 29]);
    }
    return slice_make(text, size);
}

#endif
