/*
 * Calls on the streams of one HTTP/2 connection. Checks each request against the protocol of gRPC,
 * hands it to the service when it is complete, and writes the reply. Knows no method and no
 * message.
 */
#include "grpc/server.h"

#include "base/clock.h"
#include "base/mem.h"
#include "grpc/message.h"
#include "grpc/request.h"
#include "http2/http2.h"

#include <stdio.h>
#include <stdlib.h>

/* Bytes of one error's trailers: bounds the sentence that is sent. */
#define MAX_STATUS_BYTES ((size_t)16384)
/* Room for keys, tags and lengths beside the largest value in a message. */
#define MESSAGE_OVERHEAD ((size_t)1024 * 1024)

enum call_state {
    CALL_RECEIVING, /* the request is not complete */
    CALL_SUBMITTED, /* the service has it */
    CALL_ANSWERED,  /* what else arrives is ignored */
};

struct grpc_call {
    struct grpc_connection *connection;
    const void *method;
    void *user;
    int64_t deadline_ms; /* monotonic; GRPC_NO_TIMEOUT if there is none */
    enum call_state state;
    struct grpc_message message;
};

struct grpc_connection {
    struct http2_session *session;
    const struct grpc_service *service;
    struct grpc_limits limits;
    void (*on_output)(void *user);
    void *user;
    bool feeding;               /* what is answered now is pulled after the feed */
    size_t unfinished;          /* bytes gathered of incomplete requests */
    struct grpc_call *borrower; /* whose message lies in the bytes being fed */
};

static const struct http2_field answer_fields[] = {
    {SLICE_LITERAL(":status"), SLICE_LITERAL("200"), true},
    {SLICE_LITERAL("content-type"), SLICE_LITERAL("application/grpc"), true},
};
static const struct http2_field ok_trailers[] = {
    {SLICE_LITERAL("grpc-status"), SLICE_LITERAL("0"), true},
};

struct grpc_limits grpc_limits_for(size_t max_message)
{
    size_t with_overhead = max_message + MESSAGE_OVERHEAD;
    return (struct grpc_limits){
        .max_message = with_overhead, .max_unfinished = 2 * with_overhead, .max_streams = 1000};
}

/* The call lives in the stream's user memory: one is found from the other. */
static struct http2_stream *stream_of(struct grpc_call *call)
{
    return http2_stream_from_user(call);
}

/* Answers. */

static void answered(struct grpc_call *call)
{
    struct grpc_connection *connection = call->connection;
    call->state = CALL_ANSWERED;
    if (!connection->feeding)
        connection->on_output(connection->user);
}

uint8_t *grpc_call_reply_begin(struct grpc_call *call, size_t size)
{
    struct http2_stream *stream = stream_of(call);
    http2_respond(stream, answer_fields, sizeof answer_fields / sizeof answer_fields[0], false);
    struct buf *body = http2_body(stream);
    uint8_t *out = buf_reserve(body, GRPC_PREFIX_SIZE + size);
    if (out == NULL)
        abort(); /* the body of a stream has no limit of its own */
    grpc_message_write_prefix(out, size);
    body->len += GRPC_PREFIX_SIZE + size;
    return out + GRPC_PREFIX_SIZE;
}

void grpc_call_reply_end(struct grpc_call *call)
{
    http2_finish(stream_of(call), ok_trailers, 1);
    answered(call);
}

void grpc_call_fail(struct grpc_call *call, const struct grpc_status *status)
{
    char code[4];
    snprintf(code, sizeof code, "%d", (int)status->code);
    struct buf message, details;
    buf_init(&message, MAX_STATUS_BYTES);
    buf_init(&details, MAX_STATUS_BYTES);
    grpc_status_encode_message(status->message, &message);
    grpc_status_encode_details(status, &details);
    const struct http2_field fields[] = {
        answer_fields[0],
        answer_fields[1],
        {.name = SLICE_LITERAL("grpc-status"), .value = slice_from_string(code)},
        {.name = SLICE_LITERAL("grpc-message"), .value = buf_slice(&message)},
        {.name = SLICE_LITERAL("keystore-reason"), .value = slice_from_string(status->reason)},
        {.name = SLICE_LITERAL("grpc-status-details-bin"), .value = buf_slice(&details)},
        {.name = SLICE_LITERAL("grpc-accept-encoding"), .value = SLICE_LITERAL("identity")},
    };
    http2_respond(stream_of(call), fields, sizeof fields / sizeof fields[0], true);
    http2_refuse_rest(stream_of(call));
    buf_deinit(&message);
    buf_deinit(&details);
    answered(call);
}

static void fail(struct grpc_call *call, enum err err, const char *why)
{
    struct grpc_status status = call->connection->service->status_of(err, why);
    grpc_call_fail(call, &status);
}

/* What is not gRPC at all gets an answer of plain HTTP. */
static void fail_http(struct grpc_call *call, const char *http_status)
{
    const struct http2_field field = {.name = SLICE_LITERAL(":status"),
                                      .value = slice_from_string(http_status)};
    http2_respond(stream_of(call), &field, 1, true);
    http2_refuse_rest(stream_of(call));
    answered(call);
}

void grpc_call_set_user(struct grpc_call *call, void *user)
{
    call->user = user;
}

void *grpc_call_user(const struct grpc_call *call)
{
    return call->user;
}

/* Requests. */

static void check_encoding(struct grpc_call *call, struct slice encoding)
{
    if (encoding.len > 0 && !slice_equal(encoding, SLICE_LITERAL("identity")))
        fail(call, ERR_NOT_SERVED,
             "the request's grpc-encoding is not supported; this server takes only identity");
}

