/* Tests of store/data/dict.c: against an array that is searched, also with the worst hashes, and
 * that a scan misses nothing while the table changes. */
#include "store/data/dict.h"

#include "store/list/list.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/dict_fixture.h"
#include "store/seeded.h"

/* Invariant 3 of dict.h. */
static void assert_buckets_fit(const struct dict *dict)
{
    assert_true(dict->count * 4 <= dict->buckets * 29);
    assert_true(dict->count == 0 || dict->count * 4 >= (dict->buckets - 1) * 22);
    assert_int_equal(dict->buckets == 0, dict->count == 0);
}

/* Puts and removals prevail alternately over `keys` keys. */
static void run_random(struct fixture *fixture, uint64_t *random, uint32_t keys, int steps)
{
    for (int step = 1; step <= steps; step++) {
        uint32_t puts = step / 500 % 2 == 0 ? 70 : 30;
        uint32_t key = seeded_below(random, keys);
        if (seeded_below(random, 100) < puts)
            put(fixture, key, (uint32_t)step);
        else
            take(fixture, key);
        assert_holds(fixture, seeded_below(random, keys));
        assert_buckets_fit(&fixture->dict);
        if (step % 10 == 0)
            assert_equal(fixture, keys);
    }
    assert_equal(fixture, keys);
}

static void test_random_steps_match_an_array(void **state)
{
    uint64_t random = seeded_start();
    run_random(*state, &random, KEYS, 10000);
}

static void test_bad_hashes_match_an_array(void **state)
{
    struct fixture *fixture = *state;
    hash_function *const worst[] = {hash_all_equal, hash_with_equal_tags, hash_at_the_end,
                                    hash_in_three_homes, hash_in_multiples};
    uint64_t random = seeded_start();
    for (size_t i = 0; i < sizeof worst / sizeof worst[0]; i++) {
        run_random(start(fixture, worst[i]), &random, 100, 4000);
        dict_deinit(&fixture->dict);
        assert_int_equal(slab_used(&fixture->slab), 0);
    }
}

static void test_a_chain_of_thousands_grows_and_shrinks(void **state)
{
    struct fixture *fixture = start(*state, hash_all_equal);
    enum { CHAIN = 2000 };
    for (uint32_t key = 0; key < CHAIN; key++)
        put(fixture, key, key + 1);
    assert_equal(fixture, CHAIN);
    /* No more buckets are linked than that many entries need. */
    assert_int_equal(fixture->dict.overflows, (CHAIN - 9 + 7) / 8);
    for (uint32_t key = 0; key < CHAIN; key += 2)
        take(fixture, key);
    assert_equal(fixture, CHAIN);
    for (uint32_t key = 1; key < CHAIN; key += 2)
        take(fixture, key);
    assert_int_equal(fixture->dict.overflows, 0);
}

static void ignore(void *context, struct entry *entry)
{
    (void)context;
    (void)entry;
}

/* The buckets of long chains lie in sparse pages; they move, and nothing is lost. */
static void test_linked_buckets_move(void **state)
{
    struct fixture *fixture = start(*state, hash_in_three_homes);
    enum { CHAINED = 3000, OTHERS = 3000, BUCKET = 64 };
    static void *others[OTHERS];
    for (uint32_t key = 0; key < CHAINED; key++) {
        put(fixture, key, key + 1);
        if (key % 3 == 0)
            for (size_t i = key; i < key + 3; i++)
                others[i] = slab_alloc(&fixture->slab, BUCKET);
    }
    for (size_t i = 0; i < OTHERS; i++)
        slab_free(&fixture->slab, others[i], BUCKET);
    assert_true(slab_is_fragmented(&fixture->slab));
    size_t moved = 0, overflows = fixture->dict.overflows;
    uint64_t cursor = 0;
    do {
        moved += dict_move_links(&fixture->dict, cursor);
        cursor = dict_scan(&fixture->dict, cursor, ignore, NULL);
    } while (cursor != 0);
    assert_in_range(moved, 20, overflows);
    assert_false(slab_is_fragmented(&fixture->slab));
    assert_int_equal(fixture->dict.overflows, overflows);
    assert_equal(fixture, CHAINED);
    for (uint32_t key = 0; key < CHAINED; key++)
        take(fixture, key);
    assert_int_equal(dict_move_links(&fixture->dict, 0), 0);
}

