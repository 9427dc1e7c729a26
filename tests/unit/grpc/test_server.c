/*
 * Tests of grpc/server.c through HTTP/2: well-formed calls in all fragmentations, malformed ones,
 * answers now and later, cancellation, and the limits of requests.
 */
#include "grpc/server.h"

#include "base/account.h"
#include "grpc/echo_service.h"
#include "http2/frames.h"

#include <stdio.h>
#include <stdlib.h>

/* Well-formed calls. */

static void test_call_is_answered(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_stream *stream = echo_call(echo, ECHO_NOW);
    echo_send_message(echo, stream, SLICE_LITERAL("hello"));
    assert_true(echo_exchange(echo));
    echo_assert_reply(stream, SLICE_LITERAL("hello"));
    assert_false(stream->reset);
    assert_int_equal(echo->requests, 1);
    assert_int_equal(echo->outputs, 0); /* answered within the feed */
    echo_free(echo);
}

static void test_empty_message_is_a_message(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_stream *stream = echo_call(echo, ECHO_NOW);
    echo_send_message(echo, stream, SLICE_LITERAL(""));
    assert_true(echo_exchange(echo));
    echo_assert_reply(stream, SLICE_LITERAL(""));
    echo_free(echo);
}

static void test_fields_that_are_allowed(void **state)
{
    (void)state;
    static const char *const fields[][2] = {
        {"grpc-encoding", "identity"}, {"grpc-accept-encoding", "gzip"},
        {"grpc-timeout", "99999999H"}, {"x-custom", "anything"},
        {"x-custom-bin", "AAEC"},
    };
    struct echo *echo = echo_connected();
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct ng_stream *stream = echo_call_with(echo, ECHO_NOW, fields[i][0], fields[i][1]);
        echo_send_message(echo, stream, SLICE_LITERAL("hello"));
        assert_true(echo_exchange(echo));
        echo_assert_reply(stream, SLICE_LITERAL("hello"));
    }
    echo_free(echo);
}

/* Two DATA frames, cut at `at`; in one feed or in two; the end with the second or by itself. */
static void assert_cut(struct echo *echo, const struct buf *framed, size_t at, bool one_feed,
                       bool end_alone)
{
    struct ng_stream *stream = echo_call(echo, ECHO_NOW);
    struct slice all = buf_slice(framed);
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX);
    const struct slice pieces[] = {slice_make(all.data, at), slice_skip(all, at), {0}};
    size_t count = end_alone ? 3 : 2;
    for (size_t i = 0; i < count; i++) {
        echo_send(echo, stream, pieces[i], i + 1 == count);
        ng_client_output(echo->client, &bytes);
        if (one_feed)
            continue;
        assert_true(echo_feed(echo, buf_slice(&bytes)));
        buf_deinit(&bytes); /* borrowed no longer */
    }
    if (one_feed)
        assert_true(echo_feed(echo, buf_slice(&bytes)));
    buf_deinit(&bytes);
    assert_true(echo_exchange(echo));
    echo_assert_reply(stream, slice_skip(all, 5));
}

static void test_message_cut_anywhere(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct buf framed = echo_framed(SLICE_LITERAL("a message of some length"));
    for (size_t at = 0; at <= framed.len; at++) {
        for (int variant = 0; variant < 4; variant++)
            assert_cut(echo, &framed, at, (variant & 1) != 0, (variant & 2) != 0);
    }
    buf_deinit(&framed);
    echo_free(echo);
}

static void test_connection_fed_byte_by_byte(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_stream *one = echo_call(echo, ECHO_NOW), *two = echo_call(echo, ECHO_NOW);
    echo_send_message(echo, one, SLICE_LITERAL("the first"));
    echo_send_message(echo, two, SLICE_LITERAL("the second"));
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX);
    ng_client_output(echo->client, &bytes);
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t *byte = mem_alloc(1);
        *byte = bytes.data[i];
        assert_true(echo_feed(echo, slice_make(byte, 1)));
        free(byte);
    }
    buf_deinit(&bytes);
    assert_true(echo_exchange(echo));
    echo_assert_reply(one, SLICE_LITERAL("the first"));
    echo_assert_reply(two, SLICE_LITERAL("the second"));
    echo_free(echo);
}

