/* Tests of base/real.c: which texts are real numbers, and how they are formatted; expected values
 * come from redis-server 7.0.15. */
#include "base/real.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/seeded.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void test_reals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        long double number;
    } rows[] = {{"0", 0},
                {"-0", 0},
                {"+1", 1},
                {"3.14", 3.14L},
                {"5.0e3", 5000},
                {"0x10", 16},
                {".5", 0.5},
                {"5.", 5},
                {"-1e-3", -0.001L},
                {"007", 7},
                {"1e4930", 1e4930L},
                {"inf", HUGE_VALL},
                {"-Infinity", -HUGE_VALL}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        long double number;
        assert_true(real_parse(slice_from_string(rows[i].text), &number));
        assert_true(number == rows[i].number);
    }
}

static void test_what_is_no_real(void **state)
{
    (void)state;
    static const char *const texts[] = {"",  " 1",  "1 ", "nan", "-nan",   "abc",     "1.5.", "1e",
                                        "-", "\n1", ".",  "e5",  "1e5000", "1e-5000", "1,5"};
    long double number;
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_false(real_parse(slice_from_string(texts[i]), &number));
    assert_false(real_parse(slice_make("1\0", 2), &number));
    assert_false(real_parse(slice_make("1\0"
                                       "2",
                                       3),
                            &number));
}

static void test_a_real_may_have_just_so_many_digits(void **state)
{
    (void)state;
    char text[REAL_SIZE];
    long double number;
    memset(text, '0', sizeof text);
    text[1] = '.';
    text[sizeof text - 2] = '7';
    assert_false(real_parse(slice_make(text, sizeof text - 1), &number)); /* too small */
    text[5] = '1';
    assert_true(real_parse(slice_make(text, sizeof text - 1), &number));
    assert_false(real_parse(slice_make(text, sizeof text), &number));
}

static void assert_written(long double number, const char *text)
{
    char out[REAL_SIZE];
    struct slice written = real_write(out, number);
    assert_int_equal(written.data[written.len], 0);
    assert_string_equal((const char *)written.data, text);
    assert_int_equal(written.len, strlen(text));
}

static void test_how_reals_look(void **state)
{
    (void)state;
    assert_written(0, "0");
    assert_written(-0.0L, "0");
    assert_written(-1e-30L, "0");
    assert_written(0.1L, "0.1");
    assert_written(0.1L + 0.2L, "0.3");
    assert_written(5200, "5200");
    assert_written(100, "100");
    assert_written(-10.50L, "-10.5");
    assert_written(1e-17L, "0.00000000000000001");
    assert_written(1e-17L - 1e-18L, "0.00000000000000001");
    assert_written(1e-18L, "0");
    assert_written(3.0e3L + 1.5e-2L, "3000.0149999999999999");
    assert_written(0x1p100L, "1267650600228229401496703205376");
}

static void test_the_largest_real_has_room(void **state)
{
    (void)state;
    char out[REAL_SIZE];
    struct slice text = real_write(out, -1.18973149535723176502e+4932L);
    assert_int_equal(text.len, 4934);
    assert_memory_equal(text.data, "-11897314953572317", 18);
}

static void test_widening_takes_the_decimal_text(void **state)
{
    (void)state;
    assert_true(real_from_double(0.1) == 0.1L);
    assert_true(real_from_double(-2.3) == -2.3L);
    assert_true(real_from_double(1e300) == (long double)1e300); /* an integer, so exact */
    assert_true(real_from_double(0x1p56) == 72057594037927936.0L);
    assert_true(real_from_double(-0x1p63) == -0x1p63L);
    assert_true(real_from_double(0.30000000000000004) == 0.30000000000000004L);
    assert_true(real_from_double(9007199254740993.0) == 9007199254740992.0L);
    assert_true(real_from_double(1.7976931348623157e308) == (long double)1.7976931348623157e308);
    assert_true(real_from_double(0) == 0);
    assert_true(isinf(real_from_double(HUGE_VAL)));
    assert_true(isnan(real_from_double(NAN)));
}

/* An integer is exact. Otherwise the result is the same double, and its text, of 15 digits or fewer
 * if possible, is what was typed. */
static void test_widening_random_numbers(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int i = 0; i < 20000; i++) {
        char typed[64];
        snprintf(typed, sizeof typed, "%u.%06ue%d", seeded_below(&random, 1000000),
                 seeded_below(&random, 1000000), (int)seeded_below(&random, 40) - 20);
        double number = strtod(typed, NULL);
        if (trunc(number) != number)
            assert_true(real_from_double(number) == strtold(typed, NULL));
        else
            assert_true(real_from_double(number) == number);
        uint64_t bits;
        seeded_fill(&random, (uint8_t *)&bits, sizeof bits);
        memcpy(&number, &bits, sizeof number);
        if (isnormal(number))
            assert_true(fabsl(real_from_double(number) - number) <=
                        fabsl((long double)number) * 0x1p-52L);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reals),
        cmocka_unit_test(test_what_is_no_real),
        cmocka_unit_test(test_a_real_may_have_just_so_many_digits),
        cmocka_unit_test(test_how_reals_look),
        cmocka_unit_test(test_the_largest_real_has_room),
        cmocka_unit_test(test_widening_takes_the_decimal_text),
        cmocka_unit_test(test_widening_random_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
