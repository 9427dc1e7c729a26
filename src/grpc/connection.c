/* Servers and their connections: bytes in and out, timeouts, counts, and how a connection ends. The
 * calls are those of server.c. */
#include "grpc/server.h"

#include "base/check.h"
#include "base/mem.h"
#include "grpc/call.h"
#include "grpc/gzip.h"

#include <stdlib.h>

/* Bytes of a message beyond the largest value, for keys, tags and lengths. */
#define MESSAGE_OVERHEAD ((size_t)1024 * 1024)

struct grpc_limits grpc_limits_for(size_t max_value, const struct http2_limits *http2)
{
    struct grpc_limits limits = {.max_message = max_value + MESSAGE_OVERHEAD,
                                 .request_timeout_ms = GRPC_REQUEST_TIMEOUT_MS,
                                 .min_progress = GRPC_MIN_PROGRESS,
                                 .write_timeout_ms = http2->stall_timeout_ms,
                                 .slow_ns = GRPC_NEVER_SLOW,
                                 .http2 = *http2};
    limits.max_unfinished = 2 * limits.max_message;
    /* Two of the largest answers may be queued before new requests are refused. */
    if (limits.http2.max_queued < 2 * limits.max_message)
        limits.http2.max_queued = 2 * limits.max_message;
    return limits;
}

struct grpc_server *grpc_server_new(const struct grpc_limits *limits,
                                    const struct grpc_service *service)
{
    struct grpc_server *server = mem_alloc(sizeof *server);
    *server = (struct grpc_server){.service = service, .limits = *limits};
    server->meter = meter_new(service->number_of != NULL ? service->counted : 1);
    server->meter->slow_ns = service->on_outcome != NULL ? limits->slow_ns : GRPC_NEVER_SLOW;
    server->meter->takes_each = service->on_outcome != NULL && limits->slow_ns < GRPC_OWN_TIME_NS;
    server->http2 = http2_context_new(&limits->http2, &call_handler);
    return server;
}

void grpc_server_set_limits(struct grpc_server *server, const struct grpc_limits *limits)
{
    server->limits = *limits;
    http2_context_set_limits(server->http2, &limits->http2);
}

void grpc_server_free(struct grpc_server *server)
{
    if (server == NULL)
        return;
    http2_context_free(server->http2);
    gzip_free(server->gzip);
    free(server->meter);
    free(server);
}

struct grpc_connection *grpc_connection_new(struct grpc_server *server,
                                            void (*on_output)(void *user), void *user,
                                            int64_t now_ms)
{
    struct grpc_connection *connection = mem_alloc(sizeof *connection);
    *connection = (struct grpc_connection){
        .server = server, .on_output = on_output, .user = user, .now_ms = now_ms};
    lifetime_init(connection, now_ms);
    connection->session = http2_session_new(server->http2, connection, now_ms);
    return connection;
}

void grpc_connection_free(struct grpc_connection *connection)
{
    if (connection == NULL)
        return;
    http2_session_free(connection->session);
    CHECK(connection->unanswered == 0 && connection->unfinished == 0 &&
          connection->inflating == 0 && connection->submitted == NULL);
    for (size_t i = 0; i < KNOWN_REQUESTS; i++)
        grpc_principal_release(connection->known[i].principal);
    free(connection->user_agent);
    free(connection);
}

bool grpc_connection_feed(struct grpc_connection *connection, struct slice bytes, struct chain *out,
                          int64_t now_ms)
{
    DCHECK(!connection->feeding);
    struct meter *meter = connection->server->meter;
    connection->now_ms = now_ms;
    connection->feeding = true;
    connection->feed_ns = meter_begin_turn(meter);
    bool alive = http2_session_feed(connection->session, bytes, out, now_ms);
    meter_end_turn(meter);
    connection->feed_ns = 0;
    connection->feeding = false;
    return alive;
}

