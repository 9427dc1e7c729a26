/*
 * Drives nghttp2's client session over a socket: connection preface, one call at a time, GOAWAY,
 * reconnecting. Does not know what the messages mean; gRPC's rules for one call are in call.c.
 */
#include "client/channel.h"

#include "base/check.h"
#include "base/clock.h"
#include "client/call.h"
#include "client/socket.h"
#include "client/status.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Of a request; only path and timeout differ from call to call. */
enum {
    HEADER_METHOD,
    HEADER_SCHEME,
    HEADER_PATH,
    HEADER_AUTHORITY,
    HEADER_TYPE,
    HEADER_TE,
    HEADER_AGENT,
    HEADER_MAX_REPLY,
    HEADER_TIMEOUT, /* last, since it is optional */
    HEADER_COUNT
};

/* After so long without a call, a system call checks whether the server has closed the
 * connection. */
#define QUIET_MS 2

/* Maximum length of the debug text of a GOAWAY, such as "too_many_pings". */
#define GOAWAY_DEBUG_SIZE 100

struct channel {
    struct target target;
    struct channel_limits limits;
    int fd;                               /* -1 when not connected */
    nghttp2_session *session;             /* NULL when not connected */
    struct buffer out;                    /* bytes on their way to the server */
    bool settings_received;               /* the server sent its SETTINGS */
    char goaway_debug[GOAWAY_DEBUG_SIZE]; /* the debug text of its GOAWAY */
    struct call *call;                    /* the call in flight, or NULL */
    int32_t stream_id;                    /* of the call in flight */
    bool ended;                           /* the answer is complete */
    bool refused;                         /* the answer was refused; call->error says why */
    bool closed;                          /* the stream ended before the answer was complete */
    uint32_t close_code;                  /* the HTTP/2 error code of that */
    int64_t used_ms;                      /* when the last call ended or SETTINGS were received */
    nghttp2_nv headers[HEADER_COUNT];
    char max_reply[24];              /* the values of two headers: limits.max_message... */
    char timeout[CALL_TIMEOUT_SIZE]; /* ...and limits.call_timeout_ms */
    uint8_t in[IN_SIZE];
};

static bool channel_is_current(const struct channel *channel, int32_t stream_id)
{
    return channel->call != NULL && channel->stream_id == stream_id;
}

static bool channel_is_over(const struct channel *channel)
{
    return channel->ended || channel->refused || channel->closed;
}

static int channel_on_header(nghttp2_session *session, const nghttp2_frame *frame,
                             const uint8_t *name, size_t name_len, const uint8_t *value,
                             size_t value_len, uint8_t flags, void *user_data)
{
    struct channel *channel = user_data;
    (void)session;
    (void)flags;
    /* The trailers of a refused answer do not matter. */
    if (channel_is_current(channel, frame->hd.stream_id) && !channel_is_over(channel))
        call_on_header(channel->call, slice_make(name, name_len), slice_make(value, value_len));
    return 0;
}

static int channel_on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                           const uint8_t *data, size_t len, void *user_data)
{
    struct channel *channel = user_data;
    (void)session;
    (void)flags;
    if (!channel_is_current(channel, stream_id) || channel_is_over(channel))
        return 0;
    if (!call_on_data(channel->call, slice_make(data, len)))
        channel->refused = true;
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
    (void)session;
    if (frame->hd.type == NGHTTP2_SETTINGS)
        channel->settings_received = true;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        channel_on_goaway(channel, &frame->goaway);
    bool carries_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
        channel_is_current(channel, frame->hd.stream_id) && !channel_is_over(channel))
        channel->ended = true;
    return 0;
}

static int channel_on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code,
                                   void *user_data)
{
    struct channel *channel = user_data;
    (void)session;
    if (channel_is_current(channel, stream_id) && !channel_is_over(channel)) {
        channel->closed = true;
        channel->close_code = error_code;
    }
    return 0;
}

