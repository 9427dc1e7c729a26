/* Tests of store/dict.c: against an array that is searched, with the worst of hashes. */
#include "store/dict.h"

#include "store/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/seeded.h"

#define KEYS 400

typedef uint64_t hash_function(uint32_t key);

static uint64_t hash_well(uint32_t key)
{
    uint64_t hash = (key + 1) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static uint64_t hash_all_equal(uint32_t key)
{
    (void)key;
    return 42;
}

/* All at home in the last slot of any table, so that every chain goes round its end. */
static uint64_t hash_at_the_end(uint32_t key)
{
    return UINT64_MAX - ((uint64_t)(key % 3) << 40);
}

/* Clusters of neighbours around the end of the table: followers must move back, or must not. */
static uint64_t hash_around_the_end(uint32_t key)
{
    return (uint64_t)0 - 4 + key % 9;
}

static uint64_t hash_in_three_homes(uint32_t key)
{
    return key % 3 + ((uint64_t)key << 32);
}

/* What the dictionary must hold: value[key], 0 = not there. */
struct model {
    uint32_t values[KEYS];
    size_t count;
};

struct text {
    char bytes[16];
};

static struct text text_of(uint32_t number)
{
    struct text text;
    snprintf(text.bytes, sizeof text.bytes, "%u", number);
    return text;
}

static void put(struct dict *dict, struct model *model, hash_function *hash, uint32_t key,
                uint32_t value)
{
    struct text name = text_of(key), string = text_of(value);
    dict_put(dict, hash(key),
             entry_new_string(slice_from_string(name.bytes), slice_from_string(string.bytes)));
    model->count += model->values[key] == 0;
    model->values[key] = value;
}

static void take(struct dict *dict, struct model *model, hash_function *hash, uint32_t key)
{
    struct text name = text_of(key);
    bool there = model->values[key] != 0;
    assert_int_equal(dict_remove(dict, hash(key), slice_from_string(name.bytes)), there);
    model->count -= there;
    model->values[key] = 0;
}

static void assert_holds(const struct dict *dict, const struct model *model, hash_function *hash,
                         uint32_t key)
{
    struct text name = text_of(key), string = text_of(model->values[key]);
    const struct entry *entry = dict_find(dict, hash(key), slice_from_string(name.bytes));
    assert_int_equal(entry != NULL, model->values[key] != 0);
    if (entry == NULL)
        return;
    assert_true(slice_equal(entry_key(entry), slice_from_string(name.bytes)));
    assert_true(slice_equal(entry_string(entry), slice_from_string(string.bytes)));
}

static void assert_equal(const struct dict *dict, const struct model *model, hash_function *hash)
{
    assert_int_equal(dict->count, model->count);
    assert_true(dict->count <= dict->capacity / 4 * 3);
    assert_int_equal(dict->capacity & (dict->capacity - 1), 0);
    for (uint32_t key = 0; key < KEYS; key++)
        assert_holds(dict, model, hash, key);
}

/* Puts and removals prevail by turns over `keys` keys. */
static void run_random(uint64_t *random, hash_function *hash, uint32_t keys, int steps)
{
    struct model model = {.count = 0};
    struct dict dict;
    dict_init(&dict);
    for (int step = 1; step <= steps; step++) {
        uint32_t puts = step / 500 % 2 == 0 ? 70 : 30;
        uint32_t key = seeded_below(random, keys);
        if (seeded_below(random, 100) < puts)
            put(&dict, &model, hash, key, (uint32_t)step);
        else
            take(&dict, &model, hash, key);
        assert_holds(&dict, &model, hash, seeded_below(random, keys));
        if (step % 10 == 0)
            assert_equal(&dict, &model, hash);
    }
    assert_equal(&dict, &model, hash);
    dict_deinit(&dict);
}

static void test_random_steps_match_an_array(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    run_random(&random, hash_well, KEYS, 10000);
}

static void test_colliding_hashes_match_an_array(void **state)
{
    (void)state;
    hash_function *const worst[] = {hash_all_equal, hash_at_the_end, hash_around_the_end,
                                    hash_in_three_homes};
    uint64_t random = seeded_start();
    for (size_t i = 0; i < sizeof worst / sizeof worst[0]; i++)
        run_random(&random, worst[i], 60, 4000);
}

/* Five keys with these homes in a table of 8 slots, of which one is removed. */
static void remove_one_of_five(const uint64_t home[5], uint32_t gone)
{
    struct text name;
    struct dict dict;
    dict_init(&dict);
    for (uint32_t i = 0; i < 5; i++) {
        name = text_of(i);
        dict_put(&dict, home[i],
                 entry_new_string(slice_from_string(name.bytes), SLICE_LITERAL("v")));
    }
    assert_int_equal(dict.capacity, 8);
    name = text_of(gone);
    assert_true(dict_remove(&dict, home[gone], slice_from_string(name.bytes)));
    for (uint32_t i = 0; i < 5; i++) {
        name = text_of(i);
        bool found = dict_find(&dict, home[i], slice_from_string(name.bytes)) != NULL;
        assert_int_equal(found, i != gone);
    }
    dict_deinit(&dict);
}

static void test_removal_closes_the_gap_in_every_small_table(void **state)
{
    (void)state;
    for (uint32_t homes = 0; homes < 6 * 6 * 6 * 6 * 6; homes++) {
        uint64_t home[5];
        for (uint32_t rest = homes, i = 0; i < 5; i++, rest /= 6)
            home[i] = (6 + rest % 6) & 7;
        for (uint32_t gone = 0; gone < 5; gone++)
            remove_one_of_five(home, gone);
    }
}

static void test_begins_without_memory(void **state)
{
    (void)state;
    struct dict dict;
    dict_init(&dict);
    assert_null(dict.slots);
    assert_null(dict_find(&dict, 1, SLICE_LITERAL("key")));
    assert_false(dict_remove(&dict, 1, SLICE_LITERAL("key")));
    dict_deinit(&dict);
}

static void test_put_replaces_the_entry_of_the_key(void **state)
{
    (void)state;
    struct dict dict;
    dict_init(&dict);
    dict_put(&dict, 7, entry_new_string(SLICE_LITERAL("key"), SLICE_LITERAL("old")));
    struct entry *list = entry_new_list(SLICE_LITERAL("key"));
    dict_put(&dict, 7, list);
    assert_int_equal(dict.count, 1);
    assert_ptr_equal(dict_find(&dict, 7, SLICE_LITERAL("key")), list);
    dict_deinit(&dict);
}

static void test_keys_are_told_apart_by_every_byte_and_their_length(void **state)
{
    (void)state;
    static const struct slice keys[] = {SLICE_LITERAL("a"), SLICE_LITERAL("a\0"),
                                        SLICE_LITERAL("a\0b"), SLICE_LITERAL("b"),
                                        SLICE_LITERAL("aa")};
    struct entry *entries[5];
    struct dict dict;
    dict_init(&dict);
    for (size_t i = 0; i < 5; i++) {
        entries[i] = entry_new_string(keys[i], SLICE_LITERAL("v"));
        dict_put(&dict, 1, entries[i]);
    }
    for (size_t i = 0; i < 5; i++)
        assert_ptr_equal(dict_find(&dict, 1, keys[i]), entries[i]);
    assert_null(dict_find(&dict, 1, SLICE_LITERAL("a\0c")));
    dict_deinit(&dict);
}

static void test_gives_memory_back_when_it_empties(void **state)
{
    (void)state;
    struct model model = {.count = 0};
    struct dict dict;
    dict_init(&dict);
    for (uint32_t key = 0; key < KEYS; key++)
        put(&dict, &model, hash_well, key, key + 1);
    size_t full = dict.capacity;
    for (uint32_t key = 0; key < KEYS; key++)
        take(&dict, &model, hash_well, key);
    assert_true(full >= KEYS);
    assert_true(dict.capacity <= 8);
    dict_deinit(&dict);
}

static void test_is_usable_after_deinit(void **state)
{
    (void)state;
    struct dict dict;
    dict_init(&dict);
    dict_put(&dict, 7, entry_new_string(SLICE_LITERAL("key"), SLICE_LITERAL("value")));
    dict_deinit(&dict);
    assert_int_equal(dict.count, 0);
    assert_null(dict_find(&dict, 7, SLICE_LITERAL("key")));
    dict_put(&dict, 7, entry_new_string(SLICE_LITERAL("key"), SLICE_LITERAL("value")));
    assert_non_null(dict_find(&dict, 7, SLICE_LITERAL("key")));
    dict_deinit(&dict);
}

/* Hints change nothing, whatever is there or not. */
static void test_prefetches_are_only_hints(void **state)
{
    (void)state;
    hash_function *const hashes[] = {hash_well, hash_all_equal, hash_at_the_end,
                                     hash_around_the_end};
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        struct model model = {.count = 0};
        struct dict dict;
        dict_init(&dict);
        for (uint32_t key = 0; key < 50; key++) {
            for (uint32_t other = 0; other < 60; other++) {
                dict_prefetch_slot(&dict, hashes[i](other));
                dict_prefetch_entry(&dict, hashes[i](other));
            }
            if (key < 40)
                put(&dict, &model, hashes[i], key, key + 1);
            else
                take(&dict, &model, hashes[i], key - 40);
        }
        assert_equal(&dict, &model, hashes[i]);
        dict_deinit(&dict);
        dict_prefetch_slot(&dict, 1);
        dict_prefetch_entry(&dict, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_steps_match_an_array),
        cmocka_unit_test(test_colliding_hashes_match_an_array),
        cmocka_unit_test(test_removal_closes_the_gap_in_every_small_table),
        cmocka_unit_test(test_begins_without_memory),
        cmocka_unit_test(test_put_replaces_the_entry_of_the_key),
        cmocka_unit_test(test_keys_are_told_apart_by_every_byte_and_their_length),
        cmocka_unit_test(test_gives_memory_back_when_it_empties),
        cmocka_unit_test(test_is_usable_after_deinit),
        cmocka_unit_test(test_prefetches_are_only_hints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
