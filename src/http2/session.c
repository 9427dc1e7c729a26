/*
 * The life of a session, and the flow of bytes through it: preface, frames, output. Frames are
 * handled in receive.c, answers are sent in send.c.
 *
 * Normal path. http2_session_feed() first matches the client connection preface and then sends
 * ours. After that it splits the bytes into frames and passes each to receive_frame(); the start of
 * a frame whose rest has not arrived is kept in `partial`. Handlers call the application, whose
 * answers go to the caller's chain, so that they leave with the feed. At the end of the feed,
 * queued bodies are sent as far as flow control and max_output allow. While the caller has no
 * chain, because the socket is still taking earlier output, output goes to `backlog`, which
 * http2_session_pull() hands out first.
 *
 * Failure modes:
 *  - A stream error resets the stream and counts against `forced_resets` (receive.c).
 *  - A connection error (RFC 9113, 5.4.1) makes session_fail() send GOAWAY with its code and an
 *    error message as debug data. `failed` is set, input is ignored, the caller writes what is
 *    pending and closes. A client of another protocol than HTTP/2 fails the preface; one of HTTP/1
 *    gets an HTTP/1.1 response instead.
 *  - A flood, or a header block too large to decode, makes session_end_gracefully() send GOAWAY and
 *    drain: new requests are ignored, those in flight are answered. If the flood goes on, it
 *    becomes a connection error.
 *  - A peer that does not complete its preface, a header block or the drain, or does not take its
 *    output, is reported by http2_session_expired(); the caller ends it with http2_session_end().
 *  - A peer that causes control frames without reading them gets ENHANCE_YOUR_CALM once more
 *    than max_unsent_control bytes of them wait in `backlog`.
 *  - A peer that sends PINGs too often gets such a GOAWAY, too, and one that is silent and does not
 *    answer ours is reported by http2_session_expired() (pings.c).
 *  - Shutdown is no failure, nor is age: http2_session_drain() sends two GOAWAYs (RFC 9113, 6.8).
 */
#include "http2/session.h"

#include "base/check.h"
#include "base/container.h"
#include "base/mem.h"

#include <stdlib.h>

/* Bytes of an RST_STREAM frame. */
#define RESET_SIZE (FRAME_HEADER_SIZE + 4)
/* Bytes of buffer that an idle connection keeps for the next frame that is split over two reads. */
#define KEPT_PARTIAL ((size_t)512)

struct http2_context *http2_context_new(const struct http2_limits *limits,
                                        const struct http2_handler *handler)
{
    struct http2_context *context = mem_alloc_zero(sizeof *context);
    context->limits = *limits;
    context->handler = handler;
    return context;
}