/* Each message is complete in one frame, and others arrive before its END_STREAM. */
static void assert_interleaved(struct echo *echo, bool one_feed)
{
    enum { CALLS = 10 };
    struct ng_stream *streams[CALLS];
    char text[CALLS][32];
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX);
    for (size_t i = 0; i < CALLS; i++) {
        snprintf(text[i], sizeof text[i], "message of call %zu", i);
        struct buf framed = echo_framed(slice_from_string(text[i]));
        streams[i] = echo_call(echo, ECHO_NOW);
        echo_send(echo, streams[i], buf_slice(&framed), false);
        ng_client_output(echo->client, &bytes);
        buf_deinit(&framed);
    }
    if (!one_feed) {
        assert_true(echo_feed(echo, buf_slice(&bytes)));
        buf_deinit(&bytes); /* borrowed no longer */
    }
    for (size_t i = CALLS; i > 0; i--)
        echo_send(echo, streams[i - 1], SLICE_LITERAL(""), true);
    ng_client_output(echo->client, &bytes);
    assert_true(echo_feed(echo, buf_slice(&bytes)));
    buf_deinit(&bytes);
    assert_true(echo_exchange(echo));
    for (size_t i = 0; i < CALLS; i++)
        echo_assert_reply(streams[i], slice_from_string(text[i]));
}

static void test_interleaved_calls_keep_their_messages(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    assert_interleaved(echo, true);
    assert_interleaved(echo, false);
    echo_free(echo);
}

static void test_large_reply_passes_the_windows(void **state)
{
    (void)state;
    const size_t size = 1024 * 1024;
    struct grpc_limits large = grpc_limits_for(size, &http2_default_limits);
    struct echo *echo = echo_new(&large, &(struct ng_options){.stream_window = 0});
    uint8_t *message = mem_alloc(size);
    for (size_t i = 0; i < size; i++)
        message[i] = (uint8_t)(i % 251);
    struct ng_stream *stream = echo_call(echo, ECHO_NOW);
    echo_send_message(echo, stream, slice_make(message, size));
    assert_true(echo_exchange(echo));
    echo_assert_reply(stream, slice_make(message, size));
    free(message);
    echo_free(echo);
}

/* Faults: each gets its status, and the connection goes on. */

struct fault {
    const char *what;
    const char *path;
    const char *field; /* one more in the header block */
    const char *value;
    const char *body;
    size_t len;
    bool ends; /* the request is complete */
    int code;
    const char *reason;
};

#define BODY(bytes) bytes, sizeof(bytes) - 1

static const struct fault faults[] = {
    {"no message", ECHO_NOW, "", "", BODY(""), true, GRPC_UNIMPLEMENTED, "NOT_SERVED"},
    {"two messages", ECHO_NOW, "", "", BODY("\0\0\0\0\1a\0\0\0\0\1b"), true, GRPC_UNIMPLEMENTED,
     "NOT_SERVED"},
    {"two messages, no end", ECHO_NOW, "", "", BODY("\0\0\0\0\1a\0\0\0\0\1b"), false,
     GRPC_UNIMPLEMENTED, "NOT_SERVED"},
    {"a byte too many", ECHO_NOW, "", "", BODY("\0\0\0\0\1ab"), true, GRPC_UNIMPLEMENTED,
     "NOT_SERVED"},
    {"half a prefix", ECHO_NOW, "", "", BODY("\0\0\0"), true, GRPC_INTERNAL, "BAD_MESSAGE"},
    {"a prefix alone", ECHO_NOW, "", "", BODY("\0\0\0\0\5"), true, GRPC_INTERNAL, "BAD_MESSAGE"},
    {"half a message", ECHO_NOW, "", "", BODY("\0\0\0\0\5abc"), true, GRPC_INTERNAL, "BAD_MESSAGE"},
    {"compressed", ECHO_NOW, "", "", BODY("\1\0\0\0\1a"), true, GRPC_INTERNAL, "BAD_MESSAGE"},
    {"neither compressed nor not", ECHO_NOW, "", "", BODY("\7\0\0\0\1a"), true, GRPC_INTERNAL,
     "BAD_MESSAGE"},
    {"too large, only announced", ECHO_NOW, "", "", BODY("\0\0\0\x03\xe9"), false,
     GRPC_RESOURCE_EXHAUSTED, "TOO_LARGE"},
    {"4 GiB, only announced", ECHO_NOW, "", "", BODY("\0\xff\xff\xff\xff"), false,
     GRPC_RESOURCE_EXHAUSTED, "TOO_LARGE"},
    {"deflate", ECHO_NOW, "grpc-encoding", "deflate", BODY(""), false, GRPC_UNIMPLEMENTED,
     "NOT_SERVED"},
    {"an unknown wish", ECHO_NOW, "keystore-compress", "br", BODY(""), false, GRPC_INVALID_ARGUMENT,
     "BAD_ARGUMENT"},
    {"an unknown encoding", ECHO_NOW, "grpc-encoding", "xyz", BODY("\0\0\0\0\1a"), true,
     GRPC_UNIMPLEMENTED, "NOT_SERVED"},
    {"a malformed timeout", ECHO_NOW, "grpc-timeout", "1 hour", BODY("\0\0\0\0\1a"), true,
     GRPC_INVALID_ARGUMENT, "BAD_ARGUMENT"},
    {"no time", ECHO_NOW, "grpc-timeout", "0m", BODY("\0\0\0\0\1a"), true, GRPC_DEADLINE_EXCEEDED,
     "DEADLINE"},
    {"no time, no end", ECHO_NOW, "grpc-timeout", "0S", BODY(""), false, GRPC_DEADLINE_EXCEEDED,
     "DEADLINE"},
    {"an unknown method", "/test.Echo/Never", "", "", BODY("\0\0\0\0\1a"), true, GRPC_UNIMPLEMENTED,
     "NOT_SERVED"},
    {"an unknown method, no end", "/", "", "", BODY(""), false, GRPC_UNIMPLEMENTED, "NOT_SERVED"},
};

