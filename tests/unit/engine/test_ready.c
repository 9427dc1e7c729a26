/* Tests of engine/ready.c: waiters come out in the order in which they were notified, once each. */
#include "engine/ready.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_each_comes_out_once_in_order(void **state)
{
    (void)state;
    struct ready ready = {0};
    struct engine_waiter waiters[4] = {0};
    assert_null(ready_take(&ready));
    for (size_t i = 0; i < 4; i++)
        ready_add(&ready, &waiters[i]);
    ready_add(&ready, &waiters[0]);
    ready_remove(&ready, &waiters[1]);
    ready_remove(&ready, &waiters[1]);
    ready_remove(&ready, &waiters[3]);
    assert_ptr_equal(ready_take(&ready), &waiters[0]);
    ready_add(&ready, &waiters[0]);
    assert_ptr_equal(ready_take(&ready), &waiters[2]);
    assert_ptr_equal(ready_take(&ready), &waiters[0]);
    assert_null(ready_take(&ready));
}

/* Also for one that is in the list already: the worker may not have been woken for it. */
static void test_news_are_told_once(void **state)
{
    (void)state;
    struct ready ready = {0};
    struct engine_waiter waiter = {0};
    assert_false(ready_take_news(&ready));
    for (int i = 0; i < 2; i++) {
        ready_add(&ready, &waiter);
        assert_true(ready_take_news(&ready));
        assert_false(ready_take_news(&ready));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_comes_out_once_in_order),
        cmocka_unit_test(test_news_are_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
