/* Tests of base/reserve.c, under a limit on address space. */
#include "base/reserve.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addresses.h"

/* How often an allocation that always fails is retried. */
static unsigned count_attempts(void)
{
    unsigned seen = 0, attempts = 0;
    while (reserve_break(&seen))
        attempts++;
    return attempts;
}

static void test_there_is_none_at_first(void **state)
{
    (void)state;
    assert_int_equal(count_attempts(), 1); /* memory might have been released before the first
                                              call */
    assert_false(reserve_is_broken());
}

static void test_it_is_broken_once_and_taken_again(void **state)
{
    (void)state;
    assert_true(reserve_take());
    assert_true(reserve_take());
    assert_int_equal(count_attempts(), 2);
    assert_true(reserve_is_broken());
    assert_int_equal(count_attempts(), 1);
    assert_false(reserve_is_missing());
    assert_false(reserve_is_broken());
}

static void test_what_another_thread_broke_is_worth_an_attempt(void **state)
{
    (void)state;
    unsigned mine = 0, others = 0;
    assert_true(reserve_take());
    assert_true(reserve_break(&mine));
    assert_true(reserve_break(&others));
    assert_true(reserve_break(&others)); /* takes the reserve away */
    assert_true(reserve_is_broken());
    assert_true(reserve_break(&mine));
    assert_false(reserve_break(&mine));
    assert_true(reserve_take());
}

static void test_leases_are_broken_before_the_reserve(void **state)
{
    (void)state;
    struct reserve_lease leases[3] = {{0}};
    unsigned seen = 0;
    assert_true(reserve_take());
    for (size_t i = 0; i < 3; i++)
        assert_true(reserve_lease(&leases[i], RESERVE_LEASED));
    assert_true(reserve_lease(&leases[1], RESERVE_LEASED));
    assert_int_equal(leases[1].size, 2 * RESERVE_LEASED);
    reserve_release(&leases[0]);
    assert_true(reserve_break(&seen));
    assert_true(reserve_break(&seen) && reserve_break(&seen));
    assert_false(reserve_is_broken());
    assert_null(leases[1].memory);
    assert_null(leases[2].memory);
    assert_true(reserve_break(&seen));
    assert_true(reserve_is_broken());
    reserve_release(&leases[1]);
    reserve_release(&leases[2]);
    assert_true(reserve_take());
}

static void test_an_allocation_that_fails_breaks_it(void **state)
{
    (void)state;
    const size_t size = RESERVE_BYTES / 2;
    if (!ADDRESSES_ARE_LIMITABLE)
        skip();
    assert_true(reserve_take());
    leave_addresses(16 * 1024 * 1024);
    uint8_t *large = mem_take(ACCOUNT_CLIENTS, size);
    assert_true(reserve_is_broken());
    memset(large, 1, size);
    assert_false(reserve_take()); /* there is no address space for both */
    mem_give(ACCOUNT_CLIENTS, large, size);
    assert_true(reserve_take());
    assert_false(reserve_is_broken());
    void *usual = mem_alloc(size);
    assert_true(reserve_is_broken());
    free(usual);
    leave_addresses(SIZE_MAX);
    assert_true(reserve_take());
}

/* Each of several concurrent leases gets what it was promised. */
static void test_a_lease_is_a_promise(void **state)
{
    (void)state;
    enum { HOLDERS = 4 };
    const size_t size = 32 * 1024 * 1024;
    struct reserve_lease leases[HOLDERS + 1] = {{0}};
    void *memory[HOLDERS];
    if (!ADDRESSES_ARE_LIMITABLE)
        skip();
    assert_true(reserve_take());
    leave_addresses(HOLDERS * size + size / 2);
    for (size_t i = 0; i < HOLDERS; i++)
        assert_true(reserve_lease(&leases[i], size));
    assert_false(reserve_lease(&leases[HOLDERS], size));
    for (size_t i = 0; i < HOLDERS; i++)
        memset(memory[i] = mem_take(ACCOUNT_CLIENTS, size), 1, size);
    assert_false(reserve_is_broken());
    for (size_t i = 0; i < HOLDERS; i++) {
        reserve_release(&leases[i]);
        mem_give(ACCOUNT_CLIENTS, memory[i], size);
    }
    assert_true(reserve_lease(&leases[HOLDERS], size));
    reserve_release(&leases[HOLDERS]);
    leave_addresses(SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_is_none_at_first),
        cmocka_unit_test(test_it_is_broken_once_and_taken_again),
        cmocka_unit_test(test_what_another_thread_broke_is_worth_an_attempt),
        cmocka_unit_test(test_leases_are_broken_before_the_reserve),
        cmocka_unit_test(test_an_allocation_that_fails_breaks_it),
        cmocka_unit_test(test_a_lease_is_a_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