static void test_faults_get_their_status(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        const struct fault *fault = &faults[i];
        print_message("%s\n", fault->what);
        size_t before = echo->requests;
        struct ng_stream *stream = echo_call_with(echo, fault->path, fault->field, fault->value);
        echo_send(echo, stream, slice_make(fault->body, fault->len), fault->ends);
        assert_true(echo_exchange(echo));
        echo_assert_failed(stream, fault->code, fault->reason);
        /* Errors before the end of the request: the rest is not wanted. */
        bool early = fault->field[0] != '\0' || strcmp(fault->path, ECHO_NOW) != 0;
        assert_int_equal(stream->reset, early || !fault->ends);
        if (stream->reset)
            assert_int_equal(stream->error_code, 0);
        assert_int_equal(echo->requests, before);
        echo_assert_works(echo);
    }
    assert_int_equal(echo->outputs, 0);
    assert_int_equal(echo->cancels, 0);
    echo_free(echo);
}

/* The same with each byte of the body in a feed of its own. */
static void test_faults_in_small_pieces(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        const struct fault *fault = &faults[i];
        print_message("%s\n", fault->what);
        struct ng_stream *stream = echo_call_with(echo, fault->path, fault->field, fault->value);
        for (size_t k = 0; k < fault->len; k++) {
            echo_send(echo, stream, slice_make(fault->body + k, 1), false);
            assert_true(ng_client_push(echo->client, &echo->peer));
        }
        if (fault->ends)
            echo_send(echo, stream, SLICE_LITERAL(""), true);
        assert_true(echo_exchange(echo));
        echo_assert_failed(stream, fault->code, fault->reason);
        echo_assert_works(echo);
    }
    echo_free(echo);
}

static void test_unknown_method_gets_the_services_message(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_stream *stream = echo_call(echo, "/test.Echo/Nowhere");
    echo_send_message(echo, stream, SLICE_LITERAL("x"));
    assert_true(echo_exchange(echo));
    ng_assert_slice(ng_client_field(&stream->headers, "grpc-message"),
                    "there is no such method, try another");
    echo_free(echo);
}

static void test_largest_message_is_taken(void **state)
{
    (void)state;
    static uint8_t largest[ECHO_MAX];
    struct echo *echo = echo_connected();
    struct ng_stream *stream = echo_call(echo, ECHO_NOW);
    echo_send_message(echo, stream, slice_make(largest, sizeof largest));
    assert_true(echo_exchange(echo));
    echo_assert_reply(stream, slice_make(largest, sizeof largest));
    echo_free(echo);
}

