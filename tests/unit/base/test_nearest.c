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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_long_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
