/* Tests of bench/traces/policy.c: traces made by hand whose hits can be counted on paper. */
#include "traces/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST_KEYS 26

static const struct trace_kind of_keys = {.name = "by hand"};
static const struct trace_kind of_bytes = {.name = "by hand", .counts_bytes = true};

/* A trace that asks for the letters of `text`, in that order. */
struct by_hand {
    struct trace trace;
    struct trace_key keys[MOST_KEYS];
    uint32_t requests[64];
};

static void spell(struct by_hand *by_hand, const char *text, size_t warm_up)
{
    *by_hand = (struct by_hand){.trace = {.kind = &of_keys,
                                          .key_count = MOST_KEYS,
                                          .keys = by_hand->keys,
                                          .count = strlen(text),
                                          .warm_up = warm_up,
                                          .requests = by_hand->requests}};
    for (size_t i = 0; text[i] != '\0'; i++)
        by_hand->requests[i] = (uint32_t)(text[i] - 'a');
}

static void expect(const char *text, uint64_t capacity, size_t lru_hits, size_t belady_hits)
{
    struct by_hand by_hand;
    spell(&by_hand, text, 0);
    assert_int_equal(policy_lru_hits(&by_hand.trace, capacity), lru_hits);
    assert_int_equal(policy_belady_hits(&by_hand.trace, capacity), belady_hits);
}

static void test_what_fits_stays(void **state)
{
    (void)state;
    expect("abcabcabc", 3, 6, 6);
    expect("aaaa", 1, 3, 3);
    expect("abcd", 2, 0, 0);
}

static void test_a_loop_defeats_lru_and_not_belady(void **state)
{
    (void)state;
    /* One of the two places is of use once per round. */
    expect("abcabcabc", 2, 0, 3);
}

static void test_lru_evicts_the_one_not_used_for_longest(void **state)
{
    (void)state;
    /* At c: b goes, for a was used since; then a is there and b is not. */
    expect("abacab", 2, 2, 2);
    /* The reference string of the textbooks, 7 0 1 2 0 3 and on: 20 requests, 12 or 9 misses. */
    expect("habcadaecdadcbcabhab", 3, 8, 11);
}

static void test_requests_of_the_warm_up_are_no_hits(void **state)
{
    (void)state;
    struct by_hand by_hand;
    spell(&by_hand, "aaabab", 3);
    assert_int_equal(policy_lru_hits(&by_hand.trace, 2), 2);
    assert_int_equal(policy_belady_hits(&by_hand.trace, 2), 2);
}

static void test_keys_take_room_by_their_size(void **state)
{
    (void)state;
    struct by_hand by_hand;
    spell(&by_hand, "abcabc", 0);
    by_hand.trace.kind = &of_bytes;
    by_hand.keys[0].size = 1000;
    /* The two small ones fit beside each other, the large one not at all. */
    uint64_t capacity = 2 * TRACE_KEY_SIZE;
    assert_int_equal(policy_lru_hits(&by_hand.trace, capacity), 2);
    assert_int_equal(policy_belady_hits(&by_hand.trace, capacity), 2);
    /* Alone, or all three. */
    assert_int_equal(policy_lru_hits(&by_hand.trace, TRACE_KEY_SIZE + 1000), 0);
    assert_int_equal(policy_belady_hits(&by_hand.trace, TRACE_KEY_SIZE + 1000), 0);
    assert_int_equal(policy_lru_hits(&by_hand.trace, capacity + TRACE_KEY_SIZE + 1000), 3);
}

/* Finds by trying all choices how many hits are possible from request `at` on, if the keys of the
 * set are cached. */
static size_t most_hits(const struct trace *trace, uint64_t capacity, uint32_t cached, size_t at)
{
    if (at == trace->count)
        return 0;
    uint32_t key = (uint32_t)1 << trace->requests[at];
    if (cached & key)
        return 1 + most_hits(trace, capacity, cached, at + 1);
    if ((uint64_t)__builtin_popcount(cached) < capacity)
        return most_hits(trace, capacity, cached | key, at + 1);
    size_t best = 0;
    for (uint32_t rest = cached; rest != 0; rest &= rest - 1) {
        uint32_t victim = rest & -rest;
        size_t hits = most_hits(trace, capacity, (cached & ~victim) | key, at + 1);
        best = hits > best ? hits : best;
    }
    return best;
}

static void test_no_policy_has_more_hits_than_belady(void **state)
{
    (void)state;
    static const char *const texts[] = {"abcdabeabcde", "abcbdcabdcba", "aabbccddabcd",
                                        "dcbaabcdbdac", "abacadaeabac"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (uint64_t capacity = 1; capacity <= 4; capacity++) {
            struct by_hand by_hand;
            spell(&by_hand, texts[i], 0);
            assert_int_equal(policy_belady_hits(&by_hand.trace, capacity),
                             most_hits(&by_hand.trace, capacity, 0, 0));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_fits_stays),
        cmocka_unit_test(test_a_loop_defeats_lru_and_not_belady),
        cmocka_unit_test(test_lru_evicts_the_one_not_used_for_longest),
        cmocka_unit_test(test_requests_of_the_warm_up_are_no_hits),
        cmocka_unit_test(test_keys_take_room_by_their_size),
        cmocka_unit_test(test_no_policy_has_more_hits_than_belady),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
