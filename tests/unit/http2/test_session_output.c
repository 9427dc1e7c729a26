/*
 * Tests of http2/session.c: output that waits to be pulled or for the peer, and the limits on its
 * size and age. Only through http2.h, as in test_session.c.
 */
#include "http2/http2.h"

#include "http2/pair.h"

#include <stdlib.h>

#define MEBIBYTE ((size_t)1024 * 1024)

/* An answer given outside a feed waits to be pulled. */
static void test_late_answer_is_pulled(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    struct http2_stream *one = pair_requested(pair, true), *two = pair_requested(pair, true);
    pair_answer(two, pair_pattern(30000));
    assert_int_equal(chain_length(&pair.server->out), 0);
    assert_true(http2_session_queued(pair.server->session) >= 30000);
    struct buf out = pair_pulled(pair.server);
    assert_int_equal(frames_data_len(buf_slice(&out)), 30000);
    ng_client_input(pair.client, buf_slice(&out));
    buf_deinit(&out);
    assert_int_equal(http2_session_queued(pair.server->session), 0);
    pair_answer(one, SLICE_LITERAL("later still"));
    assert_true(pair_exchange(pair));
    pair_assert_answered(pair.client->streams[0], SLICE_LITERAL("later still"));
    pair_assert_answered(pair.client->streams[1], pair_pattern(30000));
    pair_free(pair);
}

/* Pulling. */

static void test_pull_stops_at_the_limit_of_output(void **state)
{
    (void)state;
    struct http2_limits limits = http2_default_limits;
    limits.max_output = 50000;
    struct pair pair = pair_new(&limits, &(struct ng_options){.stream_window = 10000000});
    ng_client_open_window(pair.client, 0, 10000000);
    pair_answer(pair_requested(pair, true), pair_pattern(MEBIBYTE));
    size_t left = MEBIBYTE, pulls = 0;
    for (; left > 0; pulls++) {
        struct buf out = pair_pulled(pair.server);
        left -= frames_data_len(buf_slice(&out));
        assert_true(left == 0 || out.len >= limits.max_output);
        assert_true(out.len < limits.max_output + 16384 + 100);
        ng_client_input(pair.client, buf_slice(&out));
        buf_deinit(&out);
    }
    assert_true(pulls >= 15);
    pair_assert_answered(pair_newest(pair), pair_pattern(MEBIBYTE));
    pair_free(pair);
}

/* What only refers to blobs has a limit of its own. */
static void test_pull_stops_at_the_limit_of_references(void **state)
{
    (void)state;
    const size_t size = 20 * MEBIBYTE;
    struct http2_limits limits = http2_default_limits;
    limits.max_output = 50000;
    limits.max_referenced = 3 * MEBIBYTE;
    struct pair pair = pair_new(&limits, &(struct ng_options){.stream_window = (int32_t)size});
    ng_client_open_window(pair.client, 0, (int32_t)size);
    struct http2_stream *stream = pair_requested(pair, true);
    struct blob *blob = blob_new(size);
    memset(blob->data, 'b', size);
    http2_answer_begin(stream, pair_status, 1, size);
    chain_append_blob(http2_answer_body(stream), blob, blob_slice(blob));
    http2_answer_end(stream, pair_trailers, 1);
    for (size_t left = size; left > 0;) {
        struct buf out = pair_pulled(pair.server);
        size_t len = frames_data_len(buf_slice(&out));
        left -= len;
        assert_true(left == 0 || len >= limits.max_referenced);
        assert_true(len < limits.max_referenced + 16384);
        ng_client_input(pair.client, buf_slice(&out));
        buf_deinit(&out);
    }
    pair_free(pair);
}

static void test_pull_appends(void **state)
{
    (void)state;
    struct recorder *server = recorder_new(&http2_default_limits);
    server->writing = true;
    assert_true(recorder_feed(server, SLICE_LITERAL(FRAMES_PREFACE)));
    memcpy(chain_append(&server->out, 6), "before", 6);
    struct buf out = pair_pulled(server);
    assert_true(slice_starts_with(buf_slice(&out), SLICE_LITERAL("before")));
    struct slice rest = slice_skip(buf_slice(&out), 6);
    struct frame frame;
    assert_true(frames_next(&rest, &frame));
    assert_int_equal(frame.type, FRAME_SETTINGS); /* a server's preface */
    size_t len = out.len;
    recorder_pull(server, &out);
    assert_int_equal(out.len, len);
    buf_deinit(&out);
    recorder_free(server);
}

