/* Tests of base/glob.c. tests/e2e/test_scan.py compares random patterns with a redis-server. */
#include "base/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/effort.h"
#include "store/seeded.h"

static bool matches(const char *pattern, const char *text)
{
    return glob_match(slice_from_string(pattern), slice_from_string(text));
}

/* What redis-server 7.0 answers. */
static void test_table(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool matches;
    } rows[] = {
        {"a", "a", true},         {"a", "b", false},
        {"a", "aa", false},       {"aa", "a", false},
        {"*", "abc", true},       {"**", "abc", true},
        {"a*", "a", true},        {"a**", "a", true},
        {"*a", "ba", true},       {"*a", "ab", false},
        {"*a*", "bab", true},     {"a*b*c", "a1b2b3c", true},
        {"a*b*c", "acb", false},  {"*ab", "aab", true},
        {"?", "a", true},         {"?", "ab", false},
        {"a?", "a", false},       {"*?", "a", true},
        {"[abc]", "b", true},     {"[abc]", "d", false},
        {"[a-c]", "b", true},     {"[c-a]", "b", true},
        {"[a-c]", "d", false},    {"[^a-c]", "d", true},
        {"[^a-c]", "b", false},   {"[a^]", "^", true},
        {"[!a]", "b", false},     {"[]", "a", false},
        {"[]a]", "a", false},     {"[^]", "a", true},
        {"[^]a]", "xa]", true},   {"[", "[", false},
        {"[", "a", false},        {"[^", "a", true},
        {"[a", "a", true},        {"[ab", "b", true},
        {"[a-", "-", true},       {"[a-", "a", true},
        {"[-a]", "-", true},      {"[a-]", "a", true},
        {"[a-]", "_", true},      {"[a-]b", "b", true},
        {"[a-]", "b", false},     {"[\\]]", "]", true},
        {"[\\^a]", "^", true},    {"[\\a-c]", "b", false},
        {"[\\a-c]", "-", true},   {"[\\", "\\", true},
        {"[a\\-c]", "b", false},  {"\\*", "*", true},
        {"\\*", "a", false},      {"\\a", "a", true},
        {"\\", "\\", true},       {"\\\\", "\\", true},
        {"a\\", "a\\", true},     {"*\\", "a\\", true},
        {"\\[a]", "[a]", true},   {"a[bc]*", "acd", true},
        {"*[0-9]", "key1", true}, {"*[0-9]", "key", false},
        {"", "a", false},         {"", "", true},
        {"a", "", false},         {"user:?:*", "user:1:", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (matches(rows[i].pattern, rows[i].text) != rows[i].matches)
            fail_msg("%s on %s", rows[i].pattern, rows[i].text);
}

/* Zero bytes and bytes that are no ASCII are bytes like others. */
static void test_any_bytes(void **state)
{
    (void)state;
    assert_true(glob_match(SLICE_LITERAL("a\0*"), SLICE_LITERAL("a\0b")));
    assert_false(glob_match(SLICE_LITERAL("a\0b"), SLICE_LITERAL("a\0c")));
    assert_true(glob_match(SLICE_LITERAL("[\x80-\xff]?"), SLICE_LITERAL("\xc3\xa4")));
    assert_true(glob_match(SLICE_LITERAL("[z-\x80]"), SLICE_LITERAL("\x7f")));
    assert_false(glob_match(SLICE_LITERAL("[z-\x80]"), SLICE_LITERAL("a")));
}

/* A pattern that takes exponential time where each '*' tries every length. */
static void test_many_stars(void **state)
{
    (void)state;
    char text[4001], pattern[2002];
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = 'a';
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i < sizeof pattern - 2; i += 2) {
        pattern[i] = 'a';
        pattern[i + 1] = '*';
    }
    pattern[sizeof pattern - 2] = 'b';
    pattern[sizeof pattern - 1] = '\0';
    assert_false(matches(pattern, text));
    pattern[sizeof pattern - 2] = 'a';
    assert_true(matches(pattern, text));
}

/* What is between two '*' is as long as a word of the search has bits, and its neighbours. The text
 * is too long to try one place after the other, if the segment has bits. */
