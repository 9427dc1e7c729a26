/* Tests of store/data/usage.c: rates follow what was counted, and ghosts are recalled once. */
#include "store/data/usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/seeded.h"

static void test_classes(void **state)
{
    (void)state;
    assert_int_equal(usage_class(USAGE_NEW, 0), 0);
    assert_int_equal(usage_class(USAGE_NEW, 1), 1);
    assert_int_equal(usage_class(USAGE_NEW, 1023), 10);
    assert_int_equal(usage_class(USAGE_PROVEN, 1024), USAGE_AGES + 11);
    assert_int_equal(usage_class(USAGE_RECALLED, UINT64_MAX), USAGE_CLASSES - 1);
}

static void test_proven_entries_are_worth_more_at_first(void **state)
{
    (void)state;
    struct usage *usage = usage_new(64);
    for (size_t age = 0; age < USAGE_AGES; age++)
        assert_true(usage->rates[USAGE_AGES + age] > usage->rates[age]);
    free(usage);
}

static void test_rates_follow_the_counts(void **state)
{
    (void)state;
    struct usage_sums sums = {0};
    struct usage *one = usage_new(64), *other = usage_new(64);
    one->seen[3] = one->seen[5] = one->seen[USAGE_AGES + 3] = 10000;
    one->used[3] = 5000;
    usage_end_round(one, &sums, 2, 100);
    assert_int_equal(one->seen[3], 0);
    assert_int_equal(one->round_length, 100);
    assert_true(one->rates[3] > 0.49f && one->rates[3] < 0.51f);
    assert_true(one->rates[5] < 0.01f);
    assert_true(one->rates[USAGE_AGES + 3] < 0.01f);
    /* An age that was never seen is like all others. */
    assert_true(one->rates[7] > 0.2f && one->rates[7] < 0.3f);
    /* Another shard learns from it, and what is new counts more than what is old. */
    other->seen[3] = 40000;
    usage_end_round(other, &sums, 2, 100);
    assert_true(other->rates[3] < 0.15f);
    free(one);
    free(other);
}

/* Two threads that evict have each read the revision before they reach the shard. */
static void test_a_round_that_ends_at_an_older_revision_has_no_length(void **state)
{
    (void)state;
    struct usage_sums sums = {0};
    struct usage *usage = usage_new(64);
    usage_begin(usage, 10);
    usage_end_round(usage, &sums, 1, 100);
    assert_int_equal(usage->round_length, 90);
    usage_end_round(usage, &sums, 1, 95);
    assert_int_equal(usage->round_length, 0);
    usage_end_round(usage, &sums, 1, 130);
    assert_int_equal(usage->round_length, 30);
    free(usage);
}

static void test_ghosts(void **state)
{
    (void)state;
    struct usage *usage = usage_new(usage_round(100));
    assert_int_equal(usage->ghosts, 64);
    const uint64_t hash = 0x1200123400000005u, same_place = 0x1201123400000005u;
    assert_false(usage_recall(usage, hash));
    usage_remember(usage, hash);
    assert_false(usage_recall(usage, same_place ^ (uint64_t)7 << 48));
    assert_true(usage_recall(usage, hash));
    assert_false(usage_recall(usage, hash));
    free(usage);
}

/* Entries that searches meet in the mean if rates are anything up to `most`. */
static double mean_search(struct usage *usage, uint64_t *random, float most)
{
    enum { SEARCHES = 5000 };
    size_t all = 0;
    for (int i = 0; i < SEARCHES; i++) {
        size_t seen = 0;
        float rate;
        do {
            rate = most * (float)seeded_below(random, 1000000) / 1e6f;
            seen++;
        } while (seen < 30 && rate > usage->threshold);
        usage_adjust_threshold(usage, seen);
        all += seen;
    }
    return (double)all / SEARCHES;
}

static void test_a_search_meets_thirteen_in_the_mean(void **state)
{
    (void)state;
    struct usage *usage = usage_new(64);
    uint64_t random = seeded_start();
    const float rates[] = {0.5f, 0.01f, 1.0f};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        mean_search(usage, &random, rates[i]); /* it adjusts itself */
        double mean = mean_search(usage, &random, rates[i]);
        assert_true(mean > 11.5 && mean < 14.5);
    }
    free(usage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_proven_entries_are_worth_more_at_first),
        cmocka_unit_test(test_rates_follow_the_counts),
        cmocka_unit_test(test_a_round_that_ends_at_an_older_revision_has_no_length),
        cmocka_unit_test(test_ghosts),
        cmocka_unit_test(test_a_search_meets_thirteen_in_the_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
