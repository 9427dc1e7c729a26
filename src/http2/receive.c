/*
 * Handles each frame of a client (RFC 9113, 5 and 6): a table of small handlers, one for each frame
 * type. A handler returns the error code of a connection error, or HTTP2_NO_ERROR; stream errors
 * are handled here.
 */
#include "base/check.h"
#include "http2/session.h"

#include "base/account.h"
#include "base/reserve.h"

typedef enum http2_error frame_handler(struct http2_session *session, struct frame *frame);

static bool receive_is_client_stream(uint32_t id)
{
    return (id & 1) == 1;
}

/*
 * Counts a frame that makes no progress. During a drain the peer may not have seen the GOAWAY yet:
 * the requests that it may have in flight, and their resets, are not a flood.
 */
enum http2_error receive_count_idle_frame(struct http2_session *session)
{
    const struct http2_limits *limits = &session->context->limits;
    uint64_t most = limits->max_idle_frames;
    if (session_is_ending(session))
        most += 2 * (uint64_t)limits->max_streams;
    if (++session->idle_frames <= most)
        return HTTP2_NO_ERROR;
    return session_end_gracefully(
        session, "too many frames made no progress with any request (--max-idle-frames)");
}

/* Counts a request that the peer cancelled before it could be answered. */
static enum http2_error receive_count_cancel(struct http2_session *session)
{
    if (session_is_ending(session))
        return receive_count_idle_frame(session);
    if (bucket_take(&session->cancels, session->now_ms))
        return HTTP2_NO_ERROR;
    return session_end_gracefully(session,
                                  "too many requests were cancelled as soon as they were sent "
                                  "(--reset-burst, --resets-per-second)");
}

/* Counts a reset that the peer provoked. */
static enum http2_error receive_count_forced_reset(struct http2_session *session)
{
    if (session_is_ending(session))
        return receive_count_idle_frame(session);
    if (bucket_take(&session->forced_resets, session->now_ms))
        return HTTP2_NO_ERROR;
    return session_end_gracefully(
        session, "too many requests violated HTTP/2 (--reset-burst, --resets-per-second)");
}

/* Resets a stream that does not exist, or no longer. */
static void receive_reset_absent(struct http2_session *session, uint32_t id, enum http2_error error)
{
    send_reset(session, id, error);
    stream_note_past(session, id, PAST_RESET);
}

/* A stream error caused by the peer, for a stream that does not exist. */
static enum http2_error receive_stream_error(struct http2_session *session, uint32_t id,
                                             enum http2_error error)
{
    atomic_fetch_add_explicit(&session->context->stream_errors, 1, memory_order_relaxed);
    receive_reset_absent(session, id, error);
    return receive_count_forced_reset(session);
}

/* A stream error: closes the stream. */
static enum http2_error receive_reset_stream(struct http2_stream *stream, enum http2_error error)
{
    struct http2_session *session = stream->session;
    uint32_t id = stream->id;
    stream_close(stream);
    return receive_stream_error(session, id, error);
}

/* Rejects a header block that is too large to be decoded. Its request is reset, and because the
 * HPACK state is lost with the block, the connection is drained. */
static enum http2_error receive_reject_block(struct http2_session *session, uint32_t id,
                                             const char *text)
{
    struct http2_stream *stream = stream_find(session, id);
    if (session->last_stream < id)
        session->last_stream = id;
    if (stream != NULL)
        stream_close(stream);
    receive_reset_absent(session, id, HTTP2_ENHANCE_YOUR_CALM);
    return session_end_gracefully(session, text);
}

/* Strips padding and priority from a frame that belongs to a request. */
static enum http2_error receive_strip(struct http2_session *session, struct frame *frame)
{
    if (!receive_is_client_stream(frame->stream_id))
        return session_error(
            session, HTTP2_PROTOCOL_ERROR,
            "a frame of a request must have a client's stream identifier, which is odd");
    enum http2_error error = frame_strip(frame);
    if (error == HTTP2_PROTOCOL_ERROR)
        session_error(session, error, "a frame has more padding than payload");
    return error;
}

/* Ends a handler's hold on the stream, and closes it if both sides have ended it. */
static enum http2_error receive_release(struct http2_stream *stream)
{
    DCHECK(stream->held);
    stream->held = false;
    if (stream->ended && stream->sent)
        stream_close(stream);
    return HTTP2_NO_ERROR;
}

