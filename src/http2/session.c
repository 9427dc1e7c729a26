/*
 * An HTTP/2 server session on nghttp2's. It turns nghttp2's callbacks into http2.h's events, keeps
 * streams and their buffers for reuse, and refuses to know what the requests mean.
 */
#include "http2/http2.h"

#include "base/arena.h"
#include "base/mem.h"
#include "http2/fields.h"

#include <nghttp2/nghttp2.h>
#include <stdalign.h>
#include <stdlib.h>

/* Bytes of buffer that a stream keeps for its successor. */
#define KEPT_BODY ((size_t)4096)
/* Streams that a session keeps for reuse: the memory of an idle connection. */
#define KEPT_STREAMS 64

struct http2_stream {
    struct http2_session *session;
    struct http2_stream *next; /* in the list of open streams, or of kept ones */
    struct http2_stream *previous;
    int32_t id;
    bool requested;  /* on_request was called, so on_close must be */
    bool refusing;   /* http2_refuse_rest() was called */
    bool ended;      /* the request is complete */
    bool finished;   /* http2_finish() was called: what is in `body` is all */
    bool deferred;   /* nghttp2 waits for more body */
    struct buf body; /* of the answer; bytes before `sent` are gone */
    size_t sent;
    struct fields trailers;
    alignas(max_align_t) uint8_t user[];
};

struct http2_session {
    nghttp2_session *session;
    const struct http2_handler *handler;
    void *user;
    struct http2_settings settings;
    struct http2_stream *open;
    struct http2_stream *kept;
    size_t kept_count;
    struct fields request; /* the header block being received */
    size_t header_bytes;
    int drain_steps; /* GOAWAYs of the shutdown submitted */
    size_t queued;   /* bytes of finished bodies not sent yet */
    bool broken;
};

/* Every failure left to these calls is a lack of memory or our own misuse: nobody to tell. */
static void checked(int result)
{
    if (result < 0)
        abort();
}

static struct http2_stream *take_stream(struct http2_session *session, int32_t id)
{
    size_t user_size = session->handler->stream_user_size;
    struct http2_stream *stream = session->kept;
    if (stream != NULL) {
        session->kept = stream->next;
        session->kept_count--;
    } else {
        stream = mem_alloc_zero(sizeof *stream + user_size);
        stream->session = session;
        buf_init(&stream->body, SIZE_MAX);
    }
    memset(stream->user, 0, user_size);
    stream->id = id;
    stream->previous = NULL;
    stream->next = session->open;
    if (session->open != NULL)
        session->open->previous = stream;
    session->open = stream;
    return stream;
}

/* Takes the stream from the open ones and tells the application. */
static void close_stream(struct http2_stream *stream)
{
    struct http2_session *session = stream->session;
    if (stream->requested)
        session->handler->on_close(session->user, stream);
    if (stream->finished)
        session->queued -= stream->body.len - stream->sent;
    if (stream->previous != NULL)
        stream->previous->next = stream->next;
    else
        session->open = stream->next;
    if (stream->next != NULL)
        stream->next->previous = stream->previous;
}

static void free_stream(struct http2_stream *stream)
{
    buf_deinit(&stream->body);
    fields_deinit(&stream->trailers);
    free(stream);
}

static void keep_stream(struct http2_session *session, struct http2_stream *stream)
{
    if (session->kept_count == KEPT_STREAMS) {
        free_stream(stream);
        return;
    }
    buf_clear(&stream->body, KEPT_BODY);
    fields_clear(&stream->trailers);
    stream->sent = 0;
    stream->requested = false;
    stream->refusing = false;
    stream->ended = false;
    stream->finished = false;
    stream->deferred = false;
    stream->next = session->kept;
    session->kept = stream;
    session->kept_count++;
}

/* nghttp2's callbacks. */

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct http2_session *session = user;
    fields_clear(&session->request);
    session->header_bytes = 0;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct http2_stream *stream = take_stream(session, frame->hd.stream_id);
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
    session->header_bytes += name_len + value_len + 32;
    if (session->header_bytes > session->settings.max_header_bytes)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    fields_add(&session->request, slice_make(name, name_len), slice_make(value, value_len));
    return 0;
}

static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *user)
{
    struct http2_session *session = user;
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(ng, id);
    if (stream == NULL)
        return 0;
    stream->ended = (flags & NGHTTP2_FLAG_END_STREAM) != 0;
    session->handler->on_data(session->user, stream, slice_make(data, len));
    return 0;
}

static void end_drain(struct http2_session *session)
{
    session->drain_steps = 2;
    int32_t last = nghttp2_session_get_last_proc_stream_id(session->session);
    checked(nghttp2_submit_goaway(session->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL,
                                  0));
}

/* The payload of the PING that follows the first GOAWAY, so that its answer can be told apart. */
static const uint8_t drain_ping[8] = {'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};

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
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        stream->requested = true;
        session->handler->on_request(session->user, stream, session->request.items,
                                     session->request.count);
    }
    if (stream->ended)
        session->handler->on_end(session->user, stream);
    return 0;
}

/* What would overtake the frame, had it been submitted together with it. */
static int on_frame_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    (void)user;
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.last_stream_id == INT32_MAX)
        checked(nghttp2_submit_ping(ng, NGHTTP2_FLAG_NONE, drain_ping));
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
    struct http2_session *session = user;
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(ng, id);
    if (stream == NULL)
        return 0;
    close_stream(stream);
    keep_stream(session, stream);
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

