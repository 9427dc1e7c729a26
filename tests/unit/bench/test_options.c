/* Tests of bench/options.c: defaults, every option, and sentences about what is wrong. */
#include "bench/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#define SECOND UINT64_C(1000000000)

/* Parses the words, the last of which is NULL. */
static bool parse(const char *const *words, struct options *options,
                  char problem[static OPTIONS_PROBLEM_SIZE])
{
    char *argv[32] = {(char *)(uintptr_t) "keystore-bench"};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    problem[0] = '\0';
    return options_parse(argc, argv, options, problem);
}

#define assert_parses(options, ...)                                                                \
    do {                                                                                           \
        char problem[OPTIONS_PROBLEM_SIZE];                                                        \
        const char *const words[] = {__VA_ARGS__, NULL};                                           \
        bool good = parse(words, options, problem);                                                \
        assert_string_equal(problem, "");                                                          \
        assert_true(good);                                                                         \
    } while (false)

#define assert_refused(part, ...)                                                                  \
    do {                                                                                           \
        struct options options;                                                                    \
        char problem[OPTIONS_PROBLEM_SIZE];                                                        \
        const char *const words[] = {__VA_ARGS__, NULL};                                           \
        assert_false(parse(words, &options, problem));                                             \
        if (strstr(problem, part) == NULL)                                                         \
            fail_msg("'%s' does not say '%s'", problem, part);                                     \
    } while (false)

static void test_defaults(void **state)
{
    (void)state;
    struct options options;
    char problem[OPTIONS_PROBLEM_SIZE];
    const char *const none[] = {NULL};
    assert_true(parse(none, &options, problem));
    assert_string_equal(options.host, "127.0.0.1");
    assert_string_equal(options.port, "50051");
    assert_null(options.unix_path);
    assert_int_equal(options.connections, 50);
    assert_int_equal(options.streams, 1);
    assert_int_equal(options.threads, 1);
    assert_int_equal(options.requests, 100000);
    assert_int_equal(options.duration_ns, 0);
    assert_int_equal(options.value_size, 32);
    assert_int_equal(options.key_size, 16);
    assert_int_equal(options.keyspace, 1000000);
    assert_int_equal(options.op_count, 1);
    assert_int_equal(options.ops[0], OP_GET);
    assert_int_equal(options.rate, 0);
    assert_false(options.fill || options.verify || options.csv || options.quiet);
}

static void test_numbers_and_texts_land_in_their_fields(void **state)
{
    (void)state;
    struct options options;
    assert_parses(&options, "-h", "::1", "-p", "7", "-c", "100000", "-m", "1000", "-n", "12", "-d",
                  "0", "-k", "65536", "-r", "1000000000000000");
    assert_string_equal(options.host, "::1");
    assert_string_equal(options.port, "7");
    assert_int_equal(options.connections, 100000);
    assert_int_equal(options.streams, 1000);
    assert_int_equal(options.requests, 12);
    assert_int_equal(options.value_size, 0);
    assert_int_equal(options.key_size, 65536);
    assert_int_equal(options.keyspace, UINT64_C(1000000000000000));
    assert_parses(&options, "--threads", "2", "--rate=5000", "--warmup", "0.5", "--timeout", "2",
                  "--seed", "18446744073709551615", "--server-pid", "77", "--elements", "3",
                  "--ttl", "1.5", "--values", "1000");
    assert_int_equal(options.threads, 2);
    assert_int_equal(options.rate, 5000);
    assert_int_equal(options.warmup_ns, SECOND / 2);
    assert_int_equal(options.timeout_ns, 2 * SECOND);
    assert_int_equal(options.seed, UINT64_MAX);
    assert_int_equal(options.server_pid, 77);
    assert_int_equal(options.elements, 3);
    assert_int_equal(options.ttl_ns, SECOND * 3 / 2);
    assert_int_equal(options.push_values, 1000);
}

