/* Tests of base/seldom.c: when a line is due, and what it stands for. */
#include "base/seldom.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_the_first_is_told_at_once(void **state)
{
    (void)state;
    struct seldom seldom = {0};
    uint64_t told = 0;
    assert_true(seldom_note(&seldom, 5, 1, &told));
    assert_int_equal(told, 1);
}

static void test_the_others_are_told_together(void **state)
{
    (void)state;
    struct seldom seldom = {0};
    uint64_t told = 0;
    assert_true(seldom_note(&seldom, 5, 3, &told));
    assert_int_equal(told, 3);
    for (int64_t ms = 5; ms < 5 + SELDOM_MS; ms += SELDOM_MS / 10)
        assert_false(seldom_note(&seldom, ms, 2, &told));
    assert_true(seldom_note(&seldom, 5 + SELDOM_MS, 1, &told));
    assert_int_equal(told, 21);
    assert_false(seldom_note(&seldom, 6 + SELDOM_MS, 1, &told));
    assert_true(seldom_note(&seldom, 5 + 3 * SELDOM_MS, 1, &told));
    assert_int_equal(told, 2);
}

/* So that the last ones are told, too, whoever asks now and then. */
static void test_what_was_left_out_is_told_later(void **state)
{
    (void)state;
    struct seldom seldom = {0};
    uint64_t told = 0;
    assert_false(seldom_note(&seldom, 5, 0, &told));
    assert_true(seldom_note(&seldom, 5, 1, &told));
    assert_false(seldom_note(&seldom, 6, 4, &told));
    assert_false(seldom_note(&seldom, 7, 0, &told));
    assert_true(seldom_note(&seldom, 5 + SELDOM_MS, 0, &told));
    assert_int_equal(told, 4);
    assert_false(seldom_note(&seldom, 5 + 2 * SELDOM_MS, 0, &told));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_is_told_at_once),
        cmocka_unit_test(test_the_others_are_told_together),
        cmocka_unit_test(test_what_was_left_out_is_told_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