static void test_grows_to_many_and_shrinks_to_nothing(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t key = 0; key < MANY; key++) {
        put(fixture, key, key + 1);
        assert_buckets_fit(&fixture->dict);
    }
    assert_equal(fixture, MANY);
    size_t full = dict_memory(&fixture->dict);
    assert_true(full <= MANY * 12);
    /* Keys of up to six digits with values as long. */
    assert_true(slab_memory(&fixture->slab) <= MANY * (12 + 24 + 1));
    for (uint32_t i = 0; i < MANY; i++) {
        take(fixture, (uint32_t)((uint64_t)i * 7919 % MANY));
        assert_buckets_fit(&fixture->dict);
        if (i % 60000 == 0)
            assert_equal(fixture, MANY);
    }
    assert_int_equal(fixture->dict.overflows, 0);
    assert_true(dict_memory(&fixture->dict) < full / 100);
}

__attribute__((unused)) static uint64_t hash_never(const void *context, struct slice key)
{
    (void)context;
    fail_msg("%.*s moves", (int)key.len, (const char *)key.data);
    return 0;
}

static void test_no_entry_moves_where_room_was_made(void **state)
{
    struct fixture *fixture = *state;
#ifndef KEYSTORE_DEBUG /* whose assertions hash keys, too */
    fixture->hasher.hash = hash_never;
#endif
    dict_reserve(&fixture->dict, MANY);
    for (uint32_t key = 0; key < MANY - 100; key++)
        put(fixture, key, key + 1);
    fixture->hasher.hash = hash_again;
    dict_reserve(&fixture->dict, 10 * MANY); /* does nothing any more */
    for (uint32_t key = MANY - 100; key < MANY; key++)
        put(fixture, key, key + 1);
    assert_buckets_fit(&fixture->dict);
    assert_equal(fixture, MANY);
}

static void test_room_that_was_not_needed_goes(void **state)
{
    struct fixture *fixture = *state;
    enum { FEW = 20, ROOM = 5000 };
    dict_reserve(&fixture->dict, ROOM);
    assert_null(find(fixture, 0));
    assert_null(dict_random(&fixture->dict, 42));
    for (uint32_t key = 0; key < FEW; key++)
        put(fixture, key, key + 1);
    assert_equal(fixture, FEW);
    assert_non_null(dict_random(&fixture->dict, 42));
    for (uint32_t i = 0; i < ROOM; i++) {
        take(fixture, 0);
        put(fixture, 0, 1);
    }
    assert_buckets_fit(&fixture->dict);
    for (uint32_t key = 0; key < FEW; key++)
        take(fixture, key);
    assert_int_equal(fixture->dict.buckets, 0);
}

static void test_begins_without_memory(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(slab_memory(&fixture->slab), 0);
    assert_int_equal(dict_memory(&fixture->dict), 0);
    assert_null(dict_find(&fixture->dict, 1, SLICE_LITERAL("key")));
    assert_null(dict_random(&fixture->dict, 1));
    assert_false(dict_remove(&fixture->dict, 1, SLICE_LITERAL("key")));
    dict_prefetch_bucket(&fixture->dict, 1);
    assert_null(dict_guess(&fixture->dict, 1, 0).at);
    dict_clear(&fixture->dict);
}

static void test_put_replaces_the_entry_of_the_key(void **state)
{
    struct fixture *fixture = start(*state, hash_all_equal);
    struct slice key = SLICE_LITERAL("key");
    dict_put(&fixture->dict, fixture->hash(0), new_string(fixture, key, SLICE_LITERAL("old")));
    struct entry *list = entry_new_list(&fixture->slab, key, list_new(), (struct entry_stamp){0});
    dict_put(&fixture->dict, fixture->hash(0), list);
    assert_int_equal(fixture->dict.count, 1);
    assert_ptr_equal(dict_find(&fixture->dict, fixture->hash(0), key), list);
}

