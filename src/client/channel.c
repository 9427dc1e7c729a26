/*
 * Drives nghttp2's client session over a socket: connection preface, calls and streams, GOAWAY,
 * reconnecting. Does not know what the messages mean; gRPC's rules for one call are in call.c.
 *
 * What arrives reopens the connection's window immediately, so that a stream that is not read does
 * not hold up the others; its own window is reopened as it is read, which bounds its memory.
 */
#include "client/channel.h"

#include "base/check.h"
#include "base/clock.h"
#include "client/headers.h"
#include "client/heap.h"
#include "client/link.h"
#include "client/socket.h"
#include "client/status.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Large enough that a large answer seldom waits for WINDOW_UPDATE; memory is bounded by
 * max_message, not by these. */
#define STREAM_WINDOW     (16 << 20)
#define CONNECTION_WINDOW (32 << 20)

/* Maximum bytes of the headers of an answer. */
#define HEADER_LIST_LIMIT (32 << 10)

/* Bytes gathered before they are sent, so that a small call is one send. The limit has space for
 * the frame that exceeds the goal. */
#define OUT_GOAL  ((size_t)128 << 10)
#define OUT_LIMIT ((size_t)256 << 10)

#define IN_SIZE ((size_t)64 << 10)

/* After so long without a call, a system call checks whether the server has closed the
 * connection. */
#define QUIET_MS 2

/* Maximum length of the debug text of a GOAWAY, such as "too_many_pings". */
#define GOAWAY_DEBUG_SIZE 100

struct channel {
    struct target target;
    struct channel_limits limits;
    struct link link;
    nghttp2_session *session;             /* NULL when not connected */
    struct buffer out;                    /* bytes on their way to the server */
    bool settings_received;               /* the server sent its SETTINGS */
    char goaway_debug[GOAWAY_DEBUG_SIZE]; /* the debug text of its GOAWAY */
    struct channel_stream *streams;       /* those that are attached */
    int arrived_fd;                       /* always readable; -1 until it is needed */
    bool is_filling;                      /* within nghttp2_session_mem_send() */
    int failure;                          /* an error of nghttp2 within a callback */
    int64_t used_ms;                      /* when the last call ended or SETTINGS were received */
    struct headers headers;
    uint8_t in[IN_SIZE];
};

/* NULL for a stream that was detached or is none of ours. */
static struct channel_stream *channel_find(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

static int channel_on_header(nghttp2_session *session, const nghttp2_frame *frame,
                             const uint8_t *name, size_t name_len, const uint8_t *value,
                             size_t value_len, uint8_t flags, void *user_data)
{
    struct channel_stream *stream = channel_find(session, frame->hd.stream_id);
    (void)flags;
    (void)user_data;
    /* The trailers of a refused answer do not matter. */
    if (stream != NULL && !channel_stream_is_over(stream))
        call_on_header(&stream->call, slice_make(name, name_len), slice_make(value, value_len));
    return 0;
}

/* Notes what came for a stream, in case another one's reader received it. */
static void channel_note_arrival(struct channel_stream *stream)
{
    stream->arrived = stream->awaited;
}

static int channel_on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                           const uint8_t *data, size_t len, void *user_data)
{
    struct channel *channel = user_data;
    struct channel_stream *stream = channel_find(session, stream_id);
    (void)flags;
    int failure = nghttp2_session_consume_connection(session, len);
    if (stream != NULL && !channel_stream_is_over(stream)) {
        if (!call_on_data(&stream->call, slice_make(data, len)))
            stream->refused = true;
        channel_note_arrival(stream);
        if (stream->call.is_stream)
            stream->unread += len;
        else if (failure == 0)
            failure = nghttp2_session_consume_stream(session, stream_id, len);
    }
    if (failure != 0)
        channel->failure = failure;
    return 0;
}