/* nghttp2 requests the next bytes of a request. */
static ssize_t channel_on_request_wanted(nghttp2_session *session, int32_t stream_id, uint8_t *out,
                                         size_t size, uint32_t *flags, nghttp2_data_source *source,
                                         void *user_data)
{
    struct channel *channel = user_data;
    (void)session;
    (void)source;
    /* The call has ended, and its stream is being reset. */
    if (!channel_is_current(channel, stream_id))
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t count = call_take_request(channel->call, out, size);
    if (channel->call->request.len == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)count;
}

/* A request that could not be sent because of a GOAWAY closes no stream, so this reports it. */
static int channel_on_frame_not_sent(nghttp2_session *session, const nghttp2_frame *frame,
                                     int failure, void *user_data)
{
    (void)failure;
    if (frame->hd.type == NGHTTP2_HEADERS)
        channel_on_stream_close(session, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM, user_data);
    return 0;
}

/* nghttp2 allocates with these, so that tests can make it fail like the rest of the library. */
static void *channel_malloc(size_t size, void *unused)
{
    (void)unused;
    return malloc(size);
}

static void *channel_calloc(size_t count, size_t size, void *unused)
{
    (void)unused;
    return calloc(count, size);
}

static void *channel_realloc(void *memory, size_t size, void *unused)
{
    (void)unused;
    return realloc(memory, size);
}

static void channel_free_memory(void *memory, void *unused)
{
    (void)unused;
    free(memory);
}

/* 0 or an error of nghttp2. */
static int channel_start_session(struct channel *channel)
{
    nghttp2_mem memory = {NULL, channel_malloc, channel_free_memory, channel_calloc,
                          channel_realloc};
    nghttp2_session_callbacks *callbacks;
    int failure = nghttp2_session_callbacks_new(&callbacks);
    if (failure != 0)
        return failure;
    nghttp2_session_callbacks_set_on_header_callback(callbacks, channel_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, channel_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, channel_on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, channel_on_stream_close);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, channel_on_frame_not_sent);
    failure = nghttp2_session_client_new3(&channel->session, callbacks, channel, NULL, &memory);
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

static void channel_disconnect(struct channel *channel)
{
    if (channel->session != NULL)
        nghttp2_session_del(channel->session);
    if (channel->fd >= 0)
        close(channel->fd);
    channel->session = NULL;
    channel->fd = -1;
    channel->settings_received = false;
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
        status_set(error, KEYSTORE_UNAVAILABLE,
                   "no HTTP/2 server answers at %s (%s): check that a KeyStore server without TLS "
                   "listens there",
                   channel->target.name, cause);
    channel_disconnect(channel);
    return false;
}

/* The same after an error of nghttp2. */
static bool channel_fail(struct channel *channel, int failure, struct keystore_error *error)
{
    if (failure != NGHTTP2_ERR_NOMEM)
        return channel_lose(channel, nghttp2_strerror(failure), error);
    status_out_of_memory(error, "the connection was closed; the call may have been executed");
    channel->closed = false; /* if the stream is closed, it was not by the server */
    channel_disconnect(channel);
    return false;
}

/* Whether nghttp2 had no memory for its HPACK table while sending. It does not report that, but
 * closes the stream as if the server had refused it. */
static bool channel_failed_to_compress(const struct channel *channel)
{
    return channel->call != NULL && channel->closed &&
           channel->close_code == NGHTTP2_REFUSED_STREAM && channel->goaway_debug[0] == '\0';
}

