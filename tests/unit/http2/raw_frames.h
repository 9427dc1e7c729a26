/*
 * HTTP/2 frames as bytes, made and parsed by hand, so that a test can send anything, valid or not.
 * Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_RAW_FRAMES_H
#define KEYSTORE_TESTS_RAW_FRAMES_H

#include "base/chain.h"
#include "http2/frame.h"

#define FRAMES_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* Making. */

static inline void frames_put_bytes(struct buf *out, struct slice bytes)
{
    assert_true(buf_append(out, bytes));
}

static inline void frames_put(struct buf *out, unsigned type, unsigned flags, uint32_t id,
                              struct slice payload)
{
    uint8_t header[FRAME_HEADER_SIZE];
    frame_write_header(header, payload.len, (enum frame_type)type, flags, id);
    frames_put_bytes(out, slice_make(header, sizeof header));
    frames_put_bytes(out, payload);
}

/* A frame of `size` zeros. */
static inline void frames_put_zeros(struct buf *out, unsigned type, unsigned flags, uint32_t id,
                                    size_t size)
{
    static const uint8_t zeros[70000];
    assert_true(size <= sizeof zeros);
    frames_put(out, type, flags, id, slice_make(zeros, size));
}

/* RST_STREAM or WINDOW_UPDATE. */
static inline void frames_put_number(struct buf *out, unsigned type, uint32_t id, uint32_t number)
{
    uint8_t payload[4];
    frame_write_u32(payload, number);
    frames_put(out, type, 0, id, slice_make(payload, sizeof payload));
}

/* SETTINGS with one entry. */
static inline void frames_put_setting(struct buf *out, unsigned setting, uint32_t value)
{
    uint8_t payload[6] = {(uint8_t)(setting >> 8), (uint8_t)setting};
    frame_write_u32(payload + 2, value);
    frames_put(out, FRAME_SETTINGS, 0, 0, slice_make(payload, sizeof payload));
}

/* A field as a literal without indexing and without Huffman coding; both parts are shorter than 127
 * bytes. */
static inline void frames_put_field(struct buf *block, const char *name, const char *value)
{
    const uint8_t lengths[] = {0, (uint8_t)strlen(name), (uint8_t)strlen(value)};
    assert_true(strlen(name) < 127 && strlen(value) < 127);
    frames_put_bytes(block, slice_make(lengths, 2));
    frames_put_bytes(block, slice_from_string(name));
    frames_put_bytes(block, slice_make(lengths + 2, 1));
    frames_put_bytes(block, slice_from_string(value));
}

/* :method POST, :scheme http, :path /, of the static table, and :authority "h". */
#define FRAMES_REQUEST "\x83\x86\x84\x01\x01h"

/* Reading. */

static inline void frames_flatten(const struct chain *chain, struct buf *out)
{
    struct chain_cursor cursor = {0};
    struct iovec piece;
    while (chain_pieces(chain, cursor, &piece, 1) > 0) {
        frames_put_bytes(out, slice_make(piece.iov_base, piece.iov_len));
        chain_skip(chain, &cursor, piece.iov_len);
    }
}

/* Removes the next frame, which must be there and complete. */
static inline struct frame frames_next(struct slice *bytes)
{
    assert_true(bytes->len >= FRAME_HEADER_SIZE);
    size_t length = frame_read_length(bytes->data);
    assert_true(length <= FRAME_MAX_PAYLOAD);
    assert_true(bytes->len >= FRAME_HEADER_SIZE + length);
    struct frame frame = frame_read(bytes->data, length);
    *bytes = slice_skip(*bytes, FRAME_HEADER_SIZE + length);
    return frame;
}

#endif
