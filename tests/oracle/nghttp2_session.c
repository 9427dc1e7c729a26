/*
 * Implements http2/http2.h with nghttp2's server session: the oracle for our own session in
 * tests/differential, and its competitor in script/bench. Ignores the clock: it enforces only the
 * limits that nghttp2 can count.
 */
#include "http2/http2.h"

#include "base/mem.h"
#include "http2/fields.h"

#include <nghttp2/nghttp2.h>
#include <stdalign.h>
#include <stdlib.h>

/* Bytes of answer buffer that a pooled stream keeps. */
#define KEPT_BODY ((size_t)4096)
/* Streams in the pool of a context. */
#define KEPT_STREAMS 4096
/* The most header fields of an answer. */
#define MAX_FIELDS 16
/* The PING of a drain. */
static const uint8_t drain_ping[8] = "drain";
/* The overhead of a field beyond its name and value (RFC 9113, 6.5.2). */
#define FIELD_OVERHEAD 32

struct http2_context {
    struct http2_limits limits;
    const struct http2_handler *handler;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *options;
    struct http2_stream *kept; /* the pool, linked by `next` */
    size_t kept_count;
};

struct http2_stream {
    struct http2_session *session;
    struct http2_stream *next; /* in the list of open streams, or in the pool */
    struct http2_stream *previous;
    int32_t id;
    bool requested; /* on_request was called, so on_close must be */
    bool ended;     /* the request is complete */
    bool answered;
    bool refusing;  /* the rest of the request is not wanted after the answer */
    bool streaming; /* the reply is written incrementally, */
    bool deferred;  /* and nghttp2 waits for more of it */
    struct chain body;
    struct chain_cursor sent;
    size_t left; /* bytes of the body after `sent` */
    const struct http2_field *fields;
    size_t field_count;
    const struct http2_field *trailers;
    size_t trailer_count;
    alignas(max_align_t) uint8_t user[];
};

struct http2_session {
    nghttp2_session *session;
    struct http2_context *context;
    void *user;
    struct http2_stream *open;
    struct fields fields; /* of the header block being received */
    size_t header_bytes;
    size_t queued;       /* bytes of bodies not sent yet, */
    uint64_t body_bytes; /* and of those that were */
    int drain_steps;     /* GOAWAYs of the shutdown submitted */
    bool broken;
};

/* These calls fail only for lack of memory or by misuse. */
static void checked(int result)
{
    if (result < 0)
        abort();
}

/* Streams. */

static struct http2_stream *open_stream(struct http2_session *session, int32_t id)
{
    struct http2_context *context = session->context;
    size_t size = sizeof(struct http2_stream) + context->handler->stream_user_size;
    struct http2_stream *stream = context->kept;
    if (stream != NULL) {
        struct chain body = stream->body; /* empty, with memory */
        context->kept = stream->next;
        context->kept_count--;
        memset(stream, 0, size);
        stream->body = body;
    } else {
        stream = mem_alloc_zero(size);
    }
    stream->session = session;
    stream->id = id;
    stream->next = session->open;
    if (session->open != NULL)
        session->open->previous = stream;
    session->open = stream;
    return stream;
}

static void keep_stream(struct http2_context *context, struct http2_stream *stream)
{
    if (context->kept_count == KEPT_STREAMS) {
        chain_deinit(&stream->body);
        free(stream);
        return;
    }
    chain_clear(&stream->body, KEPT_BODY);
    stream->next = context->kept;
    context->kept = stream;
    context->kept_count++;
}

/* Notifies the application, removes the stream from the open ones and returns its memory to the
 * pool. */
static void close_stream(struct http2_stream *stream)
{
    struct http2_session *session = stream->session;
    if (stream->requested)
        session->context->handler->on_close(session->user, stream);
    session->queued -= stream->left;
    if (stream->previous != NULL)
        stream->previous->next = stream->next;
    else
        session->open = stream->next;
    if (stream->next != NULL)
        stream->next->previous = stream->previous;
    keep_stream(session->context, stream);
}

