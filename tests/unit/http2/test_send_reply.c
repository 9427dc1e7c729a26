/*
 * Tests of http2/send.c: replies that are written incrementally, read by nghttp2's client. The
 * application is asked as the client reads, never for more than that; replies take turns; either
 * side may end first.
 */
#include "http2/http2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http2/recorder.h"
#include "store/seeded.h"
#include "support/ng_client.h"

#define REPLIES      20
#define FIRST_WINDOW 65535

static const struct http2_field reply_fields[] = {
    {SLICE_LITERAL(":status"), SLICE_LITERAL("200")},
};
static const struct http2_field trailers[] = {
    {SLICE_LITERAL("grpc-status"), SLICE_LITERAL("0")},
};
static const struct http2_field request_fields[] = {
    {SLICE_LITERAL(":method"), SLICE_LITERAL("POST")},
    {SLICE_LITERAL(":scheme"), SLICE_LITERAL("http")},
    {SLICE_LITERAL(":path"), SLICE_LITERAL("/")},
    {SLICE_LITERAL(":authority"), SLICE_LITERAL("a")},
};

/* What the application has to say in the reply of a stream. */
struct reply {
    struct http2_stream *stream; /* NULL once it is gone */
    size_t size, written;        /* bytes */
    size_t at_once;              /* appended when it is asked; 0 = as much as there is room for */
    bool is_open;                /* more may come: it does not end when all is written */
    size_t asked;                /* times */
};

struct fixture {
    struct recorder *recorder;
    struct ng_client *client;
    struct ng_stream *requests[REPLIES];
    struct reply replies[REPLIES];
    size_t count;
    size_t queued_most;
};

static struct fixture fixture;

static uint8_t byte_at(size_t reply, size_t at)
{
    return (uint8_t)(reply * 31 + at * 7 + (at >> 8));
}

static void on_request(struct seen *seen)
{
    size_t index = (size_t)(seen - fixture.recorder->seen);
    assert_true(index < fixture.count);
    fixture.replies[index].stream = seen->stream;
    http2_reply_begin(seen->stream, reply_fields, 1);
}

static void on_room(void *user, struct http2_stream *stream, struct chain *body, size_t room)
{
    const struct recorder_user *own = http2_stream_user(stream);
    struct reply *reply = &fixture.replies[own->index];
    (void)user;
    assert_true(room > 0 && room <= HTTP2_REPLY_PAGE);
    assert_int_equal(chain_length(body), 0);
    size_t size = reply->at_once > 0 ? reply->at_once : room;
    if (size > reply->size - reply->written)
        size = reply->size - reply->written;
    uint8_t *at = chain_append(body, size);
    for (size_t i = 0; i < size; i++)
        at[i] = byte_at(own->index, reply->written + i);
    reply->written += size;
    reply->asked++;
    if (reply->written == reply->size && !reply->is_open)
        http2_reply_end(stream, trailers, 1);
}

static void on_close(struct seen *seen)
{
    fixture.replies[seen - fixture.recorder->seen].stream = NULL;
}

static void open_with(const struct ng_options *options)
{
    fixture = (struct fixture){.client = ng_client_new(options)};
    fixture.recorder = recorder_new(&http2_default_limits);
    fixture.recorder->handler.on_room = on_room;
    fixture.recorder->on_request = on_request;
    fixture.recorder->on_close = on_close;
}

static int teardown(void **state)
{
    (void)state;
    recorder_free(fixture.recorder);
    ng_client_free(fixture.client);
    return 0;
}

static struct reply *request(struct reply reply, bool end)
{
    fixture.requests[fixture.count] = ng_client_request(
        fixture.client, request_fields, sizeof request_fields / sizeof *request_fields, end);
    fixture.replies[fixture.count] = reply;
    return &fixture.replies[fixture.count++];
}

/* Lets both sides say what they can, until neither has more. */
static void talk(void)
{
    struct buf out;
    buf_init(&out, SIZE_MAX);
    do {
        buf_clear(&out, SIZE_MAX);
        assert_true(ng_client_push(fixture.client, &fixture.recorder->peer));
        recorder_pull(fixture.recorder, &out);
        size_t queued = http2_session_queued(fixture.recorder->session);
        if (queued > fixture.queued_most)
            fixture.queued_most = queued;
        ng_client_input(fixture.client, buf_slice(&out));
    } while (out.len > 0);
    buf_deinit(&out);
}

