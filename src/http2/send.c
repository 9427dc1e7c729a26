/*
 * Everything that a session sends. An answer is written directly to the output if flow control
 * allows; otherwise its body is queued in the stream, and the queued streams are served
 * round-robin, one DATA frame at a time.
 */
#include "base/check.h"
#include "http2/session.h"

static uint8_t *send_append_frame(struct http2_session *session, size_t length,
                                  enum frame_type type, unsigned flags, uint32_t stream_id)
{
    DCHECK(length <= FRAME_MAX_PAYLOAD);
    uint8_t *at = chain_append(session->out, FRAME_HEADER_SIZE + length);
    frame_write_header(at, length, type, flags, stream_id);
    return at + FRAME_HEADER_SIZE;
}

static size_t send_min(size_t a, int32_t b)
{
    return b < 0 ? 0 : a < (size_t)b ? a : (size_t)b;
}

/* Control frames. */

void send_settings(struct http2_session *session)
{
    const struct http2_limits *limits = &session->context->limits;
    const struct {
        uint16_t id;
        uint32_t value;
    } entries[] = {
        {SETTING_MAX_CONCURRENT_STREAMS, limits->max_streams},
        {SETTING_INITIAL_WINDOW_SIZE, limits->stream_window},
        {SETTING_MAX_HEADER_LIST_SIZE, (uint32_t)limits->max_header_bytes},
        {SETTING_NO_RFC7540_PRIORITIES, 1},
    };
    const size_t count = sizeof entries / sizeof entries[0];
    uint8_t *at = send_append_frame(session, count * 6, FRAME_SETTINGS, 0, 0);
    for (size_t i = 0; i < count; i++) {
        at[6 * i] = (uint8_t)(entries[i].id >> 8);
        at[6 * i + 1] = (uint8_t)entries[i].id;
        frame_write_u32(at + 6 * i + 2, entries[i].value);
    }
    session->pending_settings++;
}

/* Counts control frames that the peer caused and has not read yet. */
static void send_count_control(struct http2_session *session, size_t length)
{
    if (session->out == &session->backlog)
        session->unsent_control += FRAME_HEADER_SIZE + length;
}

static uint8_t *send_append_ack(struct http2_session *session, size_t length, enum frame_type type)
{
    send_count_control(session, length);
    return send_append_frame(session, length, type, FRAME_ACK, 0);
}

void send_settings_ack(struct http2_session *session)
{
    send_append_ack(session, 0, FRAME_SETTINGS);
}

void send_ping(struct http2_session *session, const uint8_t data[8], bool ack)
{
    uint8_t *at = ack ? send_append_ack(session, 8, FRAME_PING)
                      : send_append_frame(session, 8, FRAME_PING, 0, 0);
    memcpy(at, data, 8);
}

void send_goaway(struct http2_session *session, uint32_t last_stream, enum http2_error error,
                 const char *text)
{
    struct slice debug = slice_from_string(text);
    uint8_t *at = send_append_frame(session, 8 + debug.len, FRAME_GOAWAY, 0, 0);
    /* RFC 9113, 6.8: the last stream identifier must not increase. */
    if (last_stream < session->announced_stream)
        session->announced_stream = last_stream;
    frame_write_u32(at, session->announced_stream);
    frame_write_u32(at + 4, error);
    memcpy(at + 8, debug.data, debug.len);
}

void send_window_update(struct http2_session *session, uint32_t stream_id, uint32_t bytes)
{
    DCHECK(bytes > 0 && bytes <= FRAME_MAX_WINDOW);
    frame_write_u32(send_append_frame(session, 4, FRAME_WINDOW_UPDATE, 0, stream_id), bytes);
}

void send_reset(struct http2_session *session, uint32_t stream_id, enum http2_error error)
{
    send_count_control(session, 4);
    frame_write_u32(send_append_frame(session, 4, FRAME_RST_STREAM, 0, stream_id), error);
}

/* Bytes of memory that a stream keeps between two pages of its reply. */
#define KEPT_PAGE ((size_t)4096)

/* Answers. */

/* Appends a memoised block of `length` bytes; ENCODER_MAX_KEPT are readable, so that the copy has a
 * constant size. */
