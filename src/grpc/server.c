/*
 * Calls on the streams of HTTP/2 connections. Checks each request against the gRPC protocol, passes
 * it to the service when it is complete, and writes the reply. Knows no methods and no message
 * types.
 */
#include "grpc/server.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "grpc/call.h"
#include "grpc/fields.h"
#include "grpc/gunzip.h"
#include "grpc/gzip.h"
#include "grpc/metadata.h"
#include "grpc/request.h"

#include <stdio.h>
#include <stdlib.h>

/* Answers. */

/* Marks the call as answered; the caller then sends the last part, which ends the call. */
static struct grpc_connection *server_mark_answered(struct grpc_call *call)
{
    CHECK(call->state != CALL_ANSWERED);
    DCHECK(call->state != CALL_SUBMITTED || call->connection->unanswered > 0);
    call->connection->unanswered -= call->state == CALL_SUBMITTED;
    call->state = CALL_ANSWERED;
    return call->connection;
}

void grpc_reply_begin(struct chain *reply, size_t size)
{
    grpc_message_write_prefix(chain_append(reply, GRPC_PREFIX_SIZE), size);
}

struct chain *grpc_call_reply_begin(struct grpc_call *call, size_t size)
{
    struct http2_stream *stream = call_stream(call);
    http2_answer_begin(stream, grpc_reply_fields, GRPC_REPLY_FIELDS, GRPC_PREFIX_SIZE + size);
    struct chain *reply = http2_answer_body(stream);
    grpc_reply_begin(reply, size);
    return reply;
}

struct gzip *server_gzip(struct grpc_server *server)
{
    if (server->gzip == NULL)
        server->gzip = gzip_new();
    return server->gzip;
}

static void server_compress(struct gzip *gzip, struct chain *reply)
{
    struct chain compressed = {0};
    struct chain_cursor cursor = {0};
    DCHECK(chain_length(reply) >= GRPC_PREFIX_SIZE && reply->bytes.data[0] != GRPC_COMPRESSED);
    chain_skip(reply, &cursor, GRPC_PREFIX_SIZE);
    size_t size = chain_length(reply) - GRPC_PREFIX_SIZE;
    if (gzip_append(gzip, reply, cursor, size, &compressed) == 0) {
        chain_deinit(&compressed);
        return;
    }
    chain_deinit(reply);
    *reply = compressed;
}

void grpc_reply_compress(struct chain *reply)
{
    struct gzip *gzip = gzip_new();
    server_compress(gzip, reply);
    gzip_free(gzip);
}

void grpc_call_compress(struct grpc_call *call, struct chain *reply)
{
    DCHECK((call->gzip & CALL_WANTS_GZIP) != 0);
    server_compress(server_gzip(call->connection->server), reply);
}

bool grpc_call_wants_gzip(const struct grpc_call *call)
{
    return (call->gzip & CALL_WANTS_GZIP) != 0;
}

/* The reply's fields; counts a compressed one. */
static size_t server_count_reply(struct grpc_call *call, const struct chain *reply)
{
    if (reply->bytes.data[0] != GRPC_COMPRESSED)
        return GRPC_REPLY_FIELDS;
    struct slice member = slice_skip(buf_slice(&reply->bytes), GRPC_PREFIX_SIZE);
    compression_count(&call->connection->server->compressed, member.len, gunzip_read_size(member));
    return GRPC_GZIP_REPLY_FIELDS;
}

void grpc_call_reply_chain(struct grpc_call *call, struct chain *reply)
{
    struct http2_stream *stream = call_stream(call);
    size_t fields = server_count_reply(call, reply);
    http2_answer_begin(stream, grpc_reply_fields, fields, chain_length(reply));
    chain_append_chain(http2_answer_body(stream), reply);
    grpc_call_reply_end(call);
}

static inline void server_send_reply(struct grpc_call *call)
{
    struct grpc_connection *connection = server_mark_answered(call);
    http2_answer_end(call_stream(call), grpc_ok_trailers, GRPC_OK_TRAILERS);
    call_tell_output(connection);
}

