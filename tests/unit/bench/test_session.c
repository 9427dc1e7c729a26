/* Tests of bench/session.c: requests as nghttp2's server sees them, within the limits it set. */
#include "bench/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench/linked.h"
#include "store/seeded.h"

static void test_calls_of_all_operations_are_understood_and_counted(void **state)
{
    (void)state;
    struct linked linked;
    uint64_t random = seeded_start();
    linked_init(&linked, 32);
    linked_begin(&linked, NULL, 0);
    for (uint64_t call = 1; call <= 500; call++) {
        enum op op = (enum op)seeded_below(&random, OP_COUNT);
        uint64_t key = seeded_below(&random, 1000000);
        linked_call(&linked, op, key);
        linked.now_ns += 70;
        linked_run(&linked);
        linked_assert_request(&linked, op, key);
        assert_int_equal(linked.tally.ends[TALLY_OK], call);
    }
    assert_int_equal(linked.tally.latency_ns.max, 70);
    assert_int_equal(linked.session.streams.open, 0);
    linked_deinit(&linked);
}

/* Whatever comes first, the steady templates fit what the server's table then has. */
static void test_operations_may_start_in_any_order(void **state)
{
    (void)state;
    for (int first = 0; first < OP_COUNT; first++) {
        struct linked linked;
        linked_init(&linked, 32);
        linked_begin(&linked, NULL, 0);
        for (int i = 0; i < OP_COUNT * OP_COUNT; i++) {
            enum op op = (enum op)((first + i * 3) % OP_COUNT);
            linked_call(&linked, op, (uint64_t)i);
            linked_run(&linked);
            linked_assert_request(&linked, op, (uint64_t)i);
        }
        assert_true(linked.session.steady);
        linked_deinit(&linked);
    }
}

static void test_no_call_starts_before_the_servers_settings(void **state)
{
    (void)state;
    struct linked linked;
    linked_init(&linked, 32);
    ng_seen_init(&linked.seen);
    ng_server_init(&linked.peer, NULL, &linked.seen, NULL, 0);
    session_init(&linked.session, &linked.setup);
    assert_false(session_can_start(&linked.session));
    linked_run(&linked);
    assert_true(session_can_start(&linked.session));
    linked_deinit(&linked);
}

static void test_as_many_calls_are_in_flight_as_were_asked_for(void **state)
{
    (void)state;
    struct linked linked;
    linked_init(&linked, 32);
    linked_begin(&linked, NULL, 0);
    linked.peer.answer.behaviour = NG_SILENT;
    for (int i = 0; i < LINKED_STREAMS; i++)
        linked_call(&linked, OP_GET, 0);
    assert_false(session_can_start(&linked.session));
    linked_run(&linked);
    assert_int_equal(linked.seen.most_open, LINKED_STREAMS);
    assert_int_equal(linked.tally.stream_limit, UINT32_MAX);
    ng_server_answer_all(&linked.peer);
    linked_run(&linked);
    assert_int_equal(linked.tally.ends[TALLY_OK], LINKED_STREAMS);
    assert_true(session_can_start(&linked.session));
    linked_deinit(&linked);
}

static void test_no_more_calls_are_in_flight_than_the_server_allows(void **state)
{
    (void)state;
    struct linked linked;
    const nghttp2_settings_entry limit = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 3};
    linked_init(&linked, 32);
    linked_begin(&linked, &limit, 1);
    linked.peer.answer.behaviour = NG_SILENT;
    while (session_can_start(&linked.session))
        linked_call(&linked, OP_GET, 0);
    linked_run(&linked);
    assert_int_equal(linked.seen.most_open, 3);
    assert_int_equal(linked.tally.stream_limit, 3);
    linked_deinit(&linked);
}

/* Messages longer than the windows, which the peer opens as it reads. nghttp2 judges each byte. */
static void check_windows(uint32_t window, size_t value_size)
{
    struct linked linked;
    const nghttp2_settings_entry setting = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window};
    linked_init(&linked, value_size);
    linked_begin(&linked, &setting, 1);
    for (uint64_t call = 0; call < 20; call++) {
        linked_call(&linked, OP_SET, call);
        linked_run(&linked);
        linked_assert_request(&linked, OP_SET, call);
    }
    assert_int_equal(linked.tally.ends[TALLY_OK], 20);
    linked_deinit(&linked);
}

