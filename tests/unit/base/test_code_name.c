/* Tests of base/code_name.h. */
#include "base/code_name.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_the_first_and_the_last(void **state)
{
    (void)state;
    assert_string_equal(code_name(0), "OK");
    assert_string_equal(code_name(5), "NOT_FOUND");
    assert_string_equal(code_name(16), "UNAUTHENTICATED");
    assert_null(code_name(17));
    assert_null(code_name(UINT_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_first_and_the_last)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