static void channel_on_goaway(struct channel *channel, const nghttp2_goaway *frame)
{
    if (frame->opaque_data_len == 0)
        snprintf(channel->goaway_debug, GOAWAY_DEBUG_SIZE, "%s",
                 nghttp2_http2_strerror(frame->error_code));
    else
        snprintf(channel->goaway_debug, GOAWAY_DEBUG_SIZE, "%s: %.*s",
                 nghttp2_http2_strerror(frame->error_code), (int)frame->opaque_data_len,
                 (const char *)frame->opaque_data);
}

static int channel_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct channel *channel = user_data;
    if (frame->hd.type == NGHTTP2_SETTINGS)
        channel->settings_received = true;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        channel_on_goaway(channel, &frame->goaway);
    bool carries_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (!carries_end || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
        return 0;
    struct channel_stream *stream = channel_find(session, frame->hd.stream_id);
    if (stream != NULL && !channel_stream_is_over(stream)) {
        stream->ended = true;
        channel_note_arrival(stream);
    }
    return 0;
}

/* Ends a stream, unless nghttp2 had no memory for its HPACK table while sending: it does not
 * report that, but closes the stream as if the server had refused it. */
static void channel_close_stream(struct channel *channel, struct channel_stream *stream,
                                 uint32_t error_code)
{
    if (stream == NULL || channel_stream_is_over(stream))
        return;
    if (channel->is_filling && error_code == NGHTTP2_REFUSED_STREAM &&
        channel->goaway_debug[0] == '\0') {
        channel->failure = NGHTTP2_ERR_NOMEM;
        return;
    }
    stream->closed = true;
    stream->close_code = error_code;
    channel_note_arrival(stream);
}

static int channel_on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code,
                                   void *user_data)
{
    channel_close_stream(user_data, channel_find(session, stream_id), error_code);
    return 0;
}

/* nghttp2 requests the next bytes of a request. */
static ssize_t channel_on_request_wanted(nghttp2_session *session, int32_t stream_id, uint8_t *out,
                                         size_t size, uint32_t *flags, nghttp2_data_source *source,
                                         void *user_data)
{
    struct channel_stream *stream = channel_find(session, stream_id);
    (void)source;
    (void)user_data;
    /* The call has ended, and its stream is being reset. */
    if (stream == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    struct call *call = &stream->call;
    size_t count = call_take_request(call, out, size);
    if (call->request.len == 0 && (call->half_closed || !call->is_stream))
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (count == 0)
        return NGHTTP2_ERR_DEFERRED;
    return (ssize_t)count;
}

/* A request that could not be sent because of a GOAWAY closes no stream, so this reports it. */
static int channel_on_frame_not_sent(nghttp2_session *session, const nghttp2_frame *frame,
                                     int failure, void *user_data)
{
    struct channel *channel = user_data;
    (void)session;
    (void)failure;
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    struct channel_stream *stream = channel->streams;
    while (stream != NULL && stream->id != frame->hd.stream_id)
        stream = stream->next;
    channel_close_stream(channel, stream, NGHTTP2_REFUSED_STREAM);
    return 0;
}

/* 0 or an error of nghttp2. */
static int channel_start_session(struct channel *channel)
{
    nghttp2_mem memory = heap_for_nghttp2();
    nghttp2_session_callbacks *callbacks;
    int failure = nghttp2_session_callbacks_new(&callbacks);
    if (failure != 0)
        return failure;
    nghttp2_session_callbacks_set_on_header_callback(callbacks, channel_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, channel_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, channel_on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, channel_on_stream_close);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, channel_on_frame_not_sent);
    nghttp2_option *option = NULL;
    failure = nghttp2_option_new(&option);
    if (failure == 0) {
        nghttp2_option_set_no_auto_window_update(option, 1);
        failure =
            nghttp2_session_client_new3(&channel->session, callbacks, channel, option, &memory);
        nghttp2_option_del(option);
    }
    nghttp2_session_callbacks_del(callbacks);
    if (failure != 0) {
        channel->session = NULL;
        return failure;
    }
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_LIMIT},
    };
    failure = nghttp2_submit_settings(channel->session, NGHTTP2_FLAG_NONE, settings,
                                      sizeof settings / sizeof *settings);
    if (failure == 0)
        failure = nghttp2_session_set_local_window_size(channel->session, NGHTTP2_FLAG_NONE, 0,
                                                        CONNECTION_WINDOW);
    return failure;
}