/* nghttp2's callbacks. */

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct http2_session *session = user;
    fields_clear(&session->fields);
    session->header_bytes = 0;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct http2_stream *stream = open_stream(session, frame->hd.stream_id);
    checked(nghttp2_session_set_stream_user_data(ng, frame->hd.stream_id, stream));
    return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    (void)ng;
    (void)frame;
    (void)flags;
    struct http2_session *session = user;
    session->header_bytes += name_len + value_len + FIELD_OVERHEAD;
    if (session->header_bytes > session->context->limits.max_header_bytes)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    fields_add(&session->fields, slice_make(name, name_len), slice_make(value, value_len));
    return 0;
}

static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *user)
{
    (void)flags;
    struct http2_session *session = user;
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(ng, id);
    if (stream != NULL && !stream->answered)
        session->context->handler->on_data(session->user, stream, slice_make(data, len));
    return 0;
}

static void end_drain(struct http2_session *session)
{
    session->drain_steps = 2;
    int32_t last = nghttp2_session_get_last_proc_stream_id(session->session);
    checked(nghttp2_submit_goaway(session->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL,
                                  0));
}

static void begin_request(struct http2_session *session, struct http2_stream *stream)
{
    const struct http2_request request = {.fields = session->fields.items,
                                          .count = session->fields.count};
    stream->requested = true;
    session->context->handler->on_request(session->user, stream, &request);
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct http2_session *session = user;
    if (session->drain_steps == 1 && frame->hd.type == NGHTTP2_PING &&
        (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 &&
        memcmp(frame->ping.opaque_data, drain_ping, sizeof drain_ping) == 0)
        end_drain(session);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
    if (stream == NULL)
        return 0;
    stream->ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        begin_request(session, stream);
    if (stream->ended && !stream->answered)
        session->context->handler->on_end(session->user, stream);
    return 0;
}

/* Submits what would overtake the frame if submitted together with it. */
static int on_frame_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct http2_session *session = user;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        if (frame->goaway.error_code != NGHTTP2_NO_ERROR)
            session->broken = true;
        else if (frame->goaway.last_stream_id == INT32_MAX)
            checked(nghttp2_submit_ping(ng, NGHTTP2_FLAG_NONE, drain_ping));
    }
    if (frame->hd.type != NGHTTP2_HEADERS || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
        return 0;
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
    if (stream != NULL && stream->refusing && !stream->ended)
        checked(nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR));
    return 0;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t error_code, void *user)
{
    (void)error_code;
    (void)user;
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(ng, id);
    if (stream != NULL)
        close_stream(stream);
    return 0;
}

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *callbacks;
    checked(nghttp2_session_callbacks_new(&callbacks));
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    return callbacks;
}

static nghttp2_option *make_options(const struct http2_limits *limits)
{
    nghttp2_option *options;
    checked(nghttp2_option_new(&options));
    nghttp2_option_set_max_settings(options, limits->max_settings);
    nghttp2_option_set_max_continuations(options, limits->max_continuations);
    nghttp2_option_set_stream_reset_rate_limit(options, limits->reset_burst, limits->resets_per_s);
    return options;
}

/* Contexts and sessions. */

struct http2_context *http2_context_new(const struct http2_limits *limits,
                                        const struct http2_handler *handler)
{
    struct http2_context *context = mem_alloc_zero(sizeof *context);
    context->limits = *limits;
    context->handler = handler;
    context->callbacks = make_callbacks();
    context->options = make_options(limits);
    return context;
}

void http2_context_free(struct http2_context *context)
{
    if (context == NULL)
        return;
    while (context->kept != NULL) {
        struct http2_stream *stream = context->kept;
        context->kept = stream->next;
        chain_deinit(&stream->body);
        free(stream);
    }
    nghttp2_session_callbacks_del(context->callbacks);
    nghttp2_option_del(context->options);
    free(context);
}

