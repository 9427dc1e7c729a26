/*
 * A session's life, and the way of bytes through it: preface, frames, output. What frames mean
 * stands in receive.c, what answers become in send.c.
 */
#include "http2/session.h"

#include "base/mem.h"

#include <stdlib.h>

/* RFC 9113, 3.4. */
static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_SIZE (sizeof preface - 1)
/* A header block that is refused for its size is still decoded, for the table's sake, while its
 * coded form is no larger than this many times the limit. */
#define CODED_BLOCKS 4
/* Bytes that an idle connection keeps for the next frame that comes in two reads. */
#define KEPT_PARTIAL ((size_t)512)

struct http2_context *http2_context_new(const struct http2_limits *limits,
                                        const struct http2_handler *handler)
{
    struct http2_context *context = mem_alloc_zero(sizeof *context);
    context->limits = *limits;
    context->handler = handler;
    return context;
}

void http2_context_free(struct http2_context *context)
{
    if (context == NULL)
        return;
    while (context->free_streams != NULL) {
        struct http2_stream *stream = context->free_streams;
        context->free_streams = stream->next;
        chain_deinit(&stream->body);
        free(stream);
    }
    fields_deinit(&context->scratch);
    free(context);
}

/* The connection's window begins at RFC 9113's size and is raised to ours. */
static void greet(struct http2_session *session)
{
    uint32_t window = session->context->limits.connection_window;
    send_settings(session);
    if (window > FRAME_FIRST_WINDOW)
        send_window_update(session, 0, window - FRAME_FIRST_WINDOW);
    session->receive_window = (int32_t)window;
}

struct http2_session *http2_session_new(struct http2_context *context, void *user, int64_t now_ms)
{
    const struct http2_limits *limits = &context->limits;
    struct http2_session *session = mem_alloc_zero(sizeof *session);
    session->context = context;
    session->user = user;
    session->now_ms = now_ms;
    session->begun_ms = now_ms;
    session->progress_ms = now_ms;
    session->out = &session->backlog;
    session->send_window = FRAME_FIRST_WINDOW;
    session->first_send_window = FRAME_FIRST_WINDOW;
    buf_init(&session->partial, FRAME_HEADER_SIZE + FRAME_MAX_PAYLOAD);
    buf_init(&session->completed, FRAME_HEADER_SIZE + FRAME_MAX_PAYLOAD);
    buf_init(&session->block, CODED_BLOCKS * limits->max_header_bytes);
    bucket_init(&session->resets, limits->reset_burst, limits->resets_per_s, now_ms);
    decoder_init(&session->decoder);
    encoder_init(&session->encoder);
    greet(session);
    return session;
}

void http2_session_free(struct http2_session *session)
{
    if (session == NULL)
        return;
    stream_close_all(session);
    free(session->streams.buckets);
    decoder_deinit(&session->decoder);
    buf_deinit(&session->partial);
    buf_deinit(&session->completed);
    buf_deinit(&session->block);
    chain_deinit(&session->backlog);
    free(session);
}

/* Receiving. */

static enum http2_error take_preface(struct http2_session *session, struct slice *bytes)
{
    size_t left = PREFACE_SIZE - session->preface_seen;
    size_t len = bytes->len < left ? bytes->len : left;
    if (memcmp(bytes->data, preface + session->preface_seen, len) != 0)
        return HTTP2_PROTOCOL_ERROR;
    session->preface_seen += len;
    *bytes = slice_skip(*bytes, len);
    return HTTP2_NO_ERROR;
}

/* The size of the whole frame that begins with these bytes, 0 if they do not tell yet. */
static enum http2_error frame_size(struct slice bytes, size_t *size)
{
    *size = 0;
    if (bytes.len < FRAME_HEADER_SIZE)
        return HTTP2_NO_ERROR;
    size_t length = frame_read_length(bytes.data);
    *size = FRAME_HEADER_SIZE + length;
    return length <= FRAME_MAX_PAYLOAD ? HTTP2_NO_ERROR : HTTP2_FRAME_SIZE_ERROR;
}

static enum http2_error take_frame(struct http2_session *session, const uint8_t *bytes, size_t size)
{
    struct frame frame = frame_read(bytes, size - FRAME_HEADER_SIZE);
    return receive_frame(session, &frame);
}

/* Moves bytes to the frame that has begun, until it is `size` long; true if it is. */
static bool fill_partial(struct http2_session *session, struct slice *bytes, size_t size)
{
    size_t left = size - session->partial.len;
    size_t len = bytes->len < left ? bytes->len : left;
    if (!buf_append(&session->partial, slice_make(bytes->data, len)))
        abort(); /* its limit is the largest frame */
    *bytes = slice_skip(*bytes, len);
    return len == left;
}

/* Completes and handles the frame whose beginning an earlier feed brought. */
static enum http2_error continue_partial(struct http2_session *session, struct slice *bytes)
{
    size_t size;
    if (session->partial.len < FRAME_HEADER_SIZE &&
        !fill_partial(session, bytes, FRAME_HEADER_SIZE))
        return HTTP2_NO_ERROR;
    enum http2_error error = frame_size(buf_slice(&session->partial), &size);
    if (error != HTTP2_NO_ERROR || !fill_partial(session, bytes, size))
        return error;
    /* What the frame's events point to must last as long as the feed, which may begin another. */
    struct buf completed = session->partial;
    session->partial = session->completed;
    session->completed = completed;
    return take_frame(session, completed.data, size);
}

