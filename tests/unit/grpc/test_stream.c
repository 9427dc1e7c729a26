/*
 * Tests of grpc/stream.c with nghttp2's client: messages however they are cut, replies as they are
 * read, ends from either side, and what breaks the protocol. The method answers each message with
 * itself as often as its first byte says; 'e' ends the call with an error, 'o' well.
 */
#include "grpc/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "grpc/echo_service.h"
#include "store/seeded.h"

#define REPEAT    "/test.Stream/Repeat"
#define MOST_OWED 4096

/* A call of the method. */
struct repeat {
    struct grpc_call *call; /* NULL once it has ended */
    struct buf unanswered[MOST_OWED];
    size_t first, count; /* of these */
    bool half_closed;
    bool ends_open;  /* does not end with the request */
    bool fails_open; /* ends in on_open */
    unsigned opens, messages, cancels, drains;
    size_t asked;
};

static struct repeat repeat;
static const struct grpc_status wrong = {
    .code = GRPC_ABORTED, .reason = "WRONG", .message = SLICE_LITERAL("it was wrong")};

static void end(const struct grpc_status *status)
{
    struct grpc_call *call = repeat.call;
    repeat.call = NULL;
    grpc_stream_end(call, status);
}

static void on_open(void *user, struct grpc_call *call)
{
    (void)user;
    assert_null(repeat.call);
    repeat.call = call;
    repeat.opens++;
    if (repeat.fails_open)
        end(&wrong);
}

static void on_message(void *user, struct grpc_call *call, struct slice message)
{
    (void)user;
    assert_ptr_equal(call, repeat.call);
    assert_false(repeat.half_closed);
    repeat.messages++;
    if (message.len > 0 && (message.data[0] == 'e' || message.data[0] == 'o')) {
        end(message.data[0] == 'e' ? &wrong : NULL);
        return;
    }
    for (size_t i = 0; message.len > 0 && i < (size_t)(message.data[0] - '0'); i++) {
        assert_true(repeat.count < MOST_OWED);
        struct buf *unanswered = &repeat.unanswered[repeat.count++];
        buf_init(unanswered, SIZE_MAX);
        ng_client_append(unanswered, message);
    }
    grpc_stream_ready(call);
}

static void on_half_close(void *user, struct grpc_call *call)
{
    (void)user;
    assert_ptr_equal(call, repeat.call);
    repeat.half_closed = true;
    grpc_stream_ready(call);
}

static void on_room(void *user, struct grpc_call *call, size_t room)
{
    (void)user;
    assert_ptr_equal(call, repeat.call);
    repeat.asked++;
    for (size_t written = 0; written < room && repeat.first < repeat.count;) {
        struct buf *unanswered = &repeat.unanswered[repeat.first++];
        struct chain *reply = grpc_stream_write(call, unanswered->len);
        memcpy(chain_append(reply, unanswered->len), unanswered->data, unanswered->len);
        written += unanswered->len + 5;
        buf_deinit(unanswered);
    }
    if (repeat.first == repeat.count && repeat.half_closed && !repeat.ends_open)
        end(NULL);
}

static void on_drain(void *user, struct grpc_call *call)
{
    (void)user;
    assert_ptr_equal(call, repeat.call);
    repeat.drains++;
    if (!repeat.ends_open)
        end(&wrong);
}

static void on_cancel(void *user, struct grpc_call *call)
{
    (void)user;
    assert_ptr_equal(call, repeat.call);
    repeat.call = NULL;
    repeat.cancels++;
}

static const struct grpc_stream_method method = {on_open,  on_message, on_half_close, on_room,
                                                 on_drain, on_cancel,  NULL,          NULL};

static const void *find_method(void *user, struct slice path)
{
    return slice_equal(path, SLICE_LITERAL(REPEAT)) ? REPEAT : echo_find_method(user, path);
}

static const struct grpc_stream_method *stream_of(const void *found)
{
    return strcmp(found, REPEAT) == 0 ? &method : NULL;
}

static struct echo *open_aging(int64_t age_ms, int64_t grace_ms, const struct ng_options *options)
{
    struct grpc_limits limits = echo_limits();
    limits.max_age_ms = age_ms;
    limits.max_age_grace_ms = grace_ms;
    limits.request_timeout_ms = 1000;
    limits.min_progress = 10;
    limits.write_timeout_ms = 1000;
    struct echo *echo = echo_new(&limits, options);
    echo->service.find_method = find_method;
    echo->service.stream_of = stream_of;
    repeat = (struct repeat){0};
    return echo;
}

