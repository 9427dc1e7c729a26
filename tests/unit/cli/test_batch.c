/* Which lines count, and where a batch ends. Answers of a server: tests/e2e. */
#include "cli/batch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct options nowhere = {.target = "unix:/nonexistent/keystore.sock"};

static void assert_counts(const char *input, uint64_t commands, uint64_t errors)
{
    struct session session;
    session_init(&session, &nowhere);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], input, strlen(input)), strlen(input));
    close(ends[1]);
    struct batch_counts counts = batch_run(&session, ends[0]);
    close(ends[0]);
    session_deinit(&session);
    assert_int_equal(counts.commands, commands);
    assert_int_equal(counts.errors, errors);
}

static void blank_lines_and_comments_are_skipped(void **state)
{
    (void)state;
    assert_counts("\n   \n# CLEAR\n\t\r\n", 0, 0);
    assert_counts("CLEAR\n\nCLEAR", 2, 0);
}

static void errors_are_counted_and_the_rest_runs(void **state)
{
    (void)state;
    assert_counts("SELECT x\nNONSENSE\nGET \"\nCLEAR\n", 4, 3);
}

static void quit_ends_it(void **state)
{
    (void)state;
    assert_counts("CLEAR\nQUIT\nNONSENSE\n", 2, 0);
}

static void a_missing_server_ends_it(void **state)
{
    (void)state;
    assert_counts("CLEAR\nGET x\nGET y\nGET z\n", 2, 1);
}

static void a_transaction_without_end_is_an_error(void **state)
{
    (void)state;
    assert_counts("MULTI\nSET a 1\nDISCARD\n", 3, 0);
    assert_counts("MULTI\nSET a 1\n", 2, 1);
    assert_counts("MULTI\nSET a 1\nQUIT\n", 3, 1);
}

/* EXEC is refused for the line that was lost, and does not even ask for the server. */
static void a_line_with_open_quotes_spoils_a_transaction(void **state)
{
    (void)state;
    assert_counts("MULTI\nSET a 1\nSET b \"\nEXEC\nCLEAR\n", 5, 2);
}

static void what_is_no_command_ends_it(void **state)
{
    (void)state;
    assert_counts("*1\r\n$5\r\nCLEAR\r\n*1\r\n$5\r\nCLEAR", 1, 1);
    assert_counts("*1\r\n$5\r\nCLEAR\r\n\r\n*1\r\n$5\r\nCLEAR\r\n", 1, 1);
}

static void what_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    struct session session;
    session_init(&session, &nowhere);
    int directory = open("/", O_RDONLY);
    struct batch_counts counts = batch_run(&session, directory);
    close(directory);
    session_deinit(&session);
    assert_int_equal(counts.commands, 0);
    assert_int_equal(counts.errors, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blank_lines_and_comments_are_skipped),
        cmocka_unit_test(errors_are_counted_and_the_rest_runs),
        cmocka_unit_test(quit_ends_it),
        cmocka_unit_test(a_missing_server_ends_it),
        cmocka_unit_test(a_transaction_without_end_is_an_error),
        cmocka_unit_test(a_line_with_open_quotes_spoils_a_transaction),
        cmocka_unit_test(what_is_no_command_ends_it),
        cmocka_unit_test(what_cannot_be_read_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