/* Moves bytes from nghttp2 to the output buffer; 0 or an error of nghttp2. */
static int channel_fill_output(struct channel *channel)
{
    while (channel->out.len < OUT_GOAL) {
        const uint8_t *bytes;
        ssize_t len = nghttp2_session_mem_send(channel->session, &bytes);
        if (len < 0)
            return (int)len;
        if (channel_failed_to_compress(channel))
            return NGHTTP2_ERR_NOMEM;
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
        channel_lose(channel, got == 0 ? "the server closed it" : strerror(errno), error);
        return RECEIVED_END;
    }
    ssize_t processed = nghttp2_session_mem_recv(channel->session, channel->in, (size_t)got);
    DCHECK(processed < 0 || processed == got);
    if (processed < 0) {
        channel_fail(channel, (int)processed, error);
        return RECEIVED_END;
    }
    return RECEIVED_SOME;
}

static enum received channel_receive(struct channel *channel, struct keystore_error *error)
{
    return channel_process(channel, socket_receive(channel->fd, channel->in, IN_SIZE), error);
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
        ssize_t sent = socket_send(channel->fd, buffer_slice(&channel->out));
        if (sent < 0)
            return socket_would_block() || channel_drain_input(channel, strerror(errno), error);
        buffer_consume(&channel->out, (size_t)sent);
    }
}

/* After a GOAWAY or a protocol error nghttp2 has nothing more to read or write. */
static bool channel_is_finished(const struct channel *channel)
{
    return channel->out.len == 0 && !nghttp2_session_want_read(channel->session) &&
           !nghttp2_session_want_write(channel->session);
}

enum step { STEP_PROGRESS, STEP_TIMEOUT, STEP_LOST };

static bool channel_send_ready(struct channel *channel, struct keystore_error *error)
{
    if (!channel_flush(channel, error))
        return false;
    return !channel_is_finished(channel) || channel_lose(channel, "it violates HTTP/2", error);
}

/* One round: send, wait, receive. */
static enum step channel_step(struct channel *channel, int64_t deadline_ms,
                              struct keystore_error *error)
{
    if (!channel_send_ready(channel, error))
        return STEP_LOST;
    short events = channel->out.len > 0 ? POLLIN | POLLOUT : POLLIN;
    short ready = socket_wait(channel->fd, events, deadline_ms);
    if (ready == 0)
        return STEP_TIMEOUT;
    if ((ready & (POLLIN | POLLHUP | POLLERR)) != 0 &&
        channel_receive(channel, error) == RECEIVED_END)
        return STEP_LOST;
    return STEP_PROGRESS;
}

/*
 * The first round of a call on an open connection: if everything is sent immediately, the receive
 * itself blocks until the answer arrives, for as long as a call may take. So a small call is a send
 * and a receive.
 */
static enum step channel_first_step(struct channel *channel, struct keystore_error *error)
{
    if (!channel_send_ready(channel, error))
        return STEP_LOST;
    if (channel->out.len > 0)
        return STEP_PROGRESS;
    ssize_t got = socket_receive_waiting(channel->fd, channel->in, IN_SIZE);
    return channel_process(channel, got, error) == RECEIVED_END ? STEP_LOST : STEP_PROGRESS;
}

/* nghttp2 copies a value that is not `permanent`: it may send it after the call has timed out. */
static void channel_set_header(nghttp2_nv *header, const char *name, const char *value,
                               bool permanent)
{
    uint8_t flags = NGHTTP2_NV_FLAG_NO_COPY_NAME;
    if (permanent)
        flags |= NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    *header = (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), flags};
}

static void channel_prepare_headers(struct channel *channel)
{
    const struct {
        const char *name, *value;
    } fixed[] = {
        [HEADER_METHOD] = {":method", "POST"},
        [HEADER_SCHEME] = {":scheme", "http"},
        [HEADER_AUTHORITY] = {":authority", channel->target.authority},
        [HEADER_TYPE] = {"content-type", "application/grpc"},
        [HEADER_TE] = {"te", "trailers"},
        [HEADER_AGENT] = {"user-agent", "keystore-c/" KEYSTORE_VERSION},
        [HEADER_MAX_REPLY] = {"keystore-max-reply-bytes", channel->max_reply},
    };
    snprintf(channel->max_reply, sizeof channel->max_reply, "%zu", channel->limits.max_message);
    call_write_timeout(channel->timeout, channel->limits.call_timeout_ms);
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (fixed[i].name != NULL)
            channel_set_header(&channel->headers[i], fixed[i].name, fixed[i].value, true);
}

