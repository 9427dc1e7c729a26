/* Tests of journal/left_out.c. */
#include "journal/left_out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct slice name(char text[static 20], int i)
{
    return slice_make(text, (size_t)snprintf(text, 20, "key%d", i));
}

static void test_keys_come_and_go(void **state)
{
    (void)state;
    struct left_out keys = {0};
    char text[20];
    for (int i = 0; i < 1000; i++)
        left_out_add(&keys, (uint32_t)(i % 2), name(text, i));
    left_out_add(&keys, 0, name(text, 0));
    assert_int_equal(keys.count, 1000);
    left_out_swap(&keys, 0, 5);
    assert_true(left_out_has(&keys, 5, name(text, 2)));
    assert_false(left_out_has(&keys, 0, name(text, 2)));
    left_out_remove(&keys, 5, name(text, 2));
    assert_false(left_out_has(&keys, 5, name(text, 2)));
    left_out_clear(&keys, 1);
    assert_int_equal(keys.count, 499);
    assert_true(left_out_has(&keys, 0, SLICE_LITERAL("")));
    left_out_deinit(&keys);
    assert_int_equal(keys.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys_come_and_go)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