/* The request is complete. */
static void receive_end_request(struct http2_stream *stream)
{
    DCHECK(stream->ended);
    struct http2_session *session = stream->session;
    session->idle_frames = 0;
    stream->ended_ms = session->now_ms;
    if (!stream->answered)
        session->context->handler->on_end(session->user, stream);
}

/* HEADERS and CONTINUATION. */

static enum decoder_verdict receive_decode(struct http2_session *session, struct slice bytes,
                                           bool trailers, struct decoder_block *block)
{
    if (session_is_ending(session)) { /* its content is ignored */
        *block = (struct decoder_block){.content_length = -1};
        return DECODER_GOOD;
    }
    return decoder_read(&session->decoder, bytes, trailers,
                        session->context->limits.max_header_bytes, &session->context->scratch,
                        block);
}

/* The error for a block that loses the HPACK state. */
static enum http2_error receive_hpack_error(struct http2_session *session, uint32_t id,
                                            enum decoder_verdict verdict)
{
    if (verdict == DECODER_BROKEN)
        return HTTP2_COMPRESSION_ERROR;
    if (verdict == DECODER_NO_MEMORY)
        return session_error(session, HTTP2_INTERNAL_ERROR, account_starved);
    return receive_reject_block(
        session, id,
        "a header block is far too large when decoded; send less metadata (--max-header-size)");
}

static bool receive_lost_hpack_state(enum decoder_verdict verdict)
{
    return verdict == DECODER_BROKEN || verdict == DECODER_ENDLESS || verdict == DECODER_NO_MEMORY;
}

/* A header block for an open stream: trailers. */
static enum http2_error receive_take_trailers(struct http2_stream *stream, struct slice bytes,
                                              bool end)
{
    struct decoder_block block;
    enum decoder_verdict verdict = receive_decode(stream->session, bytes, true, &block);
    if (receive_lost_hpack_state(verdict))
        return receive_hpack_error(stream->session, stream->id, verdict);
    if (stream->ended)
        return HTTP2_STREAM_CLOSED;
    if (verdict != DECODER_GOOD || !end || stream->content_left > 0)
        return receive_reset_stream(stream, HTTP2_PROTOCOL_ERROR);
    stream->ended = true;
    stream->held = true;
    receive_end_request(stream);
    return receive_release(stream);
}

/* A header block for a stream that is closed, or whose identifier was skipped. */
static enum http2_error receive_take_late_headers(struct http2_session *session, uint32_t id,
                                                  struct slice bytes)
{
    struct decoder_block block;
    enum decoder_verdict verdict = receive_decode(session, bytes, true, &block);
    if (receive_lost_hpack_state(verdict))
        return receive_hpack_error(session, id, verdict);
    if (session_is_ending(session))
        return receive_count_idle_frame(session);
    switch (stream_past(session, id)) {
    case PAST_RESET:
        return receive_count_idle_frame(session);
    case PAST_CLOSED:
        return HTTP2_STREAM_CLOSED;
    default:
        return session_error(session, HTTP2_PROTOCOL_ERROR,
                             "the identifiers of new streams must increase");
    }
}

/* While clients hold much memory (base/account.h), a connection with more bytes of answers queued
 * must take some before its next requests are accepted. */
#define QUEUED_WHEN_TIGHT ((size_t)256 * 1024)

/* The most streams per connection while the system has no memory (base/reserve.h). */
#define STREAMS_WHEN_STARVED 16

/* True if a well-formed request must be refused; it is then safe to retry. */
static bool receive_must_refuse(const struct http2_session *session)
{
    const struct http2_limits *limits = &session->context->limits;
    size_t queued = http2_session_queued(session);
    return session->drain_steps == 2 || session->streams.count >= limits->max_streams ||
           queued > limits->max_queued || (queued > QUEUED_WHEN_TIGHT && account_is_tight()) ||
           (session->streams.count >= STREAMS_WHEN_STARVED && reserve_is_broken());
}

/* Exceeding MAX_CONCURRENT_STREAMS counts against the peer only once it has acknowledged our
 * SETTINGS. */
static enum http2_error receive_refuse_request(struct http2_session *session, uint32_t id)
{
    bool too_many = session->streams.count >= session->context->limits.max_streams;
    atomic_fetch_add_explicit(&session->context->refused, 1, memory_order_relaxed);
    receive_reset_absent(session, id, HTTP2_REFUSED_STREAM);
    return too_many && session->pending_settings == 0 ? receive_count_forced_reset(session)
                                                      : HTTP2_NO_ERROR;
}

