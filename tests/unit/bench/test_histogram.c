/* Tests of bench/histogram.c: every percentile against the sorted values, and the edges. */
#include "bench/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/seeded.h"

#define VALUES 20000

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static struct histogram *new_histogram(void)
{
    struct histogram *histogram = calloc(1, sizeof *histogram);
    assert_non_null(histogram);
    return histogram;
}

static void test_every_bucket_follows_the_one_before(void **state)
{
    (void)state;
    uint64_t next = 0; /* the first value that no bucket has had */
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t upper = histogram_upper(i);
        assert_int_equal(histogram_index(next), i);
        assert_int_equal(histogram_index(upper), i);
        assert_true(upper - next <= next / 100); /* at most 1 % wide */
        next = upper + 1;
    }
    assert_int_equal(next, HISTOGRAM_MAX + 1);
}

static void test_percentiles_are_those_of_the_sorted_values(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    uint64_t *values = calloc(VALUES, sizeof *values);
    struct histogram *histogram = new_histogram();
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = (((uint64_t)seeded_next(&random) << 10) >> seeded_below(&random, 42)) + i % 3;
        histogram_record(histogram, values[i]);
    }
    qsort(values, VALUES, sizeof *values, compare);
    for (int permille = 0; permille <= 1000; permille++) {
        size_t rank = (size_t)permille * VALUES / 1000;
        uint64_t exact = values[rank == 0 ? 0 : rank - 1];
        uint64_t told = histogram_percentile(histogram, permille / 10.0);
        assert_in_range(told, exact, exact + exact / 100);
    }
    assert_int_equal(histogram->max, values[VALUES - 1]);
    assert_int_equal(histogram->count, VALUES);
    free(values);
    free(histogram);
}

static void test_merging_is_as_recording_both(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct histogram *both = new_histogram();
    struct histogram *one = new_histogram();
    struct histogram *other = new_histogram();
    for (int i = 0; i < 1000; i++) {
        uint64_t value = seeded_next(&random);
        histogram_record(both, value);
        histogram_record(i % 3 == 0 ? one : other, value);
    }
    histogram_merge(one, other);
    assert_memory_equal(one, both, sizeof *both);
    free(both);
    free(one);
    free(other);
}

static void test_empty_one_has_zero_percentiles(void **state)
{
    (void)state;
    struct histogram *histogram = new_histogram();
    assert_int_equal(histogram_percentile(histogram, 50), 0);
    assert_int_equal(histogram_percentile(histogram, 100), 0);
    free(histogram);
}

static void test_too_large_values_count_as_the_largest(void **state)
{
    (void)state;
    struct histogram *histogram = new_histogram();
    histogram_record(histogram, UINT64_MAX);
    assert_int_equal(histogram->max, HISTOGRAM_MAX);
    assert_int_equal(histogram_percentile(histogram, 50), HISTOGRAM_MAX);
    free(histogram);
}

static void test_a_percentile_is_never_above_the_maximum(void **state)
{
    (void)state;
    struct histogram *histogram = new_histogram();
    histogram_record(histogram, 1000001); /* its bucket ends above it */
    assert_int_equal(histogram_percentile(histogram, 99.9), 1000001);
    free(histogram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_bucket_follows_the_one_before),
        cmocka_unit_test(test_percentiles_are_those_of_the_sorted_values),
        cmocka_unit_test(test_merging_is_as_recording_both),
        cmocka_unit_test(test_empty_one_has_zero_percentiles),
        cmocka_unit_test(test_too_large_values_count_as_the_largest),
        cmocka_unit_test(test_a_percentile_is_never_above_the_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
