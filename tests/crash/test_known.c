/* Tests of crash/known.c with numbers for which it is obvious whether they were added before. */
#include "crash/known.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/seeded.h"

#define NUMBERS 20000

static void each_is_new_once(void **state)
{
    (void)state;
    uint64_t start = seeded_start();
    struct known known = {0};
    for (int round = 0; round < 2; round++) {
        uint64_t random = start; /* the same numbers again */
        for (int i = 0; i < NUMBERS; i++) {
            uint64_t high = (uint64_t)seeded_below(&random, UINT32_MAX) << 32;
            assert_int_equal(known_add(&known, high | (uint64_t)i), round == 0);
        }
    }
    known_deinit(&known);
}

/* A free slot holds 0, so that hash counts as 1. */
static void zero_is_a_hash_too(void **state)
{
    (void)state;
    struct known known = {0};
    assert_true(known_add(&known, 0));
    assert_false(known_add(&known, 0));
    assert_false(known_add(&known, 1));
    assert_true(known_add(&known, 1024)); /* the same slot as 0 */
    known_deinit(&known);
    assert_true(known_add(&known, 1));
    known_deinit(&known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_new_once),
        cmocka_unit_test(zero_is_a_hash_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
