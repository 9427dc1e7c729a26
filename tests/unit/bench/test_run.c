/* Tests of bench/run.c: threads that share a run, and what they add up to. */
#include "bench/run.h"

#include "bench/now.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/bench_options.h"
#include "support/fake_server.h"

struct fixture {
    struct fake_server server;
    struct options options;
    struct target target;
    struct plan plan;
    struct progress progress;
    struct run_result result;
    char words[200];
    bool began;
};

/* Runs what the words say against the server, whose behaviour is set. */
static void run(struct fixture *fixture, const char *words, bool fill)
{
    char problem[TARGET_PROBLEM_SIZE];
    fixture->server.answer = ng_answer_ok;
    fake_server_start(&fixture->server);
    snprintf(fixture->words, sizeof fixture->words, "bench %s", words);
    fixture->options = options_of(fixture->words);
    assert_true(
        target_find(&fixture->target, "127.0.0.1", fixture->server.port, NULL, NS_PER_S, problem));
    if (fill)
        plan_init_fill(&fixture->plan, &fixture->options, &fixture->target);
    else
        plan_init_measure(&fixture->plan, &fixture->options, &fixture->target);
    progress_init(&fixture->progress, NULL, false, "test", 0);
    fixture->began = run_plan(&fixture->plan, &fixture->progress, &fixture->result);
    plan_deinit(&fixture->plan);
    fake_server_stop(&fixture->server);
    fake_server_deinit(&fixture->server);
}

static void test_threads_divide_the_calls(void **state)
{
    (void)state;
    struct fixture *fixture = calloc(1, sizeof *fixture);
    run(fixture, "--threads 3 -c 7 -m 4 -n 1000", false);
    assert_true(fixture->began);
    assert_string_equal(fixture->result.problem, "");
    assert_int_equal(fixture->result.tally.ends[TALLY_OK], 1000);
    assert_int_equal(fixture->server.seen.requests, 1000);
    assert_int_equal(fixture->server.accepted, 7 + 1); /* one to find the address */
    assert_true(fixture->result.elapsed_ns > 0);
    assert_true(cpu_sum_ns(fixture->result.generator) > 0);
    assert_true(fixture->result.busy > 0);
    free(fixture);
}

static void test_a_fill_makes_a_call_for_each_key(void **state)
{
    (void)state;
    struct fixture *fixture = calloc(1, sizeof *fixture);
    run(fixture, "--threads 2 -c 2 -m 4 -r 777 --fill", true);
    assert_int_equal(fixture->result.tally.ends[TALLY_OK], 777);
    assert_int_equal(fixture->server.seen.requests, 777);
    free(fixture);
}

/* The fake server runs in this process, whose CPU time must then be at least the generator's. */
static void test_the_servers_cpu_time_is_sampled(void **state)
{
    (void)state;
    struct fixture *fixture = calloc(1, sizeof *fixture);
    char words[100];
    snprintf(words, sizeof words, "-c 2 -m 4 -t 0.5 --warmup 0.1 --server-pid %d", (int)getpid());
    run(fixture, words, false);
    uint64_t server_ns = cpu_sum_ns(fixture->result.server);
    assert_true(server_ns > cpu_sum_ns(fixture->result.generator) / 2);
    assert_true(server_ns < 3 * NS_PER_S);
    free(fixture);
}

static void test_progress_is_shown_while_it_runs(void **state)
{
    (void)state;
    struct fixture *fixture = calloc(1, sizeof *fixture);
    char text[2000];
    FILE *file = tmpfile();
    char problem[TARGET_PROBLEM_SIZE];
    char words[] = "bench -c 2 -m 2 -t 0.7";
    fixture->server.answer = ng_answer_ok;
    fake_server_start(&fixture->server);
    fixture->options = options_of(words);
    assert_true(
        target_find(&fixture->target, "127.0.0.1", fixture->server.port, NULL, NS_PER_S, problem));
    plan_init_measure(&fixture->plan, &fixture->options, &fixture->target);
    progress_init(&fixture->progress, file, true, "test", now_ns());
    assert_true(run_plan(&fixture->plan, &fixture->progress, &fixture->result));
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_non_null(strstr(text, "test: 0."));
    assert_non_null(strstr(text, "0 errors"));
    assert_true(fixture->progress.shown_calls > 0);
    plan_deinit(&fixture->plan);
    fake_server_stop(&fixture->server);
    fake_server_deinit(&fixture->server);
    free(fixture);
}

static void test_calls_that_cannot_start_are_a_problem(void **state)
{
    (void)state;
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->server.close_at_once = true;
    run(fixture, "--threads 2 -c 2 -n 10", false);
    assert_false(fixture->began);
    assert_non_null(strstr(fixture->result.problem, "closed a connection"));
    assert_int_equal(fixture->result.tally.finished, 0);
    free(fixture);
}

/* The watch is in effect, but no event ever comes. */
static void test_what_streams_miss_is_an_error(void **state)
{
    (void)state;
    static const struct ng_answer answers[] = {
        {.body = SLICE_LITERAL("\0\0\0\0\0"), .stay_open = true},
        {.grpc_status = "0", .body = SLICE_LITERAL("\0\0\0\0\2\x10\1")},
    };
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->server.script = (struct ng_script){.answers = answers, .count = 2};
    run(fixture, "--op watch --threads 2 -c 2 -m 3 -n 100 --timeout 1.5", false);
    assert_true(fixture->began);
    assert_string_equal(fixture->result.problem, "");
    assert_int_equal(fixture->result.tally.ends[TALLY_OK], 100);
    assert_int_equal(fixture->result.tally.ends[TALLY_MISSING], 100);
    assert_int_equal(tally_errors(&fixture->result.tally), 100);
    assert_int_equal(tally_calls(&fixture->result.tally), 100);
    assert_int_equal(fixture->result.received_ns, 0);
    free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_divide_the_calls),
        cmocka_unit_test(test_a_fill_makes_a_call_for_each_key),
        cmocka_unit_test(test_the_servers_cpu_time_is_sampled),
        cmocka_unit_test(test_progress_is_shown_while_it_runs),
        cmocka_unit_test(test_calls_that_cannot_start_are_a_problem),
        cmocka_unit_test(test_what_streams_miss_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