static void send_append_memo(struct http2_stream *stream, const uint8_t *block, size_t length,
                             unsigned flags)
{
    struct chain *out = stream->session->out;
    uint8_t *at = chain_append(out, FRAME_HEADER_SIZE + ENCODER_MAX_KEPT);
    frame_write_header(at, length, FRAME_HEADERS, flags, stream->id);
    memcpy(at + FRAME_HEADER_SIZE, block, ENCODER_MAX_KEPT);
    out->bytes.len -= ENCODER_MAX_KEPT - length;
}

static void send_append_headers(struct http2_stream *stream, const struct http2_field *fields,
                                size_t count, bool lasting, bool end)
{
    struct http2_session *session = stream->session;
    struct chain *out = session->out;
    unsigned flags = FRAME_END_HEADERS | (end ? FRAME_END_STREAM : 0u);
    const uint8_t *memo = lasting ? encoder_recall(&session->encoder, fields, count) : NULL;
    if (memo != NULL) {
        send_append_memo(stream, memo, count, flags);
        return;
    }
    size_t bound = encoder_bound(fields, count);
    uint8_t *header = chain_append(out, FRAME_HEADER_SIZE + bound);
    uint8_t *block = header + FRAME_HEADER_SIZE;
    size_t length =
        (size_t)(encoder_write(&session->encoder, fields, count, lasting, block) - block);
    DCHECK(length <= bound);
    CHECK(length <= FRAME_MAX_PAYLOAD); /* the application keeps its fields short */
    frame_write_header(header, length, FRAME_HEADERS, flags, stream->id);
    out->bytes.len -= bound - length;
}

/* The rest of the request is not wanted. */
static void send_refuse_rest(struct http2_stream *stream)
{
    send_reset(stream->session, stream->id, HTTP2_NO_ERROR);
    stream_note_past(stream->session, stream->id, PAST_RESET);
    stream->ended = true;
    stream->sent = true;
    if (!stream->held)
        stream_close(stream);
}

/* The whole answer has been written to the output. */
static void send_complete(struct http2_stream *stream)
{
    DCHECK(stream->answered && stream->body_left == 0 && !stream->queued);
    if (stream->streaming && !stream->ended) {
        send_refuse_rest(stream);
        return;
    }
    stream->sent = true;
    stream_note_past(stream->session, stream->id, PAST_CLOSED);
    if (stream->ended && !stream->held)
        stream_close(stream);
}

static bool send_can_go_directly(const struct http2_stream *stream, size_t size)
{
    const struct http2_session *session = stream->session;
    return session->queue_head == NULL && size <= FRAME_MAX_PAYLOAD &&
           (int64_t)size <= session->send_window && (int64_t)size <= stream->send_window &&
           chain_length(session->out) < session->context->limits.max_output;
}

void http2_answer_begin(struct http2_stream *stream, const struct http2_field *fields, size_t count,
                        size_t size)
{
    DCHECK(!stream->answered && stream->body_left == 0);
    struct http2_session *session = stream->session;
    send_append_headers(stream, fields, count, true, false);
    stream->direct = send_can_go_directly(stream, size);
    if (stream->direct) {
        frame_write_header(chain_append(session->out, FRAME_HEADER_SIZE), size, FRAME_DATA, 0,
                           stream->id);
        session->send_window -= (int32_t)size;
        stream->send_window -= (int32_t)size;
        session->sent += size;
    } else {
        stream->body_left = size;
        session->queued += size;
    }
}

struct chain *http2_answer_body(struct http2_stream *stream)
{
    return stream->direct ? stream->session->out : &stream->body;
}

static void send_enqueue(struct http2_stream *stream)
{
    DCHECK(!stream->queued && !stream->sent && stream->send_window > 0);
    DCHECK(stream->answered || stream->streaming);
    struct http2_session *session = stream->session;
    stream->queued = true;
    stream->queue_next = NULL;
    if (session->queue_tail != NULL)
        session->queue_tail->queue_next = stream;
    else
        session->queue_head = stream;
    session->queue_tail = stream;
}

/* Others do not wait for it: its application, not the connection, is slow to read. */
static void send_park(struct http2_stream *stream)
{
    if (!stream->streaming || stream->parked || stream->body_left == 0 || stream->send_window > 0)
        return;
    stream->parked = true;
    stream->session->parked += stream->body_left;
}

