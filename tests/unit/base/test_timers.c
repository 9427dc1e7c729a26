/* Tests of base/timers.c: timers are called once, in order of their times, and can be changed. */
#include "base/timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/seeded.h"

#define TIMERS 300

struct fixture {
    struct timers timers;
    int64_t alarm_ms; /* what the alarm was set to last */
    int64_t last_ms;
    size_t called;
};

struct own_timer {
    struct timer timer; /* first */
    struct fixture *fixture;
};

static void set_alarm(void *user, int64_t at_ms)
{
    ((struct fixture *)user)->alarm_ms = at_ms;
}

static void on_time(struct timer *timer)
{
    struct fixture *fixture = ((struct own_timer *)timer)->fixture;
    assert_int_equal(timer->place, 0);
    assert_true(timer->at_ms >= fixture->last_ms);
    fixture->last_ms = timer->at_ms;
    fixture->called++;
}

static void start(struct fixture *fixture)
{
    *fixture = (struct fixture){.alarm_ms = -1};
    timers_init(&fixture->timers, (struct alarm){set_alarm, fixture});
}

static void test_the_alarm_is_for_the_earliest(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    struct own_timer a = {{.on_time = on_time}, &fixture}, b = {{.on_time = on_time}, &fixture};
    assert_true(timers_run(&fixture.timers, 1000) == INT64_MAX);
    timers_set(&fixture.timers, &a.timer, 50);
    assert_int_equal(fixture.alarm_ms, 50);
    timers_set(&fixture.timers, &b.timer, 70);
    assert_int_equal(fixture.alarm_ms, 50);
    timers_set(&fixture.timers, &b.timer, 20);
    assert_int_equal(fixture.alarm_ms, 20);
    assert_int_equal(timers_run(&fixture.timers, 19), 20);
    assert_int_equal(fixture.called, 0);
    assert_int_equal(timers_run(&fixture.timers, 20), 50);
    assert_int_equal(fixture.called, 1);
    timers_clear(&fixture.timers, &b.timer); /* a no-op */
    timers_clear(&fixture.timers, &a.timer);
    assert_true(timers_run(&fixture.timers, 1000) == INT64_MAX);
    assert_int_equal(fixture.called, 1);
    timers_deinit(&fixture.timers);
}

static void test_random_times(void **state)
{
    (void)state;
    static struct own_timer timers[TIMERS];
    static bool is_set[TIMERS];
    struct fixture fixture;
    uint64_t random = seeded_start();
    size_t set = 0;
    start(&fixture);
    for (size_t i = 0; i < TIMERS; i++)
        timers[i] = (struct own_timer){{.on_time = on_time}, &fixture};
    for (int step = 0; step < 20000; step++) {
        size_t i = seeded_below(&random, TIMERS);
        is_set[i] = timers[i].timer.place != 0;
        if (seeded_below(&random, 3) > 0) {
            timers_set(&fixture.timers, &timers[i].timer, seeded_below(&random, 100000));
            set += !is_set[i];
        } else {
            timers_clear(&fixture.timers, &timers[i].timer);
            set -= is_set[i];
        }
        assert_int_equal(fixture.timers.count, set);
    }
    while (timers_run(&fixture.timers, 100000) != INT64_MAX)
        ;
    assert_int_equal(fixture.called, set);
    timers_deinit(&fixture.timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_alarm_is_for_the_earliest),
        cmocka_unit_test(test_random_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
