/* Tests of base/shortage.c. */
#include "base/shortage.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_each_limit_is_named(void **state)
{
    (void)state;
    assert_non_null(strstr(shortage_advice(EMFILE), "(ulimit -n)"));
    assert_non_null(strstr(shortage_advice(-EMFILE), "(ulimit -n)"));
    assert_non_null(strstr(shortage_advice(ENFILE), "fs.file-max"));
    assert_non_null(strstr(shortage_advice(EAGAIN), "(ulimit -u)"));
    assert_non_null(strstr(shortage_advice(-ENOMEM), "(ulimit -v"));
}

static void test_there_is_none_for_others(void **state)
{
    (void)state;
    assert_string_equal(shortage_advice(0), "");
    assert_string_equal(shortage_advice(-EACCES), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_limit_is_named),
        cmocka_unit_test(test_there_is_none_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
