/* Tests of store/ops/increment.c: Incr by integers and reals, and its changes. */
#include "store/ops/apply.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"

#define LATER_MS (KEYSPACE_NOW_MS + 1000)

static struct op incr_op(const char *key, int64_t by)
{
    return (struct op){.kind = OP_INCR, .key = slice_from_string(key), .incr.by = by};
}

/* Valid until the next one. */
static struct op incr_real_op(const char *key, long double by)
{
    static long double number;
    number = by;
    return (struct op){.kind = OP_INCR,
                       .key = slice_from_string(key),
                       .incr.by_real = &number,
                       .incr.is_real = true};
}

static void assert_held(struct keyspace_fixture *fixture, const char *key, const char *text,
                        int64_t expire_at_ms)
{
    const struct entry *entry = keyspace_find(fixture, key);
    assert_non_null(entry);
    assert_slice_is(entry_string(entry), text);
    assert_int_equal(entry_version(entry), fixture->revision);
    assert_int_equal(entry_expire_at_ms(entry), expire_at_ms);
}

static void assert_counted(struct keyspace_fixture *fixture, const char *key, int64_t by,
                           int64_t sum)
{
    uint64_t revision = fixture->revision;
    const struct op_result *result = keyspace_apply(fixture, incr_op(key, by));
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->ok);
    assert_true(result->integer == sum);
    assert_true(result->real == (double)sum);
    assert_int_equal(result->version, revision + 1);
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)sum);
    assert_slice_is(result->value.bytes, text);
    assert_held(fixture, key, text, 0);
}

static void assert_added(struct keyspace_fixture *fixture, const char *key, long double by,
                         const char *sum)
{
    uint64_t revision = fixture->revision;
    const struct op_result *result = keyspace_apply(fixture, incr_real_op(key, by));
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->ok);
    assert_true(result->real == strtod(sum, NULL));
    assert_slice_is(result->value.bytes, sum);
    assert_int_equal(result->version, revision + 1);
    assert_held(fixture, key, sum, 0);
}

static const struct op *newest_change(struct keyspace_fixture *fixture)
{
    return &fixture->changes[fixture->change_count - 1].op;
}

/* ---- integers ---- */

static void test_no_key_counts_from_zero(void **state)
{
    struct keyspace_fixture *fixture = *state;
    assert_counted(fixture, "key", 1, 1);
    assert_counted(fixture, "key", 1, 2);
    assert_counted(fixture, "key", -5, -3);
    assert_counted(fixture, "key", 0, -3);
    assert_counted(fixture, "zero", 0, 0);
    assert_counted(fixture, "least", INT64_MIN, INT64_MIN);
}

static void test_counting_goes_to_the_limits_and_not_beyond(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "key", "9223372036854775806");
    assert_counted(fixture, "key", 1, INT64_MAX);
    keyspace_assert_fails(fixture, incr_op("key", 1), ERR_OUT_OF_RANGE);
    keyspace_assert_fails(fixture, incr_op("key", INT64_MAX), ERR_OUT_OF_RANGE);
    assert_counted(fixture, "key", INT64_MIN, -1);
    keyspace_assert_fails(fixture, incr_op("key", INT64_MIN), ERR_OUT_OF_RANGE);
    assert_counted(fixture, "key", -INT64_MAX, INT64_MIN);
    keyspace_assert_fails(fixture, incr_op("key", -1), ERR_OUT_OF_RANGE);
}

static void test_other_strings_are_not_counted(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const char *const texts[] = {"", "a", "1.0", " 1", "9223372036854775808"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        keyspace_put_string(fixture, "key", texts[i]);
        keyspace_assert_fails(fixture, incr_op("key", 1), ERR_NOT_A_NUMBER);
        assert_held(fixture, "key", texts[i], 0);
    }
    keyspace_apply(
        fixture,
        (struct op){.kind = OP_SET, .key = SLICE_LITERAL("key"), .value = keyspace_long_bytes(0)});
    keyspace_assert_fails(fixture, incr_op("key", 1), ERR_NOT_A_NUMBER);
    keyspace_assert_fails(fixture, incr_real_op("key", 1), ERR_NOT_A_NUMBER);
}

