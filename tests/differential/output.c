/* A client's view of a server's output. Knows nothing of requests. */
#include "output.h"

#include "base/mem.h"

#include <stdlib.h>

#define FIRST_TABLE_SIZE 4096

void output_init(struct output *output)
{
    *output = (struct output){
        .window = FRAME_INITIAL_WINDOW,
        .first_window = FRAME_INITIAL_WINDOW,
    };
    buf_init(&output->pongs, SIZE_MAX);
    if (nghttp2_hd_inflate_new(&output->inflater) != 0)
        abort();
}

void output_deinit(struct output *output)
{
    nghttp2_hd_inflate_del(output->inflater);
    for (size_t i = 0; i < output->count; i++) {
        buf_deinit(&output->streams[i].headers);
        buf_deinit(&output->streams[i].data);
    }
    free(output->streams);
    buf_deinit(&output->pongs);
}

static void append(struct buf *buf, struct slice bytes)
{
    if (!buf_append(buf, bytes))
        abort();
}

struct stream_output *output_stream(struct output *output, uint32_t id)
{
    for (size_t i = output->count; i-- > 0;) {
        if (output->streams[i].id == id)
            return &output->streams[i];
    }
    if (output->count == output->capacity) {
        output->capacity = output->capacity > 0 ? output->capacity * 2 : 16;
        output->streams = mem_realloc(output->streams, output->capacity * sizeof *output->streams);
    }
    struct stream_output *stream = &output->streams[output->count++];
    *stream = (struct stream_output){.id = id};
    buf_init(&stream->headers, SIZE_MAX);
    buf_init(&stream->data, SIZE_MAX);
    return stream;
}

int64_t output_allowed(struct output *output, uint32_t id)
{
    struct stream_output *stream = output_stream(output, id);
    int64_t own = output->first_window + stream->granted - (int64_t)stream->data.len;
    return own < output->window ? own : output->window;
}

/* The client's frames. */

static void note_settings(struct output *output, struct slice entries)
{
    int64_t smallest = -1;
    int64_t last = -1;
    for (; entries.len >= 6; entries = slice_skip(entries, 6)) {
        unsigned id = (unsigned)entries.data[0] << 8 | entries.data[1];
        uint32_t value = frame_read_u32(entries.data + 2);
        if (id == SETTING_INITIAL_WINDOW_SIZE)
            output->first_window = value;
        if (id != SETTING_HEADER_TABLE_SIZE)
            continue;
        last = value;
        smallest = smallest < 0 || value < smallest ? value : smallest;
    }
    if (output->table_size_count + 2 > MAX_TABLE_SIZES)
        abort(); /* each step's SETTINGS are acknowledged in it */
    output->table_sizes[output->table_size_count++] = smallest;
    output->table_sizes[output->table_size_count++] = last;
}

void output_note_step(struct output *output, const struct step *step)
{
    const struct frame *frame = &step->first;
    output->steps++;
    if (step->is_preface)
        return;
    if (frame->type == FRAME_SETTINGS && (frame->flags & FRAME_ACK) == 0)
        note_settings(output, frame->payload);
    if (frame->type == FRAME_RST_STREAM)
        output_stream(output, frame->stream_id)->cut = true;
    if (frame->type != FRAME_WINDOW_UPDATE || frame->payload.len != 4)
        return;
    uint32_t by = frame_read_u32(frame->payload.data) & INT32_MAX;
    if (frame->stream_id == 0)
        output->window += by;
    else
        output_stream(output, frame->stream_id)->granted += by;
}

/* The server's frames. */

static const char *read_settings(struct output *output, const struct frame *frame)
{
    if ((frame->flags & FRAME_ACK) == 0) {
        output->settings++;
        return frame->payload.len % 6 == 0 && output->settings == 1 ? NULL
                                                                    : "a wrong SETTINGS frame";
    }
    if (output->table_size_count == 0)
        return "an ACK of SETTINGS that were not sent";
    for (size_t i = 0; i < 2; i++) {
        if (output->table_sizes[i] >= 0 &&
            nghttp2_hd_inflate_change_table_size(output->inflater,
                                                 (size_t)output->table_sizes[i]) != 0)
            abort();
    }
    output->table_size_count -= 2;
    memmove(output->table_sizes, output->table_sizes + 2,
            output->table_size_count * sizeof output->table_sizes[0]);
    output->settings_acks++;
    return NULL;
}

static const char *read_block(struct output *output, struct stream_output *stream,
                              struct slice block)
{
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t used =
            nghttp2_hd_inflate_hd2(output->inflater, &nv, &flags, block.data, block.len, 1);
        if (used < 0)
            return "a header block that cannot be decoded";
        block = slice_skip(block, (size_t)used);
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
            append(&stream->headers, slice_make(nv.name, nv.namelen));
            append(&stream->headers, SLICE_LITERAL(": "));
            append(&stream->headers, slice_make(nv.value, nv.valuelen));
            append(&stream->headers, SLICE_LITERAL("\n"));
        }
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0)
            break;
    }
    nghttp2_hd_inflate_end_headers(output->inflater);
    append(&stream->headers, SLICE_LITERAL("\n"));
    return NULL;
}

