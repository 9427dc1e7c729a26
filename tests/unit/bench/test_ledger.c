/* Tests of bench/ledger.c: writes in turn, their receipts, and what is missing. */
#include "bench/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>

static void test_a_number_returns_when_all_receipts_have_come(void **state)
{
    (void)state;
    struct ledger ledger;
    uint64_t number = 99, start_ns;
    ledger_init(&ledger, 2, 3, 1);
    assert_false(ledger_is_open(&ledger));
    assert_true(ledger_enter(&ledger, 10, &number));
    assert_int_equal(number, 0);
    assert_true(ledger_enter(&ledger, 20, &number));
    assert_int_equal(number, 1);
    assert_false(ledger_enter(&ledger, 30, &number));
    assert_int_equal(number, 1);
    for (int i = 0; i < 3; i++) {
        assert_true(ledger_is_open(&ledger));
        assert_false(ledger_enter(&ledger, 30, &number));
        assert_true(ledger_receive(&ledger, 0, &start_ns));
        assert_int_equal(start_ns, 10);
    }
    assert_false(ledger_receive(&ledger, 0, &start_ns));
    assert_false(ledger_receive(&ledger, 2, &start_ns)); /* no such number */
    assert_true(ledger_enter(&ledger, 30, &number));
    assert_int_equal(number, 0);
    assert_true(ledger_receive(&ledger, 0, &start_ns));
    assert_int_equal(start_ns, 30);
    assert_int_equal(ledger_missing(&ledger), 2 + 3);
    ledger_deinit(&ledger);
}

static void test_it_is_settled_when_writers_and_receipts_are_through(void **state)
{
    (void)state;
    struct ledger ledger;
    uint64_t number, start_ns;
    ledger_init(&ledger, 10, 1, 2);
    assert_true(ledger_enter(&ledger, 10, &number));
    ledger_end_writing(&ledger);
    ledger_end_writing(&ledger);
    assert_false(ledger_is_settled(&ledger));
    assert_true(ledger_receive(&ledger, number, &start_ns));
    assert_true(ledger_is_settled(&ledger));
    ledger_deinit(&ledger);
    ledger_init(&ledger, 10, 1, 2);
    ledger_end_writing(&ledger);
    assert_false(ledger_is_settled(&ledger));
    ledger_deinit(&ledger);
}

static void test_a_failed_write_is_not_missing(void **state)
{
    (void)state;
    struct ledger ledger;
    uint64_t number, start_ns;
    ledger_init(&ledger, 10, 2, 1);
    assert_true(ledger_enter(&ledger, 10, &number));
    ledger_withdraw(&ledger, number);
    ledger_withdraw(&ledger, number);
    assert_false(ledger_is_open(&ledger));
    assert_int_equal(ledger_missing(&ledger), 0);
    assert_false(ledger_receive(&ledger, number, &start_ns));
    ledger_deinit(&ledger);
}

#define THREADS 4
#define WRITES  20000

static void *write_and_receive(void *argument)
{
    struct ledger *ledger = argument;
    for (int i = 0; i < WRITES; i++) {
        uint64_t number, start_ns;
        while (!ledger_enter(ledger, 1, &number))
            ;
        if (!ledger_receive(ledger, number, &start_ns))
            abort();
    }
    ledger_end_writing(ledger);
    return NULL;
}

static void test_threads_share_it(void **state)
{
    (void)state;
    struct ledger ledger;
    pthread_t threads[THREADS];
    ledger_init(&ledger, THREADS, 1, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_and_receive, &ledger), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(ledger_is_settled(&ledger));
    assert_int_equal(ledger_missing(&ledger), 0);
    assert_int_equal(atomic_load(&ledger.next), THREADS * WRITES);
    ledger_deinit(&ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_number_returns_when_all_receipts_have_come),
        cmocka_unit_test(test_it_is_settled_when_writers_and_receipts_are_through),
        cmocka_unit_test(test_a_failed_write_is_not_missing),
        cmocka_unit_test(test_threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
