/* Tests of base/reserve.c, under a limit of addresses. */
#include "base/reserve.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

/* A sanitizer takes addresses without end. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

/* Sets the limit to so many bytes more than are in use. */
static void leave_addresses(size_t more)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = more == SIZE_MAX ? limit.rlim_max : pages * 4096 + more;
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
}

static void test_there_is_none_at_first(void **state)
{
    (void)state;
    assert_false(reserve_break());
    assert_false(reserve_is_broken());
}

static void test_it_is_broken_once_and_taken_again(void **state)
{
    (void)state;
    assert_true(reserve_take());
    assert_true(reserve_take());
    assert_true(reserve_break());
    assert_true(reserve_is_broken());
    assert_false(reserve_break());
    assert_true(reserve_take());
    assert_false(reserve_is_broken());
}

static void test_an_allocation_that_fails_breaks_it(void **state)
{
    (void)state;
    const size_t size = RESERVE_BYTES / 2;
    if (IS_SANITIZED)
        skip();
    assert_true(reserve_take());
    leave_addresses(16 * 1024 * 1024);
    uint8_t *large = mem_take(ACCOUNT_CLIENTS, size);
    assert_true(reserve_is_broken());
    memset(large, 1, size);
    assert_false(reserve_take()); /* there is no room for both */
    mem_give(ACCOUNT_CLIENTS, large, size);
    assert_true(reserve_take());
    assert_false(reserve_is_broken());
    void *usual = mem_alloc(size);
    assert_true(reserve_is_broken());
    free(usual);
    leave_addresses(SIZE_MAX);
    assert_true(reserve_take());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_is_none_at_first),
        cmocka_unit_test(test_it_is_broken_once_and_taken_again),
        cmocka_unit_test(test_an_allocation_that_fails_breaks_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
