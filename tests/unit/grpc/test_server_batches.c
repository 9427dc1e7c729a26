/*
 * Tests of grpc/server.c: batches of calls, repeated header blocks, connections that share a
 * server, and the output of replies.
 */
#include "grpc/server.h"

#include "base/blob.h"
#include "grpc/echo_service.h"
#include "http2/frames.h"

#include <stdio.h>
#include <stdlib.h>

/* Header blocks that are remembered. */

struct kind {
    const char *path;
    const char *field;
    const char *value;
    int code;
    const char *reason;
};

static const struct kind kinds[] = {
    {ECHO_NOW, "", "", GRPC_OK, NULL},
    {ECHO_BATCH, "", "", GRPC_OK, NULL},
    {"/test.Echo/Never", "", "", GRPC_UNIMPLEMENTED, "NOT_SERVED"},
    {ECHO_NOW, "grpc-encoding", "deflate", GRPC_UNIMPLEMENTED, "NOT_SERVED"},
    {ECHO_NOW, "grpc-timeout", "0m", GRPC_DEADLINE_EXCEEDED, "DEADLINE"},
    {ECHO_NOW, "grpc-timeout", "what", GRPC_INVALID_ARGUMENT, "BAD_ARGUMENT"},
    {ECHO_BATCH, "grpc-timeout", "1H", GRPC_OK, NULL},
    {ECHO_NOW, "x-other", "value", GRPC_OK, NULL},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static struct ng_stream *call_of_kind(struct echo *echo, size_t kind, const char *text)
{
    struct ng_stream *stream =
        echo_call_with(echo, kinds[kind].path, kinds[kind].field, kinds[kind].value);
    echo_send_message(echo, stream, slice_from_string(text));
    return stream;
}

static void assert_kind(const struct ng_stream *stream, size_t kind, const char *text)
{
    if (kinds[kind].code == GRPC_OK)
        echo_assert_reply(stream, slice_from_string(text));
    else
        echo_assert_failed(stream, kinds[kind].code, kinds[kind].reason);
}

/* They always mean the same, in any order: each kind often enough to be remembered and, because
 * there are more kinds than slots, to be evicted. */
static void test_repeated_header_blocks(void **state)
{
    (void)state;
    enum { ROUNDS = 60, CALLS = 12 };
    struct echo *echo = echo_connected();
    for (size_t round = 0; round < ROUNDS; round++) {
        struct ng_stream *streams[CALLS];
        size_t kind[CALLS];
        char text[CALLS][48];
        for (size_t i = 0; i < CALLS; i++) { /* in one feed */
            kind[i] = (round / 4 + i / (1 + round % 4) * (round % 3)) % KINDS;
            snprintf(text[i], sizeof text[i], "message %zu of %zu", i, round);
            streams[i] = call_of_kind(echo, kind[i], text[i]);
        }
        assert_true(echo_exchange(echo));
        for (size_t i = 0; i < CALLS; i++)
            assert_kind(streams[i], kind[i], text[i]);
        for (size_t i = 0; i < echo->pending_count; i++)
            buf_deinit(&echo->pending[i].message);
        echo->pending_count = 0;
    }
    echo_free(echo);
}

/* The deadline counts from each request, not from the one whose block is remembered. */
static void test_deadline_of_a_remembered_header_block(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    for (int round = 0; round < 10; round++) {
        struct ng_stream *good = echo_call_with(echo, ECHO_NOW, "grpc-timeout", "50m");
        struct ng_stream *late = echo_call_with(echo, ECHO_NOW, "grpc-timeout", "50m");
        assert_true(echo_exchange(echo));
        echo->now_ms += 49;
        echo_send_message(echo, good, SLICE_LITERAL("in time"));
        assert_true(echo_exchange(echo));
        echo_assert_reply(good, SLICE_LITERAL("in time"));
        echo->now_ms++;
        echo_send_message(echo, late, SLICE_LITERAL("late"));
        assert_true(echo_exchange(echo));
        echo_assert_failed(late, GRPC_DEADLINE_EXCEEDED, "DEADLINE");
    }
    echo_free(echo);
}

/* Two connections of a server, alternately: each remembers its own blocks. */
static void test_connections_of_a_server_are_apart(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_client *clients[2] = {echo->client,
                                    ng_client_new(&(struct ng_options){.stream_window = 0})};
    struct grpc_connection *connections[2] = {
        echo->connection, grpc_connection_new(echo->server, echo_on_output, echo, echo->now_ms)};
    for (size_t round = 0; round < 40; round++) {
        size_t which = round % 2;
        size_t kind = which == 0 ? round / 8 % KINDS : KINDS - 1 - round / 8 % KINDS;
        echo->client = clients[which];
        echo->connection = connections[which];
        struct ng_stream *stream = call_of_kind(echo, kind, "hello");
        assert_true(echo_exchange(echo));
        assert_kind(stream, kind, "hello");
    }
    grpc_connection_free(connections[0]);
    ng_client_free(clients[0]);
    echo_free(echo); /* with the other one */
}

/* Batches. */

static void test_batch_is_answered_at_its_end(void **state)
{
    (void)state;
    enum { CALLS = 50 };
    struct echo *echo = echo_connected();
    struct ng_stream *streams[CALLS];
    char text[CALLS][32];
    for (size_t i = 0; i < CALLS; i++) {
        snprintf(text[i], sizeof text[i], "message %zu", i);
        streams[i] = echo_call(echo, ECHO_BATCH);
        echo_send_message(echo, streams[i], slice_from_string(text[i]));
    }
    size_t before = echo->batches;
    assert_true(ng_client_push(echo->client, &echo->peer));
    assert_int_equal(echo->batches, before + 1);
    assert_int_equal(echo->pending_count, CALLS);
    assert_int_equal(grpc_connection_queued(echo->connection), 0); /* all left with the feed */
    assert_true(echo_exchange(echo));
    for (size_t i = 0; i < CALLS; i++)
        echo_assert_reply(streams[i], slice_from_string(text[i]));
    assert_int_equal(echo->outputs, 0);
    echo_free(echo);
}

/* A call of ECHO_BATCH whose message comes in several frames, and perhaps its reset. */
static struct ng_stream *append_call(struct echo *echo, bool reset, struct buf *bytes)
{
    struct buf framed = echo_framed(SLICE_LITERAL("in several pieces"));
    struct ng_stream *stream = echo_call(echo, ECHO_BATCH);
    for (size_t at = 0; at < framed.len; at += 6) {
        size_t len = framed.len - at < 6 ? framed.len - at : 6;
        echo_send(echo, stream, slice_make(framed.data + at, len), at + 6 >= framed.len);
        ng_client_output(echo->client, bytes);
    }
    buf_deinit(&framed);
    if (reset)
        ng_client_reset(echo->client, stream);
    ng_client_output(echo->client, bytes);
    return stream;
}

static void test_cancelled_while_it_waits_in_a_batch(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_stream *streams[4];
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX);
    for (size_t i = 0; i < 4; i++)
        streams[i] = append_call(echo, i % 2 == 0, &bytes);
    assert_true(echo_feed(echo, buf_slice(&bytes)));
    buf_deinit(&bytes);
    assert_int_equal(echo->requests, 4);
    assert_int_equal(echo->cancels, 2);
    assert_true(echo_exchange(echo));
    for (size_t i = 0; i < 4; i++) {
        if (i % 2 == 0)
            assert_int_equal(streams[i]->headers.len, 0);
        else
            echo_assert_reply(streams[i], SLICE_LITERAL("in several pieces"));
    }
    echo_free(echo);
}