static void assert_plain_http(const char *method, const char *content_type, const char *status)
{
    const struct http2_field fields[] = {
        {.name = SLICE_LITERAL(":method"), .value = slice_from_string(method)},
        {.name = SLICE_LITERAL(":scheme"), .value = SLICE_LITERAL("http")},
        {.name = SLICE_LITERAL(":path"), .value = SLICE_LITERAL(ECHO_NOW)},
        {.name = SLICE_LITERAL(":authority"), .value = SLICE_LITERAL("host")},
        {.name = SLICE_LITERAL("content-type"), .value = slice_from_string(content_type)},
    };
    struct echo *echo = echo_connected();
    for (size_t end = 0; end < 2; end++) {
        for (size_t count = 5; count >= (content_type[0] == '\0' ? 4 : 5); count--) {
            struct ng_stream *stream = ng_client_request(echo->client, fields, count, end == 1);
            assert_true(echo_exchange(echo));
            assert_true(stream->ended && stream->closed);
            ng_assert_slice(ng_client_field(&stream->headers, ":status"), status);
            if (strcmp(status, "405") == 0)
                ng_assert_slice(ng_client_field(&stream->headers, "allow"), "POST");
            assert_int_equal(stream->reset, end == 0);
            assert_int_equal(stream->body.len + stream->trailers.len, 0);
        }
    }
    assert_int_equal(echo->requests, 0);
    echo_assert_works(echo);
    echo_free(echo);
}

static void test_what_is_not_grpc_gets_http(void **state)
{
    (void)state;
    assert_plain_http("POST", "application/json", "415");
    assert_plain_http("POST", "application/grpc-web", "415");
    assert_plain_http("POST", "", "415"); /* empty, and none */
    assert_plain_http("GET", "application/grpc", "405");
    assert_plain_http("PUT", "text/plain", "405");
    assert_plain_http("post", "application/grpc", "405");
}

/* Too much metadata, with and without the content-type of gRPC. */
static struct ng_stream *oversized(struct echo *echo, const char *content_type)
{
    static char large[20000];
    memset(large, 'x', sizeof large - 1);
    const struct http2_field fields[] = {
        {.name = SLICE_LITERAL(":method"), .value = SLICE_LITERAL("POST")},
        {.name = SLICE_LITERAL(":scheme"), .value = SLICE_LITERAL("http")},
        {.name = SLICE_LITERAL(":path"), .value = SLICE_LITERAL(ECHO_NOW)},
        {.name = SLICE_LITERAL("content-type"), .value = slice_from_string(content_type)},
        {.name = SLICE_LITERAL("x-large"), .value = slice_from_string(large)},
    };
    struct ng_stream *stream = ng_client_request(echo->client, fields, 5, false);
    assert_true(echo_exchange(echo));
    assert_true(stream->ended && stream->closed);
    return stream;
}

static void test_too_much_metadata_costs_its_call(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    for (int i = 0; i < 500; i++)
        echo_assert_failed(oversized(echo, "application/grpc"), GRPC_RESOURCE_EXHAUSTED,
                           "TOO_LARGE");
    ng_assert_slice(ng_client_field(&oversized(echo, "text/plain")->headers, ":status"), "431");
    assert_int_equal(echo->requests, 0);
    echo_assert_works(echo);
    echo_free(echo);
}

static void test_deadline_that_passes_before_the_end(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_stream *stream = echo_call_with(echo, ECHO_NOW, "grpc-timeout", "2m");
    assert_true(echo_exchange(echo));
    echo->now_ms += 2;
    echo_send_message(echo, stream, SLICE_LITERAL("late"));
    assert_true(echo_exchange(echo));
    echo_assert_failed(stream, GRPC_DEADLINE_EXCEEDED, "DEADLINE");
    assert_int_equal(echo->requests, 0);
    stream = echo_call_with(echo, ECHO_NOW, "grpc-timeout", "2m");
    assert_true(echo_exchange(echo));
    echo->now_ms += 1;
    echo_send_message(echo, stream, SLICE_LITERAL("in time"));
    assert_true(echo_exchange(echo));
    echo_assert_reply(stream, SLICE_LITERAL("in time"));
    echo_free(echo);
}

/* Answers of the service. */