/* The slow path of grpc_call_reply_end(): a call that is not of its method's current run, as those
 * are that the service is told of. Out of line, so that the other one keeps fewer registers. */
static void __attribute__((noinline)) server_count_and_send(struct grpc_call *call)
{
    struct meter *meter = call->connection->server->meter;
    int64_t duration_ns = call_is_told(call) ? meter_count_alone(meter, call->row, call->start_ns)
                                             : meter_count_answer(meter, call->row, call->start_ns);
    if (duration_ns >= 0)
        call_report(call, duration_ns, GRPC_OK, NULL);
    server_send_reply(call);
}

void grpc_call_reply_end(struct grpc_call *call)
{
    struct meter_row *row = call->row;
    if (row->since_ns != call->start_ns) {
        server_count_and_send(call);
        return;
    }
    row->answered++;
    server_send_reply(call);
}

void grpc_call_fail(struct grpc_call *call, const struct grpc_status *status)
{
    meter_add(&call->row->received, call->complete);
    call_report(call, call_count_end(call, status->code), status->code, status);
    struct grpc_connection *connection = server_mark_answered(call);
    struct grpc_fields fields;
    grpc_fields_init(&fields, status);
    http2_answer_without_body(call_stream(call), fields.fields, fields.count);
    grpc_fields_deinit(&fields);
    call_tell_output(connection);
}

void call_fail(struct grpc_call *call, enum err err, const char *why)
{
    struct grpc_status status = call->connection->server->service->status_of(err, why);
    grpc_call_fail(call, &status);
}

/* A request that is not gRPC gets a plain HTTP response. */
static void server_fail_http(struct grpc_call *call, const char *http_status)
{
    struct grpc_connection *connection = server_mark_answered(call);
    atomic_fetch_add(&connection->server->not_grpc, 1);
    const struct http2_field fields[] = {
        {SLICE_LITERAL(":status"), slice_from_string(http_status)},
        {SLICE_LITERAL("allow"), SLICE_LITERAL("POST")}, /* which 405 requires */
    };
    bool is_bad_method = strcmp(http_status, "405") == 0;
    http2_answer_without_body(call_stream(call), fields, is_bad_method ? 2 : 1);
    call_tell_output(connection);
}

void grpc_call_set_user(struct grpc_call *call, void *user)
{
    call->user = user;
}

void *grpc_call_user(const struct grpc_call *call)
{
    return call->user;
}

const char *grpc_call_wait(struct grpc_call *call)
{
    struct grpc_connection *connection = call->connection;
    CHECK(call->state == CALL_SUBMITTED && connection->unanswered > 0);
    if (connection->no_waiting != NULL)
        return connection->no_waiting;
    connection->unanswered--;
    call->state = CALL_WAITING;
    return NULL;
}

void grpc_call_go_on(struct grpc_call *call)
{
    CHECK(call->state == CALL_WAITING);
    call->connection->unanswered++;
    call->state = CALL_SUBMITTED;
    call->work_ns = clock_monotonic_ns();
}

bool grpc_call_is_waiting(const struct grpc_call *call)
{
    return call->state == CALL_WAITING;
}

int64_t grpc_call_deadline_ms(const struct grpc_call *call)
{
    return call->deadline_ms;
}

const void *grpc_call_connection(const struct grpc_call *call)
{
    return call->connection;
}

void *grpc_call_connection_user(const struct grpc_call *call)
{
    return call->connection->user;
}

uint64_t grpc_call_max_reply(const struct grpc_call *call)
{
    return call->max_reply;
}

const struct grpc_metadata *grpc_call_metadata(const struct grpc_call *call)
{
    return call->metadata;
}

struct grpc_principal *grpc_call_principal(const struct grpc_call *call)
{
    return call->principal;
}

void grpc_call_set_principal(struct grpc_call *call, struct grpc_principal *principal)
{
    const struct grpc_service *service = call->connection->server->service;
    if (call->holds != 0)
        service->leave(service->user, call->principal, call->holds);
    call->holds = 0;
    grpc_principal_release(call->principal);
    call->principal = principal;
    call_count_again(call);
}