/* A request with too large fields: the application answers it with an error, and the connection
 * goes on. An HPACK bomb, which no client sends by accident, counts as a provoked reset, too. */
static enum http2_error receive_take_oversized(struct http2_stream *stream,
                                               const struct decoder_block *block)
{
    struct http2_session *session = stream->session;
    const struct http2_request request = {.fields = block->fields, .count = block->count};
    session->context->handler->on_oversized(session->user, stream, &request);
    receive_release(stream);
    return block->bomb ? receive_count_forced_reset(session) : HTTP2_NO_ERROR;
}

/* The stream error for a malformed or too large request, or HTTP2_NO_ERROR. */
static enum http2_error receive_check_request(const struct http2_session *session,
                                              enum decoder_verdict verdict,
                                              const struct decoder_block *block, bool end)
{
    if (verdict == DECODER_TOO_LARGE)
        return session->context->handler->on_oversized == NULL ? HTTP2_ENHANCE_YOUR_CALM
                                                               : HTTP2_NO_ERROR;
    bool malformed = verdict == DECODER_MALFORMED || (end && block->content_length > 0);
    return malformed ? HTTP2_PROTOCOL_ERROR : HTTP2_NO_ERROR;
}

static enum http2_error receive_take_request(struct http2_session *session, uint32_t id,
                                             struct slice bytes, bool end)
{
    DCHECK(id > session->last_stream && session->block_stream == 0);
    struct decoder_block block;
    session->last_stream = id;
    session->resettable++;
    if (session_is_ending(session)) /* ignored, as the GOAWAY announced */
        return receive_count_idle_frame(session);
    enum decoder_verdict verdict = receive_decode(session, bytes, false, &block);
    if (receive_lost_hpack_state(verdict))
        return receive_hpack_error(session, id, verdict);
    enum http2_error error = receive_check_request(session, verdict, &block, end);
    if (error != HTTP2_NO_ERROR)
        return receive_stream_error(session, id, error);
    if (receive_must_refuse(session))
        return receive_refuse_request(session, id);
    struct http2_stream *stream = stream_open(session, id);
    stream->ended = end;
    stream->held = true;
    if (verdict == DECODER_TOO_LARGE)
        return receive_take_oversized(stream, &block);
    const struct http2_request request = {
        .fields = block.fields, .count = block.count, .block_id = block.id};
    session->idle_frames = 0;
    stream->content_left = block.content_length;
    session->context->handler->on_request(session->user, stream, &request);
    if (end)
        receive_end_request(stream);
    return receive_release(stream);
}

static enum http2_error receive_take_block(struct http2_session *session, uint32_t id,
                                           struct slice bytes, bool end)
{
    session->block_start_ms = 0; /* the block is complete */
    struct http2_stream *stream = stream_find(session, id);
    if (stream != NULL)
        return receive_take_trailers(stream, bytes, end);
    if (id <= session->last_stream)
        return receive_take_late_headers(session, id, bytes);
    return receive_take_request(session, id, bytes, end);
}

/* Appends a fragment to a block that is split into several frames. */
static enum http2_error receive_append_fragment(struct http2_session *session, struct slice bytes)
{
    struct buf *block = &session->block;
    size_t capacity = block->cap;
    if (session_is_ending(session))
        return HTTP2_NO_ERROR;
    if (!buf_append(block, bytes))
        return receive_reject_block(
            session, session->block_stream,
            "a header block is far too large; send less metadata (--max-header-size)");
    const char *why;
    if (!account_may_grow(capacity, block->cap, &why))
        return receive_reject_block(session, session->block_stream, why);
    return HTTP2_NO_ERROR;
}

static enum http2_error receive_on_headers(struct http2_session *session, struct frame *frame)
{
    enum http2_error error = receive_strip(session, frame);
    if (error != HTTP2_NO_ERROR)
        return error;
    if ((frame->flags & FRAME_END_HEADERS) != 0)
        return receive_take_block(session, frame->stream_id, frame->payload,
                                  (frame->flags & FRAME_END_STREAM) != 0);
    session->block_stream = frame->stream_id;
    session->block_flags = frame->flags;
    session->continuations = 0;
    buf_clear(&session->block, session->block.limit);
    return receive_append_fragment(session, frame->payload);
}