static void test_later_answer_announces_output(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_stream *one = echo_call_later(echo, SLICE_LITERAL("one"));
    struct ng_stream *two = echo_call_later(echo, SLICE_LITERAL("two"));
    assert_int_equal(echo->outputs, 0);
    echo_answer(&echo->pending[1]);
    assert_int_equal(echo->outputs, 1);
    assert_true(echo_exchange(echo));
    echo_assert_reply(two, SLICE_LITERAL("two"));
    assert_int_equal(one->headers.len, 0);
    echo_answer(&echo->pending[0]);
    assert_int_equal(echo->outputs, 2);
    assert_true(echo_exchange(echo));
    echo_assert_reply(one, SLICE_LITERAL("one"));
    assert_int_equal(echo->cancels, 0);
    echo_free(echo);
}

/* A request may cause the answer to another call: within a feed, on_output is not called. */
static void test_answer_of_another_call_within_the_feed(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_stream *waiting = echo_call_later(echo, SLICE_LITERAL("waiting"));
    echo->answer_within = &echo->pending[0];
    echo_assert_works(echo);
    echo_assert_reply(waiting, SLICE_LITERAL("waiting"));
    assert_int_equal(echo->outputs, 0);
    echo_free(echo);
}

static void test_service_fails_a_call(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_stream *stream = echo_call_later(echo, SLICE_LITERAL("x"));
    const struct grpc_status status = {.code = GRPC_FAILED_PRECONDITION,
                                       .reason = "WRONG_TYPE",
                                       .message = SLICE_LITERAL("100% wrong:\n\xe2\x82\xac")};
    grpc_call_fail(echo->pending[0].call, &status);
    echo->pending[0].call = NULL;
    assert_int_equal(echo->outputs, 1);
    assert_true(echo_exchange(echo));
    assert_false(stream->reset);
    ng_assert_slice(ng_client_field(&stream->headers, "grpc-status"), "9");
    ng_assert_slice(ng_client_field(&stream->headers, "keystore-reason"), "WRONG_TYPE");
    ng_assert_slice(ng_client_field(&stream->headers, "grpc-message"), "100%25 wrong:%0A%E2%82%AC");
    struct buf details;
    buf_init(&details, 4096);
    grpc_status_encode_details(&status, &details);
    assert_true(slice_equal(ng_client_field(&stream->headers, "grpc-status-details-bin"),
                            buf_slice(&details)));
    buf_deinit(&details);
    echo_assert_works(echo);
    echo_free(echo);
}

/* Cancellation. */

static void test_reset_cancels_what_is_under_way(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_stream *under_way = echo_call_later(echo, SLICE_LITERAL("under way"));
    struct ng_stream *stays = echo_call_later(echo, SLICE_LITERAL("stays"));
    ng_client_reset(echo->client, under_way);
    assert_true(echo_exchange(echo));
    assert_int_equal(echo->cancels, 1);
    assert_null(echo->pending[0].call);
    echo_answer(&echo->pending[1]);
    assert_true(echo_exchange(echo));
    echo_assert_reply(stays, SLICE_LITERAL("stays"));
    echo_free(echo);
}

static void test_reset_of_an_incomplete_call_is_not_reported(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_stream *stream = echo_call(echo, ECHO_LATER);
    echo_send(echo, stream, SLICE_LITERAL("\0\0\0\0\1"), false);
    assert_true(echo_exchange(echo));
    echo_send(echo, stream, SLICE_LITERAL("x"), false); /* borrowed when the stream closes */
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX);
    ng_client_output(echo->client, &bytes);
    ng_client_reset(echo->client, stream);
    ng_client_output(echo->client, &bytes);
    assert_true(echo_feed(echo, buf_slice(&bytes)));
    buf_deinit(&bytes);
    assert_int_equal(echo->cancels, 0);
    assert_int_equal(echo->requests, 0);
    echo_assert_works(echo);
    echo_free(echo);
}

static void test_reset_of_an_answered_call_is_not_reported(void **state)
{
    (void)state;
    struct echo *echo =
        echo_connected_with(&(struct ng_options){.stream_window = 1, .manual_windows = true});
    struct ng_stream *stream = echo_call(echo, ECHO_NOW);
    echo_send_message(echo, stream, SLICE_LITERAL("too long for the window"));
    assert_true(echo_exchange(echo));
    assert_false(stream->ended);
    ng_client_reset(echo->client, stream);
    assert_true(echo_exchange(echo));
    assert_int_equal(echo->cancels, 0);
    assert_int_equal(grpc_connection_queued(echo->connection), 0);
    echo_free(echo);
}