struct blob *grpc_call_holder(const struct grpc_call *call)
{
    return call->message.blob;
}

void grpc_call_take_message(struct grpc_call *call, struct grpc_message *message)
{
    grpc_message_keep(&call->message);
    *message = call->message;
    call->message = (struct grpc_message){0};
}

/* Requests. */

static void server_set_deadline(struct grpc_call *call, int64_t timeout_ms)
{
    call->deadline_ms =
        timeout_ms == GRPC_NO_TIMEOUT ? GRPC_NO_TIMEOUT : call->connection->now_ms + timeout_ms;
}

static bool server_wants_gzip(const struct grpc_server *server, const struct grpc_call *call,
                              const struct grpc_request *request)
{
    if (!request->accepts_gzip || request->wish == GRPC_WISH_IDENTITY)
        return false;
    switch (server->limits.compress) {
    case GRPC_COMPRESS_ASKED:
        return (call->gzip & CALL_SENDS_GZIP) != 0 || request->wish == GRPC_WISH_GZIP;
    case GRPC_COMPRESS_ALWAYS:
        return true;
    case GRPC_COMPRESS_NEVER:
        break;
    }
    return false;
}

/* Finds the method, NULL if it is unknown; the call has started. */
static void server_find_method(struct grpc_call *call, struct slice path)
{
    struct grpc_server *server = call->connection->server;
    const struct grpc_service *service = server->service;
    call->method = service->find_method(service->user, path);
    size_t number = service->number_of != NULL ? service->number_of(call->method) : 0;
    CHECK(number < server->meter->count);
    call_count_start(call, &server->meter->rows[number]);
}

/* Why the call's metadata are not served with its method; NULL: they are. */
static const char *server_refuses(const struct grpc_call *call)
{
    const struct grpc_service *service = call->connection->server->service;
    if (call->metadata == NULL || service->refuses == NULL)
        return NULL;
    return service->refuses(service->user, call->method, call->metadata);
}

/* Finds out who makes the call; else why it fails. */
static enum err server_admit(struct grpc_call *call, const struct grpc_request *request,
                             const char **why)
{
    const struct grpc_service *service = call->connection->server->service;
    if (service->admit == NULL)
        return ERR_NONE;
    if (request->authorizations > 1) {
        *why = "the call has several authorization fields; send one";
        return ERR_UNAUTHENTICATED;
    }
    return service->admit(service->user, call, call->method, request->authorization,
                          &call->principal, why);
}

/* True if the call is accepted; else it has been answered with an error. */
static bool server_begin_call(struct grpc_call *call, const struct grpc_request *request)
{
    const struct grpc_service *service = call->connection->server->service;
    bool is_gzip = slice_equal(request->encoding, SLICE_LITERAL("gzip"));
    const char *why, *denied;
    enum err err;
    server_find_method(call, request->path);
    call->metadata = grpc_metadata_new(&request->rare, &why);
    if (call->metadata != NULL && call->metadata->previous_attempts > 0)
        meter_add(&call->row->retried, 1);
    if (call->method == NULL)
        call_fail(call, ERR_NOT_SERVED, service->unknown_method);
    else if ((err = server_admit(call, request, &denied)) != ERR_NONE)
        call_fail(call, err, denied);
    else if (!request->timeout_valid)
        call_fail(
            call, ERR_BAD_ARGUMENT,
            "grpc-timeout is malformed; it is 1 to 8 digits and a unit of H, M, S, m, u or n");
    else if (!request->max_reply_valid)
        call_fail(call, ERR_BAD_ARGUMENT,
                  "keystore-max-reply-bytes is malformed; it is a positive decimal number, the "
                  "size in bytes of the largest message that the client accepts");
    else if (why != NULL)
        call_fail(call, ERR_BAD_ARGUMENT, why);
    else if ((why = server_refuses(call)) != NULL)
        call_fail(call, ERR_NOT_SERVED, why);
    else if (request->timeout_ms == 0)
        call_fail(call, ERR_DEADLINE, "the deadline had passed when the request arrived");
    else if (request->wish == GRPC_WISH_MALFORMED)
        call_fail(call, ERR_BAD_ARGUMENT,
                  "keystore-compress is malformed; it is gzip or identity, how replies are to be "
                  "sent");
    else if (request->encoding.len > 0 && !is_gzip &&
             !slice_equal(request->encoding, SLICE_LITERAL("identity")))
        call_fail(call, ERR_NOT_SERVED,
                  "the request's grpc-encoding is not supported; this server accepts identity "
                  "and gzip");
    else {
        server_set_deadline(call, request->timeout_ms);
        call->max_reply =
            request->max_reply < UINT32_MAX ? (uint32_t)request->max_reply : UINT32_MAX;
        call->gzip = is_gzip ? CALL_SENDS_GZIP : 0;
        if (server_wants_gzip(call->connection->server, call, request))
            call->gzip |= CALL_WANTS_GZIP;
        return true;
    }
    return false;
}