static void channel_unlink(struct channel_stream *stream)
{
    *stream->link = stream->next;
    if (stream->next != NULL)
        stream->next->link = stream->link;
    stream->link = NULL;
}

/* Detaches all streams. Those that are not over have ended with this error. */
static void channel_lose_streams(struct channel *channel, const struct keystore_error *error)
{
    struct channel_stream *stream = channel->streams;
    channel->streams = NULL;
    for (struct channel_stream *next; stream != NULL; stream = next) {
        next = stream->next;
        if (!channel_stream_is_over(stream)) {
            stream->lost = true;
            stream->call.error = *error;
        }
        stream->next = NULL;
        stream->link = NULL;
    }
}

/* Closes the connection, if there is one. */
static void channel_disconnect(struct channel *channel, const struct keystore_error *error)
{
    channel_lose_streams(channel, error);
    if (channel->session != NULL)
        nghttp2_session_del(channel->session);
    link_close(&channel->link);
    channel->session = NULL;
    channel->settings_received = false;
    channel->failure = 0;
    channel->goaway_debug[0] = '\0';
    buffer_clear(&channel->out, OUT_LIMIT);
}

/* Closes a connection that was lost and sets *error; always false. */
static bool channel_lose(struct channel *channel, const char *cause, struct keystore_error *error)
{
    const char *separator = channel->goaway_debug[0] != '\0' ? ", saying " : "";
    if (channel->settings_received)
        status_set(error, KEYSTORE_UNAVAILABLE, "lost the connection to %s: %s%s%s",
                   channel->target.name, cause, separator, channel->goaway_debug);
    else
        link_explain_no_http2(&channel->link, &channel->target, cause,
                              slice_make(channel->in, IN_SIZE), error);
    channel_disconnect(channel, error);
    return false;
}

/* The same after an error of nghttp2. */
static bool channel_fail(struct channel *channel, int failure, struct keystore_error *error)
{
    if (failure != NGHTTP2_ERR_NOMEM)
        return channel_lose(channel, nghttp2_strerror(failure), error);
    status_out_of_memory(error, "the connection was closed; the call may have been executed");
    channel_disconnect(channel, error);
    return false;
}

/* Moves bytes from nghttp2 to the output buffer; 0 or an error of nghttp2. */
static int channel_fill_output(struct channel *channel)
{
    while (channel->out.len < OUT_GOAL) {
        const uint8_t *bytes;
        channel->is_filling = true;
        ssize_t len = nghttp2_session_mem_send(channel->session, &bytes);
        channel->is_filling = false;
        if (len < 0)
            return (int)len;
        if (channel->failure != 0)
            return channel->failure;
        if (len == 0)
            return 0;
        if (!buffer_append(&channel->out, slice_make(bytes, (size_t)len)))
            return NGHTTP2_ERR_NOMEM;
    }
    return 0;
}

enum received { RECEIVED_SOME, RECEIVED_NOTHING, RECEIVED_END };

/* Passes the bytes of a receive into channel->in to nghttp2. RECEIVED_END: the connection is lost
 * and *error is set. */
static enum received channel_process(struct channel *channel, ssize_t got,
                                     struct keystore_error *error)
{
    if (got < 0 && socket_would_block())
        return RECEIVED_NOTHING;
    if (got <= 0) {
        channel_lose(channel, got == 0 ? "the server closed it" : link_cause(&channel->link),
                     error);
        return RECEIVED_END;
    }
    ssize_t processed = nghttp2_session_mem_recv(channel->session, channel->in, (size_t)got);
    DCHECK(processed < 0 || processed == got);
    int failure = processed < 0 ? (int)processed : channel->failure;
    if (failure != 0) {
        channel_fail(channel, failure, error);
        return RECEIVED_END;
    }
    return RECEIVED_SOME;
}

