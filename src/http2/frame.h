/* The layout of frames (RFC 9113, 4.1 and 6); private to http2. */
#ifndef KEYSTORE_HTTP2_FRAME_H
#define KEYSTORE_HTTP2_FRAME_H

#include "base/slice.h"

#define FRAME_HEADER_SIZE ((size_t)9)
/* The largest payload, in bytes, that is accepted (SETTINGS_MAX_FRAME_SIZE is left at its default)
 * and sent. */
#define FRAME_MAX_PAYLOAD ((size_t)16384)
#define FRAME_MAX_WINDOW  INT32_MAX
#define FRAME_INITIAL_WINDOW                                                                       \
    65535 /* of streams and connections before SETTINGS (RFC 9113, 6.9.2) */

enum frame_type {
    FRAME_DATA = 0,
    FRAME_HEADERS = 1,
    FRAME_PRIORITY = 2,
    FRAME_RST_STREAM = 3,
    FRAME_SETTINGS = 4,
    FRAME_PUSH_PROMISE = 5,
    FRAME_PING = 6,
    FRAME_GOAWAY = 7,
    FRAME_WINDOW_UPDATE = 8,
    FRAME_CONTINUATION = 9,
    FRAME_TYPE_COUNT,
};

enum frame_flag {
    FRAME_END_STREAM = 0x1,
    FRAME_ACK = 0x1,
    FRAME_END_HEADERS = 0x4,
    FRAME_PADDED = 0x8,
    FRAME_PRIORITIZED = 0x20,
};

enum frame_setting {
    SETTING_HEADER_TABLE_SIZE = 1,
    SETTING_ENABLE_PUSH = 2,
    SETTING_MAX_CONCURRENT_STREAMS = 3,
    SETTING_INITIAL_WINDOW_SIZE = 4,
    SETTING_MAX_FRAME_SIZE = 5,
    SETTING_MAX_HEADER_LIST_SIZE = 6,
    SETTING_NO_RFC7540_PRIORITIES = 9, /* RFC 9218, 2.1 */
};

/* RFC 9113, 7. */
enum http2_error {
    HTTP2_NO_ERROR = 0,
    HTTP2_PROTOCOL_ERROR = 1,
    HTTP2_INTERNAL_ERROR = 2,
    HTTP2_FLOW_CONTROL_ERROR = 3,
    HTTP2_SETTINGS_TIMEOUT = 4,
    HTTP2_STREAM_CLOSED = 5,
    HTTP2_FRAME_SIZE_ERROR = 6,
    HTTP2_REFUSED_STREAM = 7,
    HTTP2_COMPRESSION_ERROR = 9,
    HTTP2_ENHANCE_YOUR_CALM = 11,
};

struct frame {
    uint8_t type; /* enum frame_type, or an unknown type */
    uint8_t flags;
    uint32_t stream_id;
    struct slice payload;
};

static inline uint32_t frame_read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void frame_write_u32(uint8_t *at, uint32_t number)
{
    at[0] = (uint8_t)(number >> 24);
    at[1] = (uint8_t)(number >> 16);
    at[2] = (uint8_t)(number >> 8);
    at[3] = (uint8_t)number;
}

/* The payload length in a frame header. */
static inline size_t frame_read_length(const uint8_t *header)
{
    return (size_t)header[0] << 16 | (size_t)header[1] << 8 | header[2];
}

static inline void frame_write_header(uint8_t *at, size_t length, enum frame_type type,
                                      unsigned flags, uint32_t stream_id)
{
    at[0] = (uint8_t)(length >> 16);
    at[1] = (uint8_t)(length >> 8);
    at[2] = (uint8_t)length;
    at[3] = (uint8_t)type;
    at[4] = (uint8_t)flags;
    frame_write_u32(at + 5, stream_id);
}

/* Parses a header; the payload is the `length` bytes that follow it. */
struct frame frame_read(const uint8_t *bytes, size_t length);

/*
 * Removes padding from the payload of DATA or HEADERS, and the priority fields of HEADERS (RFC
 * 9113, 5.3.2: ignored). HTTP2_FRAME_SIZE_ERROR if the payload is too short for the fields that its
 * flags indicate (4.2), HTTP2_PROTOCOL_ERROR if the padding is longer than the payload (6.1).
 */
enum http2_error frame_strip(struct frame *frame) __attribute__((warn_unused_result));

#endif