static void test_queued_counts_what_waits_for_windows(void **state)
{
    (void)state;
    struct pair pair = pair_new(
        &http2_default_limits, &(struct ng_options){.stream_window = 1000, .manual_windows = true});
    const struct http2_session *session = pair.server->session;
    struct http2_stream *one = pair_requested(pair, true), *two = pair_requested(pair, true);
    assert_int_equal(http2_session_queued(session), 0);
    pair_answer(one, pair_pattern(5000));
    assert_true(http2_session_queued(session) >= 5000);
    assert_true(pair_exchange(pair));
    assert_int_equal(http2_session_queued(session), 4000); /* 1000 bytes were sent */
    pair_answer(two, pair_pattern(300));
    assert_true(http2_session_queued(session) >= 4300);
    assert_true(pair_exchange(pair));
    assert_int_equal(http2_session_queued(session), 4000);
    ng_client_open_window(pair.client, pair.client->streams[0]->id, 1500);
    assert_true(pair_exchange(pair));
    assert_int_equal(http2_session_queued(session), 2500);
    ng_client_reset(pair.client, pair.client->streams[0]);
    assert_true(pair_exchange(pair));
    assert_int_equal(http2_session_queued(session), 0);
    pair_free(pair);
}

/* While the output is being written: nothing is lost, and the order stays. */
static void test_feeds_without_output_wait_for_a_pull(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    pair.server->on_end = pair_answer_seen;
    pair.server->writing = true;
    for (size_t i = 0; i < 20; i++) {
        ng_client_send(pair.client, pair_send_request(pair, false), pair_pattern(1000 * i + 1),
                       true);
        assert_true(ng_client_push(pair.client, &pair.server->peer));
        assert_int_equal(chain_length(&pair.server->out), 0);
        assert_true(http2_session_queued(pair.server->session) > 1000 * i);
    }
    assert_true(pair_feed_frame(pair.server, FRAME_PING, 0, 0, SLICE_LITERAL("12345678")));
    pair.server->writing = false;
    ng_client_send(pair.client, pair_send_request(pair, false), SLICE_LITERAL("last"), true);
    assert_true(ng_client_push(pair.client, &pair.server->peer));
    assert_true(chain_length(&pair.server->out) > 0); /* a feed takes it along, too */
    assert_true(pair_exchange(pair));
    for (size_t i = 0; i < 20; i++)
        pair_assert_answered(pair.client->streams[i], pair_pattern(1000 * i + 1));
    pair_assert_answered(pair.client->streams[20], SLICE_LITERAL("last"));
    assert_int_equal(http2_session_queued(pair.server->session), 0);
    pair_free(pair);
}

/* As many answers of any kind as there may be streams are not held against the peer. */
static void test_honest_peer_may_read_late(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 8000, 30000};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        struct pair pair =
            pair_new(&http2_default_limits, &(struct ng_options){.stream_window = 1000000});
        ng_client_open_window(pair.client, 0, 100000000);
        assert_true(pair_exchange(pair));
        pair.server->on_end = pair_answer_seen;
        pair.server->writing = true;
        for (size_t i = 0; i < 1000; i++) {
            ng_client_send(pair.client, pair_send_request(pair, false), pair_pattern(sizes[k]),
                           true);
            if (i % 100 == 99)
                assert_true(ng_client_push(pair.client, &pair.server->peer));
        }
        assert_true(ng_client_push(pair.client, &pair.server->peer));
        pair.server->writing = false;
        assert_true(pair_exchange(pair));
        assert_int_equal(pair.server->count, 1000);
        for (size_t i = 0; i < 1000; i++)
            pair_assert_answered(pair.client->streams[i], pair_pattern(sizes[k]));
        pair_free(pair);
    }
}

/* Output without a chain. */