static void send_unpark(struct http2_stream *stream)
{
    if (!stream->parked)
        return;
    DCHECK(stream->session->parked >= stream->body_left);
    stream->parked = false;
    stream->session->parked -= stream->body_left;
}

static void send_dequeue(struct http2_session *session)
{
    CHECK(session->queue_head != NULL && session->queue_head->queued);
    struct http2_stream *stream = session->queue_head;
    session->queue_head = stream->queue_next;
    if (session->queue_head == NULL)
        session->queue_tail = NULL;
    stream->queued = false;
    DCHECK((session->queue_head == NULL) == (session->queue_tail == NULL));
}

static void send_keep_trailers(struct http2_stream *stream, const struct http2_field *trailers,
                               size_t count)
{
    CHECK(count <= UINT8_MAX);
    stream->trailers = trailers;
    stream->trailer_count = (uint8_t)count;
}

void http2_answer_end(struct http2_stream *stream, const struct http2_field *trailers, size_t count)
{
    DCHECK(!stream->answered);
    DCHECK(stream->direct ||
           chain_length(&stream->body) == stream->body_left); /* as http2_answer_begin()
                                                                 announced */
    stream->answered = true;
    bucket_give(&stream->session->cancels);
    bucket_give(&stream->session->forced_resets);
    if (stream->direct) {
        send_append_headers(stream, trailers, count, true, true);
        send_complete(stream);
        return;
    }
    send_keep_trailers(stream, trailers, count);
    if (stream->send_window > 0)
        send_enqueue(stream);
}

void http2_answer_continue(struct http2_stream *stream)
{
    static const struct http2_field status = {SLICE_LITERAL(":status"), SLICE_LITERAL("100")};
    if (!stream->ended)
        send_append_headers(stream, &status, 1, false, false);
}

void http2_answer_without_body(struct http2_stream *stream, const struct http2_field *fields,
                               size_t count)
{
    CHECK(!stream->answered);
    stream->answered = true;
    send_append_headers(stream, fields, count, false, true);
    stream->session->pings.answered = true;
    if (!stream->ended)
        send_refuse_rest(stream);
    else
        send_complete(stream);
}

/* Replies that are written incrementally. */

/* True if the stream has its turn as soon as its window allows. */
static bool send_wants_turn(const struct http2_stream *stream)
{
    if (stream->answered || !stream->streaming)
        return stream->answered && stream->body_left > 0;
    return stream->body_left > 0 || stream->ready;
}

void http2_reply_begin(struct http2_stream *stream, const struct http2_field *fields, size_t count)
{
    DCHECK(!stream->answered && !stream->streaming);
    DCHECK(stream->session->context->handler->on_room != NULL);
    send_append_headers(stream, fields, count, true, false);
    stream->session->pings.answered = true;
    stream->streaming = true;
    if (!stream->ended)
        stream->ended_ms = stream->session->now_ms;
    stream->ready = true;
    send_resume(stream);
}

void http2_reply_ready(struct http2_stream *stream)
{
    DCHECK(stream->streaming);
    stream->ready = true;
    stream->announced = true;
    if (!stream->asking)
        send_resume(stream);
}

void http2_reply_end(struct http2_stream *stream, const struct http2_field *trailers, size_t count)
{
    CHECK(stream->streaming && !stream->answered);
    stream->answered = true;
    send_keep_trailers(stream, trailers, count);
    stream->session->pings.answered = true;
    bucket_give(&stream->session->cancels);
    bucket_give(&stream->session->forced_resets);
    if (stream->asking || stream->body_left > 0)
        return; /* they follow the body */
    send_remove(stream);
    send_append_headers(stream, trailers, count, false, true);
    send_complete(stream);
}

void send_drop_body(struct http2_stream *stream)
{
    struct http2_session *session = stream->session;
    send_unpark(stream);
    send_remove(stream);
    DCHECK(session->queued >= stream->body_left);
    session->queued -= stream->body_left;
    stream->body_left = 0;
}

void http2_reply_abort(struct http2_stream *stream, const struct http2_field *trailers,
                       size_t count)
{
    CHECK(stream->streaming && !stream->asking && !stream->sent);
    send_drop_body(stream);
    chain_clear(&stream->body, KEPT_PAGE);
    stream->body_sent = (struct chain_cursor){0};
    if (!stream->answered) {
        http2_reply_end(stream, trailers, count);
        return;
    }
    send_append_headers(stream, trailers, count, false, true);
    send_complete(stream);
}

