/* Tests of service/latency.c: percentiles of histograms. tests/e2e/test_observe.py has the RPC. */
#include "service/latency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "grpc/metering.h"
#include "service/service_options.h"

static void assert_near(double value, double wanted)
{
    assert_true(value > wanted - 0.01 && value < wanted + 0.01);
}

static void test_percentiles_are_within_their_buckets(void **state)
{
    (void)state;
    struct meter_method sum = {.max_ns = 40000};
    assert_near(latency_percentile(&sum, 0.5), 0);
    sum.buckets[0] = 10; /* up to 10 us */
    sum.buckets[1] = 80; /* 10 to 20 */
    sum.buckets[2] = 10; /* 20 to 50, the longest 40 */
    assert_near(latency_percentile(&sum, 0.05), 5);
    assert_near(latency_percentile(&sum, 0.1), 10);
    assert_near(latency_percentile(&sum, 0.5), 15);
    assert_near(latency_percentile(&sum, 0.9), 20);
    assert_near(latency_percentile(&sum, 0.95), 30);
    assert_near(latency_percentile(&sum, 1), 40);
}

static void test_the_longest_limits_all(void **state)
{
    (void)state;
    struct meter_method sum = {.max_ns = 3000};
    sum.buckets[0] = 1;
    assert_near(latency_percentile(&sum, 0.99), 2.97);
    sum.buckets[METER_BUCKETS - 1] = 99;
    sum.max_ns = 9000000000;
    assert_near(latency_percentile(&sum, 1), 9000000);
    assert_true(latency_percentile(&sum, 0.5) > 5000000);
}

static void test_workers_add_up(void **state)
{
    (void)state;
    struct meter *one = meter_new(2), *other = meter_new(2);
    const struct meter *const all[] = {one, other};
    const struct service_meters meters = {all, 2};
    meter_add(&one->rows[1].started, 3);
    meter_add(&other->rows[1].started, 4);
    meter_add(&other->rows[0].started, 100);
    atomic_store(&one->rows[1].max_ns, 5);
    atomic_store(&other->rows[1].max_ns, 2);
    assert_int_equal(latency_sum(&meters, 1).started, 7);
    assert_int_equal(latency_sum(&meters, 1).max_ns, 5);
    assert_int_equal(latency_sum(NULL, 1).started, 0);
    free(one);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percentiles_are_within_their_buckets),
        cmocka_unit_test(test_the_longest_limits_all),
        cmocka_unit_test(test_workers_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
