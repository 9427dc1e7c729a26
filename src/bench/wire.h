/* Constants of HTTP/2 (RFC 9113) and its frame header. */
#ifndef KEYSTORE_BENCH_WIRE_H
#define KEYSTORE_BENCH_WIRE_H

#include <stdint.h>
#include <string.h>

#define WIRE_FRAME_HEADER     ((size_t)9)
#define WIRE_MAX_FRAME        ((size_t)16384) /* payload, unless the peer allows more */
#define WIRE_DEFAULT_WINDOW   65535
#define WIRE_MAX_WINDOW       INT32_MAX
#define WIRE_MAX_STREAM_ID    ((uint32_t)INT32_MAX)
#define WIRE_PREFACE          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define WIRE_FLAG_ACK         0x1
#define WIRE_FLAG_END_STREAM  0x1
#define WIRE_FLAG_END_HEADERS 0x4
#define WIRE_FLAG_PADDED      0x8
#define WIRE_FLAG_PRIORITY    0x20

enum wire_frame {
    WIRE_DATA = 0,
    WIRE_HEADERS = 1,
    WIRE_PRIORITY = 2,
    WIRE_RST_STREAM = 3,
    WIRE_SETTINGS = 4,
    WIRE_PUSH_PROMISE = 5,
    WIRE_PING = 6,
    WIRE_GOAWAY = 7,
    WIRE_WINDOW_UPDATE = 8,
    WIRE_CONTINUATION = 9,
};

enum wire_setting {
    WIRE_HEADER_TABLE_SIZE = 1,
    WIRE_ENABLE_PUSH = 2,
    WIRE_MAX_CONCURRENT_STREAMS = 3,
    WIRE_INITIAL_WINDOW_SIZE = 4,
    WIRE_MAX_FRAME_SIZE = 5,
};

#define WIRE_CANCEL 8 /* error code of a RST_STREAM */

static inline void wire_put_u32(uint8_t *out, uint32_t number)
{
    number = __builtin_bswap32(number);
    memcpy(out, &number, sizeof number);
}

static inline uint32_t wire_get_u32(const uint8_t *in)
{
    uint32_t number;
    memcpy(&number, in, sizeof number);
    return __builtin_bswap32(number);
}

/* Writes the nine bytes before a payload. */
static inline void wire_put_frame(uint8_t *out, size_t len, enum wire_frame type, uint8_t flags,
                                  uint32_t stream)
{
    wire_put_u32(out, (uint32_t)len << 8 | (uint32_t)type);
    out[4] = flags;
    wire_put_u32(out + 5, stream);
}

#endif