size_t grpc_connection_place(struct grpc_connection *connection, struct iovec *pieces)
{
    return http2_session_place(connection->session, pieces);
}

bool grpc_connection_feed_placed(struct grpc_connection *connection, size_t size, struct chain *out,
                                 int64_t now_ms)
{
    struct meter *meter = connection->server->meter;
    connection->now_ms = now_ms;
    connection->feeding = true;
    connection->feed_ns = meter_begin_turn(meter);
    bool alive = http2_session_feed_placed(connection->session, size, out, now_ms);
    meter_end_turn(meter);
    connection->feed_ns = 0;
    connection->feeding = false;
    return alive;
}

void grpc_connection_pull(struct grpc_connection *connection, struct chain *out, int64_t now_ms)
{
    connection->now_ms = now_ms;
    connection->feeding = true;
    http2_session_pull(connection->session, out, now_ms);
    connection->feeding = false;
}

size_t grpc_connection_queued(const struct grpc_connection *connection)
{
    return http2_session_queued(connection->session);
}

size_t grpc_connection_owed(const struct grpc_connection *connection)
{
    return http2_session_owed(connection->session);
}

uint64_t grpc_connection_sent(const struct grpc_connection *connection)
{
    return http2_session_sent(connection->session);
}

bool grpc_connection_finished(const struct grpc_connection *connection)
{
    return http2_session_finished(connection->session);
}

bool grpc_connection_has_unanswered(const struct grpc_connection *connection)
{
    return connection->unanswered > 0 || connection->inflating > 0;
}

struct closing grpc_connection_expired(const struct grpc_connection *connection, int64_t now_ms)
{
    struct closing why = http2_session_expired(connection->session, now_ms);
    return why.kind != CLOSING_NONE ? why : lifetime_expired(connection, now_ms);
}

void grpc_connection_end(struct grpc_connection *connection, struct closing why)
{
    http2_session_end(connection->session, why);
}

struct closing grpc_connection_closing(const struct grpc_connection *connection)
{
    return http2_session_closing(connection->session);
}

struct slow_search {
    int64_t now_ms;
    struct grpc_call *found;
};

/* False, which ends the search, for a request that does not arrive in time. */
static bool connection_check_progress(void *argument, struct http2_stream *stream)
{
    struct slow_search *search = argument;
    search->found = http2_stream_user(stream);
    return search->found->state != CALL_RECEIVING || !call_stalls(search->found, search->now_ms);
}

static void connection_end_slow_requests(struct grpc_connection *connection, int64_t now_ms)
{
    struct slow_search search = {.now_ms = now_ms};
    while (!http2_session_visit(connection->session, connection_check_progress, &search)) {
        call_drop_message(search.found);
        call_fail(search.found, ERR_DEADLINE,
                  "the rest of the request did not arrive in time (--request-timeout, "
                  "--min-progress)");
    }
}

struct review_search {
    struct grpc_call *found;
    enum err err;
    const char *why;
};

/* False, which ends the search, for a call that waits, and that its caller may not make any longer.
 */
static bool connection_review(void *argument, struct http2_stream *stream)
{
    struct review_search *search = argument;
    struct grpc_call *call = search->found = http2_stream_user(stream);
    const struct grpc_service *service = call->connection->server->service;
    if (call->state != CALL_WAITING)
        return true;
    call_count_again(call);
    if (call->principal == NULL)
        return true;
    search->err = service->review(service->user, call, call->method, &search->why);
    return search->err == ERR_NONE;
}

static void connection_end_wait(struct grpc_call *call, enum err err, const char *why)
{
    const struct grpc_service *service = call->connection->server->service;
    service->on_cancel(service->user, call);
    call->user = NULL;
    call_fail(call, err, why);
}

static void connection_review_waits(struct grpc_connection *connection)
{
    const struct grpc_service *service = connection->server->service;
    struct review_search search;
    if (service->review == NULL && !service->counts_calls)
        return;
    while (!http2_session_visit(connection->session, connection_review, &search))
        connection_end_wait(search.found, search.err, search.why);
}