static void test_long_segments(void **state)
{
    (void)state;
    enum { LENGTH = EFFORT(65536, 20000, 20000), LATE = LENGTH - 1000 };
    static char text[LENGTH], pattern[1200];
    static const size_t lengths[] = {1, 2, 63, 64, 65, 127, 128, 129, 1000, 1023, 1024, 1025, 1100};
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t length = lengths[i];
        memset(pattern, 'a', sizeof pattern);
        pattern[0] = '*';
        pattern[length] = 'b'; /* the segment's last */
        pattern[length + 1] = '*';
        struct slice whole = slice_make(pattern, length + 2);
        assert_false(glob_match(whole, slice_make(text, sizeof text)));
        for (size_t at = LATE; at < LATE + 3; at++) {
            text[at] = 'b';
            assert_true(glob_match(whole, slice_make(text, sizeof text)));
            assert_true(glob_match(whole, slice_make(text + at + 1 - length, length)));
            assert_false(glob_match(whole, slice_make(text + at + 2 - length, length - 1)));
            text[at] = 'a';
        }
        text[LATE] = text[LATE + 1] = 'b';
        pattern[length + 2] = '?';
        pattern[length + 3] = 'b';
        pattern[length + 4] = '*';
        assert_false(glob_match(slice_make(pattern, length + 5), slice_make(text, sizeof text)));
        text[LATE + 2] = 'b';
        assert_true(glob_match(slice_make(pattern, length + 5), slice_make(text, sizeof text)));
        text[LATE] = text[LATE + 1] = text[LATE + 2] = 'a';
    }
}

/* A segment is found if it matches at one of the places. */
static void test_random_segments(void **state)
{
    (void)state;
    static const char *const tokens[] = {"a", "b", "?", "[ab]", "[^a]", "\\a", "[a-c]"};
    static const int rounds = EFFORT(300, 100, 100);
    static uint8_t text[30000];
    uint64_t random = seeded_start();
    int matching = 0;
    for (int round = 0; round < rounds; round++) {
        char pattern[700] = "*";
        size_t count = 1 + seeded_below(&random, 100), len = 1;
        for (size_t i = 0; i < count; i++)
            len += (size_t)snprintf(pattern + len, sizeof pattern - len, "%s",
                                    tokens[seeded_below(&random, i < 12 ? 7 : 4)]);
        pattern[len] = '*';
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = seeded_below(&random, 4) > 0 ? 'a' : 'b';
        bool expected = false;
        for (size_t i = 0; i + count <= sizeof text && !expected; i++)
            expected = glob_match(slice_make(pattern + 1, len - 1), slice_make(text + i, count));
        if (glob_match(slice_make(pattern, len + 1), slice_make(text, sizeof text)) != expected)
            fail_msg("round %d: %s", round, pattern);
        matching += expected;
    }
    assert_in_range(matching, rounds / 10, rounds * 9 / 10);
}

/* The plain recursive definition, for patterns of letters, '?' and '*'. */
static bool by_definition(const char *pattern, const char *text)
{
    if (*pattern == '\0')
        return *text == '\0';
    if (*pattern == '*')
        return by_definition(pattern + 1, text) ||
               (*text != '\0' && by_definition(pattern, text + 1));
    return *text != '\0' && (*pattern == '?' || *pattern == *text) &&
           by_definition(pattern + 1, text + 1);
}

static void test_random_stars(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    int matching = 0;
    for (int i = 0; i < 50000; i++) {
        char pattern[9] = {0}, text[11] = {0};
        for (uint64_t j = seeded_below(&random, sizeof pattern); j > 0; j--)
            pattern[j - 1] = "ab?**"[seeded_below(&random, 5)];
        for (uint64_t j = seeded_below(&random, sizeof text); j > 0; j--)
            text[j - 1] = "ab"[seeded_below(&random, 2)];
        bool expected = by_definition(pattern, text);
        if (matches(pattern, text) != expected)
            fail_msg("%s on %s", pattern, text);
        matching += expected;
    }
    assert_true(matching > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),           cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_many_stars),      cmocka_unit_test(test_long_segments),
        cmocka_unit_test(test_random_segments), cmocka_unit_test(test_random_stars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