static void test_messages_wait_for_windows(void **state)
{
    (void)state;
    check_windows(10, 50);
    check_windows(100, 32);
    check_windows(65535, 1000000); /* beyond the connection's window */
    check_windows(1000000, 300000);
    check_windows(1000000, 16384); /* just longer than a frame */
}

/* A message waits; the server makes windows smaller, then larger again. */
static void test_a_waiting_message_follows_changed_windows(void **state)
{
    (void)state;
    struct linked linked;
    nghttp2_settings_entry setting = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0};
    linked_init(&linked, 100);
    linked_begin(&linked, &setting, 1);
    linked.peer.hold = true;
    linked_call(&linked, OP_SET, 5);
    assert_false(session_can_start(&linked.session));
    linked_run(&linked);
    assert_int_equal(linked.peer.requests, 0);
    assert_int_equal(linked.seen.most_open, 1); /* its header block is there */
    setting.value = 60;
    assert_int_equal(nghttp2_submit_settings(linked.peer.session, 0, &setting, 1), 0);
    linked_run(&linked);
    assert_int_equal(linked.peer.requests, 0);
    setting.value = 5; /* the window of the stream is -55 now */
    assert_int_equal(nghttp2_submit_settings(linked.peer.session, 0, &setting, 1), 0);
    linked_run(&linked);
    assert_int_equal(linked.session.sending.window, -55);
    setting.value = 1000;
    assert_int_equal(nghttp2_submit_settings(linked.peer.session, 0, &setting, 1), 0);
    linked_run(&linked);
    linked_assert_request(&linked, OP_SET, 5);
    assert_int_equal(linked.tally.ends[TALLY_OK], 1);
    linked_deinit(&linked);
}

/* The connection's window is for all streams together. */
static void test_small_calls_stop_at_the_connections_window(void **state)
{
    (void)state;
    struct linked linked;
    linked_init(&linked, 10000);
    linked_begin(&linked, NULL, 0);
    linked.peer.answer.behaviour = NG_SILENT;
    int began = 0;
    for (; session_can_start(&linked.session); began++)
        linked_call(&linked, OP_SET, 0);
    assert_int_equal(began, 65535 / 10000 + 1);
    assert_int_equal(linked.session.window, 0);
    linked_run(&linked);
    assert_int_equal(linked.peer.requests, began);
    linked_deinit(&linked);
}

static void check_table_size(uint32_t size, bool steady)
{
    struct linked linked;
    const nghttp2_settings_entry setting = {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, size};
    linked_init(&linked, 32);
    linked_begin(&linked, &setting, 1);
    for (int i = 0; i < 4 * OP_COUNT; i++) {
        enum op op = (enum op)(i % OP_COUNT);
        linked_call(&linked, op, (uint64_t)i);
        linked_run(&linked);
        linked_assert_request(&linked, op, (uint64_t)i);
    }
    assert_int_equal(linked.session.steady, steady);
    linked_deinit(&linked);
}

static void test_servers_with_other_header_tables_understand_too(void **state)
{
    (void)state;
    check_table_size(0, false);
    check_table_size(100, false);
    check_table_size(1000, true);
    check_table_size(4095, true);
    check_table_size(1 << 20, true);
}

static void test_a_table_may_shrink_in_the_middle(void **state)
{
    (void)state;
    struct linked linked;
    const uint32_t sizes[] = {4096, 2000, 1000, 50, 4096};
    linked_init(&linked, 32);
    linked_begin(&linked, NULL, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const nghttp2_settings_entry setting = {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, sizes[i]};
        assert_int_equal(nghttp2_submit_settings(linked.peer.session, 0, &setting, 1), 0);
        linked_run(&linked);
        for (int call = 0; call < 3 * OP_COUNT; call++) {
            linked_call(&linked, (enum op)(call % OP_COUNT), 9);
            linked_run(&linked);
            linked_assert_request(&linked, (enum op)(call % OP_COUNT), 9);
        }
    }
    linked_deinit(&linked);
}

