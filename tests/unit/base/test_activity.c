/* Tests of base/activity.c: who counts as busy, when the listener is notified, and the bound. */
#include "base/activity.h"

#include "base/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void on_idle(void *user)
{
    atomic_uint *idles = user;
    atomic_fetch_add(idles, 1);
}

static void the_listener_is_notified_of_each(void **state)
{
    (void)state;
    struct activity activity;
    struct activity_worker one, other;
    atomic_uint idles = 0;
    activity_init(&activity, INT64_MAX);
    activity_worker_init(&one, &activity);
    activity_worker_init(&other, &activity);
    activity_listen(&activity, on_idle, &idles);
    assert_false(activity_is_anybody_busy(&activity));
    activity_mark_busy(&one);
    activity_mark_busy(&one); /* a no-op */
    activity_mark_busy(&other);
    activity_mark_idle(&one);
    assert_int_equal(idles, 1);
    assert_true(activity_is_anybody_busy(&activity));
    activity_mark_idle(&one); /* a no-op */
    activity_mark_idle(&other);
    assert_int_equal(idles, 2);
    assert_false(activity_is_anybody_busy(&activity));
}

static void without_a_listener_nobody_becomes_busy(void **state)
{
    (void)state;
    struct activity activity;
    struct activity_worker worker;
    atomic_uint idles = 0;
    activity_init(&activity, INT64_MAX);
    activity_worker_init(&worker, &activity);
    activity_mark_busy(&worker);
    assert_false(worker.is_busy);
    assert_false(activity_is_anybody_busy(&activity));
    activity_listen(&activity, on_idle, &idles);
    activity_mark_busy(&worker);
    assert_true(worker.is_busy);
    activity_stop_listening(&activity);
    activity_mark_idle(&worker); /* is counted, and nobody hears of it */
    assert_false(activity_is_anybody_busy(&activity));
    assert_int_equal(idles, 0);
    activity_listen(&activity, on_idle, &idles);
    activity_mark_busy(&worker);
    activity_mark_idle(&worker);
    assert_int_equal(idles, 1);
}

/* The time starts with the first look at it, and anew when it is busy again. */
static void the_bound_makes_a_worker_idle(void **state)
{
    (void)state;
    struct activity activity;
    struct activity_worker worker;
    atomic_uint idles = 0;
    activity_init(&activity, 1000);
    activity_worker_init(&worker, &activity);
    activity_listen(&activity, on_idle, &idles);
    activity_limit(&worker); /* is not busy */
    for (unsigned round = 1; round <= 3; round++) {
        activity_mark_busy(&worker);
        assert_int_equal(worker.since_us, 0);
        int64_t before_us = clock_monotonic_us();
        while (worker.is_busy)
            activity_limit(&worker);
        assert_true(clock_monotonic_us() - before_us >= 1000);
        assert_int_equal(idles, round);
    }
    activity_init(&activity, INT64_MAX);
    activity_listen(&activity, on_idle, &idles);
    activity_mark_busy(&worker);
    for (unsigned i = 0; i < 1000; i++)
        activity_limit(&worker);
    assert_true(worker.is_busy);
}

#define ROUNDS 10000

static void *be_busy_often(void *user)
{
    struct activity_worker *worker = user;
    for (unsigned i = 0; i < ROUNDS; i++) {
        activity_mark_busy(worker);
        assert_true(activity_is_anybody_busy(worker->activity));
        activity_mark_idle(worker);
    }
    return NULL;
}

static void workers_are_counted_across_threads(void **state)
{
    (void)state;
    struct activity activity;
    struct activity_worker workers[4];
    pthread_t threads[4];
    atomic_uint idles = 0;
    activity_init(&activity, INT64_MAX);
    activity_listen(&activity, on_idle, &idles);
    for (size_t i = 0; i < 4; i++) {
        activity_worker_init(&workers[i], &activity);
        assert_int_equal(pthread_create(&threads[i], NULL, be_busy_often, &workers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(idles, 4 * ROUNDS);
    assert_false(activity_is_anybody_busy(&activity));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_listener_is_notified_of_each),
        cmocka_unit_test(without_a_listener_nobody_becomes_busy),
        cmocka_unit_test(the_bound_makes_a_worker_idle),
        cmocka_unit_test(workers_are_counted_across_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