/* NULL: the call is unary. */
static const struct grpc_stream_method *server_stream_of(const struct grpc_call *call)
{
    const struct grpc_service *service = call->connection->server->service;
    return service->stream_of != NULL ? service->stream_of(call->method) : NULL;
}

static void server_remember(struct grpc_connection *connection, uint32_t block_id,
                            const struct grpc_call *call, const struct grpc_request *request)
{
    struct known_request *known = &connection->known[block_id % KNOWN_REQUESTS];
    if (block_id == 0 || request->expects_continue || request->rare.count > 0)
        return;
    grpc_principal_release(known->principal);
    *known = (struct known_request){.block_id = block_id,
                                    .method = call->method,
                                    .row = call->row,
                                    .stream = server_stream_of(call),
                                    .timeout_ms = request->timeout_ms,
                                    .max_reply = call->max_reply,
                                    .gzip = call->gzip,
                                    .principal = grpc_principal_retain(call->principal)};
}

/* True if the request has the header block that is known, and who makes it is, too. */
static inline bool server_knows(const struct grpc_connection *connection,
                                const struct known_request *known, uint32_t block_id)
{
    const struct grpc_service *service = connection->server->service;
    if (block_id == 0 || known->block_id != block_id)
        return false;
    return known->principal == NULL || service->is_current(service->user, known->principal);
}

/* True if the call may begin; else it has been answered with an error. */
static bool __attribute__((noinline)) server_enter(struct grpc_call *call)
{
    const struct grpc_service *service = call->connection->server->service;
    struct grpc_status status;
    if (service->enter(service->user, call->method, call->principal, call->start_ns, &call->holds,
                       &status))
        return true;
    grpc_call_fail(call, &status);
    return false;
}

static inline bool server_may_begin(struct grpc_call *call)
{
    return !call->connection->server->service->counts_calls || server_enter(call);
}

static void server_on_request(void *user, struct http2_stream *stream,
                              const struct http2_request *request)
{
    struct grpc_connection *connection = user;
    struct grpc_call *call = http2_stream_user(stream);
    const struct known_request *known = &connection->known[request->block_id % KNOWN_REQUESTS];
    call->connection = connection;
    call->period_ms = connection->now_ms;
    if (server_knows(connection, known, request->block_id)) {
        call->method = known->method;
        call->principal = grpc_principal_retain(known->principal);
        call_count_start(call, known->row);
        server_set_deadline(call, known->timeout_ms);
        call->max_reply = known->max_reply;
        call->gzip = known->gzip;
        if (server_may_begin(call) && known->stream != NULL)
            call_stream_open(call, known->stream);
        return;
    }
    struct grpc_request parsed;
    if (connection->user_agent == NULL)
        call_note_agent(connection, request);
    grpc_request_parse(request->fields, request->count, &parsed);
    if (!slice_equal(parsed.method, SLICE_LITERAL("POST")))
        server_fail_http(call, "405");
    else if (!grpc_request_content_type_valid(parsed.content_type))
        server_fail_http(call, "415");
    else if (server_begin_call(call, &parsed)) {
        server_remember(connection, request->block_id, call, &parsed);
        if (!server_may_begin(call))
            return;
        if (parsed.expects_continue)
            http2_answer_continue(stream);
        const struct grpc_stream_method *method = server_stream_of(call);
        if (method != NULL)
            call_stream_open(call, method);
    }
}