static void test_an_answer_before_the_requests_end_cancels_the_rest(void **state)
{
    (void)state;
    struct linked linked;
    linked_init(&linked, 1000000);
    linked_begin(&linked, NULL, 0);
    linked_call(&linked, OP_SET, 0);
    buf_clear(&linked.session.out, SIZE_MAX); /* nothing of it gets to the peer */
    struct stream *stream = streams_find(&linked.session.streams, 1);
    session_end_call(&linked.session, stream, (enum tally_end)8, linked.now_ns);
    assert_int_equal(linked.session.sending.stream, 0);
    assert_int_equal(linked.session.out.len, 13);
    assert_int_equal(linked.session.out.data[3], WIRE_RST_STREAM);
    assert_int_equal(linked.tally.ends[8], 1);
    linked_deinit(&linked);
}

static void test_it_is_spent_when_the_numbers_are_used_up(void **state)
{
    (void)state;
    struct linked linked;
    linked_init(&linked, 32);
    linked.setup.first_id = WIRE_MAX_STREAM_ID - 200;
    linked_begin(&linked, NULL, 0);
    uint64_t calls = 0;
    while (session_can_start(&linked.session)) {
        assert_false(session_is_spent(&linked.session));
        linked_call(&linked, OP_GET, 0);
        calls++;
        if (calls % LINKED_STREAMS == 0)
            linked_run(&linked);
    }
    linked_run(&linked);
    assert_true(session_is_spent(&linked.session));
    assert_int_equal(linked.tally.ends[TALLY_OK], calls);
    assert_true(calls > 50);
    linked_deinit(&linked);
}

static void test_lost_calls_are_counted_once(void **state)
{
    (void)state;
    struct linked linked;
    linked_init(&linked, 32);
    linked_begin(&linked, NULL, 0);
    for (int i = 0; i < 5; i++)
        linked_call(&linked, OP_GET, 0);
    session_end_calls(&linked.session, 5, TALLY_REFUSED, linked.now_ns);
    assert_int_equal(linked.tally.ends[TALLY_REFUSED], 2); /* streams 7 and 9 */
    session_end_calls(&linked.session, 0, TALLY_LOST, linked.now_ns);
    assert_int_equal(linked.tally.ends[TALLY_LOST], 3);
    assert_int_equal(linked.session.streams.open, 0);
    linked_deinit(&linked);
}

/* An empty message: what Watch says first, or a Status. */
#define EMPTY_REPLY SLICE_LITERAL("\0\0\0\0\0")

static void test_streams_open_before_calls(void **state)
{
    (void)state;
    struct linked linked;
    const struct ng_answer answers[] = {
        {.body = EMPTY_REPLY, .stay_open = true},
        {.body = EMPTY_REPLY, .stay_open = true},
        {.grpc_status = "0", .body = EMPTY_REPLY},
    };
    struct ng_script script = {.answers = answers, .count = 3};
    const nghttp2_settings_entry limit = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 5};
    linked_init_feeds(&linked, 32, FEED_WATCH, 2);
    linked.script = &script;
    linked_begin(&linked, &limit, 1);
    assert_true(session_is_ready(&linked.session));
    assert_int_equal(linked.seen.requests, 2);
    assert_string_equal(linked.seen.path, "/keystore.v1.KeyStore/Watch");
    struct slice wanted = buf_slice(&linked.templates.feed_message);
    assert_true(slice_equal(buf_slice(&linked.seen.body), wanted));
    assert_null(session_find_feed(&linked.session, 0));
    assert_ptr_equal(session_find_feed(&linked.session, 1), &linked.session.feeds[0]);
    assert_null(session_find_feed(&linked.session, 2));
    assert_ptr_equal(session_find_feed(&linked.session, 3), &linked.session.feeds[1]);
    assert_null(session_find_feed(&linked.session, 5));
    int calls = 0;
    for (; session_can_start(&linked.session); calls++)
        linked_call(&linked, OP_SET, 1);
    assert_int_equal(calls, 3); /* what the limit leaves beside the streams */
    linked_run(&linked);
    assert_int_equal(linked.tally.ends[TALLY_OK], 3);
    linked_assert_request(&linked, OP_SET, 1);
    linked_deinit(&linked);
}