/* An error while the output is being written: its GOAWAY is queued after the answers. */
static void test_error_while_writing_is_pulled(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    pair_send_request(pair, true);
    pair.server->on_end = pair_answer_seen;
    pair.server->writing = true;
    assert_true(ng_client_push(pair.client, &pair.server->peer));
    bool alive = pair_feed_frame(pair.server, FRAME_DATA, 0, 0, SLICE_LITERAL("x"));
    assert_false(http2_session_finished(pair.server->session)); /* there is output */
    assert_int_equal(chain_length(&pair.server->out), 0);
    struct buf out = pair_pulled(pair.server);
    struct slice rest = buf_slice(&out);
    struct frame frame;
    assert_false(alive);
    assert_true(frames_find(&rest, FRAME_HEADERS, &frame));
    assert_true(frames_find(&rest, FRAME_GOAWAY, &frame));
    assert_int_equal(frames_u32(frame.payload.data + 4), PROTOCOL_ERROR);
    assert_true(http2_session_finished(pair.server->session));
    buf_deinit(&out);
    pair_free(pair);
}

static void test_flood_of_pings_without_reading_ends_the_connection(void **state)
{
    (void)state;
    struct http2_limits limits = http2_default_limits;
    const struct ng_options options = {.stream_window = 0};
    limits.min_ping_interval_ms = 0; /* another limit on PINGs */
    struct pair pair = pair_new(&limits, &options);
    assert_true(pair_exchange(pair));
    pair.server->writing = true;
    size_t fed = 0;
    while (fed < 10000 && pair_feed_frame(pair.server, FRAME_PING, 0, 0, SLICE_LITERAL("12345678")))
        fed++;
    assert_true(fed >= http2_default_limits.max_unsent_control / 17);
    assert_true(fed < 10000);
    pair_assert_ended(pair.server, false, ENHANCE_YOUR_CALM);
    pair_free(pair);
    pair = pair_new(&limits, &options); /* a peer that reads may send PING */
    assert_true(pair_exchange(pair));
    for (size_t i = 0; i < 100000; i++) {
        assert_true(pair_feed_frame(pair.server, FRAME_PING, 0, 0, SLICE_LITERAL("12345678")));
        chain_clear(&pair.server->out, SIZE_MAX);
    }
    pair_free(pair);
}

/* Requests that arrive while too much is queued are refused, and the connection goes on. */
static void test_requests_over_the_queue_are_refused(void **state)
{
    (void)state;
    struct http2_limits limits = http2_default_limits;
    limits.max_queued = 10000;
    struct pair pair =
        pair_new(&limits, &(struct ng_options){.stream_window = 5, .manual_windows = true});
    assert_true(pair_exchange(pair));
    pair_answer(pair_requested(pair, true), pair_pattern(6000));
    pair_answer(pair_requested(pair, true), pair_pattern(6000));
    assert_true(pair_exchange(pair));
    struct ng_stream *refused = pair_send_request(pair, true);
    assert_true(pair_exchange(pair));
    assert_int_equal(pair.server->count, 2);
    assert_true(refused->reset);
    assert_int_equal(refused->error_code, REFUSED_STREAM);
    for (size_t i = 0; i < 2; i++)
        ng_client_open_window(pair.client, pair.client->streams[i]->id, 6000);
    assert_true(pair_exchange(pair));
    pair_assert_answered(pair.client->streams[0], pair_pattern(6000));
    pair_assert_answered(pair.client->streams[1], pair_pattern(6000));
    pair_answer(pair_requested(pair, true), SLICE_LITERAL("small"));
    assert_true(pair_exchange(pair));
    pair_assert_answered(pair_newest(pair), SLICE_LITERAL("small"));
    pair_free(pair);
}

/* Long fields and no body. */
static void answer_with_fields(struct http2_stream *stream)
{
    static char value[1000];
    memset(value, 'v', sizeof value - 1);
    const struct http2_field fields[] = {
        pair_status[0], {.name = SLICE_LITERAL("x"), .value = slice_from_string(value)}};
    http2_answer_without_body(stream, fields, 2);
}

static void answer_in_full(struct seen *seen)
{
    if (seen->body.len > 0)
        answer_with_fields(seen->stream);
    else
        pair_answer(seen->stream, pair_pattern(5000));
}

/* Unread answers are bounded, whatever their form: first requests are refused, then the connection
 * ends, because the requests go on. */
