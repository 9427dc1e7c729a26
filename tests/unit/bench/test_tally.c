/* Tests of bench/tally.c: what counts, sums, names. */
#include "bench/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

static struct tally *new_tally(void)
{
    struct tally *tally = malloc(sizeof *tally);
    assert_non_null(tally);
    tally_init(tally);
    return tally;
}

static void test_counts_ends_and_the_latency_of_good_ones(void **state)
{
    (void)state;
    struct tally *tally = new_tally();
    tally_count(tally, TALLY_OK, 100, 150);
    tally_count(tally, TALLY_RESET, 100, 900);
    tally_count(tally, (enum tally_end)14, 100, 950);
    assert_int_equal(tally->finished, 3);
    assert_int_equal(tally->ends[TALLY_OK], 1);
    assert_int_equal(tally_errors(tally), 2);
    assert_int_equal(tally->latency_ns.count, 1);
    assert_int_equal(tally->latency_ns.max, 50);
    assert_int_equal(tally->last_ns, 950);
    free(tally);
}

static void test_calls_of_the_warmup_only_finish(void **state)
{
    (void)state;
    struct tally *tally = new_tally();
    tally->from_ns = 1000;
    tally_count(tally, TALLY_OK, 999, 2000);
    tally_count(tally, TALLY_LOST, 999, 2000);
    assert_int_equal(tally->finished, 2);
    assert_int_equal(tally->ends[TALLY_OK] + tally_errors(tally) + tally->last_ns, 0);
    tally_count(tally, TALLY_OK, 1000, 2000);
    assert_int_equal(tally->ends[TALLY_OK], 1);
    free(tally);
}

static void test_merging_adds_and_takes_extremes(void **state)
{
    (void)state;
    struct tally *one = new_tally();
    struct tally *other = new_tally();
    tally_count(one, TALLY_OK, 0, 10);
    tally_count(other, TALLY_OK, 0, 30);
    tally_count(other, TALLY_REFUSED, 0, 20);
    other->misses = 5;
    other->stream_limit = 100;
    tally_merge(one, other);
    assert_int_equal(one->finished, 3);
    assert_int_equal(one->ends[TALLY_OK], 2);
    assert_int_equal(one->ends[TALLY_REFUSED], 1);
    assert_int_equal(one->misses, 5);
    assert_int_equal(one->stream_limit, 100);
    assert_int_equal(one->last_ns, 20);
    assert_int_equal(one->latency_ns.count, 2);
    free(one);
    free(other);
}

static void test_each_end_has_a_name_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(tally_end_name(TALLY_OK), "OK");
    assert_string_equal(tally_end_name((enum tally_end)9), "FAILED_PRECONDITION");
    assert_string_equal(tally_end_name((enum tally_end)16), "UNAUTHENTICATED");
    for (int i = 0; i < TALLY_ENDS; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(tally_end_name((enum tally_end)i),
                                    tally_end_name((enum tally_end)j));
}

static void test_receipts_are_counted_beside_calls(void **state)
{
    (void)state;
    struct tally *one = new_tally();
    struct tally *other = new_tally();
    one->from_ns = 100;
    tally_receive(one, 99, 500);
    tally_receive(one, 100, 300);
    tally_receive(other, 0, 400);
    other->unacknowledged = 3;
    tally_merge(one, other);
    assert_int_equal(one->all_receipts, 3);
    assert_int_equal(one->receipt_ns.count, 2);
    assert_int_equal(one->receipt_ns.max, 400);
    assert_int_equal(one->last_receipt_ns, 400);
    assert_int_equal(one->unacknowledged, 3);
    one->ends[TALLY_MISSING] = 7;
    one->ends[TALLY_OK] = 1;
    one->ends[TALLY_NO_ANSWER] = 2;
    assert_int_equal(tally_calls(one), 3);
    assert_int_equal(tally_errors(one), 9);
    free(one);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_ends_and_the_latency_of_good_ones),
        cmocka_unit_test(test_calls_of_the_warmup_only_finish),
        cmocka_unit_test(test_merging_adds_and_takes_extremes),
        cmocka_unit_test(test_each_end_has_a_name_of_its_own),
        cmocka_unit_test(test_receipts_are_counted_beside_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
