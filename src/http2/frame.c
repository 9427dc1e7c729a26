/* Parses frames. Knows nothing of streams. */
#include "http2/frame.h"

#define PRIORITY_SIZE 5

struct frame frame_read(const uint8_t *bytes, size_t length)
{
    return (struct frame){.type = bytes[3],
                          .flags = bytes[4],
                          .stream_id = frame_read_u32(bytes + 5) & INT32_MAX,
                          .payload = slice_make(bytes + FRAME_HEADER_SIZE, length)};
}

enum http2_error frame_strip(struct frame *frame)
{
    struct slice payload = frame->payload;
    size_t padding = 0;
    if ((frame->flags & FRAME_PADDED) != 0) {
        if (payload.len < 1)
            return HTTP2_FRAME_SIZE_ERROR;
        padding = payload.data[0];
        payload = slice_skip(payload, 1);
    }
    if (frame->type == FRAME_HEADERS && (frame->flags & FRAME_PRIORITIZED) != 0) {
        if (payload.len < PRIORITY_SIZE)
            return HTTP2_FRAME_SIZE_ERROR;
        payload = slice_skip(payload, PRIORITY_SIZE);
    }
    if (padding > payload.len)
        return HTTP2_PROTOCOL_ERROR;
    payload.len -= padding;
    frame->payload = payload;
    return HTTP2_NO_ERROR;
}
