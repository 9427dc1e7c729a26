/* Tests of base/account.c: what is counted, and what may still be allocated. */
#include "base/account.h"

#include "base/reserve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/addresses.h"

#define MIB ((size_t)1024 * 1024)

static int begin(void **state)
{
    (void)state;
    account_set_limit(40 * MIB);
    return 0;
}

static int end(void **state)
{
    (void)state;
    account_set_limit(SIZE_MAX);
    assert_int_equal(account_used(), 0);
    return 0;
}

static void test_all_that_is_counted_is_added_up(void **state)
{
    (void)state;
    account_count(ACCOUNT_CLIENTS, (ptrdiff_t)MIB);
    account_count_queued(5);
    assert_int_equal(account_used(), MIB + 5);
    assert_int_equal(account_queued(), 5);
    account_count(ACCOUNT_CLIENTS, -(ptrdiff_t)MIB);
    account_count_queued(-5);
}

static void test_half_of_the_limit_is_tight(void **state)
{
    (void)state;
    account_count(ACCOUNT_CLIENTS, (ptrdiff_t)(20 * MIB));
    assert_false(account_is_tight());
    account_count_queued(1);
    assert_true(account_is_tight());
    account_count_queued(-1);
    account_count(ACCOUNT_CLIENTS, -(ptrdiff_t)(20 * MIB));
}

static void test_the_limit_is_for_large_blocks_of_several(void **state)
{
    (void)state;
    account_count(ACCOUNT_CLIENTS, (ptrdiff_t)(30 * MIB));
    assert_true(account_allows(10 * MIB, 0));
    assert_false(account_allows(10 * MIB + 1, 0));
    assert_true(account_allows(ACCOUNT_LEAST - 1, 0));
    account_count(ACCOUNT_CLIENTS, (ptrdiff_t)(20 * MIB));
    assert_false(account_allows(ACCOUNT_LEAST, 0));
    assert_true(account_allows(ACCOUNT_LEAST - 1, 0));
    account_count(ACCOUNT_CLIENTS, -(ptrdiff_t)(50 * MIB));
}

static void test_one_request_is_served_whatever_the_limit(void **state)
{
    (void)state;
    assert_true(account_allows(100 * MIB, 0));
    account_count(ACCOUNT_CLIENTS, (ptrdiff_t)(100 * MIB));
    assert_true(account_allows(28 * MIB, 100 * MIB));
    assert_true(account_allows(28 * MIB, 90 * MIB));
    assert_false(account_allows(28 * MIB, 89 * MIB));
    account_count(ACCOUNT_CLIENTS, -(ptrdiff_t)(100 * MIB));
}

static void test_what_a_client_fills_may_grow(void **state)
{
    (void)state;
    const char *why = NULL;
    account_set_limit(40 * MIB);
    account_count(ACCOUNT_CLIENTS, (ptrdiff_t)(41 * MIB));
    assert_true(account_may_grow(0, ACCOUNT_LEAST - 1, &why)); /* a small one */
    assert_true(account_may_grow(MIB, MIB, &why));             /* it has not grown */
    assert_true(account_may_grow(0, 35 * MIB, &why));          /* the others hold little */
    assert_false(account_may_grow(0, MIB, &why));
    assert_ptr_equal(why, account_full);
    account_count(ACCOUNT_CLIENTS, -(ptrdiff_t)(41 * MIB));
    account_set_limit(SIZE_MAX);
}

static void test_a_broken_reserve_is_tight(void **state)
{
    (void)state;
    const char *why = NULL;
    unsigned seen = 0;
    if (!ADDRESSES_ARE_LIMITABLE)
        skip();
    assert_true(reserve_take());
    assert_false(account_is_tight());
    leave_addresses(MIB);
    while (!reserve_is_broken())
        assert_true(reserve_break(&seen));
    leave_addresses(MIB);
    assert_true(account_is_tight());
    assert_false(account_may_grow(0, MIB, &why));
    assert_ptr_equal(why, account_starved);
    assert_true(account_may_grow(0, ACCOUNT_LEAST - 1, &why));
    leave_addresses(SIZE_MAX);
    assert_true(account_may_grow(0, MIB, &why)); /* this takes the reserve again */
    assert_false(account_is_tight());
}

static void test_what_is_reserved_counts_for_the_next_one(void **state)
{
    (void)state;
    assert_true(account_reserve(25 * MIB, 0));
    assert_int_equal(account_used(), 25 * MIB);
    assert_false(account_reserve(16 * MIB, 0));
    assert_int_equal(account_used(), 25 * MIB); /* a refused one is not counted */
    assert_true(account_reserve(15 * MIB, 0));
    assert_true(account_reserve(MIB, 30 * MIB)); /* the others hold a quarter */
    account_count(ACCOUNT_CLIENTS, -(ptrdiff_t)(41 * MIB));
}

static void test_the_journal_does_not_count_for_clients(void **state)
{
    (void)state;
    account_count(ACCOUNT_JOURNAL, (ptrdiff_t)(100 * MIB));
    assert_int_equal(account_journal(), 100 * MIB);
    assert_int_equal(account_used(), 0);
    assert_false(account_is_tight());
    account_count(ACCOUNT_JOURNAL, -(ptrdiff_t)(100 * MIB));
    assert_int_equal(account_journal(), 0);
}

static void test_one_request_unfolds_into_half_of_the_limit(void **state)
{
    (void)state;
    assert_int_equal(account_most_unfolded(), 20 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_is_counted_is_added_up),
        cmocka_unit_test(test_half_of_the_limit_is_tight),
        cmocka_unit_test(test_the_limit_is_for_large_blocks_of_several),
        cmocka_unit_test(test_one_request_is_served_whatever_the_limit),
        cmocka_unit_test(test_what_is_reserved_counts_for_the_next_one),
        cmocka_unit_test(test_the_journal_does_not_count_for_clients),
        cmocka_unit_test(test_one_request_unfolds_into_half_of_the_limit),
        cmocka_unit_test(test_what_a_client_fills_may_grow),
        cmocka_unit_test(test_a_broken_reserve_is_tight),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