struct channel *channel_new(const struct target *target, const struct channel_limits *limits)
{
    struct channel *channel = calloc(1, sizeof *channel);
    if (channel == NULL)
        return NULL;
    channel->target = *target;
    channel->limits = *limits;
    channel->fd = -1;
    channel_prepare_headers(channel);
    buffer_init(&channel->out, OUT_LIMIT);
    return channel;
}

void channel_free(struct channel *channel)
{
    if (channel == NULL)
        return;
    channel_disconnect(channel);
    buffer_deinit(&channel->out);
    free(channel);
}

/* Opens a connection and waits for the server's SETTINGS. */
static bool channel_open_connection(struct channel *channel, int64_t deadline_ms,
                                    struct keystore_error *error)
{
    channel->fd = socket_connect(&channel->target, deadline_ms, error);
    if (channel->fd < 0)
        return false;
    int failure = channel_start_session(channel);
    if (failure != 0)
        return channel_fail(channel, failure, error);
    while (!channel->settings_received) {
        switch (channel_step(channel, deadline_ms, error)) {
        case STEP_PROGRESS:
            break;
        case STEP_TIMEOUT:
            status_set(error, KEYSTORE_DEADLINE_EXCEEDED,
                       "%s accepted the connection but sent no HTTP/2 SETTINGS in time",
                       channel->target.name);
            channel_disconnect(channel);
            return false;
        case STEP_LOST:
            return false;
        }
    }
    if (!socket_set_receive_timeout(channel->fd, channel->limits.call_timeout_ms))
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

static int64_t channel_deadline_in(int64_t now_ms, int64_t timeout_ms)
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
    channel_disconnect(channel);
    int64_t connect_deadline_ms =
        channel_deadline_in(clock_monotonic_ms(), channel->limits.connect_timeout_ms);
    if (connect_deadline_ms > deadline_ms)
        connect_deadline_ms = deadline_ms;
    return channel_open_connection(channel, connect_deadline_ms, error);
}

bool channel_connect(struct channel *channel, struct keystore_error *error)
{
    return channel_is_ready(channel, clock_monotonic_ms(), INT64_MAX) ||
           channel_reconnect(channel, INT64_MAX, error);
}

/* 0 or an error of nghttp2. `left_ms` is INT64_MAX for a call without a timeout. */
static int channel_submit(struct channel *channel, const char *path, int64_t left_ms)
{
    char timeout[CALL_TIMEOUT_SIZE];
    const char *value = channel->timeout;
    if (left_ms < channel->limits.call_timeout_ms) {
        call_write_timeout(timeout, left_ms);
        value = timeout;
    }
    size_t count = left_ms == INT64_MAX ? HEADER_TIMEOUT : HEADER_COUNT;
    channel_set_header(&channel->headers[HEADER_PATH], ":path", path, false);
    channel_set_header(&channel->headers[HEADER_TIMEOUT], "grpc-timeout", value, false);
    nghttp2_data_provider body = {.read_callback = channel_on_request_wanted};
    int32_t id =
        nghttp2_submit_request(channel->session, NULL, channel->headers, count, &body, NULL);
    if (id < 0)
        return id;
    channel->stream_id = id;
    return 0;
}

/* Returns the result of a call whose answer is complete or refused, or whose stream was closed. */
static enum keystore_code channel_conclude(struct channel *channel, struct keystore_error *error)
{
    struct call *call = channel->call;
    DCHECK(channel_is_over(channel) && call != NULL);
    enum keystore_code code;
    if (channel->refused) {
        code = call->error.code;
    } else if (channel->ended) {
        code = call_finish(call);
    } else {
        code = status_from_http2(channel->close_code);
        status_set(&call->error, code, "the server ended the call without an answer (%s)",
                   nghttp2_http2_strerror(channel->close_code));
    }
    *error = call->error;
    return code;
}