static void test_flags(void **state)
{
    (void)state;
    struct options options;
    assert_parses(&options, "--fill", "--verify", "--csv", "-q", "--progress", "--numbers");
    assert_true(options.fill && options.verify && options.csv && options.quiet && options.progress);
    assert_true(options.numbers);
    assert_parses(&options, "--help", "--version");
    assert_true(options.help && options.version);
    assert_parses(&options, "-s", "/tmp/a socket");
    assert_string_equal(options.unix_path, "/tmp/a socket");
}

static void test_a_time_replaces_the_number_of_calls(void **state)
{
    (void)state;
    struct options options;
    assert_parses(&options, "-t", "1.25");
    assert_int_equal(options.duration_ns, SECOND + SECOND / 4);
    assert_int_equal(options.requests, UINT64_MAX);
}

static void test_operations_mixes_and_ranges(void **state)
{
    (void)state;
    struct options options;
    assert_parses(&options, "--op", "lrange", "--range", "-10:-1");
    assert_int_equal(options.ops[0], OP_L_RANGE);
    assert_int_equal(options.range_start, -10);
    assert_int_equal(options.range_stop, -1);
    assert_false(options.take_turns);
    assert_parses(&options, "--op", "rpush,lpop");
    assert_int_equal(options.op_count, 2);
    assert_int_equal(options.ops[0], OP_R_PUSH);
    assert_int_equal(options.ops[1], OP_L_POP);
    assert_true(options.take_turns);
    assert_parses(&options, "--mix", "9:1");
    assert_int_equal(options.op_count, 2);
    assert_int_equal(options.ops[0], OP_GET);
    assert_int_equal(options.ops[1], OP_SET);
    assert_int_equal(options.weights[0], 9);
    assert_int_equal(options.weights[1], 1);
    assert_parses(&options, "--mix", "0:5");
    assert_int_equal(options.op_count, 1);
    assert_int_equal(options.ops[0], OP_SET);
}

static void test_bad_values_are_named(void **state)
{
    (void)state;
    assert_refused("-c takes a number of connections, 1 to 100000, not '0'", "-c", "0");
    assert_refused("-c takes", "-c", "1x");
    assert_refused("-n takes", "-n", "-1");
    assert_refused("-n takes", "-n", "");
    assert_refused("-p takes a port", "-p", "65536");
    assert_refused("-t takes", "-t", "0");
    assert_refused("-t takes", "-t", "nan");
    assert_refused("-t takes", "-t", "1e300");
    assert_refused("--op takes one of get, set", "--op", "delete");
    assert_refused("or two such as lpush,lpop", "--op", "lpush,");
    assert_refused("or two such as lpush,lpop", "--op", "lpush,get");
    assert_refused("or two such as lpush,lpop", "--op", "lpush,lpush");
    assert_refused("or two such as lpush,lpop", "--op", "lpush,lpop,rpop");
    assert_refused("--values takes", "--values", "0");
    assert_refused("--ttl takes", "--ttl", "-1");
    assert_refused("--mix takes", "--mix", "0:0");
    assert_refused("--mix takes", "--mix", "1:2:3");
    assert_refused("--mix takes", "--mix", "-1:2");
    assert_refused("--mix takes", "--mix", "99999999999:1");
    assert_refused("--range takes", "--range", "1");
    assert_refused("--range takes", "--range", "1:");
    assert_refused("--range takes", "--range", "1:99999999999999999999");
    assert_refused("--seed takes", "--seed", "18446744073709551616");
    assert_refused("-s takes the path", "-s", "");
}

static void test_unknown_and_incomplete_options_are_named(void **state)
{
    (void)state;
    assert_refused("there is no option --nothing", "--nothing");
    assert_refused("there is no option -x", "-x");
    assert_refused("the option -c needs a value", "-c");
    assert_refused("the option --rate needs a value", "--rate");
    assert_refused("the option --csv=1 takes no value", "--csv=1");
    assert_refused("'get' is not an option", "get");
}