static void test_lists_are_not_counted(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_list(fixture, "list", 2);
    uint64_t revision = fixture->revision;
    keyspace_apply(fixture, incr_op("list", 1));
    assert_wrong_type(fixture, revision, "holds a list");
    keyspace_apply(fixture, incr_real_op("list", 1));
    assert_wrong_type(fixture, revision, "holds a list");
    assert_list_is(fixture, "list", "0 1");
}

static void test_only_a_new_key_gets_the_deadline(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op op = incr_op("key", 5);
    op.expire_at_ms = LATER_MS;
    keyspace_apply(fixture, op);
    assert_held(fixture, "key", "5", LATER_MS);
    assert_int_equal(newest_change(fixture)->kind, OP_EXPIRE);
    assert_int_equal(newest_change(fixture)->expire_at_ms, LATER_MS);
    assert_int_equal(fixture->changes[fixture->change_count - 2].op.kind, OP_INCR);
    op.expire_at_ms = LATER_MS + 1;
    keyspace_apply(fixture, op);
    assert_held(fixture, "key", "10", LATER_MS);
    assert_int_equal(newest_change(fixture)->kind, OP_INCR);
    assert_int_equal(newest_change(fixture)->incr.by, 5);
    keyspace_put_string(fixture, "lasting", "1");
    op.key = SLICE_LITERAL("lasting");
    keyspace_apply(fixture, op);
    assert_held(fixture, "lasting", "6", 0);
}

static void test_an_expired_number_counts_from_zero(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op op = incr_op("key", 5);
    op.expire_at_ms = LATER_MS;
    keyspace_apply(fixture, op);
    fixture->now_ms = LATER_MS;
    assert_counted(fixture, "key", 1, 1);
    op.key = SLICE_LITERAL("other");
    keyspace_apply(fixture, op); /* its deadline has passed */
    assert_int_equal(fixture->result.integer, 5);
    assert_int_equal(fixture->result.version, 0);
    assert_null(keyspace_find(fixture, "other"));
}

/* ---- reals ---- */

static void test_tenths_are_tenths(void **state)
{
    struct keyspace_fixture *fixture = *state;
    assert_added(fixture, "key", 0.1L, "0.1");
    assert_added(fixture, "key", 0.2L, "0.3");
    assert_added(fixture, "key", 1e-17L, "0.30000000000000001");
    assert_added(fixture, "key", -1e-17L, "0.3");
    assert_added(fixture, "key", 41.7L, "42");
    assert_counted(fixture, "key", 1, 43);
    assert_added(fixture, "key", -43, "0");
    assert_added(fixture, "key", -1e-30L, "0");
}

static void test_reals_as_redis_reads_them(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "key", "5.0e3");
    assert_added(fixture, "key", 200, "5200");
    keyspace_put_string(fixture, "key", "0x10");
    assert_added(fixture, "key", 1, "17");
    keyspace_put_string(fixture, "key", "+1");
    assert_added(fixture, "key", 1, "2");
    keyspace_put_string(fixture, "key", "-0");
    assert_added(fixture, "key", 0, "0");
    keyspace_put_string(fixture, "key", "3.0");
    assert_added(fixture, "key", 1.5, "4.5");
}

static void test_a_large_real_keeps_all_digits(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "key", "0.3");
    keyspace_apply(fixture, incr_real_op("key", 1e300L));
    assert_int_equal(fixture->result.err, ERR_NONE);
    assert_true(fixture->result.real == 1e300);
    assert_int_equal(fixture->result.integer, 0); /* it does not fit */
    struct slice text = entry_string(keyspace_find(fixture, "key"));
    assert_int_equal(text.len, 301);
    assert_memory_equal(text.data, "100000000000000000000899", 24);
}

