/* Tests of bench/traces/trace.c: traces repeat, and have the shape that their notes promise. */
#include "traces/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define REQUESTS ((size_t)60000)

static struct trace make(const char *name, uint64_t seed)
{
    struct trace trace;
    assert_true(trace_init(&trace, name, seed, REQUESTS));
    return trace;
}

static bool is_same(const struct trace *a, const struct trace *b)
{
    return a->count == b->count && a->key_count == b->key_count &&
           memcmp(a->requests, b->requests, a->count * sizeof *a->requests) == 0 &&
           memcmp(a->keys, b->keys, a->key_count * sizeof *a->keys) == 0;
}

static void test_unknown_names_are_refused(void **state)
{
    (void)state;
    struct trace trace;
    assert_false(trace_init(&trace, "zipf", 1, REQUESTS));
}

static void test_every_kind_repeats_and_is_consistent(void **state)
{
    (void)state;
    const struct trace_kind *kind;
    for (size_t i = 0; (kind = trace_kind_at(i)) != NULL; i++) {
        struct trace trace = make(kind->name, 7), again = make(kind->name, 7);
        assert_ptr_equal(trace.kind, kind);
        assert_int_equal(trace.count, REQUESTS * kind->length);
        assert_true(trace.warm_up > 0 && trace.warm_up < trace.count);
        assert_true(is_same(&trace, &again));
        for (size_t j = 0; j < trace.count; j++) {
            assert_true(trace.requests[j] < trace.key_count);
            assert_true(trace.keys[trace.requests[j]].is_requested);
            assert_true(trace.keys[trace.requests[j]].db < TRACE_DATABASES);
        }
        trace_deinit(&trace);
        trace_deinit(&again);
    }
}

static void test_another_seed_is_another_trace(void **state)
{
    (void)state;
    struct trace trace = make("zipf0.9", 1), other = make("zipf0.9", 2);
    assert_false(is_same(&trace, &other));
    trace_deinit(&trace);
    trace_deinit(&other);
}

/* How often the key that is asked for most is. */
static double share_of_hottest(const struct trace *trace)
{
    size_t *counts = calloc(trace->key_count, sizeof *counts), most = 0;
    assert_non_null(counts);
    for (size_t i = 0; i < trace->count; i++) {
        size_t count = ++counts[trace->requests[i]];
        most = count > most ? count : most;
    }
    free(counts);
    return (double)most / (double)trace->count;
}

static void test_zipf_has_its_exponent(void **state)
{
    (void)state;
    struct trace flat = make("zipf0.9", 1), steep = make("zipf1.1", 1);
    /* One over the sum of all weights: 17.3 and 6.9 for 19,980 keys. */
    assert_true(share_of_hottest(&flat) > 0.053 && share_of_hottest(&flat) < 0.063);
    assert_true(share_of_hottest(&steep) > 0.14 && share_of_hottest(&steep) < 0.15);
    trace_deinit(&flat);
    trace_deinit(&steep);
}

static void test_a_longer_trace_has_no_more_keys(void **state)
{
    (void)state;
    struct trace usual = make("zipf0.9", 1), longer = make("long", 1);
    assert_int_equal(longer.count, 4 * usual.count);
    assert_int_equal(longer.key_count, usual.key_count);
    trace_deinit(&usual);
    trace_deinit(&longer);
}

static void test_a_loop_comes_back_after_all_keys(void **state)
{
    (void)state;
    struct trace trace = make("loop", 1);
    for (size_t i = trace.key_count; i < trace.count; i++)
        assert_int_equal(trace.requests[i], trace.requests[i - trace.key_count]);
    trace_deinit(&trace);
}

static void test_phases_share_no_keys(void **state)
{
    (void)state;
    struct trace trace = make("phases", 1);
    uint32_t keys = trace.key_count / 3;
    for (size_t i = 0; i < trace.count; i++)
        assert_int_equal(trace.requests[i] / keys, i * 3 / trace.count);
    trace_deinit(&trace);
}

static void test_sizes_go_from_16_bytes_to_1_mib(void **state)
{
    (void)state;
    struct trace trace = make("sizes", 1);
    uint32_t least = UINT32_MAX, most = 0;
    for (uint32_t i = 0; i < trace.key_count; i++) {
        uint32_t size = trace.keys[i].size;
        least = size < least ? size : least;
        most = size > most ? size : most;
        assert_int_equal(trace_weight(&trace, i), TRACE_KEY_SIZE + size);
    }
    assert_int_equal(least, 16);
    assert_int_equal(most, 1 << 20);
    trace_deinit(&trace);
}

static void test_databases_halve(void **state)
{
    (void)state;
    struct trace trace = make("databases", 1);
    size_t counts[TRACE_DATABASES] = {0};
    for (uint32_t i = 0; i < trace.key_count; i++)
        counts[trace.keys[i].db]++;
    for (size_t db = 0; db < 4; db++) {
        double share = (double)counts[db] / (double)trace.key_count * (double)((size_t)2 << db);
        assert_true(share > 0.9 && share < 1.1);
    }
    trace_deinit(&trace);
}

static void test_counters_and_queues_are_such(void **state)
{
    (void)state;
    struct trace counters = make("counters", 1), queues = make("queues", 1);
    for (uint32_t i = 0; i < counters.key_count; i++)
        assert_int_equal(counters.keys[i].access, TRACE_COUNTER);
    for (uint32_t i = 0; i < queues.key_count; i++)
        assert_int_equal(queues.keys[i].access, i % 2 == 0 ? TRACE_CACHE : TRACE_QUEUE);
    trace_deinit(&counters);
    trace_deinit(&queues);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_names_are_refused),
        cmocka_unit_test(test_every_kind_repeats_and_is_consistent),
        cmocka_unit_test(test_another_seed_is_another_trace),
        cmocka_unit_test(test_zipf_has_its_exponent),
        cmocka_unit_test(test_a_longer_trace_has_no_more_keys),
        cmocka_unit_test(test_a_loop_comes_back_after_all_keys),
        cmocka_unit_test(test_phases_share_no_keys),
        cmocka_unit_test(test_sizes_go_from_16_bytes_to_1_mib),
        cmocka_unit_test(test_databases_halve),
        cmocka_unit_test(test_counters_and_queues_are_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