static void test_unread_answers_are_bounded(void **state)
{
    (void)state;
    struct http2_limits limits = http2_default_limits;
    limits.max_queued = 300000;
    for (unsigned bodies = 0; bodies < 2; bodies++) {
        struct pair pair = pair_new(&limits, &(struct ng_options){.stream_window = 0});
        assert_true(pair_exchange(pair));
        pair.server->writing = true;
        pair.server->on_end = answer_in_full;
        bool alive = true;
        for (uint32_t id = 1; alive && id < 5000; id += 2) {
            assert_true(http2_session_queued(pair.server->session) < limits.max_queued + 20000);
            alive = pair_feed_frame(pair.server, FRAME_HEADERS,
                                    FRAME_END_HEADERS | (bodies == 0 ? FRAME_END_STREAM : 0u), id,
                                    SLICE_LITERAL(PAIR_BLOCK));
            if (alive && bodies > 0)
                alive = pair_feed_frame(pair.server, FRAME_DATA, FRAME_END_STREAM, id,
                                        SLICE_LITERAL("x"));
        }
        assert_true(pair.server->count > 50); /* which was not too early */
        struct buf out = pair_pulled(pair.server);
        struct slice rest = buf_slice(&out);
        struct frame frame;
        assert_true(frames_find(&rest, FRAME_RST_STREAM, &frame));
        assert_int_equal(frames_u32(frame.payload.data), REFUSED_STREAM);
        assert_true(frames_find(&rest, FRAME_GOAWAY, &frame));
        assert_int_equal(frames_u32(frame.payload.data + 4), ENHANCE_YOUR_CALM);
        assert_false(alive);
        buf_deinit(&out);
        pair_free(pair);
    }
}

/* Time. */

static void set_no_window(struct pair pair)
{
    const nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0};
    assert_int_equal(nghttp2_submit_settings(pair.client->session, NGHTTP2_FLAG_NONE, &entry, 1),
                     0);
    assert_true(pair_exchange(pair));
}

static void answer_hello(struct seen *seen)
{
    pair_answer(seen->stream, SLICE_LITERAL("hello"));
}

static void assert_expires_at(struct recorder *server, int64_t at_ms, const char *words)
{
    assert_int_equal(http2_session_expired(server->session, at_ms).kind, CLOSING_NONE);
    struct closing why = http2_session_expired(server->session, at_ms + 1);
    assert_int_not_equal(why.kind, CLOSING_NONE);
    if (strstr(why.text, words) == NULL)
        fail_msg("`%s` does not say `%s`", why.text, words);
}

static void test_handshake_timeout(void **state)
{
    (void)state;
    struct recorder *server = recorder_new(&http2_default_limits);
    int64_t due_ms = server->now_ms + http2_default_limits.handshake_timeout_ms;
    const char *words = "complete the HTTP/2 handshake";
    assert_expires_at(server, due_ms, words);
    server->now_ms += 5000;
    assert_true(recorder_feed(server, SLICE_LITERAL(FRAMES_PREFACE))); /* which is not enough */
    assert_expires_at(server, due_ms, words);
    assert_true(pair_feed_frame(server, FRAME_SETTINGS, 0, 0, SLICE_LITERAL("")));
    struct buf out = pair_pulled(server);
    buf_deinit(&out);
    assert_int_equal(http2_session_expired(server->session, due_ms + 1000000).kind,
                     CLOSING_NONE); /* idle is allowed */
    recorder_free(server);
}

static void test_header_block_is_due_in_time(void **state)
{
    (void)state;
    int64_t timeout_ms = http2_default_limits.header_timeout_ms;
    struct pair pair = pair_connected();
    struct recorder *server = pair.server;
    server->now_ms += 1000;
    assert_true(pair_feed_frame(server, FRAME_HEADERS, FRAME_END_STREAM, 1, SLICE_LITERAL("\x83")));
    int64_t due_ms = server->now_ms + timeout_ms;
    assert_expires_at(server, due_ms, "header block");
    server->now_ms += 5000;
    assert_true(pair_feed_frame(server, FRAME_CONTINUATION, 0, 1, SLICE_LITERAL("\x86\x84")));
    assert_expires_at(server, due_ms, "header block"); /* progress does not extend the time */
    assert_true(pair_feed_frame(server, FRAME_CONTINUATION, FRAME_END_HEADERS, 1,
                                SLICE_LITERAL("\x01\x04host")));
    assert_int_equal(server->count, 1);
    assert_int_equal(http2_session_expired(server->session, due_ms + 1000000).kind, CLOSING_NONE);

    /* Half a frame is half a block. */
    server->now_ms += 5000;
    assert_true(recorder_feed(server, slice_make("\0\0\x09\1\5\0\0\0\3\x83", 10)));
    assert_expires_at(server, server->now_ms + timeout_ms, "header block");
    assert_true(recorder_feed(server, SLICE_LITERAL("\x86\x84\x01\x04host")));
    assert_int_equal(server->count, 2);
    assert_int_equal(http2_session_expired(server->session, server->now_ms + 1000000).kind,
                     CLOSING_NONE);
    pair_free(pair);
}

