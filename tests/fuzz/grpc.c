/*
 * gRPC on HTTP/2: requests with any metadata (timeouts, encodings, base64, request ids), messages
 * in pieces, compressed or not, cut off or cancelled, before a service that echoes them
 * (grpc/echo_service.h). The client is nghttp2's, which refuses what is not HTTP/2; a call that the
 * server has ended has a status.
 *
 * The input is a sequence of steps, each a byte and what it takes; see grpc_step().
 */
#include "common/target.h"
#include "grpc/echo_service.h"
#include "grpc/gzipped.h"

#define MOST_STEPS  100
#define MOST_FIELDS 8

/* Names of metadata that the server looks at, and one that it does not. */
static const char *const names[] = {"grpc-timeout",
                                    "grpc-encoding",
                                    "grpc-accept-encoding",
                                    "keystore-max-reply-bytes",
                                    "keystore-compress",
                                    "keystore-request-id",
                                    "keystore-request-id-bin",
                                    "traceparent",
                                    "grpc-trace-bin",
                                    "grpc-previous-rpc-attempts",
                                    "expect",
                                    "content-type",
                                    "te",
                                    "user-agent",
                                    "content-length",
                                    "x-bin"};

static const char *const paths[] = {ECHO_NOW, ECHO_LATER, ECHO_BATCH, "/test.Echo/None"};

/* Begins a call; the first byte says where to, and whether with gRPC's usual fields. */
static void begin(struct echo *echo, struct slice *input)
{
    struct http2_field fields[MOST_FIELDS + 5];
    uint8_t choice = target_byte(input);
    size_t count = 0;
    fields[count++] = (struct http2_field){SLICE_LITERAL(":method"), SLICE_LITERAL("POST")};
    fields[count++] = (struct http2_field){SLICE_LITERAL(":scheme"), SLICE_LITERAL("http")};
    fields[count++] = (struct http2_field){SLICE_LITERAL(":path"),
                                           choice & 64 ? target_piece(input)
                                                       : slice_from_string(paths[choice % 4])};
    if ((choice & 128) == 0) {
        fields[count++] = (struct http2_field){SLICE_LITERAL("te"), SLICE_LITERAL("trailers")};
        fields[count++] =
            (struct http2_field){SLICE_LITERAL("content-type"), SLICE_LITERAL("application/grpc")};
    }
    for (size_t left = (choice >> 2) % MOST_FIELDS; left > 0; left--) {
        const char *name = names[target_byte(input) % (sizeof names / sizeof *names)];
        fields[count++] = (struct http2_field){slice_from_string(name), target_piece(input)};
    }
    ng_client_request(echo->client, fields, count, (choice & 32) != 0);
}

static void send_framed(struct echo *echo, struct ng_stream *call, struct slice message)
{
    const uint8_t prefix[] = {0, 0, 0, (uint8_t)(message.len >> 8), (uint8_t)message.len};
    ng_client_send(echo->client, call, slice_make(prefix, sizeof prefix), false);
    ng_client_send(echo->client, call, message, false);
}

static void send_compressed(struct echo *echo, struct ng_stream *call, struct slice message)
{
    struct buf framed = gzipped_message(message);
    ng_client_send(echo->client, call, buf_slice(&framed), false);
    buf_deinit(&framed);
}

/* A call that can still send; NULL: there is none. */
static struct ng_stream *open_call(struct echo *echo, uint8_t choice)
{
    struct ng_client *client = echo->client;
    if (client->count == 0)
        return NULL;
    struct ng_stream *call = client->streams[client->count - 1 - choice % client->count];
    return call->closed || call->reset || call->out_ends ? NULL : call;
}

/* Answers a call that waits; or time passes, and the connection is looked after. */
static void grpc_wait(struct echo *echo, uint8_t choice)
{
    struct echo_pending *pending =
        echo->pending_count > 0 ? &echo->pending[choice % echo->pending_count] : NULL;
    if (choice < 128 && pending != NULL && pending->call != NULL) {
        echo_answer(pending);
        return;
    }
    if (choice >= 128) {
        echo->now_ms += (int64_t)(choice - 127) * 100;
        grpc_connection_check(echo->connection, echo->now_ms);
    }
}

static void grpc_step(struct echo *echo, struct slice *input)
{
    uint8_t step = target_byte(input);
    struct ng_stream *call = open_call(echo, step >> 3);
    switch (step % 8) {
    case 0:
        begin(echo, input);
        break;
    case 1:
        grpc_wait(echo, target_byte(input));
        break;
    default:
        if (call == NULL)
            break;
        if (step % 8 == 2)
            ng_client_send(echo->client, call, target_piece(input), false);
        else if (step % 8 == 3)
            send_framed(echo, call, target_piece(input));
        else if (step % 8 == 4)
            send_compressed(echo, call, target_piece(input));
        else if (step % 8 == 5)
            ng_client_send(echo->client, call, (struct slice){0}, true);
        else if (step % 8 == 6)
            ng_client_reset(echo->client, call);
        else
            ng_client_send(echo->client, call, target_take(input, 1), false);
    }
}

static void check_calls(const struct echo *echo)
{
    for (size_t i = 0; i < echo->client->count; i++) {
        const struct ng_stream *call = echo->client->streams[i];
        struct slice status;
        if (!call->ended)
            continue;
        CHECK(ng_client_find_field(&call->headers, "grpc-status", &status) ||
              ng_client_find_field(&call->trailers, "grpc-status", &status) ||
              ng_client_find_field(&call->headers, ":status", &status));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);
    struct grpc_limits limits = echo_limits();
    limits.request_timeout_ms = 5000;
    limits.min_progress = 100;
    struct echo *echo = echo_new(&limits, &(struct ng_options){0});
    bool on = true;
    for (int i = 0; i < MOST_STEPS && on && input.len > 0; i++) {
        grpc_step(echo, &input);
        on = echo_exchange(echo);
    }
    if (on)
        check_calls(echo);
    echo_free(echo);
    return 0;
}