static struct echo *open_with(const struct ng_options *options)
{
    return open_aging(0, 0, options);
}

static void close_all(struct echo *echo)
{
    echo_free(echo);
    assert_null(repeat.call);
    for (; repeat.first < repeat.count; repeat.first++)
        buf_deinit(&repeat.unanswered[repeat.first]);
}

static void send_message(struct echo *echo, struct ng_stream *stream, const char *text, bool last)
{
    struct buf framed = echo_framed(slice_from_string(text));
    echo_send(echo, stream, buf_slice(&framed), last);
    buf_deinit(&framed);
}

/* What has come is these messages, one after the other, and no more. */
static void assert_replies(const struct ng_stream *stream, const char *const *texts, size_t count)
{
    struct slice rest = buf_slice(&stream->body);
    for (size_t i = 0; i < count; i++) {
        struct buf framed = echo_framed(slice_from_string(texts[i]));
        assert_true(slice_starts_with(rest, buf_slice(&framed)));
        rest = slice_skip(rest, framed.len);
        buf_deinit(&framed);
    }
    assert_int_equal(rest.len, 0);
}

static void assert_status(const struct ng_stream *stream, const char *status)
{
    assert_true(stream->ended);
    ng_assert_slice(ng_client_field(&stream->trailers, "grpc-status"), status);
}

/* ---- messages and replies ---- */

static void test_messages_are_answered_as_they_come(void **state)
{
    (void)state;
    struct echo *echo = open_with(&(struct ng_options){0});
    struct ng_stream *stream = echo_call(echo, REPEAT);
    assert_true(echo_exchange(echo));
    assert_int_equal(repeat.opens, 1);
    send_message(echo, stream, "1a", false);
    assert_true(echo_exchange(echo));
    assert_replies(stream, (const char *const[]){"1a"}, 1);
    send_message(echo, stream, "2b", false);
    send_message(echo, stream, "0", false);
    send_message(echo, stream, "", false);
    assert_true(echo_exchange(echo));
    assert_replies(stream, (const char *const[]){"1a", "2b", "2b"}, 3);
    assert_int_equal(repeat.messages, 4);
    assert_false(stream->ended);
    send_message(echo, stream, "1c", true);
    assert_true(echo_exchange(echo));
    assert_replies(stream, (const char *const[]){"1a", "2b", "2b", "1c"}, 4);
    assert_status(stream, "0");
    assert_int_equal(repeat.cancels, 0);
    close_all(echo);
}

/* Each cut of three messages, the middle one empty, into two parts that come apart. */
static void test_messages_may_be_cut_anywhere(void **state)
{
    (void)state;
    static const uint8_t bytes[] = "\0\0\0\0\0031aa\0\0\0\0\0\0\0\0\0\0021b";
    size_t size = sizeof bytes - 1;
    for (size_t cut = 0; cut <= size; cut++) {
        struct echo *echo = open_with(&(struct ng_options){0});
        struct ng_stream *stream = echo_call(echo, REPEAT);
        echo_send(echo, stream, slice_make(bytes, cut), false);
        assert_true(echo_exchange(echo));
        echo_send(echo, stream, slice_make(bytes + cut, size - cut), true);
        assert_true(echo_exchange(echo));
        assert_int_equal(repeat.messages, 3);
        assert_replies(stream, (const char *const[]){"1aa", "1b"}, 2);
        assert_status(stream, "0");
        close_all(echo);
    }
}

/* The method is asked for as much as the client reads, and a page at most. */
static void test_replies_wait_for_who_reads(void **state)
{
    (void)state;
    struct echo *echo =
        open_with(&(struct ng_options){.stream_window = 10, .manual_windows = true});
    struct ng_stream *stream = echo_call(echo, REPEAT);
    for (int i = 0; i < 300; i++)
        send_message(echo, stream, "9 of these", i == 299);
    assert_true(echo_exchange(echo));
    assert_int_equal(repeat.count, 2700);
    assert_int_equal(repeat.first, 1);
    assert_int_equal(stream->body.len, 10);
    for (int i = 0; i < 60 && !stream->ended; i++) {
        ng_client_open_window(echo->client, stream->id, 1000);
        ng_client_open_window(echo->client, 0, 1000);
        assert_true(echo_exchange(echo));
        assert_true(repeat.first * 15 <= stream->body.len + 1015);
    }
    assert_int_equal(stream->body.len, 2700 * 15);
    assert_status(stream, "0");
    close_all(echo);
}

