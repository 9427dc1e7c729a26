/*
 * A gRPC service for tests that echoes messages, immediately or on demand, on an in-memory
 * connection to nghttp2's client.
 */
#ifndef KEYSTORE_TESTS_GRPC_ECHO_SERVICE_H
#define KEYSTORE_TESTS_GRPC_ECHO_SERVICE_H

#include "base/mem.h"
#include "grpc/server.h"
#include "support/ng_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ECHO_NOW   "/test.Echo/Now"
#define ECHO_LATER "/test.Echo/Later"
#define ECHO_BATCH "/test.Echo/Batch" /* answered at the end of the batch */
#define ECHO_MAX   ((size_t)1000)     /* bytes of a message */

/* A call that waits for echo_answer(), or for the end of its batch. */
struct echo_pending {
    struct grpc_call *call; /* NULL once it is answered or cancelled */
    struct buf message;
    struct slice borrowed; /* the same, until the end of the batch */
    bool batched;
};

struct echo {
    struct grpc_service service;
    struct grpc_server *server;
    struct grpc_connection *connection;
    struct chain out; /* the output of feeds */
    int64_t now_ms;
    struct ng_client *client;
    struct ng_peer peer;
    struct echo_pending pending[200];
    size_t pending_count;
    size_t requests; /* on_request, both methods */
    size_t batches;
    size_t cancels;
    size_t outputs;
    struct echo_pending *answer_within; /* to be answered by the next request, within its feed */
};

static inline const void *echo_find_method(void *user, struct slice path)
{
    (void)user;
    if (slice_equal(path, SLICE_LITERAL(ECHO_NOW)))
        return ECHO_NOW;
    if (slice_equal(path, SLICE_LITERAL(ECHO_BATCH)))
        return ECHO_BATCH;
    return slice_equal(path, SLICE_LITERAL(ECHO_LATER)) ? ECHO_LATER : NULL;
}

static inline void echo_reply(struct grpc_call *call, struct slice message)
{
    size_t half = message.len / 2;
    struct chain *reply = grpc_call_reply_begin(call, message.len);
    if (half > 0)
        memcpy(chain_append(reply, half), message.data, half);
    uint8_t *out = chain_append(reply, message.len - half);
    if (message.len > 0)
        memcpy(out, message.data + half, message.len - half);
    grpc_call_reply_end(call);
}

static inline void echo_answer(struct echo_pending *pending)
{
    struct grpc_call *call = pending->call;
    assert_non_null(call);
    assert_ptr_equal(grpc_call_user(call), pending);
    pending->call = NULL;
    echo_reply(call, buf_slice(&pending->message));
}

static inline void echo_on_request(void *user, struct grpc_call *call, const void *method,
                                   struct slice message)
{
    struct echo *echo = user;
    echo->requests++;
    assert_null(grpc_call_user(call));
    if (echo->answer_within != NULL) {
        echo_answer(echo->answer_within);
        echo->answer_within = NULL;
    }
    if (strcmp(method, ECHO_NOW) == 0) {
        echo_reply(call, message);
        return;
    }
    assert_true(echo->pending_count < sizeof echo->pending / sizeof echo->pending[0]);
    struct echo_pending *pending = &echo->pending[echo->pending_count++];
    pending->call = call;
    buf_init(&pending->message, SIZE_MAX);
    ng_client_append(&pending->message, message);
    pending->batched = strcmp(method, ECHO_BATCH) == 0;
    pending->borrowed = message;
    grpc_call_set_user(call, pending);
}

/* Checks that the messages of all calls are still valid, and answers the batched calls. */
static inline void echo_on_batch_end(void *user)
{
    struct echo *echo = user;
    echo->batches++;
    for (size_t i = 0; i < echo->pending_count; i++) {
        struct echo_pending *pending = &echo->pending[i];
        if (pending->call != NULL && pending->borrowed.len > 0)
            assert_true(slice_equal(pending->borrowed, buf_slice(&pending->message)));
        pending->borrowed = (struct slice){0};
        if (pending->call != NULL && pending->batched)
            echo_answer(pending);
    }
}

static inline void echo_on_cancel(void *user, struct grpc_call *call)
{
    struct echo *echo = user;
    struct echo_pending *pending = grpc_call_user(call);
    assert_non_null(pending);
    assert_ptr_equal(pending->call, call); /* neither answered nor cancelled yet */
    pending->call = NULL;
    echo->cancels++;
}