static const char *read_headers(struct output *output, struct stream_output *stream,
                                const struct frame *frame)
{
    if ((frame->flags & ~(unsigned)FRAME_END_STREAM) != FRAME_END_HEADERS)
        return "flags of HEADERS that it has no reason to set";
    if (++stream->blocks > 2 || (stream->blocks == 2 && (frame->flags & FRAME_END_STREAM) == 0))
        return "a header block too many";
    return read_block(output, stream, frame->payload);
}

static const char *read_data(struct output *output, struct stream_output *stream,
                             const struct frame *frame)
{
    if (stream->blocks != 1)
        return "DATA before HEADERS or after trailers";
    if ((frame->flags & ~(unsigned)FRAME_END_STREAM) != 0)
        return "flags of DATA that it has no reason to set";
    if ((int64_t)frame->payload.len > output_allowed(output, stream->id))
        return "DATA beyond the client's windows";
    output->window -= (int64_t)frame->payload.len;
    append(&stream->data, frame->payload);
    return NULL;
}

static const char *read_reset(struct output *output, struct stream_output *stream,
                              const struct frame *frame)
{
    if (frame->payload.len != 4)
        return "RST_STREAM of a wrong size";
    if (!stream->reset)
        stream->reset_step = output->steps;
    stream->reset = true;
    stream->resets++;
    stream->cut = true;
    stream->reset_code = frame_read_u32(frame->payload.data);
    return NULL;
}

static const char *read_of_stream(struct output *output, const struct frame *frame)
{
    struct stream_output *stream = output_stream(output, frame->stream_id);
    const char *wrong = NULL;
    if ((frame->stream_id & 1) == 0)
        return "a stream frame without a client's stream";
    if ((stream->reset || stream->ended) && frame->type != FRAME_RST_STREAM)
        return "a frame for a stream that it has ended";
    stream->touched = true;
    if (frame->type == FRAME_HEADERS)
        wrong = read_headers(output, stream, frame);
    else if (frame->type == FRAME_DATA)
        wrong = read_data(output, stream, frame);
    else
        return read_reset(output, stream, frame);
    stream->ended = (frame->flags & FRAME_END_STREAM) != 0;
    return wrong;
}

static const char *read_goaway(struct output *output, const struct frame *frame)
{
    output->goaway_code = frame_read_u32(frame->payload.data + 4);
    output->goaway = output->goaway || output->goaway_code != 0;
    output->goaways++;
    return frame->stream_id == 0 ? NULL : "GOAWAY on a stream";
}

static const char *read_frame(struct output *output, const struct frame *frame)
{
    /* A client that floods still gets the answers to its earlier requests. */
    if (output->goaway && output->goaway_code != HTTP2_ENHANCE_YOUR_CALM)
        return "a frame after the GOAWAY that ended the connection";
    switch (frame->type) {
    case FRAME_SETTINGS:
        return read_settings(output, frame);
    case FRAME_HEADERS:
    case FRAME_DATA:
    case FRAME_RST_STREAM:
        return read_of_stream(output, frame);
    case FRAME_PING:
        if ((frame->flags & FRAME_ACK) != 0)
            append(&output->pongs, frame->payload);
        return frame->payload.len == 8 && frame->stream_id == 0 ? NULL : "a wrong PING";
    case FRAME_GOAWAY:
        return read_goaway(output, frame);
    case FRAME_WINDOW_UPDATE:
        if (frame->stream_id == 0)
            output->connection_grants += frame_read_u32(frame->payload.data);
        return frame->payload.len == 4 && frame_read_u32(frame->payload.data) > 0
                   ? NULL
                   : "a wrong WINDOW_UPDATE";
    default:
        return "a frame that servers do not send";
    }
}

/* A client that starts like HTTP/1 gets an HTTP/1 response, which counts as a GOAWAY. */
static bool is_http1_answer(const struct output *output, struct slice all)
{
    return output->read == 0 && slice_starts_with(all, SLICE_LITERAL("HTTP/1.1 505 "));
}

const char *output_read(struct output *output, struct slice all)
{
    if (is_http1_answer(output, all)) {
        output->read = all.len;
        output->goaway_code = HTTP2_PROTOCOL_ERROR;
        output->goaway = true;
        output->goaways++;
    }
    while (output->read < all.len) {
        struct slice rest = slice_skip(all, output->read);
        if (rest.len < FRAME_HEADER_SIZE)
            return "a frame header that is cut off";
        size_t length = frame_read_length(rest.data);
        if (length > FRAME_MAX_PAYLOAD || length > rest.len - FRAME_HEADER_SIZE)
            return "a frame that is too large or cut off";
        struct frame frame = frame_read(rest.data, length);
        const char *wrong = read_frame(output, &frame);
        if (wrong != NULL)
            return wrong;
        output->read += FRAME_HEADER_SIZE + length;
    }
    return NULL;
}