static void submit_settings(struct http2_session *session)
{
    const struct http2_limits *limits = &session->context->limits;
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->max_header_bytes},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    checked(nghttp2_submit_settings(session->session, NGHTTP2_FLAG_NONE, entries,
                                    sizeof entries / sizeof entries[0]));
    checked(nghttp2_session_set_local_window_size(session->session, NGHTTP2_FLAG_NONE, 0,
                                                  (int32_t)limits->connection_window));
}

struct http2_session *http2_session_new(struct http2_context *context, void *user, int64_t now_ms)
{
    (void)now_ms;
    struct http2_session *session = mem_alloc_zero(sizeof *session);
    session->context = context;
    session->user = user;
    checked(nghttp2_session_server_new2(&session->session, context->callbacks, session,
                                        context->options));
    submit_settings(session);
    return session;
}

void http2_session_free(struct http2_session *session)
{
    if (session == NULL)
        return;
    while (session->open != NULL)
        close_stream(session->open);
    nghttp2_session_del(session->session);
    fields_deinit(&session->fields);
    free(session);
}

/* Sends GOAWAY where nghttp2 fails without sending one. */
static void give_up(struct http2_session *session, ssize_t error)
{
    uint32_t code = error == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? NGHTTP2_PROTOCOL_ERROR
                    : error == NGHTTP2_ERR_FLOODED || error == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS
                        ? NGHTTP2_ENHANCE_YOUR_CALM
                        : NGHTTP2_INTERNAL_ERROR;
    session->broken = true;
    checked(nghttp2_session_terminate_session(session->session, code));
}

bool http2_session_feed(struct http2_session *session, struct slice bytes, struct chain *out,
                        int64_t now_ms)
{
    if (session->broken)
        return false;
    ssize_t taken = nghttp2_session_mem_recv(session->session, bytes.data, bytes.len);
    session->context->handler->on_feed_end(session->user);
    if (taken < 0 || (size_t)taken < bytes.len)
        give_up(session, taken);
    if (out != NULL)
        http2_session_pull(session, out, now_ms);
    return !session->broken;
}

/* No direct placement. */
size_t http2_session_place(struct http2_session *session, struct iovec *pieces)
{
    (void)session;
    (void)pieces;
    return 0;
}

bool http2_session_feed_placed(struct http2_session *session, size_t size, struct chain *out,
                               int64_t now_ms)
{
    (void)session;
    (void)size;
    (void)out;
    (void)now_ms;
    abort();
}

void http2_session_pull(struct http2_session *session, struct chain *out, int64_t now_ms)
{
    (void)now_ms;
    while (chain_length(out) < session->context->limits.max_output) {
        const uint8_t *frame;
        ssize_t len = nghttp2_session_mem_send(session->session, &frame);
        if (len <= 0) {
            session->broken = session->broken || len < 0;
            return;
        }
        memcpy(chain_append(out, (size_t)len), frame, (size_t)len);
    }
}

size_t http2_session_queued(const struct http2_session *session)
{
    return session->queued;
}

/* It does not distinguish whose window is used up. */
size_t http2_session_owed(const struct http2_session *session)
{
    return session->queued;
}

bool http2_session_finished(const struct http2_session *session)
{
    return session->broken || (nghttp2_session_want_read(session->session) == 0 &&
                               nghttp2_session_want_write(session->session) == 0);
}

struct closing http2_session_expired(const struct http2_session *session, int64_t now_ms)
{
    (void)session;
    (void)now_ms;
    return (struct closing){CLOSING_NONE, NULL};
}

void http2_session_check(struct http2_session *session, int64_t now_ms)
{
    (void)session;
    (void)now_ms;
}

void http2_session_end(struct http2_session *session, struct closing why)
{
    (void)why;
    session->broken = true;
    checked(nghttp2_session_terminate_session(session->session, NGHTTP2_ENHANCE_YOUR_CALM));
}

