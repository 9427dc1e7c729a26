/* Tests of base/decimal.c: the C library prints and reads the same numbers. */
#include "base/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/seeded.h"

static void assert_round_trip(int64_t number)
{
    char text[32];
    uint8_t digits[DECIMAL_MAX];
    size_t len = (size_t)snprintf(text, sizeof text, "%ld", (long)number);
    struct slice written = decimal_write(number, digits);
    assert_int_equal(written.len, len);
    assert_memory_equal(written.data, text, len);
    assert_int_equal(decimal_size(number), len);
    int64_t parsed = ~number;
    assert_true(decimal_parse(slice_make(text, len), &parsed));
    assert_int_equal(parsed, number);
}

static void test_edges(void **state)
{
    (void)state;
    for (int64_t number = -100001; number <= 100001; number++)
        assert_round_trip(number);
    for (int64_t power = 1; power <= INT64_MAX / 10; power *= 10) {
        for (int64_t off = -1; off <= 1; off++) {
            assert_round_trip(power * 10 + off);
            assert_round_trip(-power * 10 + off);
        }
    }
    assert_round_trip(INT64_MAX);
    assert_round_trip(INT64_MAX - 1);
    assert_round_trip(INT64_MIN);
    assert_round_trip(INT64_MIN + 1);
}

static void test_random_numbers(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = (uint64_t)seeded_below(&random, UINT32_MAX) << 33 ^
                        (uint64_t)seeded_below(&random, UINT32_MAX) << 11 ^ random;
        assert_round_trip((int64_t)bits >> seeded_below(&random, 64));
    }
}

/* Any short text of characters that occur in numbers: canonical if and only if the C library, which
 * accepts more, formats it the same way. */
static void test_random_text(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    int canonical = 0;
    for (int i = 0; i < 300000; i++) {
        char text[32], printed[32];
        size_t len = seeded_below(&random, i % 2 == 0 ? 5 : 22);
        for (size_t at = 0; at < len; at++)
            text[at] = "0123456789876543219999-+ \0a"[seeded_below(&random, i % 3 == 0 ? 27 : 22)];
        text[len] = '\0';
        size_t expected_len =
            (size_t)snprintf(printed, sizeof printed, "%ld", strtol(text, NULL, 10));
        bool expected = expected_len == len && memcmp(printed, text, len) == 0;
        int64_t number = 0;
        assert_int_equal(decimal_parse(slice_make(text, len), &number), expected);
        assert_int_equal(number, expected ? strtol(text, NULL, 10) : 0);
        canonical += expected;
    }
    assert_in_range(canonical, 10000, 290000);
}

static void test_what_is_not_canonical(void **state)
{
    (void)state;
    const char *texts[] = {"",
                           "-",
                           "+1",
                           "01",
                           "-0",
                           "-01",
                           "00",
                           " 1",
                           "1 ",
                           "1.0",
                           "1e3",
                           "0x1",
                           "a",
                           "1a",
                           "1-",
                           "--1",
                           "/",
                           "1:3",
                           "9223372036854775808",
                           "-9223372036854775809",
                           "-9999999999999999999",
                           "18446744073709551615",
                           "18446744073709551616",
                           "18446744073709551617",
                           "99999999999999999999",
                           "-99999999999999999999",
                           "100000000000000000000"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int64_t number = 77;
        assert_false(decimal_parse(slice_from_string(texts[i]), &number));
        assert_int_equal(number, 77);
    }
    int64_t number;
    assert_false(decimal_parse(slice_make(NULL, 0), &number));
    assert_false(decimal_parse(slice_make("1\0", 2), &number));
    assert_false(decimal_parse(slice_make("12", 0), &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_random_numbers),
        cmocka_unit_test(test_random_text),
        cmocka_unit_test(test_what_is_not_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