static void submit_settings(struct http2_session *session)
{
    const struct http2_settings *settings = &session->settings;
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, settings->max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, settings->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)settings->max_header_bytes},
    };
    checked(nghttp2_submit_settings(session->session, NGHTTP2_FLAG_NONE, entries,
                                    sizeof entries / sizeof entries[0]));
    checked(nghttp2_session_set_local_window_size(session->session, NGHTTP2_FLAG_NONE, 0,
                                                  (int32_t)settings->connection_window));
}

struct http2_session *http2_session_new(const struct http2_settings *settings,
                                        const struct http2_handler *handler, void *user)
{
    struct http2_session *session = mem_alloc_zero(sizeof *session);
    session->handler = handler;
    session->user = user;
    session->settings = *settings;
    nghttp2_session_callbacks *callbacks = make_callbacks();
    checked(nghttp2_session_server_new(&session->session, callbacks, session));
    nghttp2_session_callbacks_del(callbacks);
    submit_settings(session);
    return session;
}

void http2_session_free(struct http2_session *session)
{
    if (session == NULL)
        return;
    while (session->open != NULL) {
        struct http2_stream *stream = session->open;
        close_stream(stream);
        free_stream(stream);
    }
    nghttp2_session_del(session->session);
    while (session->kept != NULL) {
        struct http2_stream *stream = session->kept;
        session->kept = stream->next;
        free_stream(stream);
    }
    fields_deinit(&session->request);
    free(session);
}

/* What nghttp2 gives up on without a GOAWAY of its own gets one here. */
static void give_up(struct http2_session *session, ssize_t error)
{
    uint32_t code = error == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? NGHTTP2_PROTOCOL_ERROR
                    : error == NGHTTP2_ERR_FLOODED        ? NGHTTP2_ENHANCE_YOUR_CALM
                                                          : NGHTTP2_INTERNAL_ERROR;
    session->broken = true;
    checked(nghttp2_session_terminate_session(session->session, code));
}

bool http2_session_feed(struct http2_session *session, struct slice bytes)
{
    if (session->broken)
        return false;
    ssize_t taken = nghttp2_session_mem_recv(session->session, bytes.data, bytes.len);
    if (taken < 0 || (size_t)taken < bytes.len)
        give_up(session, taken);
    return !session->broken;
}

void http2_session_pull(struct http2_session *session, struct buf *out, size_t enough)
{
    while (out->len < enough) {
        const uint8_t *frame;
        ssize_t len = nghttp2_session_mem_send(session->session, &frame);
        if (len <= 0) {
            session->broken = session->broken || len < 0;
            return;
        }
        if (!buf_append(out, slice_make(frame, (size_t)len)))
            abort(); /* the caller's buffer has no room for `enough` and a frame */
    }
}

size_t http2_session_queued(const struct http2_session *session)
{
    return session->queued;
}

bool http2_session_finished(const struct http2_session *session)
{
    return session->broken || (nghttp2_session_want_read(session->session) == 0 &&
                               nghttp2_session_want_write(session->session) == 0);
}

void http2_session_drain(struct http2_session *session)
{
    if (session->drain_steps == 1)
        end_drain(session);
    if (session->drain_steps > 0)
        return;
    session->drain_steps = 1;
    checked(nghttp2_submit_shutdown_notice(session->session)); /* on_frame_sent adds the PING */
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

struct buf *http2_body(struct http2_stream *stream)
{
    return &stream->body;
}

static void send_trailers(struct http2_stream *stream)
{
    nghttp2_nv nv[HTTP2_MAX_TRAILERS];
    fields_to_nv(stream->trailers.items, stream->trailers.count, nv);
    checked(
        nghttp2_submit_trailer(stream->session->session, stream->id, nv, stream->trailers.count));
}

static ssize_t read_body(nghttp2_session *ng, int32_t id, uint8_t *out, size_t room,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)ng;
    (void)id;
    (void)user;
    struct http2_stream *stream = source->ptr;
    size_t left = stream->body.len - stream->sent;
    size_t len = left < room ? left : room;
    if (len == 0 && !stream->finished) {
        stream->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (len > 0)
        memcpy(out, stream->body.data + stream->sent, len);
    stream->sent += len;
    if (stream->finished)
        stream->session->queued -= len;
    if (stream->sent == stream->body.len && stream->finished) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        send_trailers(stream);
    }
    return (ssize_t)len;
}

#define MAX_ANSWER_FIELDS 16

void http2_respond(struct http2_stream *stream, const struct http2_field *fields, size_t count,
                   bool end)
{
    if (count > MAX_ANSWER_FIELDS)
        abort();
    nghttp2_nv nv[MAX_ANSWER_FIELDS];
    fields_to_nv(fields, count, nv);
    nghttp2_data_provider body = {.source.ptr = stream, .read_callback = read_body};
    checked(nghttp2_submit_response(stream->session->session, stream->id, nv, count,
                                    end ? NULL : &body));
}

void http2_finish(struct http2_stream *stream, const struct http2_field *trailers, size_t count)
{
    if (count > HTTP2_MAX_TRAILERS)
        abort();
    for (size_t i = 0; i < count; i++)
        fields_add(&stream->trailers, trailers[i].name, trailers[i].value);
    stream->finished = true;
    stream->session->queued += stream->body.len - stream->sent;
    if (stream->deferred) {
        stream->deferred = false;
        checked(nghttp2_session_resume_data(stream->session->session, stream->id));
    }
}

void http2_refuse_rest(struct http2_stream *stream)
{
    stream->refusing = true;
}