struct closing http2_session_closing(const struct http2_session *session)
{
    return (struct closing){.kind = session->broken ? CLOSING_PROTOCOL_ERROR : CLOSING_NONE,
                            .text = "nghttp2 does not say why"};
}

/* nghttp2 says nothing in a GOAWAY of a shutdown. */
void http2_session_drain(struct http2_session *session, struct closing why)
{
    (void)why;
    if (session->drain_steps == 1)
        end_drain(session);
    if (session->drain_steps > 0 || session->broken)
        return;
    session->drain_steps = 1;
    checked(nghttp2_submit_shutdown_notice(session->session)); /* on_frame_sent adds the PING */
}

/* It does not count these. */
struct http2_reset_counts http2_context_reset_counts(const struct http2_context *context)
{
    (void)context;
    return (struct http2_reset_counts){0};
}

uint64_t http2_session_sent(const struct http2_session *session)
{
    return session->body_bytes;
}

bool http2_session_visit(const struct http2_session *session,
                         bool (*visit)(void *argument, struct http2_stream *stream), void *argument)
{
    for (struct http2_stream *at = session->open; at != NULL; at = at->next) {
        if (at->requested && !visit(argument, at))
            return false;
    }
    return true;
}

uint32_t http2_session_open_streams(const struct http2_session *session, uint32_t *last_stream)
{
    uint32_t count = 0;
    *last_stream = (uint32_t)nghttp2_session_get_last_proc_stream_id(session->session);
    for (const struct http2_stream *at = session->open; at != NULL; at = at->next)
        count++;
    return count;
}

/* Answers. */

void *http2_stream_user(struct http2_stream *stream)
{
    return stream->user;
}

struct http2_stream *http2_stream_from_user(void *user)
{
    return (struct http2_stream *)(void *)((char *)user - offsetof(struct http2_stream, user));
}

static void fields_to_nv(const struct http2_field *fields, size_t count, nghttp2_nv *nv)
{
    if (count > MAX_FIELDS)
        abort();
    for (size_t i = 0; i < count; i++)
        nv[i] = (nghttp2_nv){.name = (uint8_t *)fields[i].name.data,
                             .namelen = fields[i].name.len,
                             .value = (uint8_t *)fields[i].value.data,
                             .valuelen = fields[i].value.len,
                             .flags = NGHTTP2_NV_FLAG_NONE};
}

static void send_trailers(struct http2_stream *stream)
{
    nghttp2_nv nv[MAX_FIELDS];
    fields_to_nv(stream->trailers, stream->trailer_count, nv);
    checked(
        nghttp2_submit_trailer(stream->session->session, stream->id, nv, stream->trailer_count));
}

/* Copies the next `len` bytes of the answer's body. */
static void copy_body(struct http2_stream *stream, uint8_t *out, size_t len)
{
    while (len > 0) {
        struct iovec piece;
        if (chain_pieces(&stream->body, stream->sent, &piece, 1) == 0)
            abort(); /* the application wrote less than it announced */
        size_t part = piece.iov_len < len ? piece.iov_len : len;
        memcpy(out, piece.iov_base, part);
        chain_skip(&stream->body, &stream->sent, part);
        out += part;
        len -= part;
    }
}

static ssize_t read_body(nghttp2_session *ng, int32_t id, uint8_t *out, size_t room,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)ng;
    (void)id;
    (void)user;
    struct http2_stream *stream = source->ptr;
    size_t len = stream->left < room ? stream->left : room;
    copy_body(stream, out, len);
    stream->left -= len;
    stream->session->queued -= len;
    stream->session->body_bytes += len;
    if (stream->left == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        send_trailers(stream);
    }
    return (ssize_t)len;
}

static void submit_answer(struct http2_stream *stream, const struct http2_field *fields,
                          size_t count, const nghttp2_data_provider *body)
{
    nghttp2_nv nv[MAX_FIELDS];
    fields_to_nv(fields, count, nv);
    checked(nghttp2_submit_response(stream->session->session, stream->id, nv, count, body));
}

