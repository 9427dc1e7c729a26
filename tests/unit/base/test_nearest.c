/* Tests of base/nearest.c. */
#include "base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static size_t distance(const char *word, const char *name)
{
    return nearest_distance(word, strlen(word), name);
}

static void test_edits(void **state)
{
    (void)state;
    assert_int_equal(distance("max-memory", "max-memory"), 0);
    assert_int_equal(distance("MAX-Memory", "max-memory"), 0);
    assert_int_equal(distance("maxmemory", "max-memory"), 1);
    assert_int_equal(distance("max-memoryy", "max-memory"), 1);
    assert_int_equal(distance("max-nemory", "max-memory"), 1);
    assert_int_equal(distance("mxa-memory", "max-memory"), 1);
    assert_int_equal(distance("", "abc"), 3);
    assert_int_equal(distance("abc", ""), 3);
    assert_int_equal(nearest_distance("abcde", 3, "abc"), 0);
}

static void test_long_words(void **state)
{
    (void)state;
    char word[42];
    memset(word, 'a', 41);
    word[41] = '\0';
    assert_int_equal(distance(word + 1, "a"), 39);
    assert_true(distance(word, "a") == SIZE_MAX);
    assert_true(distance("a", word) == SIZE_MAX);
}

static const char *meant(const char *word)
{
    static const char *const names[] = {"GET", "GETSET", "SETEX", "INCRBYFLOAT", "SETNX"};
    struct nearest nearest;
    nearest_begin(&nearest, word, strlen(word));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        nearest_offer(&nearest, names[i]);
    return nearest.name;
}

static void test_the_nearest_name_is_meant(void **state)
{
    (void)state;
    assert_string_equal(meant("geet"), "GET");
    assert_string_equal(meant("getste"), "GETSET");
    assert_string_equal(meant("setnnx"), "SETNX");
    assert_string_equal(meant("setx"), "SETEX"); /* of two that are as near, the first one */
    assert_string_equal(meant("GET"), "GET");
}

static void test_longer_words_may_differ_more(void **state)
{
    (void)state;
    assert_string_equal(meant("gt"), "GET");
    assert_null(meant("g"));
    assert_string_equal(meant("gat"), "GET");
    assert_string_equal(meant("oat"), "GET");
    assert_null(meant("oar"));
    assert_string_equal(meant("icrbyfloot"), "INCRBYFLOAT");
    assert_string_equal(meant("icrbyflot"), "INCRBYFLOAT");
    assert_string_equal(meant("icbyfloot"), "INCRBYFLOAT");
    assert_null(meant("icbyflooo"));
    assert_null(meant(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_the_nearest_name_is_meant),
        cmocka_unit_test(test_longer_words_may_differ_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
