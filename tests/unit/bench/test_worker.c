/* Tests of bench/worker.c against an nghttp2 server in a thread, good and bad ones. */
#include "bench/worker.h"

#include "bench/now.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench/bench_options.h"
#include "support/fake_server.h"

struct fixture {
    struct fake_server server;
    struct options options;
    struct target target;
    struct plan plan;
    struct worker worker;
    atomic_bool stop;
    char words[200];
};

static struct fixture *new_fixture(void)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->server.answer = ng_answer_ok;
    return fixture;
}

static bool connect_to_server(struct fixture *fixture, const char *words)
{
    char problem[TARGET_PROBLEM_SIZE];
    fake_server_start(&fixture->server);
    snprintf(fixture->words, sizeof fixture->words, "bench %s", words);
    fixture->options = options_of(fixture->words);
    assert_true(
        target_find(&fixture->target, "127.0.0.1", fixture->server.port, NULL, NS_PER_S, problem));
    plan_init_measure(&fixture->plan, &fixture->options, &fixture->target);
    worker_init(&fixture->worker, &fixture->plan, 0, &fixture->stop);
    return worker_connect(&fixture->worker);
}

/* Runs with these options; the server is as the fixture says. */
static struct fixture *run(struct fixture *fixture, const char *words)
{
    assert_true(connect_to_server(fixture, words));
    worker_run(&fixture->worker, now_ns());
    return fixture;
}

static void stop_server(struct fixture *fixture)
{
    worker_deinit(&fixture->worker);
    fake_server_stop(&fixture->server);
    fake_server_deinit(&fixture->server);
}

static void free_fixture(struct fixture *fixture)
{
    plan_deinit(&fixture->plan);
    free(fixture);
}

static uint64_t end_of(const struct fixture *fixture, enum tally_end end)
{
    return fixture->worker.tally.ends[end];
}

static void test_all_calls_are_made_and_answered(void **state)
{
    (void)state;
    const char *const shapes[] = {"-c 1 -m 1 -n 100",
                                  "-c 5 -m 1 -n 501",
                                  "-c 3 -m 20 -n 2000",
                                  "-c 2 -m 3 -n 1",
                                  "-c 4 -m 2 -n 1000 --mix 1:1",
                                  "-c 2 -m 4 -n 40 -d 300000 --op set"};
    const size_t calls[] = {100, 501, 2000, 1, 1000, 40};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct fixture *fixture = run(new_fixture(), shapes[i]);
        stop_server(fixture);
        assert_string_equal(fixture->worker.problem, "");
        assert_int_equal(end_of(fixture, TALLY_OK), calls[i]);
        assert_int_equal(tally_errors(&fixture->worker.tally), 0);
        assert_int_equal(fixture->server.seen.requests, calls[i]);
        assert_int_equal(fixture->worker.reconnects, 0);
        free_fixture(fixture);
    }
}

static void test_a_time_limit_ends_it(void **state)
{
    (void)state;
    struct fixture *fixture = run(new_fixture(), "-c 2 -m 2 -t 0.2");
    stop_server(fixture);
    assert_int_equal(end_of(fixture, TALLY_OK), fixture->server.seen.requests);
    assert_true(fixture->worker.run_ns >= NS_PER_S / 5);
    assert_true(fixture->server.seen.requests > 10);
    free_fixture(fixture);
}

static void test_the_warmup_is_not_counted(void **state)
{
    (void)state;
    struct fixture *fixture = run(new_fixture(), "-c 2 -m 2 -n 50 --warmup 0.1");
    stop_server(fixture);
    assert_int_equal(end_of(fixture, TALLY_OK), 50);
    assert_true(fixture->server.seen.requests > 50);
    assert_int_equal(fixture->worker.tally.finished, fixture->server.seen.requests);
    free_fixture(fixture);
}

static void test_a_rate_is_kept(void **state)
{
    (void)state;
    struct fixture *fixture = run(new_fixture(), "-c 4 -m 4 -n 200 --rate 1000");
    stop_server(fixture);
    assert_int_equal(end_of(fixture, TALLY_OK), 200);
    assert_int_equal(fixture->worker.unsent, 0);
    assert_true(fixture->worker.run_ns >= 199 * (NS_PER_S / 1000));
    free_fixture(fixture);
}

/*
 * The server sleeps 0.4 s. One call waits for it; the 400 whose time comes meanwhile have to wait
 * too, and measuring from the intended time must show that: half of them waited 0.2 s and more.
 */