/* Too much metadata; content-type usually comes early and is among the fields that fit. */
static void server_on_oversized(void *user, struct http2_stream *stream,
                                const struct http2_request *request)
{
    struct grpc_connection *connection = user;
    struct grpc_call *call = http2_stream_user(stream);
    struct grpc_request parsed;
    char why[120];
    call->connection = connection;
    grpc_request_parse(request->fields, request->count, &parsed);
    snprintf(why, sizeof why,
             "the call's metadata is larger than %zu bytes (--max-header-size), counting 32 for "
             "each field; send less",
             connection->server->limits.http2.max_header_bytes);
    if (!grpc_request_content_type_valid(parsed.content_type)) {
        server_fail_http(call, "431");
        return;
    }
    server_find_method(call, parsed.path);
    call_fail(call, ERR_TOO_LARGE, why);
}

/* Copies the borrowed message before the bytes that hold it become invalid. */
static void server_keep_borrowed(struct grpc_connection *connection)
{
    struct grpc_call *call = connection->borrower;
    connection->borrower = NULL;
    if (call == NULL)
        return;
    connection->unfinished += call->message.borrowed.len;
    grpc_message_keep(&call->message);
}

static void server_link_submitted(struct grpc_call *call)
{
    DCHECK(call->complete);
    struct grpc_call **first = &call->connection->submitted;
    call->next = *first;
    call->link = first;
    if (call->next != NULL)
        call->next->link = &call->next;
    *first = call;
}

static void server_unlink_submitted(struct grpc_call *call)
{
    if (!call->complete || call->link == NULL)
        return;
    *call->link = call->next;
    if (call->next != NULL)
        call->next->link = call->link;
    call->link = NULL;
}

/* The slow path of server_on_data(): a message in pieces, or one that is refused. */
static void server_take_data(struct grpc_call *call, struct slice data)
{
    const char *why;
    size_t left;
    call->work_ns = call->connection->feed_ns;
    bool had_place = grpc_message_space(&call->message, &left) != NULL;
    enum err err = call_gather(call, data, &why);
    if (err != ERR_NONE) {
        call_drop_message(call);
        call_fail(call, err, why);
    } else if (call->message.borrowed.len > 0) {
        call->connection->borrower = call;
    } else if (!had_place && grpc_message_space(&call->message, &left) != NULL) {
        http2_request_expect(http2_stream_from_user(call), left);
    }
}

static void server_on_data(void *user, struct http2_stream *stream, struct slice data)
{
    struct grpc_connection *connection = user;
    struct grpc_call *call = http2_stream_user(stream);
    const struct grpc_limits *limits = &connection->server->limits;
    server_keep_borrowed(connection);
    if (call->streaming != NULL)
        call_stream_take_data(call, data);
    else if (connection->unfinished <= limits->max_unfinished &&
             grpc_message_borrow(&call->message, data, limits->max_message))
        connection->borrower = call;
    else
        server_take_data(call, data);
}

static uint8_t *server_place(void *user, struct http2_stream *stream, size_t *size)
{
    (void)user;
    struct grpc_call *call = http2_stream_user(stream);
    return grpc_message_space(&call->message, size);
}

/* Passes a request to the service, or fails it for the reason that `why` gives. */
static void server_submit(struct grpc_call *call, enum err err, const char *why)
{
    struct grpc_connection *connection = call->connection;
    const struct grpc_service *service = connection->server->service;
    if (err == ERR_NONE && connection->now_ms >= call->deadline_ms) {
        err = ERR_DEADLINE;
        why = "the deadline passed before the request was complete";
    }
    if (err != ERR_NONE) {
        call_fail(call, err, why);
        return;
    }
    if (connection->borrower == call)
        connection->borrower = NULL;
    connection->unfinished -= grpc_message_gathered(&call->message);
    DCHECK(call->state == CALL_RECEIVING && connection->unfinished < SIZE_MAX / 2);
    call->complete = true;
    call->state = CALL_SUBMITTED;
    connection->unanswered++;
    server_link_submitted(call);
    service->on_request(service->user, call, call->method, grpc_message_bytes(&call->message));
}

