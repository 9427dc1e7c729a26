/* Tests of bench/payload.c: keys of numbers, and values that tell their key. */
#include "bench/payload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <inttypes.h>

#include "store/seeded.h"

/* The key of a number; `out` is zero-terminated. */
static void make_key(const struct payload *payload, bool is_list, uint64_t key, char *out)
{
    payload_first_key(payload, is_list, (uint8_t *)out);
    payload_put_digits(payload, key, (uint8_t *)out + payload->key_size - payload->digits);
    out[payload->key_size] = '\0';
}

/* The value that is stored under a key. */
static void make_value(const struct payload *payload, uint64_t key, uint8_t *out)
{
    uint8_t digits[PAYLOAD_MAX_DIGITS];
    payload_put_digits(payload, key, digits);
    memcpy(out, payload->filler, payload->value_size);
    memcpy(out, digits + payload->digits - payload->value_digits, payload->value_digits);
}

static void test_digits_are_those_of_the_last_key(void **state)
{
    (void)state;
    assert_int_equal(payload_digits(1), 1);
    assert_int_equal(payload_digits(10), 1);
    assert_int_equal(payload_digits(11), 2);
    assert_int_equal(payload_digits(1000000), 6);
    assert_int_equal(payload_digits(1000001), 7);
    assert_int_equal(payload_digits(UINT64_MAX), 20);
}

static void test_keys_are_padded_numbers_with_a_prefix(void **state)
{
    (void)state;
    struct payload payload;
    char key[32];
    payload_init(&payload, 16, 0, 1000000);
    make_key(&payload, false, 4711, key);
    assert_string_equal(key, "key:000000004711");
    make_key(&payload, true, 999999, key);
    assert_string_equal(key, "lst:000000999999");
    payload_deinit(&payload);
}

static void test_short_keys_are_the_number_alone(void **state)
{
    (void)state;
    struct payload payload;
    char key[32];
    payload_init(&payload, 7, 0, 1000000);
    make_key(&payload, true, 123456, key);
    assert_string_equal(key, "0123456");
    payload_deinit(&payload);
}

static void test_digits_are_as_printf_writes_them(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int round = 0; round < 2000; round++) {
        uint64_t wide = (uint64_t)seeded_next(&random) << 32 | seeded_next(&random);
        uint64_t keyspace = (wide >> seeded_below(&random, 64)) + 1;
        uint64_t number = (uint64_t)(((unsigned __int128)wide * keyspace) >> 64);
        struct payload payload;
        payload_init(&payload, 20, 0, keyspace);
        char told[PAYLOAD_MAX_DIGITS + 1] = {0};
        char wanted[PAYLOAD_MAX_DIGITS + 1];
        payload_put_digits(&payload, number, (uint8_t *)told);
        snprintf(wanted, sizeof wanted, "%0*" PRIu64, (int)payload.digits, number);
        assert_string_equal(told, wanted);
        payload_deinit(&payload);
    }
}

static void test_a_value_matches_its_key_and_no_other(void **state)
{
    (void)state;
    struct payload payload;
    uint8_t value[100];
    payload_init(&payload, 16, sizeof value, 1000);
    make_value(&payload, 42, value);
    assert_true(payload_matches(&payload, 42, slice_make(value, sizeof value)));
    assert_false(payload_matches(&payload, 43, slice_make(value, sizeof value)));
    assert_false(payload_matches(&payload, 42, slice_make(value, sizeof value - 1)));
    for (size_t i = 0; i < sizeof value; i++) {
        value[i] ^= 1;
        assert_false(payload_matches(&payload, 42, slice_make(value, sizeof value)));
        value[i] ^= 1;
    }
    payload_deinit(&payload);
}

static void test_values_shorter_than_the_digits_have_the_last_ones(void **state)
{
    (void)state;
    struct payload payload;
    payload_init(&payload, 16, 2, 1000000);
    assert_true(payload_matches(&payload, 123456, SLICE_LITERAL("56")));
    assert_false(payload_matches(&payload, 123456, SLICE_LITERAL("12")));
    payload_deinit(&payload);
    payload_init(&payload, 16, 0, 1000000);
    assert_true(payload_matches(&payload, 123456, slice_make(NULL, 0)));
    assert_false(payload_matches(&payload, 123456, SLICE_LITERAL("6")));
    payload_deinit(&payload);
}

static void test_values_can_be_numbers(void **state)
{
    (void)state;
    struct payload payload;
    payload_init(&payload, 16, 8, 1000);
    payload_use_numbers(&payload);
    assert_true(payload_matches(&payload, 42, SLICE_LITERAL("10420000")));
    assert_false(payload_matches(&payload, 43, SLICE_LITERAL("10420000")));
    assert_false(payload_matches(&payload, 42, SLICE_LITERAL("20420000")));
    assert_false(payload_matches(&payload, 42, SLICE_LITERAL("10420001")));
    payload_deinit(&payload);
    payload_init(&payload, 16, 3, 1000);
    payload_use_numbers(&payload);
    assert_true(payload_matches(&payload, 542, SLICE_LITERAL("142")));
    payload_deinit(&payload);
    payload_init(&payload, 16, 1, 1000);
    payload_use_numbers(&payload);
    assert_true(payload_matches(&payload, 542, SLICE_LITERAL("1")));
    payload_deinit(&payload);
}

static void test_numbers_are_found_in_keys_and_values(void **state)
{
    (void)state;
    struct payload payload;
    uint64_t number;
    payload_init(&payload, 12, 8, 1000);
    assert_true(payload_find_key(&payload, SLICE_LITERAL("key:00000042"), &number));
    assert_int_equal(number, 42);
    assert_false(payload_find_key(&payload, SLICE_LITERAL("key:0000042"), &number));
    assert_false(payload_find_key(&payload, SLICE_LITERAL("key:000000x2"), &number));
    assert_true(payload_find_value(&payload, SLICE_LITERAL("123abcde"), &number));
    assert_int_equal(number, 123);
    assert_false(payload_find_value(&payload, SLICE_LITERAL("123abcd"), &number));
    assert_false(payload_find_value(&payload, SLICE_LITERAL("12-abcde"), &number));
    payload_use_numbers(&payload);
    assert_true(payload_find_value(&payload, SLICE_LITERAL("19870000"), &number));
    assert_int_equal(number, 987);
    payload_deinit(&payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digits_are_those_of_the_last_key),
        cmocka_unit_test(test_keys_are_padded_numbers_with_a_prefix),
        cmocka_unit_test(test_short_keys_are_the_number_alone),
        cmocka_unit_test(test_digits_are_as_printf_writes_them),
        cmocka_unit_test(test_a_value_matches_its_key_and_no_other),
        cmocka_unit_test(test_values_shorter_than_the_digits_have_the_last_ones),
        cmocka_unit_test(test_values_can_be_numbers),
        cmocka_unit_test(test_numbers_are_found_in_keys_and_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