static void assert_received(size_t index, size_t size, bool ended)
{
    const struct ng_stream *stream = fixture.requests[index];
    assert_int_equal(stream->body.len, size);
    for (size_t i = 0; i < size; i++)
        if (stream->body.data[i] != byte_at(index, i))
            fail_msg("byte %zu of reply %zu is wrong", i, index);
    assert_int_equal(stream->ended, ended);
    assert_string_equal(stream->headers.len > 0 ? ":status: 200\n" : "", ":status: 200\n");
    assert_int_equal(stream->trailers.len, ended ? strlen("grpc-status: 0\n") : 0);
}

/* ---- one reply ---- */

static void test_a_reply_is_as_long_as_it_gets(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, HTTP2_REPLY_PAGE, HTTP2_REPLY_PAGE + 1, 3000000};
    open_with(&(struct ng_options){0});
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        request((struct reply){.size = sizes[i]}, true);
        talk();
        assert_received(i, sizes[i], true);
        assert_true(fixture.requests[i]->closed && !fixture.requests[i]->reset);
        assert_null(fixture.replies[i].stream);
    }
}

/* What the client does not read is not asked for. */
static void test_it_is_asked_for_what_the_windows_allow(void **state)
{
    (void)state;
    open_with(&(struct ng_options){.stream_window = 1000, .manual_windows = true});
    const struct reply *reply = request((struct reply){.size = 1000000}, true);
    talk();
    assert_int_equal(reply->written, 1000);
    assert_received(0, 1000, false);
    ng_client_open_window(fixture.client, fixture.requests[0]->id, 500);
    talk();
    assert_int_equal(reply->written, 1500);
    ng_client_open_window(fixture.client, fixture.requests[0]->id, 1000000);
    talk();
    assert_int_equal(reply->written, FIRST_WINDOW); /* the connection's */
    assert_int_equal(http2_session_queued(fixture.recorder->session), 0);
    ng_client_open_window(fixture.client, 0, 1000000);
    talk();
    assert_received(0, 1000000, true);
    assert_true(fixture.queued_most <= HTTP2_REPLY_PAGE);
}

/* Where the windows are no limit, max_output is, and the puller learns that there is more. */
static void test_who_pulls_learns_that_there_is_more(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, SIZE_MAX);
    open_with(&(struct ng_options){.stream_window = INT32_MAX, .manual_windows = true});
    request((struct reply){.size = 3000000}, true);
    ng_client_open_window(fixture.client, 0, INT32_MAX - FIRST_WINDOW);
    assert_true(ng_client_push(fixture.client, &fixture.recorder->peer));
    do {
        buf_clear(&out, SIZE_MAX);
        recorder_pull(fixture.recorder, &out);
        ng_client_input(fixture.client, buf_slice(&out));
    } while (http2_session_queued(fixture.recorder->session) > 0);
    buf_deinit(&out);
    assert_received(0, 3000000, true);
}

/* What has to stay together may exceed the room; it waits, and nothing else is asked for. */
static void test_a_large_part_waits_for_windows(void **state)
{
    (void)state;
    open_with(&(struct ng_options){.manual_windows = true});
    const struct reply *reply = request((struct reply){.size = 1000000, .at_once = 500000}, true);
    talk();
    assert_int_equal(reply->asked, 1);
    assert_int_equal(http2_session_queued(fixture.recorder->session), 500000 - FIRST_WINDOW);
    ng_client_open_window(fixture.client, fixture.requests[0]->id, 2000000);
    ng_client_open_window(fixture.client, 0, 2000000);
    talk();
    assert_received(0, 1000000, true);
}

static void test_it_waits_for_the_application(void **state)
{
    (void)state;
    open_with(&(struct ng_options){0});
    struct reply *reply = request((struct reply){.size = 10, .is_open = true}, true);
    talk();
    assert_received(0, 10, false);
    size_t asked = reply->asked;
    talk();
    assert_int_equal(reply->asked, asked); /* not again without a reason */
    for (size_t i = 0; i < 3; i++) {
        reply->size += 100000;
        http2_reply_ready(reply->stream);
        http2_reply_ready(reply->stream);
        talk();
        assert_received(0, reply->size, false);
    }
    http2_reply_end(reply->stream, trailers, 1);
    talk();
    assert_received(0, reply->size, true);
}

/* Trailers need no window, and come after what was appended. */
static void test_an_end_follows_what_waits(void **state)
{
    (void)state;
    open_with(&(struct ng_options){.stream_window = 100, .manual_windows = true});
    struct reply *reply =
        request((struct reply){.size = 1000, .at_once = 1000, .is_open = true}, true);
    const struct reply *idle = request((struct reply){.is_open = true}, true);
    talk();
    http2_reply_end(reply->stream, trailers, 1);
    http2_reply_end(idle->stream, trailers, 1);
    talk();
    assert_received(0, 100, false);
    assert_received(1, 0, true);
    ng_client_open_window(fixture.client, fixture.requests[0]->id, 1000);
    talk();
    assert_received(0, 1000, true);
}