static void server_submit_compressed(struct grpc_call *call)
{
    const char *why;
    if (call->connection->borrower == call)
        call->connection->borrower = NULL;
    enum err err = inflation_begin(call, &why);
    if (call->inflation != NULL)
        call->state = CALL_INFLATING;
    else
        server_submit(call, err, why);
}

static void server_on_end(void *user, struct http2_stream *stream)
{
    struct grpc_call *call = http2_stream_user(stream);
    const char *why = NULL;
    (void)user;
    if (call->streaming != NULL) {
        call_stream_end_request(call);
        return;
    }
    enum err err = grpc_message_check_complete(&call->message, &why);
    if (err == ERR_NONE && grpc_message_is_compressed(&call->message))
        server_submit_compressed(call);
    else
        server_submit(call, err, why);
}

/* The stream of a call that has not been answered is gone. */
static void __attribute__((noinline)) server_lose(struct grpc_call *call)
{
    struct grpc_connection *connection = call->connection;
    const struct grpc_service *service = connection->server->service;
    if (call->state == CALL_STREAMING)
        return;
    enum grpc_code code = call_left_code(call);
    meter_add(&call->row->received, call->complete);
    call_report(call, call_count_end(call, code), code, NULL);
    connection->unanswered -= call->state == CALL_SUBMITTED;
    if (call->state == CALL_SUBMITTED || call->state == CALL_WAITING)
        service->on_cancel(service->user, call);
}

/* What few calls have. */
static void server_close_rare(struct grpc_call *call)
{
    inflation_abandon(call);
    call_stream_close(call);
    free(call->metadata);
    if (call->holds != 0) {
        const struct grpc_service *service = call->connection->server->service;
        service->leave(service->user, call->principal, call->holds);
    }
    grpc_principal_release(call->principal);
}

static void server_on_close(void *user, struct http2_stream *stream)
{
    struct grpc_connection *connection = user;
    struct grpc_call *call = http2_stream_user(stream);
    if (connection->borrower == call)
        connection->borrower = NULL;
    if (call->state != CALL_ANSWERED)
        server_lose(call);
    /* One branch for all of them. */
    if (((uintptr_t)call->streaming | (uintptr_t)call->metadata | (uintptr_t)call->inflation |
         (uintptr_t)call->principal | call->holds) != 0)
        server_close_rare(call);
    server_unlink_submitted(call);
    call_drop_message(call);
}

static void server_on_feed_end(void *user)
{
    struct grpc_connection *connection = user;
    const struct grpc_service *service = connection->server->service;
    service->on_batch_end(service->user);
    while (connection->submitted != NULL) { /* not answered within the feed */
        struct grpc_call *call = connection->submitted;
        server_unlink_submitted(call);
        call_drop_message(call);
    }
    server_keep_borrowed(connection);
    DCHECK(connection->submitted == NULL && connection->borrower == NULL);
}

void call_continue(struct grpc_call *call, enum err err, const char *why, struct slice rest,
                   bool end)
{
    struct grpc_connection *connection = call->connection;
    connection->feeding = true;
    if (call->streaming != NULL) {
        call_stream_continue(call, err, why, rest, end);
    } else {
        call->state = CALL_RECEIVING;
        server_submit(call, err, why);
    }
    server_on_feed_end(connection);
    connection->feeding = false;
    connection->on_output(connection->user);
}

const struct http2_handler call_handler = {
    .stream_user_size = sizeof(struct grpc_call),
    .on_request = server_on_request,
    .on_oversized = server_on_oversized,
    .on_data = server_on_data,
    .place = server_place,
    .on_end = server_on_end,
    .on_room = call_stream_on_room,
    .on_close = server_on_close,
    .on_feed_end = server_on_feed_end,
};
