/* Hints and completion as functions of the typed line. */
#include "cli/hint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_hint(const char *line, const char *expected)
{
    char hint[HINT_SIZE];
    hint_arguments(line, hint);
    assert_string_equal(hint, expected);
}

static void hint_shrinks_with_each_argument(void **state)
{
    (void)state;
    assert_hint("SET", " key value [NX|XX] [GET]");
    assert_hint("set ", "key value [NX|XX] [GET]");
    assert_hint("set k", " value [NX|XX] [GET]");
    assert_hint("set k ", "value [NX|XX] [GET]");
    assert_hint("set k v", " [NX|XX] [GET]");
    assert_hint("LRANGE l 0 ", "stop");
    assert_hint("LRANGE l 0 -1", "");
}

static void options_vanish_in_any_order(void **state)
{
    (void)state;
    assert_hint("set k v nx", " [GET]");
    assert_hint("set k v XX", " [GET]");
    assert_hint("set k v get ", "[NX|XX]");
    assert_hint("set k v get nx", "");
    assert_hint("set k v n", " [NX|XX] [GET]");
    assert_hint("help g", "");
}

static void repeated_arguments_stay(void **state)
{
    (void)state;
    assert_hint("lpush l ", "value [value ...]");
    assert_hint("lpush l 1", " [value ...]");
    assert_hint("lpush l 1 2 3 ", "[value ...]");
}

static void open_quotes_are_one_argument(void **state)
{
    (void)state;
    assert_hint("set \"my key", " value [NX|XX] [GET]");
    assert_hint("set 'my key", " value [NX|XX] [GET]");
    assert_hint("set 'my key' \"a b", " [NX|XX] [GET]");
}

static void no_hint_without_a_command(void **state)
{
    (void)state;
    assert_hint("", "");
    assert_hint("   ", "");
    assert_hint("se", "");
    assert_hint("blurb x", "");
    assert_hint("quit", "");
    assert_hint("set k \"v\"x", "");
}

static void assert_matches(const char *line, const char *first, size_t count, size_t common_len,
                           size_t word_len)
{
    struct hint_matches matches;
    hint_commands(line, &matches);
    assert_int_equal(matches.count, count);
    assert_int_equal(matches.word_len, word_len);
    if (count > 0) {
        assert_string_equal(matches.names[0], first);
        assert_int_equal(matches.common_len, common_len);
    }
}

static void completion(void **state)
{
    (void)state;
    assert_matches("ge", "GET", 1, 3, 2);
    assert_matches("  Lr", "LRANGE", 1, 6, 2);
    assert_matches("l", "LPUSH", 4, 1, 1);
    assert_matches("lp", "LPUSH", 3, 2, 2);
    assert_matches("lpu", "LPUSH", 2, 5, 3);
    assert_matches("de", "DELETE", 2, 3, 2);
    assert_matches("help ge", "GET", 1, 3, 2);
    assert_matches("zz", NULL, 0, 0, 2);
}

static void only_commands_are_completed(void **state)
{
    (void)state;
    assert_matches("get ", NULL, 0, 0, 0);
    assert_matches("get se", NULL, 0, 0, 0);
    assert_matches("help get x", NULL, 0, 0, 0);
    assert_matches("\"ge", NULL, 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hint_shrinks_with_each_argument),
        cmocka_unit_test(options_vanish_in_any_order),
        cmocka_unit_test(repeated_arguments_stay),
        cmocka_unit_test(open_quotes_are_one_argument),
        cmocka_unit_test(no_hint_without_a_command),
        cmocka_unit_test(completion),
        cmocka_unit_test(only_commands_are_completed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
