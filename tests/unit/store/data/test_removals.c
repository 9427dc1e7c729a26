/* Tests of store/data/removals.c: what it remembers, and that it forgets to the safe side. */
#include "store/data/removals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/seeded.h"

#define HOLDS (REMOVALS_BUCKETS * REMOVALS_WAYS)

static void nothing_was_removed(void **state)
{
    (void)state;
    struct removals removals = {0};
    assert_int_equal(removals_latest(&removals, 0, 1), 0);
    assert_int_equal(removals_memory(&removals), 0);
    removals_note_all(&removals, 5);
    assert_int_equal(removals_latest(&removals, 3, 1), 5);
    assert_int_equal(removals_memory(&removals), 0);
    removals_deinit(&removals);
}

static void each_key_has_its_own(void **state)
{
    (void)state;
    struct removals removals = {0};
    uint64_t random = seeded_start(), hashes[100];
    for (uint64_t i = 0; i < 100; i++) {
        hashes[i] = seeded_below(&random, UINT32_MAX) * UINT64_C(0x9e3779b97f4a7c15);
        removals_note(&removals, (uint32_t)(i % 2), hashes[i], 10 + i);
    }
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(removals_latest(&removals, (uint32_t)(i % 2), hashes[i]), 10 + i);
        assert_int_equal(removals_latest(&removals, (uint32_t)(i % 2 + 1), hashes[i] + 1), 0);
    }
    removals_note(&removals, 0, hashes[0], 1000);
    assert_int_equal(removals_latest(&removals, 0, hashes[0]), 1000);
    assert_true(removals_memory(&removals) > HOLDS * 12);
    removals_note_all(&removals, 2000);
    assert_int_equal(removals_latest(&removals, 0, hashes[0]), 2000);
    removals_deinit(&removals);
}

/* Of any number of removals none is reported to be older than it is, and the latest ones are
 * exact. */
static void what_is_forgotten_counts_as_later(void **state)
{
    (void)state;
    struct removals removals = {0};
    static uint64_t hashes[8 * HOLDS];
    uint64_t random = seeded_start();
    size_t count = sizeof hashes / sizeof *hashes, exact = 0;
    for (size_t i = 0; i < count; i++) {
        hashes[i] = seeded_below(&random, UINT32_MAX) * UINT64_C(0x9e3779b97f4a7c15);
        removals_note(&removals, 0, hashes[i], i + 1);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t latest = removals_latest(&removals, 0, hashes[i]);
        assert_true(latest > i && latest <= count);
        exact += i >= count - HOLDS / 2 && latest == i + 1;
    }
    assert_true(exact > HOLDS / 2 * 9 / 10);
    removals_deinit(&removals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_was_removed),
        cmocka_unit_test(each_key_has_its_own),
        cmocka_unit_test(what_is_forgotten_counts_as_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
