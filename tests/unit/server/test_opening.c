/* Tests of server/opening.c: who waits, for how long, and what ends it. */
#include "server/opening.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LONG_MS (3600 * (int64_t)1000)

static void test_waits_as_long_as_it_is_closed(void **state)
{
    (void)state;
    static const int64_t waits_ms[] = {0, 1, 20, 1000};
    struct opening opening;
    opening_init(&opening);
    for (size_t i = 0; i < sizeof waits_ms / sizeof waits_ms[0]; i++) {
        int64_t began_ms = clock_monotonic_ms();
        assert_false(opening_wait(&opening, waits_ms[i]));
        assert_true(clock_monotonic_ms() - began_ms >= waits_ms[i]);
    }
    opening_deinit(&opening);
}

static void test_nobody_waits_when_it_is_open(void **state)
{
    (void)state;
    struct opening opening;
    opening_init(&opening);
    opening_open(&opening);
    opening_open(&opening);
    assert_true(opening_wait(&opening, 0));
    assert_true(opening_wait(&opening, LONG_MS));
    opening_deinit(&opening);
}

static void *wait_long(void *opening)
{
    return opening_wait(opening, LONG_MS) ? opening : NULL;
}

static void test_all_who_wait_are_woken(void **state)
{
    (void)state;
    struct opening opening;
    pthread_t threads[4];
    opening_init(&opening);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_long, &opening), 0);
    opening_open(&opening);
    for (int i = 0; i < 4; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &opening);
    }
    opening_deinit(&opening);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_as_long_as_it_is_closed),
        cmocka_unit_test(test_nobody_waits_when_it_is_open),
        cmocka_unit_test(test_all_who_wait_are_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
