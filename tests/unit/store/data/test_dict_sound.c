/* Tests of store/data/dict_sound.c: a valid dictionary is reported as valid, an invalid one is
 * not. */
#include "store/data/dict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/dict_fixture.h"

static void test_what_was_put_and_taken_is_sound(void **state)
{
    struct fixture *fixture = *state;
    assert_true(dict_is_sound(&fixture->dict));
    for (uint32_t key = 0; key < 300; key++) {
        put(fixture, key, 1);
        assert_true(dict_is_sound(&fixture->dict));
    }
    for (uint32_t key = 0; key < 300; key += 3) {
        take(fixture, key);
        assert_true(dict_is_sound(&fixture->dict));
    }
}

static void test_a_wrong_count_is_not(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t key = 0; key < 100; key++)
        put(fixture, key, 1);
    fixture->dict.count++;
    assert_false(dict_is_sound(&fixture->dict));
    fixture->dict.count--;
    fixture->dict.overflows += 100;
    assert_false(dict_is_sound(&fixture->dict));
    fixture->dict.overflows -= 100;
    assert_true(dict_is_sound(&fixture->dict));
}

static uint64_t hash_otherwise(const void *context, struct slice key)
{
    (void)context;
    return hash_well(number_of(key) + 1000);
}

/* As if each entry had been put under the hash of another key. */
static void test_entries_away_from_their_homes_are_not(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t key = 0; key < 100; key++)
        put(fixture, key, 1);
    struct dict_hasher wrong = {.hash = hash_otherwise};
    fixture->dict.hasher = &wrong;
    assert_false(dict_is_sound(&fixture->dict));
    fixture->dict.hasher = &fixture->hasher;
    assert_true(dict_is_sound(&fixture->dict));
}

/* Adds an entry that is present already, bypassing dict_put(). */
static void test_a_key_that_is_there_twice_is_not(void **state)
{
    struct fixture *fixture = *state;
    struct slice key = SLICE_LITERAL("7");
    put(fixture, 7, 1);
    struct entry *first = find(fixture, 7), *second = new_string(fixture, key, key);
    put(fixture, 8, 1);
    struct entry *other = find(fixture, 8);
    dict_replace(&fixture->dict, hash_well(8), other, second);
    assert_false(dict_is_sound(&fixture->dict));
    dict_replace(&fixture->dict, hash_well(8), second, other);
    entry_free(&fixture->slab, second);
    assert_ptr_equal(find(fixture, 7), first);
    assert_true(dict_is_sound(&fixture->dict));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, dict_setup, dict_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_put_and_taken_is_sound),
        TEST(test_a_wrong_count_is_not),
        TEST(test_entries_away_from_their_homes_are_not),
        TEST(test_a_key_that_is_there_twice_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
