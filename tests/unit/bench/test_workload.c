/* Tests of bench/workload.c: what is random, what is in turn, and that seeds replay. */
#include "bench/workload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_random_keys_are_evenly_spread_and_below_the_keyspace(void **state)
{
    (void)state;
    enum { KEYS = 10, CALLS = 100000 };
    const enum op op = OP_GET;
    const uint32_t weight = 1;
    struct workload workload;
    unsigned counts[KEYS] = {0};
    workload_init_random(&workload, &op, &weight, 1, KEYS, 7, 0);
    for (int i = 0; i < CALLS; i++) {
        uint64_t key;
        assert_int_equal(workload_next(&workload, &key), OP_GET);
        assert_true(key < KEYS);
        counts[key]++;
    }
    for (int i = 0; i < KEYS; i++)
        assert_in_range(counts[i], CALLS / KEYS * 95 / 100, CALLS / KEYS * 105 / 100);
}

static void test_a_mix_has_its_ratio(void **state)
{
    (void)state;
    enum { CALLS = 100000 };
    const enum op ops[] = {OP_GET, OP_SET};
    const uint32_t weights[] = {9, 1};
    struct workload workload;
    unsigned sets = 0;
    workload_init_random(&workload, ops, weights, 2, 1000, 7, 0);
    for (int i = 0; i < CALLS; i++) {
        uint64_t key;
        enum op op = workload_next(&workload, &key);
        assert_true(op == OP_GET || op == OP_SET);
        sets += op == OP_SET;
    }
    assert_in_range(sets, CALLS / 10 * 95 / 100, CALLS / 10 * 105 / 100);
}

static void test_operations_take_turns(void **state)
{
    (void)state;
    const enum op ops[] = {OP_L_PUSH, OP_L_POP};
    const uint32_t weights[] = {1, 1};
    struct workload workload;
    workload_init_random(&workload, ops, weights, 2, 10, 7, 0);
    workload_take_turns(&workload);
    for (int i = 0; i < 1000; i++) {
        uint64_t key;
        assert_int_equal(workload_next(&workload, &key), ops[i % 2]);
        assert_true(key < 10);
    }
}

/* How many of 1000 keys are the same for two threads or seeds. */
static unsigned same_keys(uint64_t seed, uint32_t thread, uint64_t seed2, uint32_t thread2)
{
    const enum op op = OP_SET;
    const uint32_t weight = 1;
    struct workload one;
    struct workload other;
    workload_init_random(&one, &op, &weight, 1, UINT64_C(1) << 40, seed, thread);
    workload_init_random(&other, &op, &weight, 1, UINT64_C(1) << 40, seed2, thread2);
    unsigned same = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t key;
        uint64_t key2;
        (void)workload_next(&one, &key);
        (void)workload_next(&other, &key2);
        same += key == key2;
    }
    return same;
}

static void test_seeds_and_threads_differ_and_replay(void **state)
{
    (void)state;
    assert_int_equal(same_keys(1, 0, 1, 0), 1000);
    assert_int_equal(same_keys(1, 3, 1, 3), 1000);
    assert_int_equal(same_keys(1, 0, 2, 0), 0);
    assert_int_equal(same_keys(1, 0, 1, 1), 0);
    assert_int_equal(same_keys(1, 1, 2, 0), 0);
}

static void test_threads_share_the_keys_in_turn(void **state)
{
    (void)state;
    enum { KEYS = 7, THREADS = 3, ROUNDS = 3 };
    unsigned counts[KEYS] = {0};
    for (uint32_t thread = 0; thread < THREADS; thread++) {
        struct workload workload;
        workload_init_in_turn(&workload, OP_L_PUSH, KEYS, thread, THREADS);
        for (uint32_t call = thread; call < KEYS * ROUNDS; call += THREADS) {
            uint64_t key;
            assert_int_equal(workload_next(&workload, &key), OP_L_PUSH);
            counts[key]++;
        }
    }
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(counts[i], ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_keys_are_evenly_spread_and_below_the_keyspace),
        cmocka_unit_test(test_a_mix_has_its_ratio),
        cmocka_unit_test(test_operations_take_turns),
        cmocka_unit_test(test_seeds_and_threads_differ_and_replay),
        cmocka_unit_test(test_threads_share_the_keys_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