static void test_replace_finds_the_former_by_its_address(void **state)
{
    struct fixture *fixture = start(*state, hash_all_equal);
    struct slice longer = SLICE_LITERAL("a value that needs another place");
    for (uint32_t key = 0; key < 30; key++)
        put(fixture, key, key + 1);
    for (uint32_t key = 0; key < 30; key++) {
        struct entry *former = find(fixture, key);
        struct entry *entry = entry_replace_string(&fixture->slab, former, longer,
                                                   (struct entry_stamp){.version = key});
        assert_ptr_not_equal(entry, former);
        dict_replace(&fixture->dict, fixture->hash(key), former, entry);
        assert_ptr_equal(find(fixture, key), entry);
    }
    for (uint32_t key = 0; key < 30; key++)
        assert_int_equal(entry_version(find(fixture, key)), key);
    assert_int_equal(fixture->dict.count, 30);
}

static void test_keys_are_told_apart_by_every_byte_and_their_length(void **state)
{
    struct fixture *fixture = start(*state, hash_all_equal);
    static const struct slice keys[] = {SLICE_LITERAL("a"), SLICE_LITERAL("a\0"),
                                        SLICE_LITERAL("a\0b"), SLICE_LITERAL("b"),
                                        SLICE_LITERAL("aa")};
    struct entry *entries[5];
    for (size_t i = 0; i < 5; i++) {
        entries[i] = new_string(fixture, keys[i], SLICE_LITERAL("v"));
        dict_put(&fixture->dict, fixture->hash(0), entries[i]);
    }
    for (size_t i = 0; i < 5; i++)
        assert_ptr_equal(dict_find(&fixture->dict, fixture->hash(0), keys[i]), entries[i]);
    assert_null(dict_find(&fixture->dict, fixture->hash(0), SLICE_LITERAL("a\0c")));
}

static void test_is_usable_after_clear_and_deinit(void **state)
{
    struct fixture *fixture = *state;
    void (*const ways[])(struct dict *) = {dict_clear, dict_deinit, dict_clear};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        for (uint32_t key = 0; key < KEYS; key++)
            put(fixture, key, key + 1);
        ways[i](&fixture->dict);
        memset(fixture->values, 0, sizeof fixture->values);
        fixture->count = 0;
        assert_equal(fixture, KEYS);
    }
}

/* ---- clearing incrementally ---- */

/* A valid dictionary is left, with the entries that were there. */
static void test_clears_some_and_keeps_the_others(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t key = 0; key < 5000; key++)
        put(fixture, key, key + 1);
    while (fixture->dict.count > 0) {
        size_t before = fixture->dict.count, wanted = before > 70 ? 70 : before;
        size_t cleared = dict_clear_some(&fixture->dict, 70);
        assert_in_range(cleared, wanted, wanted + 30); /* no bucket has so many */
        assert_int_equal(before - fixture->dict.count, cleared);
        size_t found = 0;
        for (uint32_t key = 0; key < 5000; key++)
            found += find(fixture, key) != NULL;
        assert_int_equal(found, fixture->dict.count);
    }
    assert_int_equal(dict_clear_some(&fixture->dict, 70), 0);
    forget(fixture);
    for (uint32_t key = 0; key < KEYS; key++)
        put(fixture, key, key + 2);
    assert_equal(fixture, KEYS);
}

/* The table is gone with its last entry, whichever bucket that was in. */
static void test_clearing_the_last_entry_frees_the_table(void **state)
{
    struct fixture *fixture = start(*state, hash_at_the_end);
    for (uint32_t key = 0; key < 1000; key++)
        put(fixture, key, 1);
    size_t directories = 0;
    assert_int_equal(dict_clear_some(&fixture->dict, 1), 1000); /* all are in the last bucket */
    directories = dict_memory(&fixture->dict);
    assert_true(directories < PAGES_PAGE_SIZE);
    assert_int_equal(slab_used(&fixture->slab), directories);
}

