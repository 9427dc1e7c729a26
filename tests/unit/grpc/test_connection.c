/* Tests of grpc/connection.c through HTTP/2: how servers and connections end, and their limits. */
#include "grpc/echo_service.h"
#include "http2/frames.h"

static void test_queued_counts_replies(void **state)
{
    (void)state;
    struct echo *echo =
        echo_connected_with(&(struct ng_options){.stream_window = 10, .manual_windows = true});
    struct ng_stream *stream = echo_call(echo, ECHO_NOW);
    echo_send_message(echo, stream, SLICE_LITERAL("0123456789abcdef"));
    assert_true(echo_exchange(echo));
    assert_int_equal(grpc_connection_queued(echo->connection), 5 + 16 - 10);
    ng_client_open_window(echo->client, stream->id, 100);
    assert_true(echo_exchange(echo));
    assert_int_equal(grpc_connection_queued(echo->connection), 0);
    echo_assert_reply(stream, SLICE_LITERAL("0123456789abcdef"));
    echo_free(echo);
}

static void test_free_cancels_what_is_under_way(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    echo_call_later(echo, SLICE_LITERAL("one"));
    echo_call_later(echo, SLICE_LITERAL("two"));
    echo_call_later(echo, SLICE_LITERAL("three"));
    echo_answer(&echo->pending[1]); /* not pulled */
    echo_send(echo, echo_call(echo, ECHO_LATER), SLICE_LITERAL("\0\0\0\0\7half"), false);
    assert_true(ng_client_push(echo->client, &echo->peer));
    echo_free_connection(echo);
    assert_int_equal(echo->cancels, 2);
    for (size_t i = 0; i < 3; i++)
        assert_null(echo->pending[i].call);
    echo_free(echo);
}

static void test_free_takes_null(void **state)
{
    (void)state;
    grpc_connection_free(NULL);
    grpc_server_free(NULL);
}

static void test_streams_are_bounded(void **state)
{
    (void)state;
    struct grpc_limits few = echo_limits();
    few.http2.max_streams = 7;
    struct echo *echo = echo_new(&few, &(struct ng_options){.stream_window = 0});
    assert_int_equal(nghttp2_session_get_remote_settings(echo->client->session,
                                                         NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS),
                     7);
    echo_free(echo);
}

static void test_limits_leave_room_for_the_largest_value(void **state)
{
    (void)state;
    struct grpc_limits some = grpc_limits_for(64 * 1024 * 1024, &http2_default_limits);
    assert_true(some.max_message >= 64 * 1024 * 1024 + 64 * 1024 + 100); /* value, key, tags */
    assert_true(some.max_unfinished >= some.max_message);
    assert_true(some.http2.max_queued >= some.max_message);
    assert_int_equal(some.http2.max_streams, http2_default_limits.max_streams);
}

static void test_broken_connection_ends(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    echo_call_later(echo, SLICE_LITERAL("waiting"));
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX);
    frames_append(&bytes, FRAME_PING, 0, 5, SLICE_LITERAL("12345678"));
    assert_false(echo_feed(echo, buf_slice(&bytes)));
    bytes.len = 0;
    echo_pull(echo, &bytes);
    assert_int_equal(frames_count(buf_slice(&bytes), FRAME_GOAWAY), 1);
    assert_true(grpc_connection_finished(echo->connection));
    buf_deinit(&bytes);
    echo_free_connection(echo);
    assert_int_equal(echo->cancels, 1);
    echo_free(echo);
}

static void test_drain_finishes_calls_under_way(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_stream *stream = echo_call_later(echo, SLICE_LITERAL("under way"));
    grpc_connection_drain(echo->connection);
    assert_true(echo_exchange(echo));
    assert_int_equal(echo->client->goaways, 2);
    assert_false(grpc_connection_finished(echo->connection));
    echo_answer(&echo->pending[0]);
    assert_true(ng_client_pull(echo->client, &echo->peer));
    echo_assert_reply(stream, SLICE_LITERAL("under way"));
    assert_true(grpc_connection_finished(echo->connection));
    echo_free(echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queued_counts_replies),
        cmocka_unit_test(test_free_cancels_what_is_under_way),
        cmocka_unit_test(test_free_takes_null),
        cmocka_unit_test(test_streams_are_bounded),
        cmocka_unit_test(test_limits_leave_room_for_the_largest_value),
        cmocka_unit_test(test_broken_connection_ends),
        cmocka_unit_test(test_drain_finishes_calls_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