static enum http2_error take_frames(struct http2_session *session, struct slice bytes)
{
    enum http2_error error = HTTP2_NO_ERROR;
    if (session->partial.len > 0)
        error = continue_partial(session, &bytes);
    while (error == HTTP2_NO_ERROR && bytes.len > 0) {
        size_t size;
        error = frame_size(bytes, &size);
        if (error != HTTP2_NO_ERROR)
            break;
        if (size == 0 || size > bytes.len) {
            fill_partial(session, &bytes, bytes.len + session->partial.len);
            break;
        }
        error = take_frame(session, bytes.data, size);
        bytes = slice_skip(bytes, size);
    }
    return error;
}

static void fail(struct http2_session *session, enum http2_error error)
{
    session->failed = true;
    send_goaway(session, session->last_stream, error);
}

/* Notes since when a header block is incomplete. */
static void watch_header_block(struct http2_session *session)
{
    const struct buf *partial = &session->partial;
    bool in_header = partial->len > 3 &&
                     (partial->data[3] == FRAME_HEADERS || partial->data[3] == FRAME_CONTINUATION);
    if (session->block_stream == 0 && !in_header)
        session->block_begun_ms = 0;
    else if (session->block_begun_ms == 0)
        session->block_begun_ms = session->now_ms;
}

static bool waits(const struct http2_session *session)
{
    return session->queued > 0 || chain_length(&session->backlog) > 0;
}

/* Output goes to `out` from here on, and what has waited goes first; NULL: it waits. */
static void direct_output(struct http2_session *session, struct chain *out, int64_t now_ms)
{
    session->now_ms = now_ms;
    if (!waits(session))
        session->progress_ms = now_ms;
    if (out == NULL)
        return;
    session->out = out;
    if (chain_length(&session->backlog) == 0)
        return;
    chain_append_chain(out, &session->backlog);
    session->unsent_acks = 0;
    session->progress_ms = now_ms;
}

static void finish_output(struct http2_session *session)
{
    if (!session->failed)
        send_queued(session);
    session->out = &session->backlog;
    if (!waits(session))
        session->progress_ms = session->now_ms;
}

bool http2_session_feed(struct http2_session *session, struct slice bytes, struct chain *out,
                        int64_t now_ms)
{
    const struct http2_limits *limits = &session->context->limits;
    enum http2_error error = HTTP2_NO_ERROR;
    if (session->failed)
        return false;
    direct_output(session, out, now_ms);
    if (session->preface_seen < PREFACE_SIZE)
        error = take_preface(session, &bytes);
    if (error == HTTP2_NO_ERROR)
        error = take_frames(session, bytes);
    session->context->handler->on_feed_end(session->user);
    buf_clear(&session->completed, KEPT_PARTIAL);
    if (error == HTTP2_NO_ERROR && session->unsent_acks > limits->max_unsent_control)
        error = HTTP2_ENHANCE_YOUR_CALM;
    if (error != HTTP2_NO_ERROR)
        fail(session, error);
    else
        watch_header_block(session);
    finish_output(session);
    return !session->failed;
}

void http2_session_pull(struct http2_session *session, struct chain *out, int64_t now_ms)
{
    direct_output(session, out, now_ms);
    finish_output(session);
}

size_t http2_session_queued(const struct http2_session *session)
{
    return session->queued + chain_length(&session->backlog);
}

uint64_t http2_session_sent(const struct http2_session *session)
{
    return session->sent;
}

bool http2_session_finished(const struct http2_session *session)
{
    bool drained = session->drain_steps == 2 && session->streams.count == 0;
    return (session->failed || drained) && chain_length(&session->backlog) == 0;
}

const char *http2_session_expired(const struct http2_session *session, int64_t now_ms)
{
    const struct http2_limits *limits = &session->context->limits;
    if (!session->greeted && now_ms - session->begun_ms > limits->greeting_timeout_ms)
        return "it did not begin HTTP/2 in time";
    if (session->block_begun_ms != 0 &&
        now_ms - session->block_begun_ms > limits->header_timeout_ms)
        return "it did not complete a header block in time";
    if (waits(session) && now_ms - session->progress_ms > limits->stall_timeout_ms)
        return "it did not take its answers in time";
    return NULL;
}

void http2_session_drain(struct http2_session *session)
{
    static const uint8_t ping[8] = "drain";
    if (session->drain_steps == 2 || session->failed)
        return;
    if (++session->drain_steps == 1) {
        send_goaway(session, INT32_MAX, HTTP2_NO_ERROR);
        send_ping(session, ping, false);
    } else {
        send_goaway(session, session->last_stream, HTTP2_NO_ERROR);
    }
}

/* Streams as the application sees them. */

void *http2_stream_user(struct http2_stream *stream)
{
    return stream->user;
}

struct http2_stream *http2_stream_from_user(void *user)
{
    return (struct http2_stream *)(void *)((char *)user - offsetof(struct http2_stream, user));
}