static void test_it_is_not_ready_before_each_watch_is_in_effect(void **state)
{
    (void)state;
    struct linked linked;
    const struct ng_answer answers[] = {
        {.body = EMPTY_REPLY, .stay_open = true},
        {.behaviour = NG_SILENT},
    };
    struct ng_script script = {.answers = answers, .count = 2};
    linked_init_feeds(&linked, 32, FEED_WATCH, 2);
    linked.script = &script;
    linked_begin(&linked, NULL, 0);
    assert_true(linked.session.ready);
    assert_false(session_is_ready(&linked.session));
    linked_deinit(&linked);
}

/* Delivery 7 of element 000042. */
#define DELIVERY                                                                                   \
    "\0\0\0\0\x0c\x0a\x0a\x08\x07\x1a\x06"                                                         \
    "000042"

static void test_acknowledgements_wait_for_windows(void **state)
{
    (void)state;
    struct linked linked;
    const struct ng_answer answer = {
        .behaviour = NG_EARLY, .body = SLICE_LITERAL(DELIVERY), .stay_open = true};
    struct ng_script script = {.answers = &answer, .count = 1};
    uint64_t number;
    linked_init_feeds(&linked, 6, FEED_CONSUME, 1);
    size_t request_len = linked.templates.feed_message.len;
    nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                                     (uint32_t)request_len + 3};
    for (int i = 0; i < 43; i++)
        assert_true(ledger_enter(&linked.ledger, 900, &number));
    ng_seen_init(&linked.seen);
    ng_server_init(&linked.peer, &script, &linked.seen, &window, 1);
    linked.peer.hold = true;
    session_init(&linked.session, &linked.setup);
    linked_run(&linked);
    const struct feed *feed = &linked.session.feeds[0];
    assert_true(session_is_ready(&linked.session));
    assert_int_equal(linked.tally.receipt_ns.count, 1);
    assert_int_equal(linked.tally.receipt_ns.max, 100);
    assert_int_equal(linked.tally.unacknowledged, 1);
    size_t held = feed->out.len;
    window.value += 1;
    assert_int_equal(nghttp2_submit_settings(linked.peer.session, 0, &window, 1), 0);
    linked_run(&linked);
    assert_true(held > 1 && feed->out.len == held - 1);
    assert_int_equal(nghttp2_submit_window_update(linked.peer.session, 0, 1, 100), 0);
    linked_run(&linked);
    assert_int_equal(feed->out.len, 0);
    assert_int_equal(feed->window, (int64_t)window.value + 100 - (int64_t)request_len - 8);
    assert_false(linked.broken);
    linked_deinit(&linked);
}

static void test_a_failed_write_is_not_waited_for(void **state)
{
    (void)state;
    struct linked linked;
    struct session_call call = {.op = OP_R_PUSH, .start_ns = 900};
    linked_init_feeds(&linked, 6, FEED_CONSUME, 1);
    linked_begin(&linked, NULL, 0);
    assert_true(ledger_enter(&linked.ledger, 900, &call.key));
    session_start(&linked.session, &call);
    assert_true(ledger_is_open(&linked.ledger));
    session_end_calls(&linked.session, 0, TALLY_LOST, linked.now_ns);
    assert_false(ledger_is_open(&linked.ledger));
    linked_deinit(&linked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_of_all_operations_are_understood_and_counted),
        cmocka_unit_test(test_operations_may_start_in_any_order),
        cmocka_unit_test(test_no_call_starts_before_the_servers_settings),
        cmocka_unit_test(test_as_many_calls_are_in_flight_as_were_asked_for),
        cmocka_unit_test(test_no_more_calls_are_in_flight_than_the_server_allows),
        cmocka_unit_test(test_messages_wait_for_windows),
        cmocka_unit_test(test_a_waiting_message_follows_changed_windows),
        cmocka_unit_test(test_small_calls_stop_at_the_connections_window),
        cmocka_unit_test(test_servers_with_other_header_tables_understand_too),
        cmocka_unit_test(test_a_table_may_shrink_in_the_middle),
        cmocka_unit_test(test_an_answer_before_the_requests_end_cancels_the_rest),
        cmocka_unit_test(test_it_is_spent_when_the_numbers_are_used_up),
        cmocka_unit_test(test_lost_calls_are_counted_once),
        cmocka_unit_test(test_streams_open_before_calls),
        cmocka_unit_test(test_it_is_not_ready_before_each_watch_is_in_effect),
        cmocka_unit_test(test_acknowledgements_wait_for_windows),
        cmocka_unit_test(test_a_failed_write_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