/* A fragment in a CONTINUATION frame; max_block_bytes bounds the large ones. */
static enum http2_error receive_take_fragment(struct http2_session *session, struct slice bytes)
{
    if (session_is_ending(session))
        return receive_count_idle_frame(session);
    if (bytes.len < FRAME_MAX_PAYLOAD / 2 &&
        ++session->continuations > session->context->limits.max_continuations)
        return receive_reject_block(
            session, session->block_stream,
            "a header block is split into too many CONTINUATION frames (--max-continuations)");
    return receive_append_fragment(session, bytes);
}

static enum http2_error receive_on_continuation(struct http2_session *session, struct frame *frame)
{
    if (session->block_stream == 0 || frame->stream_id != session->block_stream)
        return session_error(
            session, HTTP2_PROTOCOL_ERROR,
            "a CONTINUATION frame does not follow HEADERS or CONTINUATION of its stream");
    enum http2_error error = receive_take_fragment(session, frame->payload);
    if (error != HTTP2_NO_ERROR || (frame->flags & FRAME_END_HEADERS) == 0)
        return error;
    uint32_t id = session->block_stream;
    session->block_stream = 0;
    error = receive_take_block(session, id, buf_slice(&session->block),
                               (session->block_flags & FRAME_END_STREAM) != 0);
    buf_clear(&session->block, 0);
    return error;
}

/* DATA. */

static void receive_open_window(struct http2_session *session, uint32_t id, int32_t by,
                                int32_t *unacknowledged, int32_t *window)
{
    DCHECK((int64_t)*window + by <= FRAME_MAX_WINDOW);
    send_window_update(session, id, (uint32_t)by);
    *window += by;
    *unacknowledged -= by;
}

/* Sends WINDOW_UPDATE once half the window is used up, so that few frames are needed. */
static void receive_update_window(struct http2_session *session, uint32_t id,
                                  int32_t *unacknowledged, int32_t *window, uint32_t size)
{
    if (*unacknowledged >= (int32_t)(size / 2))
        receive_open_window(session, id, *unacknowledged, unacknowledged, window);
}

/* Half of an expected body would be used up while the window is open for the rest. */
void receive_update_stream_window(struct http2_stream *stream)
{
    struct http2_session *session = stream->session;
    int64_t missing = (int64_t)stream->expected_bytes - stream->receive_window;
    if (stream->window_held || stream->ended)
        return;
    if (stream->expected_bytes == 0)
        receive_update_window(session, stream->id, &stream->unacknowledged, &stream->receive_window,
                              session->context->limits.stream_window);
    else if (missing > 0)
        receive_open_window(session, stream->id, (int32_t)missing, &stream->unacknowledged,
                            &stream->receive_window);
}

void http2_request_expect(struct http2_stream *stream, size_t size)
{
    DCHECK(stream->held);
    stream->expected_bytes = size < FRAME_MAX_WINDOW ? (uint32_t)size : FRAME_MAX_WINDOW;
}

static enum http2_error receive_take_connection_window(struct http2_session *session, size_t size)
{
    if ((int64_t)size > session->receive_window)
        return HTTP2_FLOW_CONTROL_ERROR;
    session->receive_window -= (int32_t)size;
    session->unacknowledged += (int32_t)size;
    DCHECK(session->receive_window + (int64_t)session->unacknowledged ==
           (int64_t)session->context->limits.connection_window);
    receive_update_window(session, 0, &session->unacknowledged, &session->receive_window,
                          session->context->limits.connection_window);
    return HTTP2_NO_ERROR;
}

/* DATA for a stream that is not open. It is ignored if we reset the stream, which the peer may not
 * know yet, or if it closed so long ago that the reason is no longer known. */
static enum http2_error receive_take_late_data(struct http2_session *session,
                                               const struct frame *frame)
{
    uint32_t id = frame->stream_id;
    if (id > session->last_stream)
        return HTTP2_PROTOCOL_ERROR;
    if (stream_past(session, id) == PAST_CLOSED)
        return receive_stream_error(session, id, HTTP2_STREAM_CLOSED);
    return frame->payload.len == 0 ? receive_count_idle_frame(session) : HTTP2_NO_ERROR;
}

