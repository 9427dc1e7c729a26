/*
 * Splits the server's bytes into frames and handles them, as cheaply as answers to unary calls
 * allow. Does not know sockets; reads messages only to verify them, and those of streams.
 */
#include "bench/receive.h"

#include "base/check.h"
#include "bench/verify.h"

#include <stdio.h>

/* A WINDOW_UPDATE is sent each time that so much of a window's 2^31 - 1 bytes is used. */
#define WINDOW_STEP_BITS 30
/* The length of a miss: gRPC's prefix and an empty message, since protobuf omits zeros. */
#define EMPTY_MESSAGE 5
/* Maximum output that accumulates if the server sends PINGs but does not read. */
#define OUT_FLOODED ((size_t)8 * 1024 * 1024)

struct frame {
    struct slice payload;
    uint32_t stream;
    uint8_t type;
    uint8_t flags;
    uint64_t now_ns;
};

/* Sets the error message; always false. */
static bool receive_fail(struct session *session, const char *problem)
{
    session->problem = problem;
    return false;
}

static bool receive_is_flagged(const struct frame *frame, uint8_t flag)
{
    return (frame->flags & flag) != 0;
}

static void receive_put_window_update(struct session *session, uint32_t stream, uint32_t bytes)
{
    uint8_t update[4];
    wire_put_u32(update, bytes);
    session_put_frame(session, WIRE_WINDOW_UPDATE, 0, stream, slice_make(update, sizeof update));
}

/* Counts DATA against a window, and sends WINDOW_UPDATE in large steps. */
static void receive_use_window(struct session *session, uint64_t *received, size_t len,
                               uint32_t stream)
{
    uint64_t before = *received >> WINDOW_STEP_BITS;
    *received += len;
    if (*received >> WINDOW_STEP_BITS != before)
        receive_put_window_update(session, stream, UINT32_C(1) << WINDOW_STEP_BITS);
}

/* The payload without its padding; false if that is longer than the payload. */
static bool receive_strip_padding(const struct frame *frame, struct slice *payload)
{
    *payload = frame->payload;
    if (!receive_is_flagged(frame, WIRE_FLAG_PADDED))
        return true;
    if (payload->len == 0 || payload->data[0] >= payload->len)
        return false;
    *payload = slice_make(payload->data + 1, payload->len - 1 - payload->data[0]);
    return true;
}

/* Ends a call whose status is OK; verifies its answer if that was requested. */
static void receive_end_ok(struct session *session, struct stream *stream, uint64_t now_ns)
{
    const struct templates *templates = session->setup->templates;
    enum op op = (enum op)stream->op;
    enum tally_end end = TALLY_OK;
    if (session->setup->batch > 0) {
        uint64_t misses = 0;
        if (!verify_batch(session->setup->batch, buf_slice(stream->body), &misses))
            end = TALLY_FAILED_OPS;
        if (op_row(op)->reads && stream->start_ns >= session->setup->tally->from_ns)
            session->setup->tally->misses += misses;
    } else if (stream->body != NULL &&
               !verify_body(templates->payload, op, stream->key, buf_slice(stream->body)))
        end = TALLY_WRONG_VALUE;
    else if (stream->body_len == EMPTY_MESSAGE && op_row(op)->reads &&
             stream->start_ns >= session->setup->tally->from_ns)
        session->setup->tally->misses++;
    session_end_call(session, stream, end, now_ns);
}

/* Ends a call whose stream the server ended; `grpc_status` is -1 if there was none. */
static void receive_end_stream(struct session *session, struct stream *stream, int grpc_status,
                               uint64_t now_ns)
{
    if (grpc_status == TALLY_OK && !stream->bad_http)
        receive_end_ok(session, stream, now_ns);
    else if (grpc_status > TALLY_OK)
        session_end_call(session, stream, (enum tally_end)grpc_status, now_ns);
    else
        session_end_call(session, stream, stream->bad_http ? TALLY_HTTP_STATUS : TALLY_NO_STATUS,
                         now_ns);
}

/* A stream of Watch or Consume ends with the run, or never. */
static bool receive_end_feed(struct session *session, struct feed *feed, int grpc_status)
{
    const char *method = feed_row(session->setup->feed.kind)->method;
    const char *how = feed->bad_http    ? tally_end_name(TALLY_HTTP_STATUS)
                      : grpc_status < 0 ? tally_end_name(TALLY_NO_STATUS)
                                        : tally_end_name((enum tally_end)grpc_status);
    session->setup->tally->ends[TALLY_STREAM_ENDED]++;
    snprintf(session->feed_problem, sizeof session->feed_problem,
             "the server ended a stream of %s: %s", method, how);
    return receive_fail(session, session->feed_problem);
}