static inline struct grpc_status echo_status_of(enum err err, const char *why)
{
    static const enum grpc_code codes[ERR_ALL] = {
        [ERR_BAD_ARGUMENT] = GRPC_INVALID_ARGUMENT,
        [ERR_TOO_LARGE] = GRPC_RESOURCE_EXHAUSTED,
        [ERR_BAD_MESSAGE] = GRPC_INTERNAL,
        [ERR_NOT_SERVED] = GRPC_UNIMPLEMENTED,
        [ERR_DEADLINE] = GRPC_DEADLINE_EXCEEDED,
        [ERR_NOT_READ] = GRPC_RESOURCE_EXHAUSTED,
        [ERR_UNAUTHENTICATED] = GRPC_UNAUTHENTICATED,
        [ERR_OUT_OF_MEMORY] = GRPC_RESOURCE_EXHAUSTED,
        [ERR_STOPPING] = GRPC_UNAVAILABLE,
        [ERR_NO_CLIENT_MEMORY] = GRPC_RESOURCE_EXHAUSTED,
        [ERR_TOO_MANY_AT_ONCE] = GRPC_RESOURCE_EXHAUSTED,
    };
    static const char *const reasons[ERR_ALL] = {
        [ERR_BAD_ARGUMENT] = "BAD_ARGUMENT",
        [ERR_TOO_LARGE] = "TOO_LARGE",
        [ERR_BAD_MESSAGE] = "BAD_MESSAGE",
        [ERR_NOT_SERVED] = "NOT_SERVED",
        [ERR_DEADLINE] = "DEADLINE",
        [ERR_NOT_READ] = "NOT_READ",
        [ERR_UNAUTHENTICATED] = "UNAUTHENTICATED",
        [ERR_OUT_OF_MEMORY] = "OUT_OF_MEMORY",
        [ERR_STOPPING] = "STOPPING",
        [ERR_NO_CLIENT_MEMORY] = "OUT_OF_MEMORY",
        [ERR_TOO_MANY_AT_ONCE] = "TOO_LARGE",
    };
    assert_non_null(reasons[err]);
    return (struct grpc_status){
        .code = codes[err], .reason = reasons[err], .message = slice_from_string(why)};
}

static inline void echo_on_output(void *user)
{
    struct echo *echo = user;
    echo->outputs++;
}

static inline bool echo_feed(void *user, struct slice bytes)
{
    struct echo *echo = user;
    return grpc_connection_feed(echo->connection, bytes, &echo->out, echo->now_ms);
}

static inline void echo_pull(void *user, struct buf *out)
{
    struct echo *echo = user;
    grpc_connection_pull(echo->connection, &echo->out, echo->now_ms);
    ng_client_flatten(&echo->out, out);
}

/* `window` as in ng_options; both have exchanged their SETTINGS. */
static inline struct echo *echo_new(const struct grpc_limits *limits,
                                    const struct ng_options *options)
{
    struct echo *echo = mem_alloc_zero(sizeof *echo);
    echo->service = (struct grpc_service){.user = echo,
                                          .find_method = echo_find_method,
                                          .unknown_method = "there is no such method, try another",
                                          .on_request = echo_on_request,
                                          .on_batch_end = echo_on_batch_end,
                                          .on_cancel = echo_on_cancel,
                                          .status_of = echo_status_of};
    echo->now_ms = 1000000;
    echo->server = grpc_server_new(limits, &echo->service);
    echo->connection = grpc_connection_new(echo->server, echo_on_output, echo, echo->now_ms);
    echo->client = ng_client_new(options);
    echo->peer = (struct ng_peer){echo, echo_feed, echo_pull};
    assert_true(ng_client_exchange(echo->client, &echo->peer));
    return echo;
}

static inline struct grpc_limits echo_limits(void)
{
    return (struct grpc_limits){
        .max_message = ECHO_MAX, .max_unfinished = 2 * ECHO_MAX, .http2 = http2_default_limits};
}

static inline struct echo *echo_connected_with(const struct ng_options *options)
{
    const struct grpc_limits limits = echo_limits();
    return echo_new(&limits, options);
}

static inline struct echo *echo_connected(void)
{
    return echo_connected_with(&(struct ng_options){.stream_window = 0});
}

static inline void echo_free_connection(struct echo *echo)
{
    grpc_connection_free(echo->connection);
    echo->connection = NULL;
}

static inline void echo_free(struct echo *echo)
{
    echo_free_connection(echo);
    grpc_server_free(echo->server);
    chain_deinit(&echo->out);
    ng_client_free(echo->client);
    for (size_t i = 0; i < echo->pending_count; i++)
        buf_deinit(&echo->pending[i].message);
    free(echo);
}

static inline bool echo_exchange(struct echo *echo)
{
    return ng_client_exchange(echo->client, &echo->peer);
}

