/* What waits, and what does not. Answers of a server: tests/e2e. */
#include "cli/pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct options nowhere = {.target = "unix:/nonexistent/keystore.sock"};

struct fixture {
    struct session session;
    struct pipeline pipeline;
    struct arena arena;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    session_init(&fixture.session, &nowhere);
    pipeline_init(&fixture.pipeline, &fixture.session);
    arena_init(&fixture.arena);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    arena_deinit(&fixture->arena);
    pipeline_deinit(&fixture->pipeline);
    session_deinit(&fixture->session);
    return 0;
}

static bool run(struct fixture *fixture, const char *line, uint64_t number)
{
    struct words words;
    assert_null(split_line(slice_from_string(line), &fixture->arena, &words));
    return pipeline_run(&fixture->pipeline, words, number);
}

static void operations_wait(void **state)
{
    struct fixture *fixture = *state;
    assert_true(run(fixture, "SET a 1", 1));
    assert_true(run(fixture, "GET a", 2));
    assert_int_equal(fixture->pipeline.count, 2);
    assert_int_equal(fixture->pipeline.commands, 0);
    assert_false(pipeline_flush(&fixture->pipeline));
    assert_int_equal(fixture->pipeline.stopped, 1);
    assert_int_equal(fixture->pipeline.commands, 1);
    assert_int_equal(fixture->pipeline.errors, 1);
}

static void no_more_wait_than_go_together(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t i = 1; i < PIPELINE_MAX; i++)
        assert_true(run(fixture, "INCR a", i));
    assert_int_equal(fixture->pipeline.count, PIPELINE_MAX - 1);
    assert_false(run(fixture, "INCR a", PIPELINE_MAX));
    assert_int_equal(fixture->pipeline.stopped, 1);
}

/* What is no operation is run after those that wait; without a server it is not run at all. */
static void other_commands_come_after_what_waits(void **state)
{
    struct fixture *fixture = *state;
    assert_true(run(fixture, "CLEAR", 1));
    assert_int_equal(fixture->pipeline.commands, 1);
    assert_true(run(fixture, "SET a 1", 2));
    assert_false(run(fixture, "CLEAR", 3));
    assert_int_equal(fixture->pipeline.stopped, 2);
    assert_int_equal(fixture->pipeline.commands, 2);
}

static void refused_commands_come_after_what_waits(void **state)
{
    struct fixture *fixture = *state;
    assert_true(run(fixture, "NONSENSE", 1));
    assert_true(pipeline_refuse(&fixture->pipeline, "it is none", 2));
    assert_int_equal(fixture->pipeline.commands, 2);
    assert_int_equal(fixture->pipeline.errors, 2);
    assert_true(run(fixture, "GET a", 3));
    assert_false(pipeline_refuse(&fixture->pipeline, "it is none", 4));
    assert_int_equal(fixture->pipeline.stopped, 3);
    assert_int_equal(fixture->pipeline.errors, 3);
}

/* Within a transaction they are the session's. */
static void a_transaction_does_not_wait(void **state)
{
    struct fixture *fixture = *state;
    assert_true(run(fixture, "MULTI", 1));
    assert_true(run(fixture, "SET a 1", 2));
    assert_int_equal(fixture->pipeline.count, 0);
    assert_int_equal(fixture->session.transaction.count, 1);
    assert_true(run(fixture, "DISCARD", 3));
    assert_true(run(fixture, "SET a 1", 4));
    assert_int_equal(fixture->pipeline.count, 1);
}

/* A stream of the server knows no request ids. */
static void what_may_be_repeated_is_sent_alone(void **state)
{
    struct fixture *fixture = *state;
    struct options options = nowhere;
    options.max_retries = 1;
    fixture->session.options = &options;
    assert_false(run(fixture, "INCR a", 1));
    assert_int_equal(fixture->pipeline.count, 0);
    assert_int_equal(fixture->pipeline.stopped, 1);
    fixture->session.options = &nowhere;
}

static void large_ones_do_not_wait(void **state)
{
    struct fixture *fixture = *state;
    static char line[100000] = "SET a ";
    memset(line + 6, 'x', sizeof line - 7);
    assert_false(run(fixture, line, 1));
    assert_int_equal(fixture->pipeline.stopped, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(operations_wait),
        TEST(no_more_wait_than_go_together),
        TEST(other_commands_come_after_what_waits),
        TEST(refused_commands_come_after_what_waits),
        TEST(a_transaction_does_not_wait),
        TEST(what_may_be_repeated_is_sent_alone),
        TEST(large_ones_do_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