static enum received channel_receive(struct channel *channel, struct keystore_error *error)
{
    return channel_process(channel, link_receive(&channel->link, channel->in, IN_SIZE), error);
}

/* After sending failed: a server that refuses a large request may have answered before it closed
 * the connection. */
static bool channel_drain_input(struct channel *channel, const char *cause,
                                struct keystore_error *error)
{
    enum received received;
    do
        received = channel_receive(channel, error);
    while (received == RECEIVED_SOME);
    return received == RECEIVED_NOTHING && channel_lose(channel, cause, error);
}

/* Sends what is ready, as far as the socket accepts it without blocking. */
static bool channel_flush(struct channel *channel, struct keystore_error *error)
{
    for (;;) {
        int failure = channel_fill_output(channel);
        if (failure != 0)
            return channel_fail(channel, failure, error);
        if (channel->out.len == 0)
            return true;
        ssize_t sent = link_send(&channel->link, buffer_slice(&channel->out));
        if (sent < 0)
            return socket_would_block() ||
                   channel_drain_input(channel, link_cause(&channel->link), error);
        buffer_consume(&channel->out, (size_t)sent);
    }
}

/* After a GOAWAY or a protocol error nghttp2 has nothing more to read or write. */
static bool channel_is_finished(const struct channel *channel)
{
    return channel->out.len == 0 && !nghttp2_session_want_read(channel->session) &&
           !nghttp2_session_want_write(channel->session);
}

static bool channel_send_ready(struct channel *channel, struct keystore_error *error)
{
    if (!channel_flush(channel, error))
        return false;
    return !channel_is_finished(channel) || channel_lose(channel, "it violates HTTP/2", error);
}

/* One round: send, wait, receive. */
static enum channel_step channel_round(struct channel *channel, int64_t deadline_ms,
                                       struct keystore_error *error)
{
    if (!channel_send_ready(channel, error))
        return CHANNEL_LOST;
    short events = channel->out.len > 0 ? POLLIN | POLLOUT : POLLIN;
    short ready = link_wait(&channel->link, events, channel->limits.cancel_fd, deadline_ms);
    if (ready == 0)
        return CHANNEL_TIMEOUT;
    if (ready == SOCKET_CANCELLED)
        return CHANNEL_CANCELLED;
    if ((ready & (POLLIN | POLLHUP | POLLERR)) != 0 &&
        channel_receive(channel, error) == RECEIVED_END)
        return CHANNEL_LOST;
    return CHANNEL_PROGRESS;
}

enum channel_step channel_step(struct channel *channel, bool wait, int64_t deadline_ms)
{
    struct keystore_error ignored; /* the streams have it */
    if (channel->session == NULL)
        return CHANNEL_LOST;
    if (wait)
        return channel_round(channel, deadline_ms, &ignored);
    if (!channel_send_ready(channel, &ignored))
        return CHANNEL_LOST;
    switch (channel_receive(channel, &ignored)) {
    case RECEIVED_SOME:
        return channel_send_ready(channel, &ignored) ? CHANNEL_PROGRESS : CHANNEL_LOST;
    case RECEIVED_END:
        return CHANNEL_LOST;
    case RECEIVED_NOTHING:
        break;
    }
    return CHANNEL_TIMEOUT;
}

/*
 * The first round of a call on an open connection: if everything is sent immediately, the receive
 * itself blocks until the answer arrives, for as long as a call may take. So a small call is a send
 * and a receive.
 */
static enum channel_step channel_first_step(struct channel *channel, struct keystore_error *error)
{
    if (!channel_send_ready(channel, error))
        return CHANNEL_LOST;
    if (channel->out.len > 0 || channel->limits.cancel_fd >= 0)
        return CHANNEL_PROGRESS;
    ssize_t got = link_receive_waiting(&channel->link, channel->in, IN_SIZE);
    return channel_process(channel, got, error) == RECEIVED_END ? CHANNEL_LOST : CHANNEL_PROGRESS;
}