/* The batch of a feed that ends the connection is also ended. */
static void test_batch_of_a_feed_that_breaks_the_protocol(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_stream *stream = echo_call(echo, ECHO_BATCH);
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX);
    echo_send_message(echo, stream, SLICE_LITERAL("the last"));
    ng_client_output(echo->client, &bytes);
    frames_append(&bytes, FRAME_PING, 0, 5, SLICE_LITERAL("12345678"));
    assert_false(echo_feed(echo, buf_slice(&bytes)));
    buf_deinit(&bytes);
    assert_true(ng_client_pull(echo->client, &echo->peer));
    echo_assert_reply(stream, SLICE_LITERAL("the last"));
    assert_int_equal(echo->client->goaways, 1);
    echo_free(echo);
}

/* Output. */

static void test_reply_from_blobs(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_stream *stream = echo_call_later(echo, SLICE_LITERAL("x"));
    struct blob *blob = blob_copy(SLICE_LITERAL("bytes that several hold"));
    struct grpc_call *call = echo->pending[0].call;
    echo->pending[0].call = NULL;
    struct chain *reply = grpc_call_reply_begin(call, 4 + 5 + 4);
    memcpy(chain_append(reply, 4), "some", 4);
    chain_append_blob(reply, blob_retain(blob), slice_make(blob->data, 5));
    chain_append_blob(reply, blob_retain(blob), slice_make(blob->data + blob->len - 4, 4));
    grpc_call_reply_end(call);
    assert_true(echo_exchange(echo));
    echo_assert_reply(stream, SLICE_LITERAL("somebyteshold"));
    assert_int_equal(atomic_load(&blob->holders), 1);
    blob_release(blob);
    echo_free(echo);
}

/* While its output is being written a connection keeps its answers to itself. */
static void test_feed_without_output(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_stream *stream = echo_call(echo, ECHO_NOW);
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX);
    echo_send_message(echo, stream, SLICE_LITERAL("hello"));
    ng_client_output(echo->client, &bytes);
    assert_true(grpc_connection_feed(echo->connection, buf_slice(&bytes), NULL, echo->now_ms));
    buf_deinit(&bytes);
    assert_true(grpc_connection_queued(echo->connection) >= 10);
    assert_int_equal(echo->outputs, 0);
    assert_true(echo_exchange(echo));
    echo_assert_reply(stream, SLICE_LITERAL("hello"));
    assert_int_equal(grpc_connection_queued(echo->connection), 0);
    echo_free(echo);
}

static void test_expired_connection_says_why(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct grpc_connection *silent =
        grpc_connection_new(echo->server, echo_on_output, echo, echo->now_ms);
    int64_t late_ms = echo->now_ms + http2_default_limits.handshake_timeout_ms + 1;
    assert_int_equal(grpc_connection_expired(silent, echo->now_ms).kind, CLOSING_NONE);
    assert_int_not_equal(grpc_connection_expired(silent, late_ms).kind, CLOSING_NONE);
    assert_int_equal(grpc_connection_expired(echo->connection, late_ms).kind, CLOSING_NONE);
    grpc_connection_free(silent);
    echo_free(echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeated_header_blocks),
        cmocka_unit_test(test_deadline_of_a_remembered_header_block),
        cmocka_unit_test(test_connections_of_a_server_are_apart),
        cmocka_unit_test(test_batch_is_answered_at_its_end),
        cmocka_unit_test(test_cancelled_while_it_waits_in_a_batch),
        cmocka_unit_test(test_batch_of_a_feed_that_breaks_the_protocol),
        cmocka_unit_test(test_reply_from_blobs),
        cmocka_unit_test(test_feed_without_output),
        cmocka_unit_test(test_expired_connection_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