/* A reply that its reader does not take is no debt of the connection, which others use. */
static void test_a_parked_reply_is_not_owed(void **state)
{
    (void)state;
    struct http2_session *session;
    uint64_t taken;
    open_with(&(struct ng_options){.stream_window = 100, .manual_windows = true});
    session = fixture.recorder->session;
    const struct reply *reply = request((struct reply){.size = 1000, .at_once = 600}, true);
    talk();
    int64_t later = fixture.recorder->now_ms + http2_default_limits.stall_timeout_ms + 1;
    assert_int_equal(http2_session_queued(session), 500);
    assert_int_equal(http2_session_owed(session), 0);
    assert_int_equal(http2_session_expired(session, later).kind, CLOSING_NONE);
    assert_int_equal(http2_stream_parked(reply->stream, &taken), 500);
    assert_int_equal(taken, 100);
    ng_client_open_window(fixture.client, fixture.requests[0]->id, 300);
    talk();
    assert_int_equal(http2_session_queued(session), 200);
    assert_int_equal(http2_stream_parked(reply->stream, &taken), 200);
    assert_int_equal(taken, 400);
    ng_client_open_window(fixture.client, fixture.requests[0]->id, 200); /* exactly */
    talk();
    assert_int_equal(http2_stream_parked(reply->stream, &taken), 0);
    ng_client_open_window(fixture.client, fixture.requests[0]->id, 1000);
    talk();
    assert_received(0, 1000, true);
}

/* If the connection's window is closed, the peer as a whole is slow. */
static void test_a_closed_connection_is_a_stall(void **state)
{
    (void)state;
    open_with(&(struct ng_options){.stream_window = 1000000, .manual_windows = true});
    const struct reply *reply = request((struct reply){.size = 70000, .at_once = 70000}, true);
    uint64_t taken;
    talk();
    int64_t later = fixture.recorder->now_ms + http2_default_limits.stall_timeout_ms + 1;
    assert_int_equal(http2_session_owed(fixture.recorder->session), 70000 - FIRST_WINDOW);
    assert_int_equal(http2_stream_parked(reply->stream, &taken), 0);
    assert_int_equal(http2_session_expired(fixture.recorder->session, later).kind,
                     CLOSING_WRITE_TIMEOUT);
}

static void test_the_application_waits_for_a_window(void **state)
{
    (void)state;
    open_with(&(struct ng_options){.stream_window = 10, .manual_windows = true});
    struct reply *reply = request((struct reply){.size = 10, .is_open = true}, true);
    uint64_t taken;
    talk();
    assert_received(0, 10, false);
    assert_int_equal(http2_stream_parked(reply->stream, &taken), 0); /* it has nothing to say */
    reply->size = 12;
    http2_reply_ready(reply->stream);
    talk();
    assert_int_equal(http2_stream_parked(reply->stream, &taken), 1);
    ng_client_open_window(fixture.client, fixture.requests[0]->id, 100);
    talk();
    assert_received(0, 12, false);
    assert_int_equal(http2_stream_parked(reply->stream, &taken), 0);
}

/* Whatever waits and whether or not the end was set: the trailers are sent immediately, and nothing
 * is left. */
static void test_a_reply_is_aborted(void **state)
{
    (void)state;
    for (int ended = 0; ended < 2; ended++) {
        for (int open = 0; open < 2; open++) { /* the request */
            open_with(&(struct ng_options){.stream_window = 100, .manual_windows = true});
            struct reply *reply =
                request((struct reply){.size = 1000, .at_once = 1000, .is_open = !ended}, !open);
            talk();
            assert_int_equal(http2_session_queued(fixture.recorder->session), 900);
            http2_reply_abort(reply->stream, trailers, 1);
            assert_int_equal(http2_session_queued(fixture.recorder->session) -
                                 http2_session_owed(fixture.recorder->session),
                             0);
            talk();
            assert_received(0, 100, true);
            assert_null(reply->stream);
            if (!ended || !open)
                teardown(NULL);
        }
    }
}

/* ---- both directions ---- */