struct channel *channel_new(const struct target *target, const struct channel_limits *limits)
{
    struct channel *channel = calloc(1, sizeof *channel);
    if (channel == NULL)
        return NULL;
    channel->target = *target;
    channel->limits = *limits;
    channel->link = (struct link){.fd = -1, .tls = limits->tls};
    channel->arrived_fd = -1;
    headers_init(&channel->headers, &channel->target, limits->tls != NULL, limits->call_timeout_ms,
                 limits->max_message);
    buffer_init(&channel->out, OUT_LIMIT);
    return channel;
}

bool channel_set_token(struct channel *channel, const char *token)
{
    return headers_set_token(&channel->headers, token);
}

void channel_free(struct channel *channel)
{
    struct keystore_error error;
    if (channel == NULL)
        return;
    status_set(&error, KEYSTORE_CANCELLED, "the client was closed");
    channel_disconnect(channel, &error);
    tls_free(channel->link.tls);
    buffer_deinit(&channel->out);
    headers_deinit(&channel->headers);
    if (channel->arrived_fd >= 0)
        close(channel->arrived_fd);
    free(channel);
}

/* Opens a connection and waits for the server's SETTINGS. */
static bool channel_open_connection(struct channel *channel, int64_t deadline_ms,
                                    struct keystore_error *error)
{
    channel->in[0] = 0; /* nothing was received yet */
    if (!link_open(&channel->link, &channel->target, channel->limits.cancel_fd, deadline_ms, error))
        return false;
    int failure = channel_start_session(channel);
    if (failure != 0)
        return channel_fail(channel, failure, error);
    while (!channel->settings_received) {
        switch (channel_round(channel, deadline_ms, error)) {
        case CHANNEL_PROGRESS:
            break;
        case CHANNEL_TIMEOUT:
            status_set(error, KEYSTORE_DEADLINE_EXCEEDED,
                       "%s accepted the connection but sent no HTTP/2 SETTINGS in time",
                       channel->target.name);
            channel_disconnect(channel, error);
            return false;
        case CHANNEL_CANCELLED:
            status_set(error, KEYSTORE_CANCELLED, "cancelled while connecting");
            channel_disconnect(channel, error);
            return false;
        case CHANNEL_LOST:
            return false;
        }
    }
    if (!socket_set_receive_timeout(channel->link.fd, channel->limits.call_timeout_ms))
        return channel_lose(channel, strerror(errno), error);
    channel->used_ms = clock_monotonic_ms();
    return true;
}

/* Processes frames received since the last call, such as PING, SETTINGS or GOAWAY. */
static void channel_catch_up(struct channel *channel, int64_t deadline_ms)
{
    struct keystore_error ignored; /* a lost connection is reopened */
    while (channel_receive(channel, &ignored) == RECEIVED_SOME &&
           clock_monotonic_ms() < deadline_ms)
        continue;
}

int64_t channel_deadline_in(int64_t now_ms, int64_t timeout_ms)
{
    return timeout_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + timeout_ms;
}

/* Whether there is a connection on which a call can start. */
static bool channel_is_ready(struct channel *channel, int64_t now_ms, int64_t deadline_ms)
{
    if (channel->session != NULL && now_ms - channel->used_ms >= QUIET_MS)
        channel_catch_up(channel, deadline_ms);
    return channel->session != NULL && nghttp2_session_check_request_allowed(channel->session);
}

static bool channel_reconnect(struct channel *channel, int64_t deadline_ms,
                              struct keystore_error *error)
{
    struct keystore_error shutdown; /* of the streams that are left on the former connection */
    status_set(&shutdown, KEYSTORE_UNAVAILABLE, "%s shuts this connection down: %s",
               channel->target.name, channel->goaway_debug);
    channel_disconnect(channel, &shutdown);
    int64_t connect_deadline_ms =
        channel_deadline_in(clock_monotonic_ms(), channel->limits.connect_timeout_ms);
    if (connect_deadline_ms > deadline_ms)
        connect_deadline_ms = deadline_ms;
    return channel_open_connection(channel, connect_deadline_ms, error);
}