static void test_a_full_dictionary_is_taken_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct dict taken;
    for (uint32_t key = 0; key < 5000; key++)
        put(fixture, key, key + 1);
    struct entry *entry = find(fixture, 77);
    size_t used = slab_used(&fixture->slab), memory = dict_memory(&fixture->dict);
    dict_take_all(&fixture->dict, &taken);
    assert_int_equal(slab_used(&fixture->slab), used);
    assert_int_equal(dict_memory(&fixture->dict), 0);
    assert_int_equal(dict_memory(&taken), memory);
    assert_int_equal(taken.count, 5000);
    struct text name = text_of(77);
    assert_ptr_equal(dict_find(&taken, hash_well(77), slice_from_string(name.bytes)), entry);
    forget(fixture);
    assert_equal(fixture, 5000);
    for (uint32_t key = 0; key < 2000; key++)
        put(fixture, key, key + 2);
    assert_int_equal(dict_clear_some(&taken, SIZE_MAX), 5000);
    dict_give_back(&fixture->dict, &taken);
    assert_equal(fixture, 5000);
}

/* Directories that cannot be freed are reused, so they do not accumulate. */
static void test_taking_again_and_again_needs_no_more_memory(void **state)
{
    struct fixture *fixture = *state;
    size_t first = 0;
    for (int round = 0; round < 10; round++) {
        struct dict taken;
        for (uint32_t key = 0; key < 5000; key++)
            put(fixture, key, key + 1);
        dict_take_all(&fixture->dict, &taken);
        assert_int_equal(dict_clear_some(&taken, SIZE_MAX), 5000);
        dict_give_back(&fixture->dict, &taken);
        forget(fixture);
        if (round == 0)
            first = slab_used(&fixture->slab);
        assert_int_equal(slab_used(&fixture->slab), first);
        assert_int_equal(dict_memory(&fixture->dict), first);
    }
    assert_true(first > 0);
}

static void test_entries_share_the_buckets_evenly(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(dict_memory_per_entry(&fixture->dict), 0);
    put(fixture, 0, 1);
    assert_int_equal(dict_memory_per_entry(&fixture->dict), 64);
    put(fixture, 1, 1);
    assert_int_equal(dict_memory_per_entry(&fixture->dict), 32);
    for (uint32_t key = 0; key < 30000; key++)
        put(fixture, key, 1);
    /* 7.25 entries to a bucket, few of them in linked ones; nearly the whole of a large table. */
    size_t each = dict_memory_per_entry(&fixture->dict);
    assert_in_range(each, 8, 11);
    assert_in_range(each * 30000, dict_memory(&fixture->dict) * 9 / 10,
                    dict_memory(&fixture->dict) * 12 / 10);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, dict_setup, dict_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_random_steps_match_an_array),
        TEST(test_bad_hashes_match_an_array),
        TEST(test_a_chain_of_thousands_grows_and_shrinks),
        TEST(test_linked_buckets_move),
        TEST(test_grows_to_many_and_shrinks_to_nothing),
        TEST(test_no_entry_moves_where_room_was_made),
        TEST(test_room_that_was_not_needed_goes),
        TEST(test_begins_without_memory),
        TEST(test_put_replaces_the_entry_of_the_key),
        TEST(test_replace_finds_the_former_by_its_address),
        TEST(test_keys_are_told_apart_by_every_byte_and_their_length),
        TEST(test_is_usable_after_clear_and_deinit),
        TEST(test_clears_some_and_keeps_the_others),
        TEST(test_clearing_the_last_entry_frees_the_table),
        TEST(test_a_full_dictionary_is_taken_at_once),
        TEST(test_taking_again_and_again_needs_no_more_memory),
        TEST(test_entries_share_the_buckets_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
