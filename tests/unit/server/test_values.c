/* Tests of server/values.c: what is a number or a size, and what is refused. */
#include "server/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define UNCHANGED 12345

static void assert_number(const char *text, uint64_t low, uint64_t high, uint64_t expected)
{
    uint64_t number = UNCHANGED;
    assert_true(values_parse_number(text, low, high, &number));
    assert_true(number == expected);
}

static void assert_no_number(const char *text, uint64_t low, uint64_t high)
{
    uint64_t number = UNCHANGED;
    assert_false(values_parse_number(text, low, high, &number));
    assert_true(number == UNCHANGED);
}

static void assert_size(const char *text, uint64_t expected)
{
    uint64_t bytes = UNCHANGED;
    assert_true(values_parse_size(text, 0, UINT64_MAX, &bytes));
    assert_true(bytes == expected);
}

static void assert_no_size(const char *text, uint64_t low, uint64_t high)
{
    uint64_t bytes = UNCHANGED;
    assert_false(values_parse_size(text, low, high, &bytes));
    assert_true(bytes == UNCHANGED);
}

static void test_numbers(void **state)
{
    (void)state;
    assert_number("0", 0, 10, 0);
    assert_number("7", 0, 10, 7);
    assert_number("0007", 0, 10, 7);
    assert_number("18446744073709551615", 0, UINT64_MAX, UINT64_MAX);
}

static void test_numbers_are_bounded_at_both_ends(void **state)
{
    (void)state;
    assert_number("5", 5, 9, 5);
    assert_number("9", 5, 9, 9);
    assert_no_number("4", 5, 9);
    assert_no_number("10", 5, 9);
    assert_no_number("0", 1, UINT64_MAX);
}

static void test_what_is_no_number(void **state)
{
    (void)state;
    static const char *const texts[] = {"", " ", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x10",
                                        "ten", "1a", "a1", "1k", "1,000",
                                        /* 2^64, and what is 5 when it wraps around. */
                                        "18446744073709551616", "18446744073709551621",
                                        "99999999999999999999", "1000000000000000000000000000000"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_no_number(texts[i], 0, UINT64_MAX);
}

static void test_sizes_in_every_unit(void **state)
{
    (void)state;
    static const struct {
        const char *unit;
        uint64_t bytes;
    } units[] = {{"", 1},          {"b", 1},         {"B", 1},         {"k", 1 << 10},
                 {"K", 1 << 10},   {"kb", 1 << 10},  {"KB", 1 << 10},  {"Kb", 1 << 10},
                 {"KiB", 1 << 10}, {"kib", 1 << 10}, {"KIB", 1 << 10}, {"m", 1 << 20},
                 {"MB", 1 << 20},  {"MiB", 1 << 20}, {"mIb", 1 << 20}, {"G", 1 << 30},
                 {"gb", 1 << 30},  {"GiB", 1 << 30}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        char text[16];
        snprintf(text, sizeof text, "3%s", units[i].unit);
        assert_size(text, 3 * units[i].bytes);
    }
}

static void test_sizes_at_their_bounds(void **state)
{
    (void)state;
    uint64_t bytes = 0;
    assert_true(values_parse_size("1KiB", 1024, 1024, &bytes));
    assert_true(bytes == 1024);
    assert_no_size("1023", 1024, 2048);
    assert_no_size("2049", 1024, 2048);
    assert_no_size("3K", 1024, 2048);
    assert_size("17179869183GiB", 17179869183u * ((uint64_t)1 << 30));
    assert_size("18446744073709551615B", UINT64_MAX);
}

static void test_what_is_no_size(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "k", "KiB", "-1", "+1", " 1", "1 k", "1 ", "1.5M", "1x", "1kk", "1Ki", "1ib", "1T",
        "1TiB", "1KiBs", "0x10",
        /* They pass 64 bits only with their unit: 2^64 bytes, and a little more. */
        "17179869184GiB", "17179869185GiB", "18014398509481984K", "18446744073709551616",
        "99999999999999999999k"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_no_size(texts[i], 0, UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_are_bounded_at_both_ends),
        cmocka_unit_test(test_what_is_no_number),
        cmocka_unit_test(test_sizes_in_every_unit),
        cmocka_unit_test(test_sizes_at_their_bounds),
        cmocka_unit_test(test_what_is_no_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