void http2_context_set_limits(struct http2_context *context, const struct http2_limits *limits)
{
    context->limits = *limits;
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

struct http2_reset_counts http2_context_reset_counts(const struct http2_context *context)
{
    return (struct http2_reset_counts){.refused = atomic_load(&context->refused),
                                       .stream_errors = atomic_load(&context->stream_errors)};
}

/* Sends the server connection preface, SETTINGS, and raises the connection's flow-control window
 * from its initial size to ours. It waits for the client's first bytes, because an HTTP/1 client
 * should not receive frames. */
static void session_send_preface(struct http2_session *session)
{
    uint32_t window = session->context->limits.connection_window;
    if (session->preface_sent)
        return;
    session->preface_sent = true;
    send_settings(session);
    if (window > FRAME_INITIAL_WINDOW)
        send_window_update(session, 0, window - FRAME_INITIAL_WINDOW);
}

struct http2_session *http2_session_new(struct http2_context *context, void *user, int64_t now_ms)
{
    const struct http2_limits *limits = &context->limits;
    struct http2_session *session = mem_alloc_zero(sizeof *session);
    session->context = context;
    session->user = user;
    session->now_ms = now_ms;
    session->heard_ms = now_ms;
    session->start_ms = now_ms;
    session->progress_ms = now_ms;
    session->out = &session->backlog;
    session->send_window = FRAME_INITIAL_WINDOW;
    session->initial_send_window = FRAME_INITIAL_WINDOW;
    buf_init(&session->partial, FRAME_HEADER_SIZE + FRAME_MAX_PAYLOAD);
    buf_init(&session->completed, FRAME_HEADER_SIZE + FRAME_MAX_PAYLOAD);
    session->receive_window = (int32_t)limits->connection_window;
    session->announced_stream = INT32_MAX;
    buf_init(&session->block, limits->max_block_bytes);
    bucket_init(&session->cancels, limits->reset_burst + limits->max_streams, limits->resets_per_s,
                now_ms);
    bucket_init(&session->forced_resets, limits->reset_burst, limits->resets_per_s, now_ms);
    decoder_init(&session->decoder);
    session->decoder.max_inflated = limits->max_inflated_bytes;
    encoder_init(&session->encoder);
    pings_init(session);
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
    struct closing closing = preface_classify(slice_make(session->preface, session->preface_seen));
    if (closing.kind != CLOSING_NONE) {
        session->closing = closing;
        return HTTP2_PROTOCOL_ERROR;
    }
    if (session->preface_seen == PREFACE_SIZE)
        session_send_preface(session);
    return HTTP2_NO_ERROR;
}

/* The size of the frame that starts with these bytes; 0 if its header is not complete. */
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

/* Moves bytes to the partial frame, up to a length of `size`; true if that is reached. */
static bool session_fill_partial(struct http2_session *session, struct slice *bytes, size_t size)
{
    DCHECK(size >= session->partial.len);
    size_t left = size - session->partial.len;
    size_t len = bytes->len < left ? bytes->len : left;
    bool fits = buf_append(&session->partial, slice_make(bytes->data, len));
    CHECK(fits); /* its limit is the size of the largest frame */
    *bytes = slice_skip(*bytes, len);
    return len == left;
}

/* Completes and handles the partial frame left by an earlier feed. */
static enum http2_error session_continue_partial(struct http2_session *session, struct slice *bytes)
{
    size_t size;
    if (session->partial.len < FRAME_HEADER_SIZE &&
        !session_fill_partial(session, bytes, FRAME_HEADER_SIZE))
        return HTTP2_NO_ERROR;
    enum http2_error error = session_frame_size(buf_slice(&session->partial), &size);
    if (error != HTTP2_NO_ERROR || !session_fill_partial(session, bytes, size))
        return error;
    /* The bytes that the frame's events point to must stay valid until the end of the feed, which
     * may leave another partial frame. */
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

/* The error message for errors without a specific one. */
static const char *session_default_message(enum http2_error error)
{
    switch (error) {
    case HTTP2_FLOW_CONTROL_ERROR:
        return "a flow-control window was exceeded, or enlarged beyond 2^31-1";
    case HTTP2_STREAM_CLOSED:
        return "a frame came for a stream that the client had closed";
    case HTTP2_FRAME_SIZE_ERROR:
        return "a frame's size is not allowed by its type or by SETTINGS_MAX_FRAME_SIZE";
    case HTTP2_COMPRESSION_ERROR:
        return "a header block cannot be decoded";
    case HTTP2_ENHANCE_YOUR_CALM:
        return "too much was requested at once";
    default:
        return "a frame is not allowed in this state of the stream or connection";
    }
}

enum http2_error session_error(struct http2_session *session, enum http2_error error,
                               const char *text)
{
    session->error_message = text;
    return error;
}

/* What a GOAWAY says: the texts that gRPC clients and their users look for, else the reason. */
static const char *session_debug_text(struct closing why)
{
    switch (why.kind) {
    case CLOSING_TOO_MANY_PINGS:
        return "too_many_pings";
    case CLOSING_MAX_AGE:
        return "max_age";
    case CLOSING_MAX_IDLE:
        return "max_idle";
    default:
        return why.text;
    }
}

enum http2_error session_end_for(struct http2_session *session, struct closing why)
{
    if (session_is_ending(session))
        return session_error(session, HTTP2_ENHANCE_YOUR_CALM, session->closing.text);
    session->closing = why;
    session->closing_ms = session->now_ms;
    session->drain_steps = 2;
    session->idle_frames = 0;
    send_goaway(session, session->last_stream, HTTP2_ENHANCE_YOUR_CALM, session_debug_text(why));
    return HTTP2_NO_ERROR;
}

enum http2_error session_end_gracefully(struct http2_session *session, const char *text)
{
    return session_end_for(session, (struct closing){.kind = CLOSING_FLOOD, .text = text});
}

static enum closing_kind session_closing_kind(enum http2_error error)
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

/* Ends the connection with a GOAWAY, unless one with this code was sent already. */
static void session_fail(struct http2_session *session, enum http2_error error)
{
    DCHECK(!session->failed);
    const char *text =
        session->error_message != NULL ? session->error_message : session_default_message(error);
    enum closing_kind kind = session_closing_kind(error);
    session->failed = true;
    if (!session_is_ending(session))
        session->closing = (struct closing){.kind = kind, .text = text};
    if (session->closing.kind == CLOSING_HTTP1) {
        struct slice answer = preface_http1_answer();
        memcpy(chain_append(session->out, answer.len), answer.data, answer.len);
        return;
    }
    session_send_preface(session);
    bool is_repeated = session->closing_ms != 0 && error == HTTP2_ENHANCE_YOUR_CALM;
    if (!is_repeated)
        send_goaway(session, session->last_stream, error, session_debug_text(session->closing));
}

/* Keeps track of how long a header block has been incomplete. */
static void session_watch_header_block(struct http2_session *session)
{
    const struct buf *partial = &session->partial;
    bool in_header = partial->len > 3 &&
                     (partial->data[3] == FRAME_HEADERS || partial->data[3] == FRAME_CONTINUATION);
    if (session->block_stream == 0 && !in_header)
        session->block_start_ms = 0;
    else if (session->block_start_ms == 0)
        session->block_start_ms = session->now_ms;
}

static bool session_has_output(const struct http2_session *session)
{
    return http2_session_owed(session) > 0;
}

/* Directs output to `out`, pending output first; with NULL it goes to the backlog. */
static void session_set_output(struct http2_session *session, struct chain *out, int64_t now_ms)
{
    session->now_ms = now_ms;
    if (!session_has_output(session))
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
    if (!session_has_output(session))
        session->progress_ms = session->now_ms;
    DCHECK(session->out == &session->backlog);
}

/* True if the peer causes control frames and does not read them. */
static bool session_has_control_flood(const struct http2_session *session)
{
    const struct http2_limits *limits = &session->context->limits;
    return session->unsent_control > limits->max_unsent_control + limits->max_streams * RESET_SIZE;
}

/* True if the session's totals agree with its streams. */
static bool session_is_sound(const struct http2_session *session)
{
    size_t count = 0, body_left = 0, parked = 0, queued = 0;
    for (size_t i = 0; i < session->streams.bucket_count; i++) {
        for (const struct http2_stream *at = session->streams.buckets[i]; at; at = at->next) {
            if (at->session != session || at->id > session->last_stream || at->held)
                return false;
            count++;
            body_left += at->body_left;
            parked += at->parked ? at->body_left : 0;
            queued += at->queued;
        }
    }
    for (const struct http2_stream *at = session->queue_head; at != NULL; at = at->queue_next)
        queued -= at->queued && (at->answered || at->streaming);
    return count == session->streams.count && body_left == session->queued &&
           parked == session->parked && queued == 0;
}

/* Ends a feed after all its bytes were processed. */
static bool session_end_feed(struct http2_session *session, enum http2_error error)
{
    session->context->handler->on_feed_end(session->user);
    buf_clear(&session->completed, KEPT_PARTIAL);
    if (error == HTTP2_NO_ERROR && session_has_control_flood(session))
        error = session_error(session, HTTP2_ENHANCE_YOUR_CALM,
                              "too many acknowledgements and resets were caused and not read");
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

/* Processes the bytes or, if `placed` is not 0, that many placed ones. */
static bool session_feed(struct http2_session *session, struct slice bytes, size_t placed,
                         struct chain *out, int64_t now_ms)
{
    session_set_output(session, out, now_ms);
    session->heard_ms = now_ms;
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
    session_set_output(session, out, now_ms);
    session_finish_output(session);
    DCHECK_SOUND(session_is_sound(session), session->streams.count);
}

/* A stream whose reply is written incrementally may have its turn and nothing queued. */
size_t http2_session_queued(const struct http2_session *session)
{
    size_t queued = session->queued + chain_length(&session->backlog);
    bool may_ask = session->queue_head != NULL && session->send_window > 0;
    return queued == 0 && may_ask ? 1 : queued;
}

size_t http2_session_owed(const struct http2_session *session)
{
    return session->queued - session->parked + chain_length(&session->backlog);
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
    if (!session->settings_received && now_ms - session->start_ms > limits->handshake_timeout_ms)
        return (struct closing){
            CLOSING_HANDSHAKE_TIMEOUT,
            "the client did not complete the HTTP/2 handshake in time (--greeting-timeout)"};
    if (session->block_start_ms != 0 &&
        now_ms - session->block_start_ms > limits->header_timeout_ms)
        return (struct closing){
            CLOSING_HEADER_TIMEOUT,
            "the client did not complete a header block in time (--header-timeout)"};
    if (session_has_output(session) && now_ms - session->progress_ms > limits->stall_timeout_ms)
        return (struct closing){CLOSING_WRITE_TIMEOUT,
                                "the client did not take its answers in time (--write-timeout)"};
    if (pings_expired(session, now_ms))
        return (struct closing){
            CLOSING_KEEPALIVE_TIMEOUT,
            "the client was silent and did not answer a PING in time (--keepalive-timeout)"};
    if (session_is_ending(session) && now_ms - session->closing_ms > limits->goaway_timeout_ms &&
        !http2_session_visit(session, session_is_complete, NULL))
        return session->closing;
    return (struct closing){CLOSING_NONE, NULL};
}

/* The error code of the GOAWAY for a reason that is not an error of the peer's bytes. */
static enum http2_error session_end_code(enum closing_kind kind)
{
    switch (kind) {
    case CLOSING_SHUTDOWN:
    case CLOSING_KILLED:
    case CLOSING_MAX_AGE:
    case CLOSING_KEEPALIVE_TIMEOUT:
        return HTTP2_NO_ERROR;
    case CLOSING_HANDSHAKE_TIMEOUT:
        return HTTP2_SETTINGS_TIMEOUT;
    default:
        return HTTP2_ENHANCE_YOUR_CALM;
    }
}

void http2_session_end(struct http2_session *session, struct closing why)
{
    if (session->failed)
        return;
    if (!session_is_ending(session))
        session->closing = why;
    session_fail(session, session_end_code(why.kind));
}

struct closing http2_session_closing(const struct http2_session *session)
{
    return session_is_ending(session) ? session->closing : session->draining;
}

void http2_session_drain(struct http2_session *session, struct closing why)
{
    DCHECK(session->drain_steps <= 2);
    if (session->drain_steps == 2 || session->failed)
        return;
    session_send_preface(session);
    if (++session->drain_steps == 1) {
        session->draining = why;
        send_goaway(session, INT32_MAX, HTTP2_NO_ERROR, session_debug_text(why));
        pings_send_drain(session);
    } else {
        send_goaway(session, session->last_stream, HTTP2_NO_ERROR, session_debug_text(why));
    }
}

void http2_session_check(struct http2_session *session, int64_t now_ms)
{
    if (session->failed)
        return;
    session->now_ms = now_ms;
    if (!session_has_output(session))
        session->progress_ms = now_ms;
    pings_check(session);
}

/* Streams as the application sees them. */

void *http2_stream_user(struct http2_stream *stream)
{
    return stream->user;
}

struct http2_stream *http2_stream_from_user(void *user)
{
    return CONTAINER_OF(user, struct http2_stream, user);
}
