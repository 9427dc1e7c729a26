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
    assert_hint("COPY", " source target [DB db] [REPLACE]");
    assert_hint("copy ", "source target [DB db] [REPLACE]");
    assert_hint("copy a", " target [DB db] [REPLACE]");
    assert_hint("copy a ", "target [DB db] [REPLACE]");
    assert_hint("copy a b", " [DB db] [REPLACE]");
    assert_hint("LRANGE l 0 ", "stop");
    assert_hint("LRANGE l 0 -1", "");
}

static void options_vanish_in_any_order(void **state)
{
    (void)state;
    assert_hint("expire k 1 nx", "");
    assert_hint("expire k 1 n", " [NX|XX|GT|LT]");
    assert_hint("copy a b replace ", "[DB db]");
    assert_hint("copy a b replace db 1", "");
    assert_hint("help g", "");
    assert_hint("lpop l ", "[count]");
    assert_hint("lpop l 1", "");
}

static void options_with_values(void **state)
{
    (void)state;
    assert_hint("copy a b DB", " db [REPLACE]");
    assert_hint("copy a b DB ", "db [REPLACE]");
    assert_hint("copy a b DB 1 ", "[REPLACE]");
    assert_hint("getex k px", " milliseconds");
    assert_hint("getex k EXAT ", "unix-seconds");
    assert_hint("getex k persist", "");
    assert_hint("getex k EX 1", "");
    assert_hint("lpos l v COUNT 2", " [RANK rank] [MAXLEN elements]");
    assert_hint("set k v keepttl", " [NX|XX] [GET] [IFEQ value] [IFVERSION version]");
    assert_hint("set k v px 5 get ", "[NX|XX] [IFEQ value] [IFVERSION version]");
    assert_hint("set k v ifeq get ", "[NX|XX] [GET] [EX seconds|PX milliseconds|EXAT unix-seconds|"
                                     "PXAT unix-milliseconds|KEEPTTL] [IFVERSION version]");
}

static void words_that_must_be_there(void **state)
{
    (void)state;
    assert_hint("linsert l ", "BEFORE|AFTER pivot value");
    assert_hint("linsert l after ", "pivot value");
    assert_hint("lmove a b ", "LEFT|RIGHT LEFT|RIGHT");
    assert_hint("lmove a b left", " LEFT|RIGHT");
    assert_hint("memory ", "USAGE key");
    assert_hint("memory usage", " key");
    assert_hint("slowlog ", "GET|LEN|RESET [count]");
    assert_hint("slowlog get", " [count]");
    assert_hint("latency histogram ", "[method ...]");
    assert_hint("latency get ", "[HISTOGRAM] [method ...]");
}

static void repeated_arguments_stay(void **state)
{
    (void)state;
    assert_hint("lpush l ", "value [value ...]");
    assert_hint("lpush l 1", " [value ...]");
    assert_hint("lpush l 1 2 3 ", "[value ...]");
    assert_hint("mset k v k ", "[key value ...]");
}

static void repeated_arguments_end(void **state)
{
    (void)state;
    assert_hint("lmpop 3 a b ", "[key ...] LEFT|RIGHT [COUNT count]");
    assert_hint("lmpop 3 a b c RIGHT ", "[COUNT count]");
    assert_hint("lmpop 3 a b c RIGHT count", " count");
}

static void open_quotes_are_one_argument(void **state)
{
    (void)state;
    assert_hint("copy \"my key", " target [DB db] [REPLACE]");
    assert_hint("copy 'my key", " target [DB db] [REPLACE]");
    assert_hint("copy 'my key' \"a b", " [DB db] [REPLACE]");
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
    assert_matches("getd", "GETDEL", 1, 6, 4);
    assert_matches("  Lra", "LRANGE", 1, 6, 3);
    assert_matches("lp", "LPUSH", 4, 2, 2); /* LPUSH LPUSHX LPOP LPOS */
    assert_matches("lpu", "LPUSH", 2, 5, 3);
    assert_matches("de", "DECR", 6, 2, 2); /* DECR DECRBY DEL DELETE DESCRIBE DELMATCH */
    assert_matches("help geto", NULL, 0, 0, 4);
    assert_matches("help getd", "GETDEL", 1, 6, 4);
    assert_matches("p", "PSETEX", 9, 1, 1);
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
        cmocka_unit_test(options_with_values),
        cmocka_unit_test(words_that_must_be_there),
        cmocka_unit_test(repeated_arguments_stay),
        cmocka_unit_test(repeated_arguments_end),
        cmocka_unit_test(open_quotes_are_one_argument),
        cmocka_unit_test(no_hint_without_a_command),
        cmocka_unit_test(completion),
        cmocka_unit_test(only_commands_are_completed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