bool channel_connect(struct channel *channel, int64_t deadline_ms, struct keystore_error *error)
{
    return channel_is_ready(channel, clock_monotonic_ms(), INT64_MAX) ||
           channel_reconnect(channel, deadline_ms, error);
}

static bool channel_has_arrivals(const struct channel *channel)
{
    const struct channel_stream *stream = channel->streams;
    while (stream != NULL && !stream->arrived)
        stream = stream->next;
    return stream != NULL;
}

int channel_descriptor(struct channel *channel)
{
    if (!channel_has_arrivals(channel))
        return channel->link.fd;
    if (channel->arrived_fd < 0)
        channel->arrived_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    return channel->arrived_fd >= 0 ? channel->arrived_fd : channel->link.fd;
}

int channel_cancel_fd(const struct channel *channel)
{
    return channel->limits.cancel_fd;
}

int64_t channel_call_timeout_ms(const struct channel *channel)
{
    return channel->limits.call_timeout_ms;
}

/* ---- calls ---- */

static void channel_link(struct channel *channel, struct channel_stream *stream)
{
    stream->link = &channel->streams;
    stream->next = channel->streams;
    if (stream->next != NULL)
        stream->next->link = &stream->next;
    channel->streams = stream;
}

/* Attaches the stream; 0 or an error of nghttp2. `left_ms` is INT64_MAX for no timeout. */
static int channel_submit(struct channel *channel, struct channel_stream *stream, const char *path,
                          int64_t left_ms)
{
    DCHECK(channel->session != NULL);
    size_t count = headers_set(&channel->headers, path, left_ms, stream->call.attempt);
    nghttp2_data_provider body = {.read_callback = channel_on_request_wanted};
    int32_t id = nghttp2_submit_request(channel->session, NULL, channel->headers.fields, count,
                                        &body, stream);
    if (id < 0)
        return id;
    stream->id = id;
    channel_link(channel, stream);
    return 0;
}

enum keystore_code channel_conclude(struct channel_stream *stream)
{
    struct call *call = &stream->call;
    DCHECK(channel_stream_is_over(stream));
    if (stream->refused || stream->lost)
        return call->error.code;
    if (stream->ended)
        return call_finish(call);
    status_set(&call->error, status_from_http2(stream->close_code),
               "the server ended the call without an answer (%s)",
               nghttp2_http2_strerror(stream->close_code));
    return call->error.code;
}

void channel_detach(struct channel *channel, struct channel_stream *stream, bool quietly)
{
    if (stream->link == NULL)
        return;
    channel_unlink(stream);
    nghttp2_session_set_stream_user_data(channel->session, stream->id, NULL);
    /* A request that was not sent yet has no stream either, but must be cancelled. */
    bool over = channel_stream_is_over(stream);
    if (quietly || (over && nghttp2_session_find_stream(channel->session, stream->id) == NULL))
        return;
    struct keystore_error ignored; /* a connection lost now matters only to the next call */
    uint32_t code = stream->ended ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL;
    int failure = nghttp2_submit_rst_stream(channel->session, NGHTTP2_FLAG_NONE, stream->id, code);
    if (failure != 0)
        channel_fail(channel, failure, &ignored);
    else
        (void)channel_flush(channel, &ignored);
}

bool channel_attach(struct channel *channel, struct channel_stream *stream, const char *path,
                    struct keystore_error *error)
{
    if (!channel_connect(channel, INT64_MAX, error))
        return false;
    int failure = channel_submit(channel, stream, path, INT64_MAX);
    return failure == 0 || channel_fail(channel, failure, error);
}

void channel_drop(struct channel *channel, const struct keystore_error *error)
{
    channel_disconnect(channel, error);
}