/* Detaches the call: an open stream is reset, and late frames find no call. */
static void channel_end_call(struct channel *channel)
{
    channel->call = NULL;
    if (channel->session == NULL)
        return;
    /* A request that was not sent yet has no stream either, but must be cancelled. */
    if (channel_is_over(channel) &&
        nghttp2_session_find_stream(channel->session, channel->stream_id) == NULL)
        return;
    struct keystore_error ignored; /* a connection lost now matters only to the next call */
    uint32_t code = channel->ended ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL;
    int failure =
        nghttp2_submit_rst_stream(channel->session, NGHTTP2_FLAG_NONE, channel->stream_id, code);
    if (failure != 0)
        channel_fail(channel, failure, &ignored);
    else
        (void)channel_flush(channel, &ignored);
}

/* Runs the call to its end. `reused`: the connection was open before the call. */
static enum keystore_code channel_run(struct channel *channel, bool reused, int64_t deadline_ms,
                                      struct keystore_error *error)
{
    enum step last = reused ? channel_first_step(channel, error) : STEP_PROGRESS;
    while (last == STEP_PROGRESS && !channel_is_over(channel))
        last = channel_step(channel, deadline_ms, error);
    /* The last bytes before the connection was lost may complete the answer. */
    if (channel_is_over(channel))
        return channel_conclude(channel, error);
    if (last == STEP_TIMEOUT)
        status_set(error, KEYSTORE_DEADLINE_EXCEEDED, "%s did not answer within %lld ms",
                   channel->target.name, (long long)channel->limits.call_timeout_ms);
    DCHECK(error->code != KEYSTORE_OK); /* a call that failed has an error */
    return error->code;
}

/* Whether the server, while shutting down, has refused the call unprocessed. */
static bool channel_was_unprocessed(const struct channel *channel)
{
    return channel->closed && channel->close_code == NGHTTP2_REFUSED_STREAM &&
           channel->session != NULL && channel->goaway_debug[0] != '\0';
}

/* One attempt, on a connection that can take a call. */
static enum keystore_code channel_attempt(struct channel *channel, const char *path,
                                          struct call *call, bool reused, int64_t deadline_ms,
                                          struct keystore_error *error)
{
    DCHECK(channel->call == NULL && channel->session != NULL); /* one call at a time */
    channel->call = call;
    channel->ended = false;
    channel->refused = false;
    channel->closed = false;
    int64_t left_ms = channel->limits.call_timeout_ms;
    /* On a reused connection no time has passed, so the header is the same for each call. */
    if (!reused && deadline_ms != INT64_MAX)
        left_ms = deadline_ms - clock_monotonic_ms();
    int failure = channel_submit(channel, path, left_ms > 0 ? left_ms : 1);
    if (failure != 0) {
        channel->call = NULL;
        channel_fail(channel, failure, error);
        return error->code;
    }
    enum keystore_code code = channel_run(channel, reused, deadline_ms, error);
    channel_end_call(channel);
    channel->used_ms = clock_monotonic_ms();
    return code;
}

enum keystore_code channel_call(struct channel *channel, const char *path, struct slice request,
                                struct buffer *answer, struct keystore_error *error)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t deadline_ms = channel_deadline_in(now_ms, channel->limits.call_timeout_ms);
    bool reused = channel_is_ready(channel, now_ms, deadline_ms);
    struct call call;
    for (int attempts = 1;; attempts++) {
        if (!reused && !channel_reconnect(channel, deadline_ms, error))
            return error->code;
        call_init(&call, request, answer, channel->limits.max_message);
        enum keystore_code code = channel_attempt(channel, path, &call, reused, deadline_ms, error);
        if (attempts == 2 || !channel_was_unprocessed(channel))
            return code;
        reused = false;
    }
}
