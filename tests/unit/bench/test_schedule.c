/* Tests of bench/schedule.c: even spacing without drift, and threads that share a schedule. */
#include "bench/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/seeded.h"

#define SECOND UINT64_C(1000000000)

static void test_calls_are_evenly_spaced_and_do_not_drift(void **state)
{
    (void)state;
    struct schedule schedule;
    schedule_init(&schedule, 5 * SECOND, 3, 0, 1);
    const uint64_t wanted[] = {0, 333333333, 666666666, SECOND, SECOND + 333333333};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        assert_int_equal(schedule_peek_ns(&schedule), 5 * SECOND + wanted[i]);
        schedule_advance(&schedule);
    }
    while (schedule.next < 3 * 86400)
        schedule_advance(&schedule);
    assert_int_equal(schedule_peek_ns(&schedule), (5 + 86400) * SECOND);
}

static void test_threads_share_the_calls_of_one_schedule(void **state)
{
    (void)state;
    struct schedule whole;
    struct schedule parts[3];
    schedule_init(&whole, 7, 700, 0, 1);
    for (uint32_t i = 0; i < 3; i++)
        schedule_init(&parts[i], 7, 700, i, 3);
    for (int call = 0; call < 1000; call++) {
        assert_int_equal(schedule_peek_ns(&parts[call % 3]), schedule_peek_ns(&whole));
        schedule_advance(&parts[call % 3]);
        schedule_advance(&whole);
    }
}

static void test_late_calls_keep_their_intended_time(void **state)
{
    (void)state;
    struct schedule schedule;
    schedule_init(&schedule, 0, 1000, 0, 1);
    uint64_t before = schedule_peek_ns(&schedule);
    assert_int_equal(schedule_count_before(&schedule, SECOND), 1000); /* nothing began for 1 s */
    assert_int_equal(schedule_peek_ns(&schedule), before);
}

static void test_counts_the_calls_that_walking_would_count(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int round = 0; round < 300; round++) {
        uint32_t threads = 1 + seeded_below(&random, 4);
        uint64_t rate = 1 + seeded_below(&random, 2000000);
        uint64_t start_ns = seeded_next(&random);
        uint64_t end_ns =
            start_ns + seeded_below(&random, 1000) * (SECOND / rate) + seeded_below(&random, 3);
        struct schedule schedule;
        schedule_init(&schedule, start_ns, rate, seeded_below(&random, threads), threads);
        for (uint32_t skipped = seeded_below(&random, 20); skipped > 0; skipped--)
            schedule_advance(&schedule);
        uint64_t told = schedule_count_before(&schedule, end_ns);
        uint64_t walked = 0;
        for (; schedule_peek_ns(&schedule) < end_ns; schedule_advance(&schedule))
            walked++;
        assert_int_equal(told, walked);
    }
}

/* A call that became due since the clock was last read must not wait for an event. */
static void test_waits_no_longer_than_until_the_next_call(void **state)
{
    (void)state;
    struct schedule schedule;
    schedule_init(&schedule, 1000, 1000, 0, 1);
    assert_int_equal(schedule_wait_ns(&schedule, 400, false, SECOND), 600);
    assert_int_equal(schedule_wait_ns(&schedule, 400, false, 100), 100);
    assert_int_equal(schedule_wait_ns(&schedule, 1000, false, SECOND), 0);
    assert_int_equal(schedule_wait_ns(&schedule, 5000, false, SECOND), 0);
    assert_int_equal(schedule_wait_ns(&schedule, 5000, true, SECOND), SECOND);
    assert_int_equal(schedule_wait_ns(&schedule, 400, true, SECOND), 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_are_evenly_spaced_and_do_not_drift),
        cmocka_unit_test(test_threads_share_the_calls_of_one_schedule),
        cmocka_unit_test(test_late_calls_keep_their_intended_time),
        cmocka_unit_test(test_waits_no_longer_than_until_the_next_call),
        cmocka_unit_test(test_counts_the_calls_that_walking_would_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
