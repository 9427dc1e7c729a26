/* HTTP/2 frames as bytes, for tests: parsed from output, or made by hand where no client would send
 * them. */
#ifndef KEYSTORE_TESTS_HTTP2_FRAMES_H
#define KEYSTORE_TESTS_HTTP2_FRAMES_H

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define FRAMES_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

enum frame_type {
    FRAME_DATA = 0,
    FRAME_HEADERS = 1,
    FRAME_PRIORITY = 2,
    FRAME_RST_STREAM = 3,
    FRAME_SETTINGS = 4,
    FRAME_PING = 6,
    FRAME_GOAWAY = 7,
    FRAME_WINDOW_UPDATE = 8,
    FRAME_CONTINUATION = 9,
};

#define FRAME_END_STREAM  0x1
#define FRAME_ACK         0x1
#define FRAME_END_HEADERS 0x4

struct frame {
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    struct slice payload;
};

static inline uint32_t frames_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Removes the first frame from *bytes; false if none is left. An incomplete frame fails the test.
 */
static inline bool frames_next(struct slice *bytes, struct frame *frame)
{
    *frame = (struct frame){.type = UINT8_MAX};
    if (bytes->len == 0)
        return false;
    assert_true(bytes->len >= 9);
    size_t len = frames_u32(bytes->data) >> 8;
    assert_true(bytes->len >= 9 + len);
    *frame = (struct frame){.type = bytes->data[3],
                            .flags = bytes->data[4],
                            .stream = frames_u32(bytes->data + 5),
                            .payload = slice_make(bytes->data + 9, len)};
    *bytes = slice_skip(*bytes, 9 + len);
    return true;
}

/* Finds the next frame of the type; false if there is none. */
static inline bool frames_find(struct slice *bytes, enum frame_type type, struct frame *frame)
{
    while (frames_next(bytes, frame)) {
        if (frame->type == type)
            return true;
    }
    return false;
}

/* The number of frames of the type. */
static inline size_t frames_count(struct slice bytes, enum frame_type type)
{
    size_t count = 0;
    struct frame frame;
    while (frames_find(&bytes, type, &frame))
        count++;
    return count;
}

/* Bytes of all DATA. */
static inline size_t frames_data_len(struct slice bytes)
{
    size_t len = 0;
    struct frame frame;
    while (frames_find(&bytes, FRAME_DATA, &frame))
        len += frame.payload.len;
    return len;
}

static inline void frames_append(struct buf *out, unsigned type, unsigned flags, uint32_t stream,
                                 struct slice payload)
{
    const uint8_t head[9] = {(uint8_t)(payload.len >> 16),
                             (uint8_t)(payload.len >> 8),
                             (uint8_t)payload.len,
                             (uint8_t)type,
                             (uint8_t)flags,
                             (uint8_t)(stream >> 24),
                             (uint8_t)(stream >> 16),
                             (uint8_t)(stream >> 8),
                             (uint8_t)stream};
    assert_true(buf_append(out, slice_make(head, sizeof head)));
    assert_true(buf_append(out, payload));
}

#endif