/* Limits of a connection. */

/* A call of a message of ECHO_MAX bytes of which `len` arrive. */
static struct ng_stream *call_unfinished(struct echo *echo, const char *path, size_t len)
{
    static const uint8_t zeros[ECHO_MAX];
    static const uint8_t prefix[5] = {0, 0, 0, ECHO_MAX >> 8, ECHO_MAX & 0xff};
    struct ng_stream *stream = echo_call(echo, path);
    echo_send(echo, stream, slice_make(prefix, sizeof prefix), false);
    echo_send(echo, stream, slice_make(zeros, len), false);
    assert_true(ng_client_push(echo->client, &echo->peer));
    return stream;
}

static void finish_unfinished(struct echo *echo, struct ng_stream *stream, size_t len)
{
    static const uint8_t zeros[ECHO_MAX];
    echo_send(echo, stream, slice_make(zeros, ECHO_MAX - len), true);
    assert_true(echo_exchange(echo));
}

static void test_unfinished_requests_are_bounded_together(void **state)
{
    (void)state;
    static const uint8_t zeros[ECHO_MAX];
    struct echo *echo = echo_connected();
    struct ng_stream *one = call_unfinished(echo, ECHO_NOW, 900);
    struct ng_stream *two = call_unfinished(echo, ECHO_NOW, 900);
    struct ng_stream *over = call_unfinished(echo, ECHO_NOW, 201); /* the limit is 2000 */
    struct ng_stream *fits = call_unfinished(echo, ECHO_NOW, 90);  /* `over` holds nothing more */
    assert_true(echo_exchange(echo));
    echo_assert_failed(over, GRPC_RESOURCE_EXHAUSTED, "TOO_LARGE");
    assert_false(one->ended || two->ended || fits->ended);
    finish_unfinished(echo, one, 900);
    echo_assert_reply(one, slice_make(zeros, ECHO_MAX));
    ng_client_reset(echo->client, two);
    struct ng_stream *next = call_unfinished(echo, ECHO_NOW, 999);
    struct ng_stream *another = call_unfinished(echo, ECHO_NOW, 800);
    assert_true(echo_exchange(echo));
    assert_false(next->ended || another->ended || fits->ended); /* 1889 */
    finish_unfinished(echo, next, 999);
    echo_assert_reply(next, slice_make(zeros, ECHO_MAX));
    echo_free(echo);
}

/* A complete request is not unfinished, however long its answer takes. */
static void test_complete_requests_hold_nothing(void **state)
{
    (void)state;
    static const uint8_t zeros[ECHO_MAX];
    struct echo *echo = echo_connected();
    struct ng_stream *streams[10];
    for (size_t i = 0; i < 10; i++) {
        streams[i] = call_unfinished(echo, ECHO_LATER, 900);
        finish_unfinished(echo, streams[i], 900);
        assert_int_equal(echo->pending_count, i + 1);
    }
    for (size_t i = 0; i < 10; i++)
        echo_answer(&echo->pending[i]);
    assert_true(echo_exchange(echo));
    for (size_t i = 0; i < 10; i++)
        echo_assert_reply(streams[i], slice_make(zeros, ECHO_MAX));
    echo_free(echo);
}

/* Nor while its answer is blocked by flow control. */
static void test_answered_requests_hold_nothing(void **state)
{
    (void)state;
    static const uint8_t zeros[ECHO_MAX];
    struct echo *echo =
        echo_connected_with(&(struct ng_options){.stream_window = 1, .manual_windows = true});
    struct ng_stream *streams[10];
    for (size_t i = 0; i < 10; i++) {
        streams[i] = call_unfinished(echo, ECHO_NOW, 900);
        finish_unfinished(echo, streams[i], 900);
        assert_int_equal(echo->requests, i + 1);
        assert_false(streams[i]->ended);
    }
    for (size_t i = 0; i < 10; i++)
        ng_client_open_window(echo->client, streams[i]->id, 2 * ECHO_MAX);
    assert_true(echo_exchange(echo));
    for (size_t i = 0; i < 10; i++)
        echo_assert_reply(streams[i], slice_make(zeros, ECHO_MAX));
    echo_free(echo);
}