static bool receive_on_feed_data(struct session *session, struct feed *feed,
                                 const struct frame *frame, struct slice data)
{
    const char *problem = feed_take(feed, &session->setup->feed, data, frame->now_ns);
    if (problem != NULL)
        return receive_fail(session, problem);
    if (receive_is_flagged(frame, WIRE_FLAG_END_STREAM))
        return receive_end_feed(session, feed, -1);
    receive_use_window(session, &feed->used, frame->payload.len, frame->stream);
    session_continue_feed(session, feed);
    return true;
}

static bool receive_on_data(struct session *session, const struct frame *frame)
{
    struct slice data;
    if (!receive_strip_padding(frame, &data))
        return receive_fail(session, "the server sent a DATA frame with more padding than payload");
    receive_use_window(session, &session->received, frame->payload.len, 0);
    struct stream *stream = streams_find(&session->streams, frame->stream);
    struct feed *feed;
    if (stream == NULL && (feed = session_find_feed(session, frame->stream)) != NULL)
        return receive_on_feed_data(session, feed, frame, data);
    if (stream == NULL)
        return true;
    stream->body_len += data.len;
    if (stream->body != NULL && !buf_append(stream->body, data))
        return receive_fail(session, "the server's answer is too long to be verified");
    if (receive_is_flagged(frame, WIRE_FLAG_END_STREAM))
        receive_end_stream(session, stream, -1, frame->now_ns);
    else
        receive_use_window(session, &stream->received, frame->payload.len, frame->stream);
    return true;
}

/* Takes a complete header block; `flags` are those of its HEADERS frame. */
static bool receive_take_block(struct session *session, const struct frame *frame, uint8_t flags,
                               struct slice block)
{
    struct answer answer;
    if (!answers_decode(&session->answers, block, &answer))
        return receive_fail(session, "the server sent a header block that does not decode");
    bool informational = answer.http_status >= 100 && answer.http_status < 200;
    bool bad_http = answer.http_status != 0 && answer.http_status != 200 && !informational;
    struct stream *stream = streams_find(&session->streams, frame->stream);
    struct feed *feed = session_find_feed(session, frame->stream);
    if (feed != NULL) {
        feed->bad_http |= bad_http;
        return (flags & WIRE_FLAG_END_STREAM) == 0 ||
               receive_end_feed(session, feed, answer.grpc_status);
    }
    if (stream == NULL)
        return true;
    stream->bad_http |= bad_http;
    if ((flags & WIRE_FLAG_END_STREAM) != 0)
        receive_end_stream(session, stream, answer.grpc_status, frame->now_ns);
    return true;
}

static bool receive_keep_block(struct session *session, struct slice part)
{
    if (buf_append(&session->block, part))
        return true;
    return receive_fail(session, "the server sent a header block that is too long");
}

static bool receive_on_headers(struct session *session, const struct frame *frame)
{
    struct slice block;
    size_t priority = receive_is_flagged(frame, WIRE_FLAG_PRIORITY) ? 5 : 0;
    if (!receive_strip_padding(frame, &block) || block.len < priority)
        return receive_fail(session,
                            "the server sent a HEADERS frame with more padding than payload");
    block = slice_skip(block, priority);
    if (receive_is_flagged(frame, WIRE_FLAG_END_HEADERS))
        return receive_take_block(session, frame, frame->flags, block);
    session->block_stream = frame->stream;
    session->block_flags = frame->flags;
    buf_clear(&session->block, SIZE_MAX);
    return receive_keep_block(session, block);
}

static bool receive_on_continuation(struct session *session, const struct frame *frame)
{
    if (session->block_stream == 0)
        return receive_fail(session,
                            "the server sent a CONTINUATION frame without HEADERS before it");
    if (!receive_keep_block(session, frame->payload))
        return false;
    if (!receive_is_flagged(frame, WIRE_FLAG_END_HEADERS))
        return true;
    session->block_stream = 0;
    return receive_take_block(session, frame, session->block_flags, buf_slice(&session->block));
}

static bool receive_on_rst_stream(struct session *session, const struct frame *frame)
{
    struct stream *stream = streams_find(&session->streams, frame->stream);
    struct feed *feed = session_find_feed(session, frame->stream);
    if (feed != NULL)
        return receive_end_feed(session, feed, TALLY_RESET);
    if (stream == NULL)
        return true;
    if (session->sending.stream == frame->stream)
        session->sending.stream = 0; /* nothing is left to cancel */
    session_end_call(session, stream, TALLY_RESET, frame->now_ns);
    return true;
}