static enum http2_error receive_take_data(struct http2_stream *stream, struct slice data, bool end)
{
    struct http2_session *session = stream->session;
    bool counted = stream->content_left >= 0;
    if (counted && (int64_t)data.len > stream->content_left)
        return receive_reset_stream(stream, HTTP2_PROTOCOL_ERROR);
    if (counted)
        stream->content_left -= (int64_t)data.len;
    bool is_short = end && stream->content_left > 0;
    stream->ended = end && !is_short;
    stream->held = true;
    if (data.len > 0 && !stream->answered)
        session->context->handler->on_data(session->user, stream, data);
    if (is_short && !stream->ended) /* `ended` if on_data has answered, which resets the stream */
        return receive_reset_stream(stream, HTTP2_PROTOCOL_ERROR);
    if (stream->ended)
        receive_end_request(stream);
    else
        receive_update_stream_window(stream);
    receive_release(stream);
    return data.len == 0 && !end ? receive_count_idle_frame(session) : HTTP2_NO_ERROR;
}

static enum http2_error receive_on_data(struct http2_session *session, struct frame *frame)
{
    size_t size = frame->payload.len; /* padding counts towards flow control, too (RFC 9113,
                                         6.9.1) */
    enum http2_error error = receive_strip(session, frame);
    if (error != HTTP2_NO_ERROR)
        return error;
    struct http2_stream *stream = stream_find(session, frame->stream_id);
    if (stream != NULL || frame->stream_id <= session->last_stream)
        error = receive_take_connection_window(session, size);
    if (error != HTTP2_NO_ERROR)
        return error;
    if (stream == NULL)
        return receive_take_late_data(session, frame);
    if (stream->ended)
        return HTTP2_STREAM_CLOSED;
    if ((int64_t)size > stream->receive_window)
        return receive_reset_stream(stream, HTTP2_FLOW_CONTROL_ERROR);
    stream->receive_window -= (int32_t)size;
    stream->unacknowledged += (int32_t)size;
    stream->expected_bytes -=
        size < stream->expected_bytes ? (uint32_t)size : stream->expected_bytes;
    DCHECK(stream->receive_window + (int64_t)stream->unacknowledged ==
           (int64_t)session->context->limits.stream_window);
    return receive_take_data(stream, frame->payload, (frame->flags & FRAME_END_STREAM) != 0);
}

/* RST_STREAM and PRIORITY. */

/*
 * True if the reset counts as a rapid reset: the peer cancels without waiting for an answer that is
 * due or being sent. Such cancels cause wasted work at any rate, however few streams are open at a
 * time; cancels after cancel_grace_ms are bounded by the number of streams.
 */
static bool receive_is_rapid_reset(const struct http2_stream *stream)
{
    const struct http2_session *session = stream->session;
    if (stream->answered)
        return false;
    return (!stream->ended && !stream->streaming) ||
           session->now_ms - stream->ended_ms < session->context->limits.cancel_grace_ms;
}

/*
 * RFC 9113, 5.1 forbids RST_STREAM for an idle stream, but gRPC's C core (of Python, C++, Ruby,
 * PHP) sends it if a deadline expires between the choice of the stream identifier and HEADERS, as
 * it does when many calls expire together. After the first request it is ignored.
 */
static enum http2_error receive_on_reset(struct http2_session *session, struct frame *frame)
{
    if (frame->payload.len != 4)
        return session_error(session, HTTP2_FRAME_SIZE_ERROR,
                             "an RST_STREAM frame must have 4 bytes");
    if (!receive_is_client_stream(frame->stream_id) || session->last_stream == 0)
        return session_error(session, HTTP2_PROTOCOL_ERROR,
                             "RST_STREAM was sent for a stream that the client has not opened");
    struct http2_stream *stream = stream_find(session, frame->stream_id);
    bool is_due = session->resettable > 0;
    if (is_due)
        session->resettable--;
    if (stream == NULL) /* each request may be reset once, even after its answer was sent */
        return is_due ? HTTP2_NO_ERROR : receive_count_idle_frame(session);
    bool is_rapid = receive_is_rapid_reset(stream);
    stream_close(stream);
    stream_note_past(session, frame->stream_id, PAST_CLOSED);
    return is_rapid ? receive_count_cancel(session) : HTTP2_NO_ERROR;
}

/* PRIORITY is ignored. A wrong size is a stream error (RFC 9113, 6.3), but for a stream that is not
 * open a connection error. */
