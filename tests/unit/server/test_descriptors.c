/* Tests of server/descriptors.c: what is kept back for files. */
#include "server/descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static void set_limit(rlim_t soft)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = soft;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void test_what_is_open_is_not_for_connections(void **state)
{
    (void)state;
    set_limit(200);
    assert_int_equal(descriptors_limit(), 200);
    uint64_t before = descriptors_for_connections(1);
    assert_true(before > 100 && before < 190);
    int descriptor = dup(1);
    assert_int_equal(descriptors_for_connections(1), before - 1);
    close(descriptor);
    assert_true(descriptors_for_connections(8) <= before - 7);
}

static void test_there_may_be_none(void **state)
{
    (void)state;
    set_limit(15);
    assert_int_equal(descriptors_for_connections(1), 0);
}

static void test_the_limit_is_raised_to_the_most(void **state)
{
    (void)state;
    struct rlimit limit;
    set_limit(100);
    descriptors_raise_limit();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_cur, limit.rlim_max);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_open_is_not_for_connections),
        cmocka_unit_test(test_there_may_be_none),
        cmocka_unit_test(test_the_limit_is_raised_to_the_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