static void test_calls_that_a_stall_held_back_count_from_their_intended_time(void **state)
{
    (void)state;
    struct fixture *fixture = new_fixture();
    fixture->server.stall_at = 50;
    fixture->server.stall_ms = 400;
    run(fixture, "-c 1 -m 1 -n 500 --rate 1000");
    stop_server(fixture);
    assert_int_equal(end_of(fixture, TALLY_OK), 500);
    const struct histogram *latency = &fixture->worker.tally.latency_ns;
    assert_true(latency->max >= NS_PER_S * 4 / 10);
    assert_int_equal(fixture->worker.tally.late_ns.count, 500);
    assert_true(fixture->worker.tally.late_ns.max >= NS_PER_S * 3 / 10);
    assert_true(histogram_percentile(latency, 65) >= NS_PER_S * 15 / 100);
    free_fixture(fixture);
}

static void test_calls_that_came_too_late_are_reported(void **state)
{
    (void)state;
    struct fixture *fixture = new_fixture();
    fixture->server.stall_at = 10;
    fixture->server.stall_ms = 1500;
    run(fixture, "-c 1 -m 1 -t 0.1 --rate 1000");
    stop_server(fixture);
    assert_true(fixture->worker.unsent > 50);
    assert_int_equal(fixture->worker.unsent + end_of(fixture, TALLY_OK), 100);
    free_fixture(fixture);
}

static void test_closed_connections_are_replaced_and_their_calls_lost(void **state)
{
    (void)state;
    struct fixture *fixture = new_fixture();
    fixture->server.close_after = 10;
    run(fixture, "-c 2 -m 1 -n 105");
    stop_server(fixture);
    assert_string_equal(fixture->worker.problem, "");
    assert_int_equal(fixture->worker.tally.finished, 105);
    assert_int_equal(end_of(fixture, TALLY_OK) + end_of(fixture, TALLY_LOST), 105);
    assert_true(fixture->worker.reconnects >= 8);
    free_fixture(fixture);
}

static void test_goaway_loses_no_call(void **state)
{
    (void)state;
    struct fixture *fixture = new_fixture();
    fixture->server.goaway_after = 10;
    run(fixture, "-c 2 -m 1 -n 105");
    stop_server(fixture);
    assert_string_equal(fixture->worker.problem, "");
    assert_int_equal(end_of(fixture, TALLY_OK), 105);
    assert_true(fixture->worker.reconnects >= 8);
    free_fixture(fixture);
}

static void test_unanswered_calls_are_given_up(void **state)
{
    (void)state;
    struct fixture *fixture = new_fixture();
    fixture->server.answer.behaviour = NG_SILENT;
    run(fixture, "-c 2 -m 3 -n 100 --timeout 0.3");
    stop_server(fixture);
    assert_int_equal(end_of(fixture, TALLY_NO_ANSWER), 6);
    assert_int_equal(end_of(fixture, TALLY_OK), 0);
    free_fixture(fixture);
}

static void test_errors_are_counted_by_status(void **state)
{
    (void)state;
    struct fixture *fixture = new_fixture();
    fixture->server.answer.grpc_status = "9";
    run(fixture, "-c 2 -m 3 -n 100");
    stop_server(fixture);
    assert_int_equal(end_of(fixture, (enum tally_end)9), 100);
    assert_int_equal(atomic_load(&fixture->worker.shown_errors), 100);
    assert_int_equal(atomic_load(&fixture->worker.shown_finished), 100);
    free_fixture(fixture);
}

/* Connecting fails, and the sentence says that. */
static void check_bad_server(struct fixture *fixture, const char *says)
{
    assert_false(connect_to_server(fixture, "-c 3 -n 10 --timeout 0.3"));
    if (strstr(fixture->worker.problem, says) == NULL)
        fail_msg("'%s' does not say '%s'", fixture->worker.problem, says);
    stop_server(fixture);
    free_fixture(fixture);
}

static void test_servers_that_are_none_are_named(void **state)
{
    (void)state;
    struct fixture *fixture = new_fixture();
    fixture->server.close_at_once = true;
    check_bad_server(fixture,
                     "closed a connection before it answered a call on it; check that a gRPC");
    fixture = new_fixture();
    fixture->server.mute = true;
    check_bad_server(fixture, "sent nothing on 3 of them");
    fixture = new_fixture();
    fixture->server.raw = SLICE_LITERAL("HTTP/1.1 400 Bad Request\r\n\r\n");
    check_bad_server(fixture, "gRPC server without TLS");
}