/* Only a smaller table matters: otherwise our entries stay valid. */
static void receive_set_table_size(struct session *session, uint32_t size)
{
    if (size >= session->table_size)
        return;
    session->table_size = size;
    session->table_shrunk = true;
    session->steady = false;
}

static bool receive_apply_setting(struct session *session, enum wire_setting id, uint32_t value)
{
    switch (id) {
    case WIRE_HEADER_TABLE_SIZE:
        receive_set_table_size(session, value);
        return true;
    case WIRE_MAX_CONCURRENT_STREAMS:
        value -= value < session->feed_count ? value : session->feed_count;
        session->limit = value < session->setup->max_streams ? value : session->setup->max_streams;
        if (value < session->setup->tally->stream_limit)
            session->setup->tally->stream_limit = value;
        return true;
    case WIRE_INITIAL_WINDOW_SIZE:
        if (value > WIRE_MAX_WINDOW)
            return receive_fail(session, "the server's SETTINGS have a window above 2^31 - 1");
        session->sending.window += (int64_t)value - session->initial_window;
        for (uint32_t i = 0; i < session->feed_count; i++)
            session->feeds[i].window += (int64_t)value - session->initial_window;
        session->initial_window = value;
        return true; /* if no message is being sent, the next one initializes sending.window */
    case WIRE_MAX_FRAME_SIZE:
        if (value < WIRE_MAX_FRAME || value > 0xffffff)
            return receive_fail(session, "the server's SETTINGS have a frame size out of range");
        return true; /* our frames have the size that every peer must accept */
    default:
        return true;
    }
}

static void receive_continue_feeds(struct session *session)
{
    for (uint32_t i = 0; i < session->feed_count; i++)
        session_continue_feed(session, &session->feeds[i]);
}

static bool receive_on_settings(struct session *session, const struct frame *frame)
{
    if (receive_is_flagged(frame, WIRE_FLAG_ACK))
        return true;
    if (frame->payload.len % 6 != 0)
        return receive_fail(session, "the server sent a SETTINGS frame of a wrong length");
    for (size_t i = 0; i < frame->payload.len; i += 6) {
        const uint8_t *entry = frame->payload.data + i;
        enum wire_setting id = (enum wire_setting)(entry[0] << 8 | entry[1]);
        if (!receive_apply_setting(session, id, wire_get_u32(entry + 2)))
            return false;
    }
    session_put_frame(session, WIRE_SETTINGS, WIRE_FLAG_ACK, 0, slice_make(NULL, 0));
    if (!session->ready)
        session_open_feeds(session);
    session->ready = true;
    receive_continue_feeds(session);
    session_continue(session);
    return true;
}

static bool receive_on_push_promise(struct session *session, const struct frame *frame)
{
    (void)frame;
    return receive_fail(session, "the server sent a PUSH_PROMISE, although push is disabled");
}

static bool receive_on_ping(struct session *session, const struct frame *frame)
{
    if (frame->payload.len != 8)
        return receive_fail(session, "the server sent a PING frame of a wrong length");
    if (!receive_is_flagged(frame, WIRE_FLAG_ACK))
        session_put_frame(session, WIRE_PING, WIRE_FLAG_ACK, 0, frame->payload);
    return true;
}

static bool receive_on_goaway(struct session *session, const struct frame *frame)
{
    if (frame->payload.len < 8)
        return receive_fail(session, "the server sent a GOAWAY frame of a wrong length");
    session->draining = true;
    uint32_t last = wire_get_u32(frame->payload.data) & WIRE_MAX_STREAM_ID;
    session_end_calls(session, last, TALLY_REFUSED, frame->now_ns);
    return true;
}

static bool receive_on_window_update(struct session *session, const struct frame *frame)
{
    if (frame->payload.len != 4)
        return receive_fail(session, "the server sent a WINDOW_UPDATE frame of a wrong length");
    uint32_t bytes = wire_get_u32(frame->payload.data) & WIRE_MAX_STREAM_ID;
    struct feed *feed;
    if (frame->stream == 0)
        session->window += bytes;
    else if (frame->stream == session->sending.stream)
        session->sending.window += bytes;
    else if ((feed = session_find_feed(session, frame->stream)) != NULL)
        feed->window += bytes;
    if (session->window > WIRE_MAX_WINDOW ||
        (session->sending.stream != 0 && session->sending.window > WIRE_MAX_WINDOW))
        return receive_fail(session, "the server opened a window beyond 2^31 - 1");
    session_continue(session);
    receive_continue_feeds(session);
    return true;
}