/* ---- ends ---- */

static void test_a_method_may_fail_at_once(void **state)
{
    (void)state;
    struct echo *echo = open_with(&(struct ng_options){0});
    repeat.fails_open = true;
    for (int i = 0; i < 2; i++) { /* the second one's header block is known */
        const struct ng_stream *stream = echo_call(echo, REPEAT);
        assert_true(echo_exchange(echo));
        assert_true(stream->ended);
        ng_assert_slice(ng_client_field(&stream->headers, "grpc-status"), "10");
        ng_assert_slice(ng_client_field(&stream->headers, "grpc-message"), "it was wrong");
    }
    assert_int_equal(repeat.opens, 2);
    close_all(echo);
}

static void test_a_method_may_end_between_messages(void **state)
{
    (void)state;
    struct echo *echo = open_with(&(struct ng_options){0});
    struct ng_stream *stream = echo_call(echo, REPEAT);
    send_message(echo, stream, "1a", false);
    assert_true(echo_exchange(echo));
    send_message(echo, stream, "e", false);
    send_message(echo, stream, "1 too late", false);
    assert_true(echo_exchange(echo));
    assert_replies(stream, (const char *const[]){"1a"}, 1);
    assert_status(stream, "10");
    ng_assert_slice(ng_client_field(&stream->trailers, "keystore-reason"), "WRONG");
    assert_int_equal(repeat.messages, 2);
    stream = echo_call(echo, REPEAT);
    send_message(echo, stream, "o", false);
    assert_true(echo_exchange(echo));
    assert_status(stream, "0");
    close_all(echo);
}

static void test_a_cancelled_call_is_told_once(void **state)
{
    (void)state;
    struct echo *echo = open_with(&(struct ng_options){0});
    struct ng_stream *stream = echo_call(echo, REPEAT);
    send_message(echo, stream, "1a", false);
    echo_send(echo, stream, SLICE_LITERAL("\0\0"), false); /* and a part of another */
    assert_true(echo_exchange(echo));
    ng_client_reset(echo->client, stream);
    assert_true(echo_exchange(echo));
    assert_int_equal(repeat.cancels, 1);
    stream = echo_call(echo, REPEAT);
    assert_true(echo_exchange(echo));
    close_all(echo); /* the connection goes */
    assert_int_equal(repeat.cancels, 2);
}

/* Each is notified once, ends when it likes, and the connection after it. */
static void test_a_shutdown_ends_the_call(void **state)
{
    (void)state;
    for (int open = 0; open < 2; open++) {
        struct echo *echo = open_with(&(struct ng_options){0});
        struct ng_stream *stream = echo_call(echo, REPEAT);
        repeat.ends_open = open;
        send_message(echo, stream, "1a", false);
        assert_true(echo_exchange(echo));
        grpc_connection_drain(echo->connection);
        grpc_connection_drain(echo->connection);
        assert_true(echo_exchange(echo));
        assert_int_equal(repeat.drains, 1);
        assert_int_equal(grpc_connection_finished(echo->connection), !open);
        if (open)
            end(&wrong);
        assert_true(echo_exchange(echo));
        assert_replies(stream, (const char *const[]){"1a"}, 1);
        assert_status(stream, "10");
        assert_true(grpc_connection_finished(echo->connection));
        close_all(echo);
    }
}

/* A connection that is old waits for its streams, but they end in order when the grace is over. */
static void test_the_grace_of_an_old_connection_ends_the_call(void **state)
{
    (void)state;
    struct echo *echo = open_aging(10000, 5000, &(struct ng_options){0});
    struct ng_stream *stream = echo_call(echo, REPEAT);
    send_message(echo, stream, "1a", false);
    assert_true(echo_exchange(echo));
    grpc_connection_check(echo->connection, echo->now_ms + 11000);
    assert_true(echo_exchange(echo));
    assert_int_equal(echo->client->goaways, 2);
    send_message(echo, stream, "1b", false);
    assert_true(echo_exchange(echo));
    grpc_connection_check(echo->connection, echo->now_ms + 15999);
    assert_int_equal(repeat.drains, 0);
    grpc_connection_check(echo->connection, echo->now_ms + 16000);
    grpc_connection_check(echo->connection, echo->now_ms + 17000);
    assert_int_equal(repeat.drains, 1);
    assert_int_equal(repeat.cancels, 0);
    assert_true(echo_exchange(echo));
    assert_replies(stream, (const char *const[]){"1a", "1b"}, 2);
    assert_status(stream, "10");
    assert_true(grpc_connection_finished(echo->connection));
    close_all(echo);
}