static void test_a_connection_closed_without_any_answer_ends_the_run(void **state)
{
    (void)state;
    struct fixture *fixture = new_fixture();
    fixture->server.answer.behaviour = NG_SILENT;
    fixture->server.close_after = 1;
    run(fixture, "-c 1 -m 1 -n 10");
    stop_server(fixture);
    assert_non_null(strstr(fixture->worker.problem, "before it answered a call"));
    assert_int_equal(end_of(fixture, TALLY_LOST), 1);
    free_fixture(fixture);
}

static void test_the_stop_flag_ends_the_run(void **state)
{
    (void)state;
    struct fixture *fixture = new_fixture();
    fixture->stop = true;
    run(fixture, "-c 1 -m 1 -n 1000000000");
    stop_server(fixture);
    assert_true(fixture->worker.tally.finished < 1000);
    free_fixture(fixture);
}

static const struct ng_answer first_answers[] = {
    {.body = SLICE_LITERAL("\0\0\0\0\0"), .stay_open = true}, /* a watch is in effect */
    {.grpc_status = "0", .body = SLICE_LITERAL("\0\0\0\0\2\x10\1")},
};

static void test_events_that_do_not_come_are_given_up(void **state)
{
    (void)state;
    struct fixture *fixture = new_fixture();
    fixture->server.script = (struct ng_script){.answers = first_answers, .count = 2};
    run(fixture, "--op watch -c 1 -m 3 -n 5 --timeout 1.5");
    stop_server(fixture);
    assert_string_equal(fixture->worker.problem, "");
    assert_int_equal(end_of(fixture, TALLY_OK), 5);
    assert_int_equal(ledger_missing(fixture->plan.ledger), 5);
    free_fixture(fixture);
}

static void test_no_more_is_written_than_the_ledger_has_room_for(void **state)
{
    (void)state;
    const char *const shapes[] = {"--op watch -c 1 -m 3 -n 5 -r 2 --timeout 1.5",
                                  "--op watch -c 1 -m 3 -n 5 -r 2 --timeout 1.5 --rate 1000"};
    for (size_t i = 0; i < 2; i++) {
        struct fixture *fixture = new_fixture();
        fixture->server.script = (struct ng_script){.answers = first_answers, .count = 2};
        run(fixture, shapes[i]);
        stop_server(fixture);
        assert_string_equal(fixture->worker.problem, "");
        assert_int_equal(end_of(fixture, TALLY_OK), 2);
        assert_int_equal(ledger_missing(fixture->plan.ledger), 2);
        free_fixture(fixture);
    }
}

static void test_a_connection_with_streams_is_not_replaced(void **state)
{
    (void)state;
    struct fixture *fixture = new_fixture();
    fixture->server.script = (struct ng_script){.answers = first_answers, .count = 2};
    fixture->server.close_after = 4;
    run(fixture, "--op watch -c 1 -m 1 -n 50");
    stop_server(fixture);
    assert_non_null(strstr(fixture->worker.problem, "a connection with streams of Watch"));
    assert_int_equal(end_of(fixture, TALLY_STREAM_ENDED), 1);
    free_fixture(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_calls_are_made_and_answered),
        cmocka_unit_test(test_a_time_limit_ends_it),
        cmocka_unit_test(test_the_warmup_is_not_counted),
        cmocka_unit_test(test_a_rate_is_kept),
        cmocka_unit_test(test_calls_that_a_stall_held_back_count_from_their_intended_time),
        cmocka_unit_test(test_calls_that_came_too_late_are_reported),
        cmocka_unit_test(test_closed_connections_are_replaced_and_their_calls_lost),
        cmocka_unit_test(test_goaway_loses_no_call),
        cmocka_unit_test(test_unanswered_calls_are_given_up),
        cmocka_unit_test(test_errors_are_counted_by_status),
        cmocka_unit_test(test_servers_that_are_none_are_named),
        cmocka_unit_test(test_a_connection_closed_without_any_answer_ends_the_run),
        cmocka_unit_test(test_the_stop_flag_ends_the_run),
        cmocka_unit_test(test_events_that_do_not_come_are_given_up),
        cmocka_unit_test(test_no_more_is_written_than_the_ledger_has_room_for),
        cmocka_unit_test(test_a_connection_with_streams_is_not_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