void grpc_connection_check(struct grpc_connection *connection, int64_t now_ms)
{
    if (http2_session_finished(connection->session))
        return;
    size_t queued = http2_session_queued(connection->session);
    http2_session_check(connection->session, now_ms);
    if (http2_session_queued(connection->session) > queued)
        call_tell_output(connection);
    connection_end_slow_requests(connection, now_ms);
    connection_review_waits(connection);
    call_stream_check(connection, now_ms);
    lifetime_check(connection, now_ms);
}

static struct grpc_compressed connection_read_counts(const struct compression_counts *counts)
{
    return (struct grpc_compressed){.messages = atomic_load(&counts->messages),
                                    .compressed_bytes = atomic_load(&counts->compressed_bytes),
                                    .plain_bytes = atomic_load(&counts->plain_bytes)};
}

const struct meter *grpc_server_meter(const struct grpc_server *server)
{
    return server->meter;
}

void grpc_server_begin_turn(struct grpc_server *server)
{
    meter_begin_turn(server->meter);
}

void grpc_server_end_turn(struct grpc_server *server)
{
    meter_end_turn(server->meter);
}

struct grpc_counts grpc_server_counts(const struct grpc_server *server)
{
    return (struct grpc_counts){.slow_requests = atomic_load(&server->slow_requests),
                                .unread_streams = atomic_load(&server->unread_streams),
                                .not_grpc = atomic_load(&server->not_grpc),
                                .streams_open = atomic_load(&server->streams_open),
                                .inflated = connection_read_counts(&server->inflated),
                                .compressed = connection_read_counts(&server->compressed),
                                .streams = http2_context_reset_counts(server->http2)};
}

static void connection_add_compressed(struct grpc_compressed *sum,
                                      const struct grpc_compressed *counts)
{
    sum->messages += counts->messages;
    sum->compressed_bytes += counts->compressed_bytes;
    sum->plain_bytes += counts->plain_bytes;
}

void grpc_counts_add(struct grpc_counts *sum, const struct grpc_counts *counts)
{
    sum->slow_requests += counts->slow_requests;
    sum->unread_streams += counts->unread_streams;
    sum->not_grpc += counts->not_grpc;
    sum->streams_open += counts->streams_open;
    connection_add_compressed(&sum->inflated, &counts->inflated);
    connection_add_compressed(&sum->compressed, &counts->compressed);
    sum->streams.refused += counts->streams.refused;
    sum->streams.stream_errors += counts->streams.stream_errors;
}

/* False, which ends the search, for a call that waits. */
static bool connection_find_waiting(void *argument, struct http2_stream *stream)
{
    struct grpc_call **found = argument;
    *found = http2_stream_user(stream);
    return (*found)->state != CALL_WAITING;
}

/* From now on no call waits. */
static void connection_end_waits(struct grpc_connection *connection, const char *why)
{
    struct grpc_call *call;
    connection->no_waiting = why;
    while (!http2_session_visit(connection->session, connection_find_waiting, &call))
        connection_end_wait(call, ERR_STOPPING, why);
}

void call_drain(struct grpc_connection *connection, struct closing why, const char *text)
{
    http2_session_drain(connection->session, why);
    call_stream_drain(connection);
    connection_end_waits(connection, text);
}

void grpc_connection_drain(struct grpc_connection *connection)
{
    static const struct closing stopping = {CLOSING_NONE, "the server is shutting down"};
    connection->lifetime.is_over = true;
    call_drain(connection, stopping, "the server is shutting down; nothing was popped");
}

void grpc_connection_hang_up(struct grpc_connection *connection)
{
    connection->feeding = true;
    connection_end_waits(connection,
                         "the client has ended its side of the connection and may be gone; "
                         "nothing was popped");
    connection->feeding = false;
}