static void test_what_contradicts_itself_is_refused(void **state)
{
    (void)state;
    assert_refused("give one of them", "-n", "5", "-t", "5");
    assert_refused("excludes -h and -p", "-s", "/x", "-p", "5");
    assert_refused("excludes --op", "--mix", "1:1", "--op", "get");
    assert_refused("3 threads cannot share 2 connections", "--threads", "3", "-c", "2");
    assert_refused("1000000 keys need 6 digits", "-k", "5");
    assert_refused("only makes sense with --fill", "-n", "0");
    assert_refused("lists of 10 elements cannot be filled by pushes of 3", "--fill", "--op", "lpop",
                   "--values", "3");
    assert_refused("not for lists", "--op", "lpush", "--ttl", "1");
    assert_refused("no digit", "--numbers", "-d", "0");
}

static void test_help_has_every_option(void **state)
{
    (void)state;
    static char text[10000];
    FILE *file = tmpfile();
    options_print_help(file);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    const char *const names[] = {"-h HOST",
                                 "-p PORT",
                                 "-s PATH",
                                 "-c N",
                                 "-m N",
                                 "-n N",
                                 "-t SECONDS",
                                 "-d BYTES",
                                 "-k BYTES",
                                 "-r N",
                                 "--op OP",
                                 "--mix GET:SET",
                                 "--range START:STOP",
                                 "--watchers N",
                                 "--consumers N",
                                 "--in-flight N",
                                 "--fill",
                                 "--elements N",
                                 "--values N",
                                 "--numbers",
                                 "--ttl SECONDS",
                                 "--rate N",
                                 "--warmup SECONDS",
                                 "--timeout SECONDS",
                                 "--threads N",
                                 "--seed N",
                                 "--server-pid PID",
                                 "--verify",
                                 "--csv",
                                 "-q",
                                 "--progress",
                                 "--help",
                                 "--version"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_non_null(strstr(text, names[i]));
    for (const char *line = text; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        assert_true(end - line <= 100);
        line = end + 1;
    }
}

static void test_streams_of_watch_and_consume(void **state)
{
    (void)state;
    struct options options;
    assert_parses(&options, "--op", "watch", "--watchers", "70");
    assert_int_equal(options.feed, FEED_WATCH);
    assert_int_equal(options.receivers, 70);
    assert_int_equal(options.op_count, 1);
    assert_int_equal(options.ops[0], OP_SET);
    assert_parses(&options, "--op", "consume", "--consumers", "3", "--in-flight", "10000");
    assert_int_equal(options.feed, FEED_CONSUME);
    assert_int_equal(options.receivers, 3);
    assert_int_equal(options.in_flight, 10000);
    assert_int_equal(options.ops[0], OP_R_PUSH);
    assert_parses(&options, "--op", "watch", "--op", "get");
    assert_int_equal(options.feed, FEED_NONE);
}

static void test_what_streams_cannot_do_is_refused(void **state)
{
    (void)state;
    assert_refused("--in-flight takes", "--op", "consume", "--in-flight", "10001");
    assert_refused("--watchers is for --op watch", "--watchers", "2");
    assert_refused("are for --op consume", "--op", "watch", "--in-flight", "2");
    assert_refused("--op watch excludes --batch", "--op", "watch", "--batch", "2");
    assert_refused("--op consume excludes", "--op", "consume", "--verify");
    assert_refused("excludes --fill", "--op", "consume", "--fill");
    assert_refused("at most 100000000 keys", "--op", "watch", "-r", "100000001");
    assert_refused("of at most 1024 bytes", "--op", "watch", "-k", "1025");
    assert_refused("need 6 digits in their values", "--op", "consume", "-d", "5");
    assert_refused("need 7 digits in their values", "--op", "consume", "-d", "6", "--numbers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_numbers_and_texts_land_in_their_fields),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_a_time_replaces_the_number_of_calls),
        cmocka_unit_test(test_operations_mixes_and_ranges),
        cmocka_unit_test(test_bad_values_are_named),
        cmocka_unit_test(test_unknown_and_incomplete_options_are_named),
        cmocka_unit_test(test_what_contradicts_itself_is_refused),
        cmocka_unit_test(test_help_has_every_option),
        cmocka_unit_test(test_streams_of_watch_and_consume),
        cmocka_unit_test(test_what_streams_cannot_do_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