static void test_the_request_goes_on_meanwhile(void **state)
{
    (void)state;
    open_with(&(struct ng_options){0});
    struct reply *reply = request((struct reply){.is_open = true}, false);
    for (size_t i = 1; i <= 3; i++) {
        ng_client_send(fixture.client, fixture.requests[0], SLICE_LITERAL("more"), i == 3);
        reply->size += 1000;
        if (reply->stream != NULL)
            http2_reply_ready(reply->stream);
        talk();
        assert_int_equal(fixture.recorder->seen[0].body.len, 4 * i);
        assert_received(0, 1000 * i, false);
    }
    assert_int_equal(fixture.recorder->seen[0].ends, 1);
    http2_reply_end(reply->stream, trailers, 1);
    talk();
    assert_received(0, 3000, true);
    assert_false(fixture.requests[0]->reset);
}

static void test_an_end_before_that_of_the_request(void **state)
{
    (void)state;
    open_with(&(struct ng_options){0});
    request((struct reply){.size = 5}, false);
    talk();
    assert_received(0, 5, true);
    assert_true(fixture.requests[0]->reset);
    assert_int_equal(fixture.requests[0]->error_code, NGHTTP2_NO_ERROR);
    assert_null(fixture.replies[0].stream);
}

static void test_a_cancelled_reply_is_gone(void **state)
{
    (void)state;
    open_with(&(struct ng_options){.manual_windows = true});
    const struct reply *reply = request((struct reply){.size = 1000000}, true);
    const struct reply *idle = request((struct reply){.is_open = true}, false);
    talk();
    assert_non_null(reply->stream);
    ng_client_reset(fixture.client, fixture.requests[0]);
    ng_client_reset(fixture.client, fixture.requests[1]);
    talk();
    assert_null(reply->stream);
    assert_null(idle->stream);
    assert_int_equal(http2_session_queued(fixture.recorder->session), 0);
}

/* A client whose requests are held back stops within the window, and goes on when they are not. */
static void test_a_held_request_stops(void **state)
{
    (void)state;
    enum { SIZE = 20 * 1024 * 1024 };
    size_t window = http2_default_limits.stream_window;
    open_with(&(struct ng_options){0});
    struct reply *reply = request((struct reply){.is_open = true}, false);
    talk();
    http2_request_hold(reply->stream, true);
    uint8_t *bytes = mem_alloc_zero(SIZE);
    ng_client_send(fixture.client, fixture.requests[0], slice_make(bytes, SIZE), true);
    free(bytes);
    talk();
    assert_int_equal(fixture.recorder->seen[0].body.len, window);
    http2_request_hold(reply->stream, false);
    talk();
    assert_int_equal(fixture.recorder->seen[0].body.len, SIZE);
    http2_reply_end(reply->stream, trailers, 1);
    talk();
    assert_received(0, 0, true);
}

/* ---- many ---- */

/* Replies of all lengths at once, through windows that the client opens now and then; in the end
 * each has come whole, and none has had to wait for the longest. */
static void test_replies_take_turns(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    open_with(&(struct ng_options){.stream_window = 3000, .manual_windows = true});
    for (size_t i = 0; i < REPLIES; i++)
        request((struct reply){.size = i == 0 ? 2000000 : seeded_below(&random, 200000),
                               .at_once = seeded_below(&random, 3) * 1000},
                true);
    size_t left = REPLIES;
    talk();
    while (left > 0) {
        ng_client_open_window(fixture.client, 0, 50000);
        for (size_t i = 0; i < REPLIES; i++)
            if (!fixture.requests[i]->ended && seeded_below(&random, 2) == 0)
                ng_client_open_window(fixture.client, fixture.requests[i]->id,
                                      1 + (int32_t)seeded_below(&random, 20000));
        talk();
        left = 0;
        for (size_t i = 0; i < REPLIES; i++)
            left += !fixture.requests[i]->ended;
        if (fixture.requests[0]->ended)
            continue;
        assert_true(fixture.queued_most <= REPLIES * HTTP2_REPLY_PAGE);
    }
    for (size_t i = 0; i < REPLIES; i++)
        assert_received(i, fixture.replies[i].size, true);
}

#define TEST(function) cmocka_unit_test_teardown(function, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_reply_is_as_long_as_it_gets),
        TEST(test_it_is_asked_for_what_the_windows_allow),
        TEST(test_who_pulls_learns_that_there_is_more),
        TEST(test_a_large_part_waits_for_windows),
        TEST(test_it_waits_for_the_application),
        TEST(test_an_end_follows_what_waits),
        TEST(test_a_parked_reply_is_not_owed),
        TEST(test_a_closed_connection_is_a_stall),
        TEST(test_the_application_waits_for_a_window),
        TEST(test_a_reply_is_aborted),
        TEST(test_the_request_goes_on_meanwhile),
        TEST(test_an_end_before_that_of_the_request),
        TEST(test_a_cancelled_reply_is_gone),
        TEST(test_a_held_request_stops),
        TEST(test_replies_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