static bool receive_on_priority(struct session *session, const struct frame *frame)
{
    (void)session;
    (void)frame;
    return true;
}

static bool (*const handlers[])(struct session *, const struct frame *) = {
    [WIRE_DATA] = receive_on_data,
    [WIRE_HEADERS] = receive_on_headers,
    [WIRE_PRIORITY] = receive_on_priority,
    [WIRE_RST_STREAM] = receive_on_rst_stream,
    [WIRE_SETTINGS] = receive_on_settings,
    [WIRE_PUSH_PROMISE] = receive_on_push_promise,
    [WIRE_PING] = receive_on_ping,
    [WIRE_GOAWAY] = receive_on_goaway,
    [WIRE_WINDOW_UPDATE] = receive_on_window_update,
    [WIRE_CONTINUATION] = receive_on_continuation,
};

static bool receive_take_frame(struct session *session, const struct frame *frame)
{
    if (session->block_stream != 0 &&
        (frame->type != WIRE_CONTINUATION || frame->stream != session->block_stream))
        return receive_fail(session, "the server interrupted a header block with another frame");
    if (!session->ready && frame->type != WIRE_SETTINGS)
        return receive_fail(session,
                            "the server did not start with a SETTINGS frame; check that a gRPC "
                            "server without TLS listens there");
    if (frame->type >= sizeof handlers / sizeof handlers[0])
        return true; /* extensions are ignored */
    return handlers[frame->type](session, frame);
}

/* The length of the frame that starts there, with its header. */
static size_t receive_frame_len(const uint8_t *bytes)
{
    return WIRE_FRAME_HEADER + (wire_get_u32(bytes) >> 8);
}

/* Takes all complete frames. */
static bool receive_take_frames(struct session *session, struct slice *bytes, uint64_t now_ns)
{
    const uint8_t *at = bytes->data;
    size_t left = bytes->len;
    bool good = true;
    while (good && left >= WIRE_FRAME_HEADER) {
        size_t len = receive_frame_len(at);
        if (len > WIRE_FRAME_HEADER + WIRE_MAX_FRAME)
            return receive_fail(session,
                                "the server sent a frame that is too long; check that a gRPC "
                                "server without TLS listens there");
        if (left < len)
            break;
        struct frame frame = {
            .payload = slice_make(at + WIRE_FRAME_HEADER, len - WIRE_FRAME_HEADER),
            .stream = wire_get_u32(at + 5) & WIRE_MAX_STREAM_ID,
            .type = at[3],
            .flags = at[4],
            .now_ns = now_ns,
        };
        good = receive_take_frame(session, &frame);
        at += len;
        left -= len;
    }
    DCHECK(left <= bytes->len);
    *bytes = slice_make(at, left);
    return good;
}

/* Moves bytes to the incomplete frame in `carry`, until that has `wanted` bytes or there are no
 * more. */
static bool receive_fill_carry(struct session *session, struct slice *bytes, size_t wanted)
{
    CHECK(wanted >= session->carry.len);
    size_t missing = wanted - session->carry.len;
    size_t len = missing < bytes->len ? missing : bytes->len;
    if (!buf_append(&session->carry, slice_make(bytes->data, len)))
        return receive_fail(session,
                            "the server sent a frame that is too long; check that a gRPC server "
                            "without TLS listens there");
    *bytes = slice_skip(*bytes, len);
    return true;
}

/* Completes the frame in `carry` and takes it. */
static bool receive_take_carry(struct session *session, struct slice *bytes, uint64_t now_ns)
{
    struct buf *carry = &session->carry;
    if (carry->len < WIRE_FRAME_HEADER && !receive_fill_carry(session, bytes, WIRE_FRAME_HEADER))
        return false;
    if (carry->len < WIRE_FRAME_HEADER)
        return true;
    if (!receive_fill_carry(session, bytes, receive_frame_len(carry->data)))
        return false;
    struct slice frame = buf_slice(carry);
    if (!receive_take_frames(session, &frame, now_ns))
        return false;
    if (frame.len == 0)
        buf_clear(carry, SIZE_MAX);
    return true;
}

bool receive_bytes(struct session *session, struct slice bytes, uint64_t now_ns)
{
    if (session->out.len > OUT_FLOODED)
        return receive_fail(session, "the server sends frames but does not read the answers");
    if (session->carry.len > 0 && !receive_take_carry(session, &bytes, now_ns))
        return false;
    if (bytes.len == 0)
        return true;
    if (!receive_take_frames(session, &bytes, now_ns))
        return false;
    return bytes.len == 0 || buf_append(&session->carry, bytes);
}