/* Starts a call of the path with one more field, if it has a name. */
static inline struct ng_stream *echo_call_with(struct echo *echo, const char *path,
                                               const char *name, const char *value)
{
    const struct http2_field fields[] = {
        {.name = SLICE_LITERAL(":method"), .value = SLICE_LITERAL("POST")},
        {.name = SLICE_LITERAL(":scheme"), .value = SLICE_LITERAL("http")},
        {.name = SLICE_LITERAL(":path"), .value = slice_from_string(path)},
        {.name = SLICE_LITERAL(":authority"), .value = SLICE_LITERAL("host")},
        {.name = SLICE_LITERAL("te"), .value = SLICE_LITERAL("trailers")},
        {.name = SLICE_LITERAL("content-type"), .value = SLICE_LITERAL("application/grpc")},
        {.name = slice_from_string(name), .value = slice_from_string(value)},
    };
    size_t count = sizeof fields / sizeof fields[0];
    return ng_client_request(echo->client, fields, name[0] != '\0' ? count : count - 1, false);
}

static inline struct ng_stream *echo_call(struct echo *echo, const char *path)
{
    return echo_call_with(echo, path, "", "");
}

/* Bytes of the request; with `end` it is complete. They leave with the next push or exchange. */
static inline void echo_send(struct echo *echo, struct ng_stream *stream, struct slice bytes,
                             bool end)
{
    ng_client_send(echo->client, stream, bytes, end);
}

/* The message with its prefix; to be freed with buf_deinit(). */
static inline struct buf echo_framed(struct slice message)
{
    const uint8_t prefix[5] = {0, (uint8_t)(message.len >> 24), (uint8_t)(message.len >> 16),
                               (uint8_t)(message.len >> 8), (uint8_t)message.len};
    struct buf framed;
    buf_init(&framed, SIZE_MAX);
    ng_client_append(&framed, slice_make(prefix, sizeof prefix));
    ng_client_append(&framed, message);
    return framed;
}

static inline void echo_send_message(struct echo *echo, struct ng_stream *stream,
                                     struct slice message)
{
    struct buf framed = echo_framed(message);
    echo_send(echo, stream, buf_slice(&framed), true);
    buf_deinit(&framed);
}

/* The call ended with status 0 and this message. */
static inline void echo_assert_reply(const struct ng_stream *stream, struct slice message)
{
    struct buf framed = echo_framed(message);
    assert_true(stream->ended && stream->closed);
    ng_assert_slice(buf_slice(&stream->headers), ":status: 200\ncontent-type: application/grpc\n"
                                                 "grpc-accept-encoding: identity,gzip\n");
    assert_int_equal(stream->body.len, framed.len);
    assert_memory_equal(stream->body.data, framed.data, framed.len);
    ng_assert_slice(buf_slice(&stream->trailers), "grpc-status: 0\n");
    buf_deinit(&framed);
}

/* The status of a call that ended without a message. */
static inline void echo_assert_failed(const struct ng_stream *stream, int code, const char *reason)
{
    char text[16];
    snprintf(text, sizeof text, "%d", code);
    assert_true(stream->ended && stream->closed);
    assert_int_equal(stream->body.len, 0);
    assert_int_equal(stream->trailers.len, 0); /* one header block is all */
    ng_assert_slice(ng_client_field(&stream->headers, ":status"), "200");
    ng_assert_slice(ng_client_field(&stream->headers, "content-type"), "application/grpc");
    ng_assert_slice(ng_client_field(&stream->headers, "grpc-status"), text);
    ng_assert_slice(ng_client_field(&stream->headers, "keystore-reason"), reason);
    struct slice message = ng_client_field(&stream->headers, "grpc-message");
    assert_true(message.len > 10);
    const struct grpc_status status = {
        .code = (enum grpc_code)code, .reason = reason, .message = message};
    struct buf details;
    buf_init(&details, 65536);
    grpc_status_encode_details(&status, &details);
    assert_true(slice_equal(ng_client_field(&stream->headers, "grpc-status-details-bin"),
                            buf_slice(&details)));
    buf_deinit(&details);
}

/* A call that waits for echo_answer(); it is the newest of `pending`. */
static inline struct ng_stream *echo_call_later(struct echo *echo, struct slice message)
{
    struct ng_stream *stream = echo_call(echo, ECHO_LATER);
    size_t before = echo->pending_count;
    echo_send_message(echo, stream, message);
    assert_true(echo_exchange(echo));
    assert_int_equal(echo->pending_count, before + 1);
    assert_int_equal(stream->headers.len, 0);
    return stream;
}

/* Checks that another call succeeds: the connection is not affected. */
static inline void echo_assert_works(struct echo *echo)
{
    struct ng_stream *stream = echo_call(echo, ECHO_NOW);
    echo_send_message(echo, stream, SLICE_LITERAL("still there?"));
    assert_true(echo_exchange(echo));
    echo_assert_reply(stream, SLICE_LITERAL("still there?"));
}

#endif