static void test_a_deadline_ends_the_call(void **state)
{
    (void)state;
    struct echo *echo = open_with(&(struct ng_options){0});
    const struct ng_stream *stream = echo_call_with(echo, REPEAT, "grpc-timeout", "500m");
    assert_true(echo_exchange(echo));
    grpc_connection_check(echo->connection, echo->now_ms + 499);
    assert_non_null(repeat.call);
    grpc_connection_check(echo->connection, echo->now_ms + 500);
    assert_int_equal(repeat.cancels, 1);
    assert_true(echo_exchange(echo));
    ng_assert_slice(ng_client_field(&stream->headers, "grpc-status"), "4");
    close_all(echo);
}

static void assert_not_read(const struct ng_stream *stream)
{
    assert_true(stream->ended);
    ng_assert_slice(ng_client_field(&stream->trailers, "grpc-status"), "8");
    ng_assert_slice(ng_client_field(&stream->trailers, "keystore-reason"), "NOT_READ");
}

/* It ends, even if the method has ended it well; the connection and its other calls do not. */
static void test_replies_that_are_not_read(void **state)
{
    (void)state;
    for (int done = 0; done < 2; done++) {
        struct echo *echo =
            open_with(&(struct ng_options){.stream_window = 35, .manual_windows = true});
        struct ng_stream *stream = echo_call(echo, REPEAT), *idle;
        send_message(echo, stream, "9 of these", false);
        assert_true(echo_exchange(echo));
        send_message(echo, stream, done ? "o" : "0", false);
        assert_true(echo_exchange(echo));
        assert_int_equal(repeat.call == NULL, done);
        for (int i = 0; i < 2; i++) {
            grpc_connection_check(echo->connection, echo->now_ms);
            assert_true(echo_exchange(echo));
            assert_false(stream->ended);
            echo->now_ms += 1000;
        }
        grpc_connection_check(echo->connection, echo->now_ms += 1);
        assert_true(echo_exchange(echo));
        assert_not_read(stream);
        assert_int_equal(repeat.cancels, !done);
        assert_int_equal(grpc_server_counts(echo->server).unread_streams, 1);
        assert_int_equal(grpc_server_counts(echo->server).streams_open, 0);
        assert_int_equal(grpc_connection_queued(echo->connection), 0);
        idle = echo_call(echo, ECHO_NOW);
        send_message(echo, idle, "hello", true);
        assert_true(echo_exchange(echo));
        assert_status(idle, "0");
        close_all(echo);
    }
}

/* Less than min_progress in a period is too little; as much as that is enough, for ever. */
static void test_replies_that_are_read_slowly(void **state)
{
    (void)state;
    for (int32_t step = 9; step <= 10; step++) {
        struct echo *echo =
            open_with(&(struct ng_options){.stream_window = 35, .manual_windows = true});
        struct ng_stream *stream = echo_call(echo, REPEAT);
        for (int i = 0; i < 10; i++)
            send_message(echo, stream, "9 of these", false);
        assert_true(echo_exchange(echo));
        for (int i = 0; i < 20 && !stream->ended; i++) {
            grpc_connection_check(echo->connection, echo->now_ms);
            ng_client_open_window(echo->client, stream->id, step);
            assert_true(echo_exchange(echo));
            echo->now_ms += 1001;
        }
        if (step == 9)
            assert_not_read(stream);
        else
            assert_false(stream->ended);
        close_all(echo);
    }
}

/* A call with nothing to say is not slow, with a window or without. */
static void test_an_idle_stream_is_not_slow(void **state)
{
    (void)state;
    struct echo *echo = open_with(&(struct ng_options){.stream_window = 7, .manual_windows = true});
    struct ng_stream *stream = echo_call(echo, REPEAT);
    assert_true(echo_exchange(echo));
    grpc_stream_begin(repeat.call);
    for (int i = 0; i < 10; i++) {
        grpc_connection_check(echo->connection, echo->now_ms += 5000);
        assert_true(echo_exchange(echo));
        if (i == 5)
            send_message(echo, stream, "1a", false); /* takes all of the window */
    }
    assert_replies(stream, (const char *const[]){"1a"}, 1);
    assert_false(stream->ended);
    close_all(echo);
}

