/* Tests of engine/waiting.c: tasks come out in the order of what they have seen. */
#include "engine/waiting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/seeded.h"

#define TASKS 300

static void test_an_empty_list_gives_nothing(void **state)
{
    (void)state;
    struct waiting waiting = {0};
    assert_null(waiting_take(&waiting, UINT64_MAX));
}

static void test_only_what_is_durable_is_taken(void **state)
{
    (void)state;
    struct waiting waiting = {0};
    struct engine_task a = {.result = {.seen = 5}}, b = {.result = {.seen = 6}};
    waiting_add(&waiting, &b);
    waiting_add(&waiting, &a);
    assert_null(waiting_take(&waiting, 4));
    assert_ptr_equal(waiting_take(&waiting, 5), &a);
    assert_null(waiting_take(&waiting, 5));
    assert_ptr_equal(waiting_take(&waiting, 7), &b);
    assert_null(waiting_take(&waiting, 7));
}

static void test_equals_keep_their_order(void **state)
{
    (void)state;
    struct waiting waiting = {0};
    struct engine_task tasks[3] = {{.result = {.seen = 5}}, {.result = {.seen = 5}}};
    tasks[2].result.seen = 4;
    for (size_t i = 0; i < 3; i++)
        waiting_add(&waiting, &tasks[i]);
    assert_ptr_equal(waiting_take(&waiting, 5), &tasks[2]);
    assert_ptr_equal(waiting_take(&waiting, 5), &tasks[0]);
    assert_ptr_equal(waiting_take(&waiting, 5), &tasks[1]);
}

/* Adds, removes and takes at random. */
static void test_random_orders(void **state)
{
    (void)state;
    static struct engine_task tasks[TASKS];
    bool there[TASKS] = {0};
    uint64_t random = seeded_start(), last = 0;
    struct waiting waiting = {0};
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = seeded_below(&random, TASKS);
        if (!there[i]) {
            tasks[i].result.seen = last + seeded_below(&random, 50);
            waiting_add(&waiting, &tasks[i]);
            there[i] = true;
        } else if (seeded_below(&random, 3) == 0) {
            waiting_remove(&waiting, &tasks[i]);
            there[i] = false;
        }
        struct engine_task *task;
        while ((task = waiting_take(&waiting, last)) != NULL)
            there[task - tasks] = false;
        for (i = 0; i < TASKS; i++)
            assert_true(!there[i] || tasks[i].result.seen > last);
        last += seeded_below(&random, 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_list_gives_nothing),
        cmocka_unit_test(test_only_what_is_durable_is_taken),
        cmocka_unit_test(test_equals_keep_their_order),
        cmocka_unit_test(test_random_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
