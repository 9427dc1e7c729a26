/* The program's own options. */
#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ARGS_LIMIT 12

static struct options options;
static char problem[OPTIONS_PROBLEM_SIZE];
static char line_copy[400];
static char *args[ARGS_LIMIT];

/* Parses words that are separated by single spaces. */
static bool parse(const char *line)
{
    int count = 0;
    snprintf(line_copy, sizeof line_copy, "keystore-cli %s", line);
    for (char *at = line_copy; at != NULL && count < ARGS_LIMIT - 1;) {
        args[count++] = strsep(&at, " ");
    }
    args[count] = NULL;
    return options_parse(line[0] == '\0' ? 1 : count, args, &options, problem);
}

static void assert_target(const char *line, const char *target)
{
    if (!parse(line))
        fail_msg("%s: %s", line, problem);
    assert_string_equal(options.target, target);
}

static void assert_refused(const char *line, const char *expected)
{
    assert_false(parse(line));
    if (strstr(problem, expected) == NULL)
        fail_msg("%s: '%s' should contain '%s'", line, problem, expected);
}

static void targets(void **state)
{
    (void)state;
    assert_target("", "127.0.0.1:50051");
    assert_target("-p 1", "127.0.0.1:1");
    assert_target("-h example.org", "example.org:50051");
    assert_target("-h ::1 -p 65535", "[::1]:65535");
    assert_target("-h fe80::1%eth0", "[fe80::1%eth0]:50051");
    assert_target("-s /run/keystore.sock", "unix:/run/keystore.sock");
    assert_refused("-p 0", "-p takes a port from 1 to 65535, not '0'");
    assert_refused("-p 65536", "1 to 65535");
    assert_refused("-p x", "1 to 65535");
    assert_refused("-h a:1", "use -p for the port");
    assert_refused("-h ", "-h takes a host");
    assert_refused("-s ", "path of a unix socket");
    assert_refused("-s /x -p 1", "excludes -h and -p");
}

static void other_values(void **state)
{
    (void)state;
    assert_true(parse("-n 15 --timeout 20 --pipe"));
    assert_int_equal(options.db, 15);
    assert_int_equal(options.timeout_ms, 20);
    assert_true(options.pipe);
    assert_int_equal(options.form, OPTIONS_FORM_AUTO);
    assert_true(parse("--raw"));
    assert_int_equal(options.form, OPTIONS_FORM_RAW);
    assert_true(parse("--raw --no-raw"));
    assert_int_equal(options.form, OPTIONS_FORM_QUOTED);
    assert_true(parse("--help"));
    assert_true(options.help);
    assert_true(parse("--version"));
    assert_true(options.version);
    assert_int_equal(options.max_retries, 0);
    assert_true(parse("--retry 10"));
    assert_int_equal(options.max_retries, 10);
    assert_refused("--retry -1", "--retry takes a number of repetitions, 0 or more, not '-1'");
    assert_refused("--retry x", "--retry takes a number of repetitions");
    assert_refused("-n 4294967296",
                   "-n takes the number of a database, 0 or more, not '4294967296'");
    assert_refused("-n -1", "-n takes the number of a database");
    assert_refused("--timeout 0", "--timeout takes milliseconds, 1 or more");
    assert_refused("--timeout 1s", "--timeout takes milliseconds");
}

static void the_command_ends_the_options(void **state)
{
    (void)state;
    assert_true(parse("-n 1 LRANGE key 0 -1"));
    assert_int_equal(options.command_count, 4);
    assert_string_equal(options.command[0], "LRANGE");
    assert_string_equal(options.command[3], "-1");
    assert_true(parse("-- GET --help"));
    assert_int_equal(options.command_count, 2);
    assert_false(options.help);
    assert_refused("--pipe GET x", "takes none as argument");
    assert_true(parse("--health"));
    assert_true(options.health && options.command_count == 0);
    assert_true(parse("--health keystore.live"));
    assert_true(options.health && options.command_count == 1);
    assert_refused("--health keystore.live --timeout 1", "options come before it");
    assert_refused("--health --pipe", "--health takes at most");
    assert_refused("--help GET", "--help and --version take no command");
    assert_refused("--help --bogus", "there is no option --bogus");
}

static void unknown_options(void **state)
{
    (void)state;
    assert_refused("--wat", "there is no option --wat");
    assert_refused("-z", "there is no option -z");
    assert_refused("-n", "the option -n needs a value");
    assert_refused("--timeout", "the option --timeout needs a value");
    assert_refused("--raw=1", "the option --raw=1 takes no value");
}

static void tls(void **state)
{
    (void)state;
    assert_true(parse(""));
    assert_null(options_tls(&options));
    assert_true(parse("--tls"));
    assert_non_null(options_tls(&options));
    assert_null(options_tls(&options)->ca_file);
    assert_true(parse("--ca a --cert b --key c --server-name d"));
    assert_non_null(options_tls(&options));
    assert_string_equal(options.tls.ca_file, "a");
    assert_string_equal(options.tls.cert_file, "b");
    assert_string_equal(options.tls.key_file, "c");
    assert_string_equal(options.tls.server_name, "d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets),
        cmocka_unit_test(other_values),
        cmocka_unit_test(the_command_ends_the_options),
        cmocka_unit_test(unknown_options),
        cmocka_unit_test(tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