static void begin_call(struct grpc_call *call, const struct grpc_request *request)
{
    const struct grpc_service *service = call->connection->service;
    call->method = service->find_method(service->user, request->path);
    if (call->method == NULL)
        fail(call, ERR_NOT_SERVED, service->unknown_method);
    else if (!request->timeout_valid)
        fail(call, ERR_BAD_ARGUMENT,
             "grpc-timeout is malformed; it is 1 to 8 digits and a unit of H, M, S, m, u or n");
    else if (request->timeout_ms == 0)
        fail(call, ERR_DEADLINE, "the deadline had passed when the request arrived");
    else
        check_encoding(call, request->encoding);
    call->deadline_ms = request->timeout_ms == GRPC_NO_TIMEOUT
                            ? GRPC_NO_TIMEOUT
                            : clock_monotonic_ms() + request->timeout_ms;
}

static void on_request(void *user, struct http2_stream *stream, const struct http2_field *fields,
                       size_t count)
{
    struct grpc_call *call = http2_stream_user(stream);
    struct grpc_request request;
    call->connection = user;
    grpc_request_parse(fields, count, &request);
    if (!slice_equal(request.method, SLICE_LITERAL("POST")))
        fail_http(call, "405");
    else if (!grpc_request_content_type_valid(request.content_type))
        fail_http(call, "415");
    else
        begin_call(call, &request);
}

/* Copies the message that lies in bytes which are about to be gone or passed over. */
static void release_borrower(struct grpc_connection *connection)
{
    struct grpc_call *call = connection->borrower;
    connection->borrower = NULL;
    if (call == NULL)
        return;
    connection->unfinished += call->message.borrowed.len;
    grpc_message_keep(&call->message);
}

/* Gives back what was gathered of a message that nobody needs any more. */
static void drop_message(struct grpc_call *call)
{
    call->connection->unfinished -= call->message.gathered.len;
    grpc_message_deinit(&call->message);
}

static void on_data(void *user, struct http2_stream *stream, struct slice data)
{
    struct grpc_connection *connection = user;
    struct grpc_call *call = http2_stream_user(stream);
    if (call->state != CALL_RECEIVING)
        return;
    release_borrower(connection);
    size_t before = call->message.gathered.len;
    const char *why;
    enum err err = grpc_message_take(&call->message, data, connection->limits.max_message, &why);
    connection->unfinished += call->message.gathered.len - before;
    if (err == ERR_NONE && connection->unfinished > connection->limits.max_unfinished) {
        err = ERR_TOO_LARGE;
        why = "too many large requests are under way on this connection; send fewer at once";
    }
    if (err != ERR_NONE) {
        drop_message(call);
        fail(call, err, why);
    } else if (call->message.borrowed.len > 0) {
        connection->borrower = call;
    }
}

static void on_end(void *user, struct http2_stream *stream)
{
    struct grpc_connection *connection = user;
    struct grpc_call *call = http2_stream_user(stream);
    if (call->state != CALL_RECEIVING)
        return;
    const char *why;
    enum err err = grpc_message_check_complete(&call->message, &why);
    if (err == ERR_NONE && call->deadline_ms != GRPC_NO_TIMEOUT &&
        clock_monotonic_ms() >= call->deadline_ms) {
        err = ERR_DEADLINE;
        why = "the deadline passed before the request was complete";
    }
    if (err != ERR_NONE) {
        fail(call, err, why);
        return;
    }
    if (connection->borrower == call)
        connection->borrower = NULL;
    call->state = CALL_SUBMITTED;
    connection->service->on_request(connection->service->user, call, call->method,
                                    grpc_message_bytes(&call->message));
    drop_message(call);
}

static void on_close(void *user, struct http2_stream *stream)
{
    struct grpc_connection *connection = user;
    struct grpc_call *call = http2_stream_user(stream);
    if (connection->borrower == call)
        connection->borrower = NULL;
    if (call->state == CALL_SUBMITTED)
        connection->service->on_cancel(connection->service->user, call);
    drop_message(call);
}

static const struct http2_handler handler = {
    .stream_user_size = sizeof(struct grpc_call),
    .on_request = on_request,
    .on_data = on_data,
    .on_end = on_end,
    .on_close = on_close,
};

/* Connections. */

struct grpc_connection *grpc_connection_new(const struct grpc_limits *limits,
                                            const struct grpc_service *service,
                                            void (*on_output)(void *user), void *user)
{
    const struct http2_settings settings = {.max_streams = limits->max_streams,
                                            .stream_window = 1024 * 1024,
                                            .connection_window = 16 * 1024 * 1024,
                                            .max_header_bytes = 16 * 1024};
    struct grpc_connection *connection = mem_alloc(sizeof *connection);
    *connection = (struct grpc_connection){
        .service = service, .limits = *limits, .on_output = on_output, .user = user};
    connection->session = http2_session_new(&settings, &handler, connection);
    return connection;
}

void grpc_connection_free(struct grpc_connection *connection)
{
    if (connection == NULL)
        return;
    http2_session_free(connection->session);
    free(connection);
}

bool grpc_connection_feed(struct grpc_connection *connection, struct slice bytes)
{
    connection->feeding = true;
    bool alive = http2_session_feed(connection->session, bytes);
    connection->feeding = false;
    release_borrower(connection);
    return alive;
}

void grpc_connection_pull(struct grpc_connection *connection, struct buf *out, size_t enough)
{
    http2_session_pull(connection->session, out, enough);
}

size_t grpc_connection_queued(const struct grpc_connection *connection)
{
    return http2_session_queued(connection->session);
}

bool grpc_connection_finished(const struct grpc_connection *connection)
{
    return http2_session_finished(connection->session);
}

void grpc_connection_drain(struct grpc_connection *connection)
{
    http2_session_drain(connection->session);
}