/* A large message that arrives in pieces while others hold all memory that clients may. */
static void test_a_large_message_needs_memory_of_the_clients(void **state)
{
    (void)state;
    enum { SIZE = 60000, LIMIT = 1 << 20 };
    static uint8_t message[5 + SIZE] = {0, 0, 0, SIZE >> 8, SIZE & 0xff};
    const struct grpc_limits limits = {
        .max_message = SIZE, .max_unfinished = 2 * SIZE, .http2 = http2_default_limits};
    account_set_limit(LIMIT);
    for (int full = 1; full >= 0; full--) {
        struct echo *echo = echo_new(&limits, &(struct ng_options){0});
        account_count(ACCOUNT_CLIENTS, full * LIMIT);
        struct ng_stream *stream = echo_call(echo, ECHO_NOW);
        echo_send(echo, stream, slice_make(message, 30000), false);
        assert_true(echo_exchange(echo));
        assert_int_equal(stream->ended, full);
        if (full == 1) {
            echo_assert_failed(stream, GRPC_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY");
        } else {
            echo_send(echo, stream, slice_skip(slice_make(message, sizeof message), 30000), true);
            assert_true(echo_exchange(echo));
            echo_assert_reply(stream, slice_make(message + 5, SIZE));
        }
        account_count(ACCOUNT_CLIENTS, -full * LIMIT);
        echo_free(echo);
        assert_int_equal(account_used(), 0);
    }
    account_set_limit(SIZE_MAX);
}

/* Calls may fail any number of times, in sequence or concurrently: bodies that arrive after the
 * answer are not a flood. */
static void test_failing_calls_cost_nothing_but_themselves(void **state)
{
    (void)state;
    static const size_t at_once[] = {1, 900};
    for (size_t k = 0; k < 2; k++) {
        struct echo *echo = echo_connected();
        for (size_t made = 0; made < 3600; made += at_once[k]) {
            struct ng_stream *streams[900];
            for (size_t i = 0; i < at_once[k]; i++)
                streams[i] = echo_call(echo, "/test.Echo/Never");
            assert_true(ng_client_push(echo->client, &echo->peer)); /* all header blocks first */
            for (size_t i = 0; i < at_once[k]; i++)
                echo_send_message(echo, streams[i], SLICE_LITERAL("hello"));
            assert_true(echo_exchange(echo));
            for (size_t i = 0; i < at_once[k]; i++)
                echo_assert_failed(streams[i], GRPC_UNIMPLEMENTED, "NOT_SERVED");
        }
        assert_int_equal(echo->client->goaways, 0);
        echo_assert_works(echo);
        echo_free(echo);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call_is_answered),
        cmocka_unit_test(test_empty_message_is_a_message),
        cmocka_unit_test(test_fields_that_are_allowed),
        cmocka_unit_test(test_message_cut_anywhere),
        cmocka_unit_test(test_connection_fed_byte_by_byte),
        cmocka_unit_test(test_interleaved_calls_keep_their_messages),
        cmocka_unit_test(test_large_reply_passes_the_windows),
        cmocka_unit_test(test_faults_get_their_status),
        cmocka_unit_test(test_faults_in_small_pieces),
        cmocka_unit_test(test_unknown_method_gets_the_services_message),
        cmocka_unit_test(test_largest_message_is_taken),
        cmocka_unit_test(test_what_is_not_grpc_gets_http),
        cmocka_unit_test(test_too_much_metadata_costs_its_call),
        cmocka_unit_test(test_deadline_that_passes_before_the_end),
        cmocka_unit_test(test_later_answer_announces_output),
        cmocka_unit_test(test_answer_of_another_call_within_the_feed),
        cmocka_unit_test(test_service_fails_a_call),
        cmocka_unit_test(test_reset_cancels_what_is_under_way),
        cmocka_unit_test(test_reset_of_an_incomplete_call_is_not_reported),
        cmocka_unit_test(test_reset_of_an_answered_call_is_not_reported),
        cmocka_unit_test(test_unfinished_requests_are_bounded_together),
        cmocka_unit_test(test_complete_requests_hold_nothing),
        cmocka_unit_test(test_answered_requests_hold_nothing),
        cmocka_unit_test(test_a_large_message_needs_memory_of_the_clients),
        cmocka_unit_test(test_failing_calls_cost_nothing_but_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