static enum http2_error receive_on_priority(struct http2_session *session, struct frame *frame)
{
    struct http2_stream *stream = stream_find(session, frame->stream_id);
    if (frame->stream_id == 0)
        return session_error(session, HTTP2_PROTOCOL_ERROR,
                             "PRIORITY must have a stream identifier other than 0");
    if (frame->payload.len == 5)
        return receive_count_idle_frame(session);
    if (stream != NULL)
        return receive_reset_stream(stream, HTTP2_FRAME_SIZE_ERROR);
    return session_error(session, HTTP2_FRAME_SIZE_ERROR, "a PRIORITY frame must have 5 bytes");
}

/* SETTINGS. */

static bool receive_grow_stream_window(struct http2_stream *stream, int32_t by)
{
    int64_t window = (int64_t)stream->send_window + by;
    if (window > FRAME_MAX_WINDOW)
        return false;
    stream->send_window = (int32_t)window;
    send_resume(stream);
    return true;
}

static bool receive_grow_each_window(void *by, struct http2_stream *stream)
{
    return receive_grow_stream_window(stream, *(const int32_t *)by);
}

static enum http2_error receive_set_initial_window(struct http2_session *session, uint32_t size)
{
    if (size > FRAME_MAX_WINDOW)
        return HTTP2_FLOW_CONTROL_ERROR;
    int32_t by = (int32_t)size - session->initial_send_window;
    session->initial_send_window = (int32_t)size;
    return http2_session_visit(session, receive_grow_each_window, &by) ? HTTP2_NO_ERROR
                                                                       : HTTP2_FLOW_CONTROL_ERROR;
}

static enum http2_error receive_setting_error(struct http2_session *session)
{
    return session_error(session, HTTP2_PROTOCOL_ERROR,
                         "a SETTINGS frame has a value outside the range of RFC 9113, 6.5.2");
}

static enum http2_error receive_apply_setting(struct http2_session *session, unsigned id,
                                              uint32_t value)
{
    switch (id) {
    case SETTING_HEADER_TABLE_SIZE:
        encoder_set_allowed(&session->encoder, value);
        return HTTP2_NO_ERROR;
    case SETTING_ENABLE_PUSH:
    case SETTING_NO_RFC7540_PRIORITIES:
        return value <= 1 ? HTTP2_NO_ERROR : receive_setting_error(session);
    case SETTING_INITIAL_WINDOW_SIZE:
        return receive_set_initial_window(session, value);
    case SETTING_MAX_FRAME_SIZE:
        return value >= FRAME_MAX_PAYLOAD && value <= 0xffffff ? HTTP2_NO_ERROR
                                                               : receive_setting_error(session);
    default:
        return HTTP2_NO_ERROR;
    }
}

static enum http2_error receive_take_settings_ack(struct http2_session *session, size_t size)
{
    if (size != 0)
        return session_error(session, HTTP2_FRAME_SIZE_ERROR,
                             "a SETTINGS acknowledgement must be empty");
    if (session->pending_settings == 0)
        return session_error(session, HTTP2_PROTOCOL_ERROR,
                             "a SETTINGS acknowledgement came without SETTINGS to acknowledge");
    session->pending_settings--;
    return HTTP2_NO_ERROR;
}

static enum http2_error receive_on_settings(struct http2_session *session, struct frame *frame)
{
    struct slice entries = frame->payload;
    if (frame->stream_id != 0)
        return HTTP2_PROTOCOL_ERROR;
    if ((frame->flags & FRAME_ACK) != 0)
        return receive_take_settings_ack(session, entries.len);
    if (entries.len % 6 != 0)
        return HTTP2_FRAME_SIZE_ERROR;
    if (entries.len / 6 > session->context->limits.max_settings)
        return session_error(session, HTTP2_ENHANCE_YOUR_CALM,
                             "a SETTINGS frame has too many entries (--max-settings-entries)");
    for (; entries.len > 0; entries = slice_skip(entries, 6)) {
        unsigned id = (unsigned)entries.data[0] << 8 | entries.data[1];
        enum http2_error error =
            receive_apply_setting(session, id, frame_read_u32(entries.data + 2));
        if (error != HTTP2_NO_ERROR)
            return error;
    }
    session->settings_received = true;
    session->encoder.settled = true;
    send_settings_ack(session);
    return receive_count_idle_frame(session);
}