void http2_answer_begin(struct http2_stream *stream, const struct http2_field *fields, size_t count,
                        size_t size)
{
    stream->fields = fields;
    stream->field_count = count;
    stream->left = size;
    stream->session->queued += size;
}

struct chain *http2_answer_body(struct http2_stream *stream)
{
    return &stream->body;
}

void http2_answer_end(struct http2_stream *stream, const struct http2_field *trailers, size_t count)
{
    nghttp2_data_provider body = {.source.ptr = stream, .read_callback = read_body};
    stream->answered = true;
    stream->trailers = trailers;
    stream->trailer_count = count;
    submit_answer(stream, stream->fields, stream->field_count, &body);
}

void http2_answer_continue(struct http2_stream *stream)
{
    const nghttp2_nv status = {.name = (uint8_t *)(uintptr_t) ":status",
                               .namelen = sizeof ":status" - 1,
                               .value = (uint8_t *)(uintptr_t) "100",
                               .valuelen = sizeof "100" - 1,
                               .flags = NGHTTP2_NV_FLAG_NONE};
    if (!stream->ended)
        checked(nghttp2_submit_headers(stream->session->session, NGHTTP2_FLAG_NONE, stream->id,
                                       NULL, &status, 1, NULL));
}

void http2_answer_without_body(struct http2_stream *stream, const struct http2_field *fields,
                               size_t count)
{
    stream->answered = true;
    stream->refusing = true;
    submit_answer(stream, fields, count, NULL);
}

/* Replies that are written incrementally. */

static ssize_t read_reply(nghttp2_session *ng, int32_t id, uint8_t *out, size_t room,
                          uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct http2_stream *stream = source->ptr;
    struct http2_session *session = user;
    (void)ng;
    (void)id;
    if (stream->left == 0 && !stream->answered) {
        chain_clear(&stream->body, KEPT_BODY);
        stream->sent = (struct chain_cursor){0};
        session->context->handler->on_room(session->user, stream, &stream->body, room);
        stream->left = chain_length(&stream->body);
        session->queued += stream->left;
    }
    size_t len = stream->left < room ? stream->left : room;
    copy_body(stream, out, len);
    stream->left -= len;
    session->queued -= len;
    session->body_bytes += len;
    if (stream->left == 0 && stream->answered) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        send_trailers(stream);
    } else if (len == 0) {
        stream->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)len;
}

void http2_reply_begin(struct http2_stream *stream, const struct http2_field *fields, size_t count)
{
    nghttp2_data_provider body = {.source.ptr = stream, .read_callback = read_reply};
    stream->streaming = true;
    submit_answer(stream, fields, count, &body);
}

void http2_reply_ready(struct http2_stream *stream)
{
    if (!stream->deferred)
        return;
    stream->deferred = false;
    checked(nghttp2_session_resume_data(stream->session->session, stream->id));
}

void http2_reply_end(struct http2_stream *stream, const struct http2_field *trailers, size_t count)
{
    stream->answered = true;
    stream->refusing = true;
    stream->trailers = trailers;
    stream->trailer_count = count;
    http2_reply_ready(stream);
}

/* What was appended is sent all the same; nothing here is ever parked, so nobody calls this. */
void http2_reply_abort(struct http2_stream *stream, const struct http2_field *trailers,
                       size_t count)
{
    http2_reply_end(stream, trailers, count);
}

size_t http2_stream_parked(const struct http2_stream *stream, uint64_t *taken)
{
    (void)stream;
    *taken = 0;
    return 0;
}

/* It gives windows back as the bytes come. */
void http2_request_hold(struct http2_stream *stream, bool hold)
{
    (void)stream;
    (void)hold;
}

void http2_request_expect(struct http2_stream *stream, size_t size)
{
    (void)stream;
    (void)size;
}