static void test_answers_are_to_be_taken_in_time(void **state)
{
    (void)state;
    int64_t timeout_ms = http2_default_limits.stall_timeout_ms;
    struct pair pair = pair_new(&http2_default_limits,
                                &(struct ng_options){.stream_window = 5, .manual_windows = true});
    struct recorder *server = pair.server;
    assert_true(pair_exchange(pair));
    server->on_end = pair_answer_seen;
    ng_client_send(pair.client, pair_send_request(pair, false), pair_pattern(100), true);
    assert_true(pair_exchange(pair));
    assert_expires_at(server, server->now_ms + timeout_ms, "answers");
    server->now_ms += timeout_ms;
    ng_client_open_window(pair.client, pair_newest(pair)->id, 1); /* a byte is progress */
    assert_true(pair_exchange(pair));
    assert_expires_at(server, server->now_ms + timeout_ms, "answers");
    server->now_ms += timeout_ms;
    ng_client_open_window(pair.client, pair_newest(pair)->id, 1000);
    assert_true(pair_exchange(pair));
    pair_assert_answered(pair_newest(pair), pair_pattern(100));
    assert_int_equal(http2_session_expired(server->session, server->now_ms + 1000000).kind,
                     CLOSING_NONE);
    pair_free(pair);
}

/* Neither the time that a connection was idle before counts, nor what it read before. */
static void test_idle_time_is_no_stall(void **state)
{
    (void)state;
    int64_t timeout_ms = http2_default_limits.stall_timeout_ms;
    for (int variant = 0; variant < 3; variant++) {
        struct pair pair =
            pair_new(&http2_default_limits, &(struct ng_options){.stream_window = 1});
        struct recorder *server = pair.server;
        set_no_window(pair);
        struct http2_stream *early = pair_requested(pair, true);
        server->now_ms += 10 * timeout_ms;
        if (variant == 0) { /* answered at once */
            server->on_end = answer_hello;
            pair_send_request(pair, true);
            assert_true(ng_client_push(pair.client, &server->peer));
        } else if (variant == 1) { /* answered late */
            pair_answer(early, SLICE_LITERAL("hello"));
        } else { /* while the socket is busy */
            server->writing = true;
            assert_true(pair_feed_frame(server, FRAME_PING, 0, 0, SLICE_LITERAL("12345678")));
        }
        if (variant < 2) {
            struct buf out = pair_pulled(server);
            buf_deinit(&out);
        }
        assert_expires_at(server, server->now_ms + timeout_ms, "answers");
        pair_free(pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late_answer_is_pulled),
        cmocka_unit_test(test_pull_stops_at_the_limit_of_output),
        cmocka_unit_test(test_pull_stops_at_the_limit_of_references),
        cmocka_unit_test(test_pull_appends),
        cmocka_unit_test(test_queued_counts_what_waits_for_windows),
        cmocka_unit_test(test_feeds_without_output_wait_for_a_pull),
        cmocka_unit_test(test_honest_peer_may_read_late),
        cmocka_unit_test(test_error_while_writing_is_pulled),
        cmocka_unit_test(test_flood_of_pings_without_reading_ends_the_connection),
        cmocka_unit_test(test_requests_over_the_queue_are_refused),
        cmocka_unit_test(test_unread_answers_are_bounded),
        cmocka_unit_test(test_handshake_timeout),
        cmocka_unit_test(test_header_block_is_due_in_time),
        cmocka_unit_test(test_answers_are_to_be_taken_in_time),
        cmocka_unit_test(test_idle_time_is_no_stall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