/* PING, GOAWAY, WINDOW_UPDATE, PUSH_PROMISE. */

static enum http2_error receive_on_ping(struct http2_session *session, struct frame *frame)
{
    if (frame->stream_id != 0)
        return HTTP2_PROTOCOL_ERROR;
    if (frame->payload.len != 8)
        return HTTP2_FRAME_SIZE_ERROR;
    if ((frame->flags & FRAME_ACK) == 0)
        return pings_take(session, frame->payload.data);
    pings_take_ack(session, frame->payload.data);
    return HTTP2_NO_ERROR;
}

static enum http2_error receive_on_goaway(struct http2_session *session, struct frame *frame)
{
    (void)session; /* a client's GOAWAY concerns pushed streams only; the client closes when it is
                      done */
    if (frame->stream_id != 0)
        return HTTP2_PROTOCOL_ERROR;
    return frame->payload.len >= 8 ? HTTP2_NO_ERROR : HTTP2_FRAME_SIZE_ERROR;
}

static enum http2_error receive_grow_connection_window(struct http2_session *session, uint32_t by)
{
    int64_t window = (int64_t)session->send_window + by;
    if (by == 0)
        return HTTP2_PROTOCOL_ERROR;
    if (window > FRAME_MAX_WINDOW)
        return HTTP2_FLOW_CONTROL_ERROR;
    session->send_window = (int32_t)window;
    return HTTP2_NO_ERROR;
}

static enum http2_error receive_grow_window_by_id(struct http2_session *session, uint32_t id,
                                                  uint32_t by)
{
    struct http2_stream *stream = stream_find(session, id);
    if (stream == NULL) /* it may have been closed already */
        return receive_is_client_stream(id) && id <= session->last_stream ? HTTP2_NO_ERROR
                                                                          : HTTP2_PROTOCOL_ERROR;
    if (by == 0)
        return receive_reset_stream(stream, HTTP2_PROTOCOL_ERROR);
    return receive_grow_stream_window(stream, (int32_t)by)
               ? HTTP2_NO_ERROR
               : receive_reset_stream(stream, HTTP2_FLOW_CONTROL_ERROR);
}

static enum http2_error receive_on_window_update(struct http2_session *session, struct frame *frame)
{
    if (frame->payload.len != 4)
        return HTTP2_FRAME_SIZE_ERROR;
    uint32_t by = frame_read_u32(frame->payload.data) & INT32_MAX;
    return frame->stream_id == 0 ? receive_grow_connection_window(session, by)
                                 : receive_grow_window_by_id(session, frame->stream_id, by);
}

static enum http2_error receive_on_push_promise(struct http2_session *session, struct frame *frame)
{
    (void)frame;
    return session_error(session, HTTP2_PROTOCOL_ERROR, "PUSH_PROMISE may be sent by servers only");
}

static frame_handler *const handlers[FRAME_TYPE_COUNT] = {
    [FRAME_DATA] = receive_on_data,
    [FRAME_HEADERS] = receive_on_headers,
    [FRAME_PRIORITY] = receive_on_priority,
    [FRAME_RST_STREAM] = receive_on_reset,
    [FRAME_SETTINGS] = receive_on_settings,
    [FRAME_PUSH_PROMISE] = receive_on_push_promise,
    [FRAME_PING] = receive_on_ping,
    [FRAME_GOAWAY] = receive_on_goaway,
    [FRAME_WINDOW_UPDATE] = receive_on_window_update,
    [FRAME_CONTINUATION] = receive_on_continuation,
};

enum http2_error receive_frame(struct http2_session *session, struct frame *frame)
{
    DCHECK(frame->payload.len <= FRAME_MAX_PAYLOAD && !session->failed);
    bool is_settings = frame->type == FRAME_SETTINGS && (frame->flags & FRAME_ACK) == 0;
    if (!session->settings_received && !is_settings)
        return session_error(session, HTTP2_PROTOCOL_ERROR,
                             "the first frame after the preface must be SETTINGS");
    if (session->block_stream != 0 && frame->type != FRAME_CONTINUATION)
        return session_error(session, HTTP2_PROTOCOL_ERROR,
                             "only CONTINUATION may follow until the header block is complete");
    if (frame->type >= FRAME_TYPE_COUNT)
        return receive_count_idle_frame(session); /* RFC 9113, 5.5: unknown types are ignored */
    return handlers[frame->type](session, frame);
}