size_t http2_stream_parked(const struct http2_stream *stream, uint64_t *taken)
{
    *taken = stream->taken;
    if (stream->parked)
        return stream->body_left;
    return stream->announced && !stream->answered && stream->send_window <= 0;
}

void http2_request_hold(struct http2_stream *stream, bool hold)
{
    stream->window_held = hold;
    receive_update_stream_window(stream);
}

/* Lets the application append what the windows allow. */
static void send_ask(struct http2_stream *stream)
{
    struct http2_session *session = stream->session;
    size_t room = send_min(HTTP2_REPLY_PAGE, session->send_window);
    room = send_min(room, stream->send_window);
    DCHECK(room > 0 && stream->body_left == 0);
    chain_clear(&stream->body, KEPT_PAGE);
    stream->body_sent = (struct chain_cursor){0};
    stream->announced = false;
    stream->ready = false; /* unless http2_reply_ready() is called meanwhile */
    stream->asking = true;
    session->context->handler->on_room(session->user, stream, &stream->body, room);
    stream->asking = false;
    stream->body_left = chain_length(&stream->body);
    session->queued += stream->body_left;
    if (stream->body_left > 0)
        stream->ready = true;
}

/* Queued bodies. */

/* Sends the next frame of the stream's body. */
static void send_body_frame(struct http2_stream *stream, size_t size)
{
    struct http2_session *session = stream->session;
    frame_write_header(chain_append(session->out, FRAME_HEADER_SIZE), size, FRAME_DATA, 0,
                       stream->id);
    chain_append_range(session->out, &stream->body, &stream->body_sent, size);
    DCHECK((int64_t)size <= session->send_window && (int64_t)size <= stream->send_window);
    session->send_window -= (int32_t)size;
    stream->send_window -= (int32_t)size;
    DCHECK(session->queued >= size && size <= stream->body_left);
    stream->body_left -= size;
    session->queued -= size;
    session->sent += size;
    stream->taken += size;
    session->progress_ms = session->now_ms;
}

/* Sends the next frame of the first stream in the queue. */
static void send_next_frame(struct http2_session *session)
{
    struct http2_stream *stream = session->queue_head;
    send_dequeue(session);
    if (stream->send_window <= 0) {
        send_park(stream);
        return; /* SETTINGS have since reduced its window; send_resume() requeues it */
    }
    if (stream->streaming && stream->body_left == 0)
        send_ask(stream);
    size_t size = send_min(stream->body_left, FRAME_MAX_PAYLOAD);
    size = send_min(send_min(size, session->send_window), stream->send_window);
    if (size > 0)
        send_body_frame(stream, size);
    if (stream->answered && stream->body_left == 0) {
        send_append_headers(stream, stream->trailers, stream->trailer_count, !stream->streaming,
                            true);
        send_complete(stream);
    } else if (stream->send_window > 0 && send_wants_turn(stream)) {
        send_enqueue(stream);
    } else {
        send_park(stream);
    }
}

void send_queued(struct http2_session *session)
{
    const struct http2_limits *limits = &session->context->limits;
    const struct chain *out = session->out;
    while (session->queue_head != NULL && session->send_window > 0 &&
           out->bytes.len < limits->max_output && out->referenced < limits->max_referenced)
        send_next_frame(session);
}

void send_resume(struct http2_stream *stream)
{
    if (stream->send_window > 0)
        send_unpark(stream);
    if (!stream->queued && stream->send_window > 0 && send_wants_turn(stream))
        send_enqueue(stream);
}

void send_remove(struct http2_stream *stream)
{
    struct http2_session *session = stream->session;
    if (!stream->queued)
        return;
    struct http2_stream *previous = NULL;
    struct http2_stream *at = session->queue_head;
    while (at != stream) {
        CHECK(at != NULL); /* a queued stream is in the queue */
        previous = at;
        at = at->queue_next;
    }
    if (previous == NULL) {
        send_dequeue(session);
        return;
    }
    previous->queue_next = stream->queue_next;
    if (session->queue_tail == stream)
        session->queue_tail = previous;
    stream->queued = false;
}
