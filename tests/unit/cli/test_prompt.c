/* The conversation on a terminal as far as no server is needed. With one: tests/e2e. */
#include "cli/prompt.h"

#include "pty_child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int run_prompt(void)
{
    static const struct options nowhere = {.target = "unix:/nonexistent/s"};
    struct session session;
    setenv("KEYSTORE_CLI_HISTORY", "", 1);
    session_init(&session, &nowhere);
    bool usable = prompt_run(&session);
    session_deinit(&session);
    return usable ? 7 : 1;
}

static struct pty_child child;

static int set_up(void **state)
{
    (void)state;
    pty_start(&child, run_prompt);
    return 0;
}

static void ask(const char *line, const char *answer)
{
    pty_type(&child, line);
    pty_type(&child, "\r");
    assert_true(pty_expect(&child, answer));
}

static void says_at_once_that_nobody_listens(void **state)
{
    (void)state;
    assert_true(pty_expect(&child, "(error) UNAVAILABLE: cannot connect to unix:/nonexistent/s"));
    assert_true(pty_expect(&child, "/nonexistent/s> "));
    ask("get x", "(error) UNAVAILABLE");
    assert_true(pty_expect(&child, "/nonexistent/s> "));
    pty_type(&child, "quit\r");
    assert_int_equal(pty_end(&child), 7);
}

static void shows_the_transaction_and_the_database(void **state)
{
    (void)state;
    assert_true(pty_expect(&child, "/nonexistent/s> "));
    ask("multi", "OK");
    assert_true(pty_expect(&child, "/nonexistent/s(TX)> "));
    ask("select 12", "QUEUED");
    assert_true(pty_expect(&child, "/nonexistent/s[12](TX)> "));
    ask("discard", "OK");
    assert_true(pty_expect(&child, "/nonexistent/s> "));
    pty_type(&child, "\x04");
    assert_int_equal(pty_end(&child), 7);
}

static void goes_on_after_mistakes(void **state)
{
    (void)state;
    assert_true(pty_expect(&child, "/nonexistent/s> "));
    ask("get 'x", "(error) unbalanced quotes");
    ask("nonsense", "(error) unknown command 'nonsense'");
    assert_true(pty_expect(&child, "/nonexistent/s> "));
    pty_type(&child, "exit\r");
    assert_int_equal(pty_end(&child), 7);
}

static void keeps_a_transaction_for_when_the_server_is_back(void **state)
{
    (void)state;
    ask("multi", "OK");
    ask("set a 1", "QUEUED");
    ask("exec", "(error) UNAVAILABLE");
    assert_true(pty_expect(&child, "The transaction is kept: EXEC retries it"));
    assert_true(pty_expect(&child, "/nonexistent/s(TX)> "));
    ask("set b 'x", "(error) unbalanced quotes");
    ask("exec", "(error) the transaction was not executed");
    assert_true(pty_expect(&child, "/nonexistent/s> "));
    pty_type(&child, "exit\r");
    assert_int_equal(pty_end(&child), 7);
}

static void says_what_is_lost_at_the_end(void **state)
{
    (void)state;
    ask("multi", "OK");
    assert_true(pty_expect(&child, "/nonexistent/s(TX)> "));
    pty_type(&child, "\x04");
    assert_true(pty_expect(&child, "(error) the last transaction was not executed"));
    assert_int_equal(pty_end(&child), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(says_at_once_that_nobody_listens, set_up),
        cmocka_unit_test_setup(shows_the_transaction_and_the_database, set_up),
        cmocka_unit_test_setup(goes_on_after_mistakes, set_up),
        cmocka_unit_test_setup(keeps_a_transaction_for_when_the_server_is_back, set_up),
        cmocka_unit_test_setup(says_what_is_lost_at_the_end, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
