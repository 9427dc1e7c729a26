/*
 * A session's life, and the way of bytes through it: preface, frames, output. What frames mean
 * stands in receive.c, what answers become in send.c.
 */
#include "http2/session.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdlib.h>

/* A control frame that refuses a stream. */
#define RESET_SIZE (FRAME_HEADER_SIZE + 4)
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

struct http2_refused http2_context_refused(const struct http2_context *context)
{
    return (struct http2_refused){.turned_away = atomic_load(&context->turned_away),
                                  .broken = atomic_load(&context->broken)};
}

/* The connection's window begins at RFC 9113's size and is raised to ours. All this waits for the
 * client's first bytes: one of HTTP/1 shall read no frames. */
static void session_greet(struct http2_session *session)
{
    uint32_t window = session->context->limits.connection_window;
    if (session->settings_sent)
        return;
    session->settings_sent = true;
    send_settings(session);
    if (window > FRAME_FIRST_WINDOW)
        send_window_update(session, 0, window - FRAME_FIRST_WINDOW);
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
    session->receive_window = (int32_t)limits->connection_window;
    session->announced_stream = INT32_MAX;
    buf_init(&session->block, limits->max_block_bytes);
    bucket_init(&session->cancels, limits->reset_burst + limits->max_streams, limits->resets_per_s,
                now_ms);
    bucket_init(&session->mistakes, limits->reset_burst, limits->resets_per_s, now_ms);
    decoder_init(&session->decoder);
    session->decoder.max_inflated = limits->max_inflated_bytes;
    encoder_init(&session->encoder);
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

static enum http2_error session_take_preface(struct http2_session *session, struct slice *bytes)
{
    DCHECK(session->preface_seen < PREFACE_SIZE);
    size_t left = PREFACE_SIZE - session->preface_seen;
    size_t len = bytes->len < left ? bytes->len : left;
    if (len > 0)
        memcpy(session->preface + session->preface_seen, bytes->data, len);
    session->preface_seen += len;
    *bytes = slice_skip(*bytes, len);
    struct closing closing = preface_judge(slice_make(session->preface, session->preface_seen));
    if (closing.kind != CLOSING_NONE) {
        session->closing = closing;
        return HTTP2_PROTOCOL_ERROR;
    }
    if (session->preface_seen == PREFACE_SIZE)
        session_greet(session);
    return HTTP2_NO_ERROR;
}

/* The size of the whole frame that begins with these bytes, 0 if they do not tell yet. */
static enum http2_error session_frame_size(struct slice bytes, size_t *size)
{
    *size = 0;
    if (bytes.len < FRAME_HEADER_SIZE)
        return HTTP2_NO_ERROR;
    size_t length = frame_read_length(bytes.data);
    *size = FRAME_HEADER_SIZE + length;
    return length <= FRAME_MAX_PAYLOAD ? HTTP2_NO_ERROR : HTTP2_FRAME_SIZE_ERROR;
}

static enum http2_error session_take_frame(struct http2_session *session, const uint8_t *bytes,
                                           size_t size)
{
    struct frame frame = frame_read(bytes, size - FRAME_HEADER_SIZE);
    place_note(session, &frame);
    return receive_frame(session, &frame);
}

/* Moves bytes to the frame that has begun, until it is `size` long; true if it is. */
static bool session_fill_partial(struct http2_session *session, struct slice *bytes, size_t size)
{
    DCHECK(size >= session->partial.len);
    size_t left = size - session->partial.len;
    size_t len = bytes->len < left ? bytes->len : left;
    bool fits = buf_append(&session->partial, slice_make(bytes->data, len));
    CHECK(fits); /* its limit is the largest frame */
    *bytes = slice_skip(*bytes, len);
    return len == left;
}

/* Completes and handles the frame whose beginning an earlier feed brought. */
static enum http2_error session_continue_partial(struct http2_session *session, struct slice *bytes)
{
    size_t size;
    if (session->partial.len < FRAME_HEADER_SIZE &&
        !session_fill_partial(session, bytes, FRAME_HEADER_SIZE))
        return HTTP2_NO_ERROR;
    enum http2_error error = session_frame_size(buf_slice(&session->partial), &size);
    if (error != HTTP2_NO_ERROR || !session_fill_partial(session, bytes, size))
        return error;
    /* What the frame's events point to must last as long as the feed, which may begin another. */
    struct buf completed = session->partial;
    DCHECK(completed.len == size);
    session->partial = session->completed;
    session->completed = completed;
    return session_take_frame(session, completed.data, size);
}

enum http2_error session_take_frames(struct http2_session *session, struct slice bytes)
{
    enum http2_error error = HTTP2_NO_ERROR;
    if (session->partial.len > 0)
        error = session_continue_partial(session, &bytes);
    while (error == HTTP2_NO_ERROR && bytes.len > 0) {
        size_t size;
        error = session_frame_size(bytes, &size);
        if (error != HTTP2_NO_ERROR)
            break;
        if (size == 0 || size > bytes.len) {
            session_fill_partial(session, &bytes, bytes.len + session->partial.len);
            break;
        }
        error = session_take_frame(session, bytes.data, size);
        bytes = slice_skip(bytes, size);
    }
    return error;
}

/* For errors whose rule nobody has named. */
static const char *session_describe(enum http2_error error)
{
    switch (error) {
    case HTTP2_FLOW_CONTROL_ERROR:
        return "more was sent, or allowed, than the windows of flow control have room for";
    case HTTP2_STREAM_CLOSED:
        return "a frame came for a stream that the client had closed";
    case HTTP2_FRAME_SIZE_ERROR:
        return "a frame has a size that its type or SETTINGS_MAX_FRAME_SIZE does not allow";
    case HTTP2_COMPRESSION_ERROR:
        return "a header block cannot be decoded";
    case HTTP2_ENHANCE_YOUR_CALM:
        return "too much was asked for at once";
    default:
        return "a frame came that is not allowed in this place";
    }
}

enum http2_error session_blame(struct http2_session *session, enum http2_error error,
                               const char *text)
{
    session->blame = text;
    return error;
}

enum http2_error session_end_gently(struct http2_session *session, const char *text)
{
    if (session_is_ending(session))
        return session_blame(session, HTTP2_ENHANCE_YOUR_CALM, session->closing.text);
    session->closing = (struct closing){.kind = CLOSING_FLOOD, .text = text};
    session->closing_ms = session->now_ms;
    session->drain_steps = 2;
    session->idle_frames = 0;
    send_goaway(session, session->last_stream, HTTP2_ENHANCE_YOUR_CALM, text);
    return HTTP2_NO_ERROR;
}

static enum closing_kind session_kind_of(enum http2_error error)
{
    switch (error) {
    case HTTP2_ENHANCE_YOUR_CALM:
        return CLOSING_FLOOD;
    case HTTP2_INTERNAL_ERROR:
        return CLOSING_SERVER_MEMORY;
    default:
        return CLOSING_PROTOCOL_ERROR;
    }
}

/* Says the last word, unless it was said. */
static void session_fail(struct http2_session *session, enum http2_error error)
{
    DCHECK(!session->failed);
    const char *text = session->blame != NULL ? session->blame : session_describe(error);
    enum closing_kind kind = session_kind_of(error);
    session->failed = true;
    if (!session_is_ending(session))
        session->closing = (struct closing){.kind = kind, .text = text};
    if (session->closing.kind == CLOSING_HTTP1) {
        struct slice answer = preface_http1_answer();
        memcpy(chain_append(session->out, answer.len), answer.data, answer.len);
        return;
    }
    session_greet(session);
    bool is_said = session->closing_ms != 0 && error == HTTP2_ENHANCE_YOUR_CALM;
    if (!is_said)
        send_goaway(session, session->last_stream, error, session->closing.text);
}

/* Notes since when a header block is incomplete. */
static void session_watch_header_block(struct http2_session *session)
{
    const struct buf *partial = &session->partial;
    bool in_header = partial->len > 3 &&
                     (partial->data[3] == FRAME_HEADERS || partial->data[3] == FRAME_CONTINUATION);
    if (session->block_stream == 0 && !in_header)
        session->block_begun_ms = 0;
    else if (session->block_begun_ms == 0)
        session->block_begun_ms = session->now_ms;
}

static bool session_waits(const struct http2_session *session)
{
    return session->queued > 0 || chain_length(&session->backlog) > 0;
}

/* Output goes to `out` from here on, and what has waited goes first; NULL: it waits. */
static void session_direct_output(struct http2_session *session, struct chain *out, int64_t now_ms)
{
    session->now_ms = now_ms;
    if (!session_waits(session))
        session->progress_ms = now_ms;
    if (out == NULL)
        return;
    session->out = out;
    if (chain_length(&session->backlog) == 0)
        return;
    chain_append_chain(out, &session->backlog);
    session->unsent_control = 0;
    session->progress_ms = now_ms;
}

static void session_finish_output(struct http2_session *session)
{
    if (!session->failed)
        send_queued(session);
    session->out = &session->backlog;
    if (!session_waits(session))
        session->progress_ms = session->now_ms;
    DCHECK(session->out == &session->backlog);
}

/* True if the peer makes us write control frames and does not read them. */
static bool session_reads_no_control(const struct http2_session *session)
{
    const struct http2_limits *limits = &session->context->limits;
    return session->unsent_control > limits->max_unsent_control + limits->max_streams * RESET_SIZE;
}

/* What the session keeps of its streams agrees with these. */
static bool session_is_sound(const struct http2_session *session)
{
    size_t count = 0, body_left = 0, queued = 0;
    for (size_t i = 0; i < session->streams.bucket_count; i++) {
        for (const struct http2_stream *at = session->streams.buckets[i]; at; at = at->next) {
            if (at->session != session || at->id > session->last_stream || at->held)
                return false;
            count++;
            body_left += at->body_left;
            queued += at->queued;
        }
    }
    for (const struct http2_stream *at = session->queue_head; at != NULL; at = at->queue_next)
        queued -= at->queued && (at->answered || at->streaming);
    return count == session->streams.count && body_left == session->queued && queued == 0;
}

/* All bytes of a feed are taken. */
static bool session_end_feed(struct http2_session *session, enum http2_error error)
{
    session->context->handler->on_feed_end(session->user);
    buf_clear(&session->completed, KEPT_PARTIAL);
    if (error == HTTP2_NO_ERROR && session_reads_no_control(session))
        error = session_blame(session, HTTP2_ENHANCE_YOUR_CALM,
                              "the answers to PING, SETTINGS or refused streams are not read");
    if (error != HTTP2_NO_ERROR)
        session_fail(session, error);
    else
        session_watch_header_block(session);
    session_finish_output(session);
    DCHECK_SOUND(session_is_sound(session), session->streams.count);
    return !session->failed;
}

static enum http2_error session_take_bytes(struct http2_session *session, struct slice bytes)
{
    enum http2_error error = HTTP2_NO_ERROR;
    if (session->preface_seen < PREFACE_SIZE)
        error = session_take_preface(session, &bytes);
    return error == HTTP2_NO_ERROR ? session_take_frames(session, bytes) : error;
}

/* Takes the bytes or, if there are any, those that were placed. */
static bool session_feed(struct http2_session *session, struct slice bytes, size_t placed,
                         struct chain *out, int64_t now_ms)
{
    session_direct_output(session, out, now_ms);
    return session_end_feed(session, placed > 0 ? place_take(session, placed)
                                                : session_take_bytes(session, bytes));
}

bool http2_session_feed(struct http2_session *session, struct slice bytes, struct chain *out,
                        int64_t now_ms)
{
    return !session->failed && session_feed(session, bytes, 0, out, now_ms);
}

bool http2_session_feed_placed(struct http2_session *session, size_t size, struct chain *out,
                               int64_t now_ms)
{
    CHECK(session->context->placing.session == session);
    return session_feed(session, (struct slice){0}, size, out, now_ms);
}

void http2_session_pull(struct http2_session *session, struct chain *out, int64_t now_ms)
{
    session_direct_output(session, out, now_ms);
    session_finish_output(session);
    DCHECK_SOUND(session_is_sound(session), session->streams.count);
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

static bool session_is_complete(void *argument, struct http2_stream *stream)
{
    (void)argument;
    return stream->ended;
}

struct closing http2_session_expired(const struct http2_session *session, int64_t now_ms)
{
    const struct http2_limits *limits = &session->context->limits;
    if (!session->greeted && now_ms - session->begun_ms > limits->greeting_timeout_ms)
        return (struct closing){CLOSING_HANDSHAKE_TIMEOUT,
                                "the client did not begin HTTP/2 in time (--greeting-timeout)"};
    if (session->block_begun_ms != 0 &&
        now_ms - session->block_begun_ms > limits->header_timeout_ms)
        return (struct closing){
            CLOSING_HEADER_TIMEOUT,
            "the client did not complete a header block in time (--header-timeout)"};
    if (session_waits(session) && now_ms - session->progress_ms > limits->stall_timeout_ms)
        return (struct closing){CLOSING_WRITE_TIMEOUT,
                                "the client did not take its answers in time (--write-timeout)"};
    if (session_is_ending(session) && now_ms - session->closing_ms > limits->goodbye_timeout_ms &&
        !http2_session_visit(session, session_is_complete, NULL))
        return session->closing;
    return (struct closing){CLOSING_NONE, NULL};
}

void http2_session_end(struct http2_session *session, struct closing why)
{
    if (session->failed)
        return;
    if (!session_is_ending(session))
        session->closing = why;
    session_fail(session, why.kind == CLOSING_SHUTDOWN            ? HTTP2_NO_ERROR
                          : why.kind == CLOSING_HANDSHAKE_TIMEOUT ? HTTP2_SETTINGS_TIMEOUT
                                                                  : HTTP2_ENHANCE_YOUR_CALM);
}

struct closing http2_session_closing(const struct http2_session *session)
{
    return session->closing;
}

void http2_session_drain(struct http2_session *session)
{
    DCHECK(session->drain_steps <= 2);
    static const uint8_t ping[8] = "drain";
    static const char text[] = "the server is shutting down";
    if (session->drain_steps == 2 || session->failed)
        return;
    session_greet(session);
    if (++session->drain_steps == 1) {
        send_goaway(session, INT32_MAX, HTTP2_NO_ERROR, text);
        send_ping(session, ping, false);
    } else {
        send_goaway(session, session->last_stream, HTTP2_NO_ERROR, text);
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
