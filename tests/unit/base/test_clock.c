/* Tests of base/clock.c: units, and that time passes. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static void test_unix_time_agrees_with_the_c_library(void **state)
{
    (void)state;
    int64_t earliest_ms = (int64_t)time(NULL) * 1000;
    int64_t now_ms = clock_unix_ms();
    /* time() may lag the finer clock by some milliseconds and drops the rest of the second. */
    assert_in_range(now_ms, earliest_ms - 1000, earliest_ms + 10000);
}

static void test_monotonic_never_goes_back(void **state)
{
    (void)state;
    int64_t last_ms = clock_monotonic_ms();
    for (int i = 0; i < 100000; i++) {
        int64_t now_ms = clock_monotonic_ms();
        assert_true(now_ms >= last_ms);
        last_ms = now_ms;
    }
}

/* The passing of time is what is tested, so the test waits for it. */
static void test_monotonic_counts_milliseconds(void **state)
{
    (void)state;
    struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    int64_t before_ms = clock_monotonic_ms();
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    /* Times are truncated to whole milliseconds; a busy machine may wake us late. */
    assert_in_range(clock_monotonic_ms() - before_ms, 49, 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unix_time_agrees_with_the_c_library),
        cmocka_unit_test(test_monotonic_never_goes_back),
        cmocka_unit_test(test_monotonic_counts_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
