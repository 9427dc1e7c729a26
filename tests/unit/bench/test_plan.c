/* Tests of bench/plan.c: what is filled and what is measured. */
#include "bench/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench/bench_options.h"

static const struct target target = {.authority = "here"};

static void test_strings_are_filled_by_one_set_per_key(void **state)
{
    (void)state;
    char words[] = "bench --fill --mix 9:1 -r 1234 --rate 5 --warmup 1 -t 1 --verify";
    struct options options = options_of(words);
    struct plan plan;
    plan_init_fill(&plan, &options, &target);
    assert_int_equal(plan.op_count, 1);
    assert_int_equal(plan.ops[0], OP_SET);
    assert_true(plan.in_turn);
    assert_int_equal(plan.calls, 1234);
    assert_int_equal(plan.rate + plan.warmup_ns + plan.duration_ns, 0);
    assert_int_equal(plan.templates.count, 1);
    plan_deinit(&plan);
}

static void test_lists_are_filled_by_one_push_per_element(void **state)
{
    (void)state;
    char words[] = "bench --fill --op lrange -r 100 --elements 7";
    struct options options = options_of(words);
    struct plan plan;
    plan_init_fill(&plan, &options, &target);
    assert_int_equal(plan.ops[0], OP_L_PUSH);
    assert_int_equal(plan.calls, 700);
    plan_deinit(&plan);
}

static void test_pushes_of_several_values_are_fewer(void **state)
{
    (void)state;
    char words[] = "bench --fill --op lpush,lpop -r 100 --elements 70 --values 10 --numbers";
    struct options options = options_of(words);
    struct plan plan;
    plan_init_fill(&plan, &options, &target);
    assert_int_equal(plan.calls, 700);
    assert_int_equal(plan.templates.of[OP_L_PUSH].value_count, 10);
    assert_int_equal(plan.payload.filler[0], '1');
    plan_deinit(&plan);
    plan_init_measure(&plan, &options, &target);
    assert_int_equal(plan.op_count, 2);
    assert_true(plan.take_turns);
    plan_deinit(&plan);
}

/* Bytes of the Set that fills. */
static size_t set_len(char *words)
{
    struct options options = options_of(words);
    struct plan plan;
    plan_init_fill(&plan, &options, &target);
    size_t len = plan.templates.of[OP_SET].message.len;
    plan_deinit(&plan);
    return len;
}

static void test_a_time_to_live_is_sent(void **state)
{
    (void)state;
    char with[] = "bench --fill -r 10 --ttl 5";
    char without[] = "bench --fill -r 10";
    /* A tag, and the 41 bits of a time of these decades. */
    assert_int_equal(set_len(with), set_len(without) + 7);
}

static void test_what_is_measured_is_what_the_options_say(void **state)
{
    (void)state;
    char words[] = "bench --mix 3:2 --rate 5 --warmup 1 -t 2 --verify";
    struct options options = options_of(words);
    struct plan plan;
    plan_init_measure(&plan, &options, &target);
    assert_int_equal(plan.op_count, 2);
    assert_int_equal(plan.ops[0], OP_GET);
    assert_int_equal(plan.ops[1], OP_SET);
    assert_int_equal(plan.weights[0], 3);
    assert_int_equal(plan.weights[1], 2);
    assert_false(plan.in_turn);
    assert_int_equal(plan.calls, UINT64_MAX);
    assert_int_equal(plan.duration_ns, 2000000000);
    assert_int_equal(plan.warmup_ns, 1000000000);
    assert_int_equal(plan.rate, 5);
    assert_true(plan.verify);
    assert_int_equal(plan.templates.count, 2);
    plan_deinit(&plan);
}

static void test_shares_add_up(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads < 10; threads++) {
        for (uint64_t number = 0; number < 50; number++) {
            uint64_t sum = 0;
            for (uint32_t i = 0; i < threads; i++) {
                assert_in_range(plan_share(number, i, threads), number / threads,
                                number / threads + 1);
                sum += plan_share(number, i, threads);
            }
            assert_int_equal(sum, number);
        }
    }
    assert_int_equal(plan_share(UINT64_MAX, 1, 2), UINT64_MAX);
}

static void test_streams_receive_what_is_written(void **state)
{
    (void)state;
    char words[] = "bench --op watch --watchers 30 --fill -r 100 --threads 2";
    struct options options = options_of(words);
    struct plan plan;
    plan_init_fill(&plan, &options, &target);
    assert_int_equal(plan.ops[0], OP_SET);
    assert_int_equal(plan.feed, FEED_NONE);
    assert_null(plan.ledger);
    plan_deinit(&plan);
    plan_init_measure(&plan, &options, &target);
    assert_int_equal(plan.ops[0], OP_SET);
    assert_int_equal(plan.feeds, 30);
    assert_int_equal(plan.ledger->count, 100);
    assert_int_equal(plan.ledger->receipts, 30);
    plan_deinit(&plan);
}

static void test_elements_are_received_once(void **state)
{
    (void)state;
    char words[] = "bench --op consume --consumers 30 -r 100 --values 3";
    struct options options = options_of(words);
    struct plan plan;
    plan_init_measure(&plan, &options, &target);
    assert_int_equal(plan.ops[0], OP_R_PUSH);
    assert_int_equal(plan.feed, FEED_CONSUME);
    assert_int_equal(plan.feeds, 30);
    assert_int_equal(plan.ledger->receipts, 3);
    plan_deinit(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings_are_filled_by_one_set_per_key),
        cmocka_unit_test(test_lists_are_filled_by_one_push_per_element),
        cmocka_unit_test(test_pushes_of_several_values_are_fewer),
        cmocka_unit_test(test_a_time_to_live_is_sent),
        cmocka_unit_test(test_what_is_measured_is_what_the_options_say),
        cmocka_unit_test(test_shares_add_up),
        cmocka_unit_test(test_streams_receive_what_is_written),
        cmocka_unit_test(test_elements_are_received_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
