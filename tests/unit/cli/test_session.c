/* What a session does by itself, and when nobody listens. Talking to a server: tests/e2e. */
#include "cli/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* No server can listen there: the folder does not exist. */
static const struct options nowhere = {.target = "unix:/nonexistent/keystore.sock", .db = 4};

static struct session session;
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    session_init(&session, &nowhere);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    session_deinit(&session);
    arena_deinit(&arena);
    return 0;
}

static enum session_result run(const char *line)
{
    struct words words;
    assert_null(split_line(slice_from_string(line), &arena, &words));
    return session_run(&session, words, "");
}

static void starts_with_the_database_of_the_options(void **state)
{
    (void)state;
    assert_int_equal(session.db, 4);
    assert_null(session.client);
}

static void select_changes_the_database(void **state)
{
    (void)state;
    assert_int_equal(run("SELECT 9"), SESSION_OK);
    assert_int_equal(session.db, 9);
    assert_int_equal(run("SELECT 16"), SESSION_FAILED);
    assert_int_equal(session.db, 9);
}

static void quit_is_remembered(void **state)
{
    (void)state;
    assert_int_equal(run("HELP"), SESSION_OK);
    assert_false(session.quit);
    assert_int_equal(run("exit"), SESSION_OK);
    assert_true(session.quit);
}

static void wrong_commands_need_no_server(void **state)
{
    (void)state;
    assert_int_equal(run("NONSENSE"), SESSION_FAILED);
    assert_int_equal(run("GET"), SESSION_FAILED);
}

static void without_server(void **state)
{
    (void)state;
    assert_int_equal(session_connect(&session), SESSION_UNREACHABLE);
    assert_int_equal(run("GET x"), SESSION_UNREACHABLE);
    assert_null(session.client);
}

static void form_follows_the_options(void **state)
{
    (void)state;
    struct options options = {.form = OPTIONS_FORM_RAW};
    session_init(&session, &options);
    assert_true(session.raw);
    options.form = OPTIONS_FORM_QUOTED;
    session_init(&session, &options);
    assert_false(session.raw);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(starts_with_the_database_of_the_options),
        TEST(select_changes_the_database),
        TEST(quit_is_remembered),
        TEST(wrong_commands_need_no_server),
        TEST(without_server),
        TEST(form_follows_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