void channel_resume(struct channel *channel, struct channel_stream *stream)
{
    struct keystore_error ignored; /* the streams have it */
    if (stream->link == NULL)
        return;
    int failure = nghttp2_session_resume_data(channel->session, stream->id);
    /* NGHTTP2_ERR_INVALID_ARGUMENT: it was not waiting. */
    if (failure == NGHTTP2_ERR_NOMEM)
        channel_fail(channel, failure, &ignored);
}

void channel_consume(struct channel *channel, struct channel_stream *stream, size_t count)
{
    struct keystore_error ignored; /* the streams have it */
    if (count > stream->unread)
        count = stream->unread;
    stream->unread -= count;
    if (stream->link == NULL || count == 0)
        return;
    int failure = nghttp2_session_consume_stream(channel->session, stream->id, count);
    if (failure != 0)
        channel_fail(channel, failure, &ignored);
}

/* Runs the call to its end. `at_once`: nothing has held it up so far. */
static enum keystore_code channel_run(struct channel *channel, struct channel_stream *stream,
                                      bool at_once, struct keystore_error *error)
{
    const struct call_attempt *attempt = stream->call.attempt;
    enum channel_step last = at_once ? channel_first_step(channel, error) : CHANNEL_PROGRESS;
    while (last == CHANNEL_PROGRESS && !channel_stream_is_over(stream))
        last = channel_round(channel, attempt->deadline_ms, error);
    /* The last bytes before the connection was lost may complete the answer. */
    if (channel_stream_is_over(stream)) {
        enum keystore_code code = channel_conclude(stream);
        *error = stream->call.error;
        return code;
    }
    if (last == CHANNEL_TIMEOUT)
        status_set(error, KEYSTORE_DEADLINE_EXCEEDED, "%s did not answer within %lld ms",
                   channel->target.name, (long long)attempt->timeout_ms);
    else if (last == CHANNEL_CANCELLED)
        status_set(error, KEYSTORE_CANCELLED,
                   "the call was cancelled; the server may have executed it");
    DCHECK(error->code != KEYSTORE_OK); /* a call that failed has an error */
    return error->code;
}

/* Whether the server, while shutting down, has refused the call unprocessed. */
static bool channel_was_unprocessed(const struct channel *channel,
                                    const struct channel_stream *stream)
{
    return stream->closed && stream->close_code == NGHTTP2_REFUSED_STREAM &&
           channel->session != NULL && channel->goaway_debug[0] != '\0';
}

enum keystore_code channel_call(struct channel *channel, const char *path, struct slice request,
                                struct call_attempt *attempt, struct buffer *answer,
                                struct keystore_error *error)
{
    struct channel_stream stream = {0};
    int64_t now_ms = clock_monotonic_ms();
    bool at_once = attempt->deadline_ms == 0;
    if (at_once)
        attempt->deadline_ms = channel_deadline_in(now_ms, attempt->timeout_ms);
    attempt->fate = CALL_NOT_SENT;
    attempt->has_pushback = false;
    if (!channel_is_ready(channel, now_ms, attempt->deadline_ms)) {
        at_once = false;
        if (!channel_reconnect(channel, attempt->deadline_ms, error))
            return error->code;
    }
    call_init(&stream.call, request, attempt, answer, channel->limits.max_message);
    /* If no time has passed, the header is the same for each call. */
    int64_t left_ms = attempt->timeout_ms;
    if (!at_once && attempt->deadline_ms != INT64_MAX)
        left_ms = attempt->deadline_ms - clock_monotonic_ms();
    int failure = channel_submit(channel, &stream, path, left_ms > 0 ? left_ms : 1);
    if (failure != 0) {
        channel_fail(channel, failure, error);
        return error->code;
    }
    enum keystore_code code = channel_run(channel, &stream, at_once, error);
    channel_detach(channel, &stream, false);
    channel->used_ms = clock_monotonic_ms();
    attempt->fate = channel_was_unprocessed(channel, &stream) ? CALL_UNPROCESSED : CALL_SENT;
    return code;
}