static void test_large_whole_numbers_are_exact(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "key", "9223372036854775808");
    assert_added(fixture, "key", -0x1p63L, "0");
    assert_added(fixture, "fresh", 0x1p56L, "72057594037927936");
    assert_added(fixture, "odd", 9007199254740993.0L, "9007199254740993");
    keyspace_put_string(fixture, "key", "12345678901234567.5");
    assert_added(fixture, "key", 1, "12345678901234568.5");
}

static void test_the_integer_part_is_answered_too(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const struct {
        const char *text;
        double by;
        int64_t integer;
    } rows[] = {{"1.75", 1, 2},
                {"-1.75", 0, -1},
                {"0.99999999999999999", 0, 0},
                {"0.999999999999999999", 0, 1}, /* rounded like its text */
                {"9223372036854775807", 0, INT64_MAX},
                {"9223372036854775808", 0, 0},
                {"-9223372036854775808", 0, INT64_MIN},
                {"-9223372036854775810", 0, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        keyspace_put_string(fixture, "key", rows[i].text);
        keyspace_apply(fixture, incr_real_op("key", rows[i].by));
        assert_int_equal(fixture->result.err, ERR_NONE);
        assert_true(fixture->result.integer == rows[i].integer);
    }
}

static void test_what_is_not_finite_is_refused(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "key", "1");
    keyspace_assert_fails(fixture, incr_real_op("key", HUGE_VAL), ERR_OUT_OF_RANGE);
    keyspace_assert_fails(fixture, incr_real_op("key", -HUGE_VAL), ERR_OUT_OF_RANGE);
    keyspace_assert_fails(fixture, incr_real_op("key", NAN), ERR_OUT_OF_RANGE);
    keyspace_assert_fails(fixture, incr_real_op("none", NAN), ERR_OUT_OF_RANGE);
    keyspace_put_string(fixture, "key", "inf");
    keyspace_assert_fails(fixture, incr_real_op("key", 1), ERR_OUT_OF_RANGE);
    static const char *const texts[] = {"", "nan", "1 ", "one", "1e5000", "1e-5000"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        keyspace_put_string(fixture, "key", texts[i]);
        keyspace_assert_fails(fixture, incr_real_op("key", 1), ERR_NOT_A_NUMBER);
    }
}

static void test_a_real_keeps_its_deadline(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op op = incr_real_op("key", 0.5);
    op.expire_at_ms = LATER_MS;
    keyspace_apply(fixture, op);
    assert_held(fixture, "key", "0.5", LATER_MS);
    assert_int_equal(newest_change(fixture)->kind, OP_SET);
    assert_int_equal(newest_change(fixture)->expire_at_ms, LATER_MS);
    op.expire_at_ms = LATER_MS + 1;
    keyspace_apply(fixture, op);
    assert_held(fixture, "key", "1", LATER_MS);
    assert_true(newest_change(fixture)->set.keep_ttl);
    assert_int_equal(newest_change(fixture)->expire_at_ms, 0);
    assert_slice_is(newest_change(fixture)->value, "1");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_key_counts_from_zero),
        TEST(test_counting_goes_to_the_limits_and_not_beyond),
        TEST(test_other_strings_are_not_counted),
        TEST(test_lists_are_not_counted),
        TEST(test_only_a_new_key_gets_the_deadline),
        TEST(test_an_expired_number_counts_from_zero),
        TEST(test_tenths_are_tenths),
        TEST(test_reals_as_redis_reads_them),
        TEST(test_a_large_real_keeps_all_digits),
        TEST(test_large_whole_numbers_are_exact),
        TEST(test_the_integer_part_is_answered_too),
        TEST(test_what_is_not_finite_is_refused),
        TEST(test_a_real_keeps_its_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