/* Without what the caller does not read. */
static void test_a_deadline_of_who_does_not_read(void **state)
{
    (void)state;
    struct echo *echo =
        open_with(&(struct ng_options){.stream_window = 20, .manual_windows = true});
    struct ng_stream *stream = echo_call_with(echo, REPEAT, "grpc-timeout", "500m");
    send_message(echo, stream, "9 of these", false);
    assert_true(echo_exchange(echo));
    grpc_connection_check(echo->connection, echo->now_ms + 500);
    assert_true(echo_exchange(echo));
    assert_status(stream, "4");
    assert_int_equal(stream->body.len, 20);
    close_all(echo);
}

/* ---- what breaks the protocol ---- */

static void test_a_message_that_does_not_arrive(void **state)
{
    (void)state;
    struct echo *echo = open_with(&(struct ng_options){0});
    struct ng_stream *stream = echo_call(echo, REPEAT);
    send_message(echo, stream, "1a", false);
    assert_true(echo_exchange(echo));
    grpc_connection_check(echo->connection, echo->now_ms += 5000); /* it may be silent */
    assert_non_null(repeat.call);
    echo_send(echo, stream, SLICE_LITERAL("\0\0\0\0\020x"), false);
    assert_true(echo_exchange(echo));
    grpc_connection_check(echo->connection, echo->now_ms + 1000);
    assert_non_null(repeat.call);
    grpc_connection_check(echo->connection, echo->now_ms + 1001);
    assert_int_equal(repeat.cancels, 1);
    assert_int_equal(grpc_server_counts(echo->server).slow_requests, 1);
    assert_true(echo_exchange(echo));
    assert_status(stream, "4");
    close_all(echo);
}

static void test_malformed_messages(void **state)
{
    (void)state;
    static const struct {
        struct slice bytes;
        bool end;
        const char *status;
    } cases[] = {
        {SLICE_LITERAL("\0\0\0\0\0021"), true, "13"},    /* ends within a message */
        {SLICE_LITERAL("\0\0\0"), true, "13"},           /* or within its prefix */
        {SLICE_LITERAL("\1\0\0\0\0021a"), false, "13"},  /* compressed */
        {SLICE_LITERAL("\0\0\0\x10\0021a"), false, "8"}, /* too large */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct echo *echo = open_with(&(struct ng_options){0});
        struct ng_stream *stream = echo_call(echo, REPEAT);
        send_message(echo, stream, "1a", false);
        assert_true(echo_exchange(echo));
        echo_send(echo, stream, cases[i].bytes, cases[i].end);
        assert_true(echo_exchange(echo));
        assert_status(stream, cases[i].status);
        assert_int_equal(repeat.cancels, 1);
        assert_int_equal(repeat.messages, 1);
        close_all(echo);
    }
}

/* Unary calls of the same connection are what they were. */
static void test_unary_calls_go_on_beside(void **state)
{
    (void)state;
    struct echo *echo = open_with(&(struct ng_options){0});
    struct ng_stream *stream = echo_call(echo, REPEAT);
    for (int i = 0; i < 10; i++) {
        struct ng_stream *unary = echo_call(echo, ECHO_NOW);
        send_message(echo, stream, "1a", i == 9);
        send_message(echo, unary, "hello", true);
        assert_true(echo_exchange(echo));
        assert_replies(unary, (const char *const[]){"hello"}, 1);
        assert_status(unary, "0");
    }
    assert_int_equal(repeat.messages, 10);
    assert_status(stream, "0");
    close_all(echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_are_answered_as_they_come),
        cmocka_unit_test(test_messages_may_be_cut_anywhere),
        cmocka_unit_test(test_replies_wait_for_who_reads),
        cmocka_unit_test(test_a_method_may_fail_at_once),
        cmocka_unit_test(test_a_method_may_end_between_messages),
        cmocka_unit_test(test_a_cancelled_call_is_told_once),
        cmocka_unit_test(test_a_shutdown_ends_the_call),
        cmocka_unit_test(test_the_grace_of_an_old_connection_ends_the_call),
        cmocka_unit_test(test_a_deadline_ends_the_call),
        cmocka_unit_test(test_replies_that_are_not_read),
        cmocka_unit_test(test_replies_that_are_read_slowly),
        cmocka_unit_test(test_an_idle_stream_is_not_slow),
        cmocka_unit_test(test_a_deadline_of_who_does_not_read),
        cmocka_unit_test(test_a_message_that_does_not_arrive),
        cmocka_unit_test(test_malformed_messages),
        cmocka_unit_test(test_unary_calls_go_on_beside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
