/* Tests of store/data/dict.c: scans, random entries and prefetching, at rest and while the table
 * changes.
 */
#include "store/data/dict.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/dict_fixture.h"
#include "store/seeded.h"

/* ---- scanning ---- */

struct seen {
    uint32_t times[MANY];
};

static void on_entry(void *context, struct entry *entry)
{
    struct seen *seen = context;
    seen->times[number_of(entry_key(entry))]++;
}

static void test_a_scan_at_rest_reports_each_once(void **state)
{
    struct fixture *fixture = *state;
    static struct seen seen;
    for (uint32_t keys = 0; keys <= 1000; keys++) {
        memset(&seen, 0, sizeof seen);
        uint64_t cursor = 0;
        do {
            cursor = dict_scan(&fixture->dict, cursor, on_entry, &seen);
            assert_int_equal(cursor & 0xffff, 0);
        } while (cursor != 0);
        for (uint32_t key = 0; key < 1000; key++)
            assert_int_equal(seen.times[key], key < keys);
        if (keys < 1000)
            put(fixture, keys, 1);
    }
}

/* Keys below `stable` stay; those above come and go, so that the table has between `stable` and
 * `keys` entries. */
static void scan_while_changing(struct fixture *fixture, uint64_t *random, uint32_t stable,
                                uint32_t keys)
{
    static struct seen seen;
    memset(&seen, 0, sizeof seen);
    uint64_t cursor = 0;
    bool growing = seeded_below(random, 2) == 0;
    size_t reports = 0, steps = 0;
    do {
        cursor = dict_scan(&fixture->dict, cursor, on_entry, &seen);
        steps++;
        if (seeded_below(random, 50) == 0)
            growing = !growing;
        for (uint32_t i = seeded_below(random, 60); i > 0; i--) {
            uint32_t key = stable + seeded_below(random, keys - stable);
            if (growing)
                put(fixture, key, 1);
            else
                take(fixture, key);
        }
    } while (cursor != 0);
    for (uint32_t key = 0; key < stable; key++) {
        assert_true(seen.times[key] > 0);
        reports += seen.times[key];
    }
    assert_true(steps <= keys);
    assert_true(reports < 3 * (size_t)stable);
}

static void test_a_scan_misses_nothing_while_the_table_changes(void **state)
{
    struct fixture *fixture = *state;
    enum { STABLE = 300, ALL = 10000 };
    uint64_t random = seeded_start();
    for (uint32_t key = 0; key < STABLE; key++)
        put(fixture, key, 1);
    for (int round = 0; round < 100; round++)
        scan_while_changing(fixture, &random, STABLE, ALL);
}

struct below {
    uint64_t cursor;
    bool any; /* an entry has a position below it */
};

static void note_below(void *context, struct entry *entry)
{
    struct below *below = context;
    below->any |= dict_scan_position(hash_well(number_of(entry_key(entry)))) < below->cursor;
}

/* The start of the bucket that the cursor is in. */
static uint64_t start_of_bucket(const struct dict *dict, uint64_t cursor)
{
    struct below ignored = {0};
    uint64_t start = 0, next;
    while ((next = dict_scan(dict, start, note_below, &ignored)) != 0 && next <= cursor)
        start = next;
    return start;
}

/* Also after buckets were merged, so that the cursor is in the middle of one. */
static void test_a_scan_reports_nothing_below_its_cursor(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = seeded_start();
    uint32_t keys = 0;
    size_t repeating = 0;
    for (int round = 0; round < 2000; round++) {
        uint64_t cursor = dict_scan(&fixture->dict, random, note_below, &(struct below){0});
        assert_true(start_of_bucket(&fixture->dict, cursor) == cursor);
        uint32_t target = seeded_below(&random, 3000);
        for (; keys < target; keys++)
            put(fixture, keys, 1);
        for (; keys > target; keys--)
            take(fixture, keys - 1);
        struct below below = {.cursor = cursor};
        dict_scan(&fixture->dict, cursor, note_below, &below);
        assert_false(below.any);
        below.any = false;
        dict_scan(&fixture->dict, start_of_bucket(&fixture->dict, cursor), note_below, &below);
        repeating += below.any; /* there is something to leave out */
    }
    assert_true(repeating > 100 && repeating < 1900);
}

/* ---- random entries ---- */

static uint64_t random_number(uint64_t *random)
{
    uint64_t high = seeded_below(random, UINT32_MAX);
    return high << 32 | seeded_below(random, UINT32_MAX);
}

/* 2,000 draws of each on average: far more than 15 % off would be a wonder. */
static void test_random_entries_are_equally_likely(void **state)
{
    struct fixture *fixture = *state;
    static struct seen seen;
    uint64_t random = seeded_start();
    static const uint32_t sizes[] = {1, 2, 7, 9, 30, 100};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (uint32_t key = 0; key < sizes[i]; key++)
            put(fixture, key, 1);
        memset(&seen, 0, sizeof seen);
        for (uint32_t draw = 0; draw < 2000 * sizes[i]; draw++) {
            on_entry(&seen, dict_random(&fixture->dict, random_number(&random)));
        }
        for (uint32_t key = 0; key < sizes[i]; key++)
            assert_in_range(seen.times[key], 1700, 2300);
    }
}

static void test_a_random_entry_is_what_the_number_selects(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t key = 0; key < KEYS; key++)
        put(fixture, key, 1);
    for (uint64_t number = 0; number < 100; number++)
        assert_ptr_equal(dict_random(&fixture->dict, number), dict_random(&fixture->dict, number));
}

/* Also in a chain longer than what the draws reach. */
static void test_every_entry_of_a_long_chain_is_drawn(void **state)
{
    struct fixture *fixture = start(*state, hash_all_equal);
    static struct seen seen;
    memset(&seen, 0, sizeof seen);
    for (uint32_t key = 0; key < 200; key++)
        put(fixture, key, 1);
    uint64_t random = seeded_start();
    for (int draw = 0; draw < 20000; draw++)
        on_entry(&seen, dict_random(&fixture->dict, random_number(&random)));
    for (uint32_t key = 0; key < 200; key++)
        assert_true(seen.times[key] > 0);
}

/* ---- prefetching ---- */

/* Hints change nothing, whether or not the key is present. */
static void test_prefetches_are_only_hints(void **state)
{
    struct fixture *fixture = *state;
    hash_function *const hashes[] = {hash_well, hash_all_equal, hash_at_the_end};
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        start(fixture, hashes[i]);
        for (uint32_t key = 0; key < 50; key++) {
            for (uint32_t other = 0; other < 60; other++) {
                dict_prefetch_bucket(&fixture->dict, hashes[i](other));
                for (unsigned links = 0; links < 3; links++)
                    dict_prefetch(dict_guess(&fixture->dict, hashes[i](other), links));
            }
            if (key < 40)
                put(fixture, key, key + 1);
            else
                take(fixture, key - 40);
        }
        assert_equal(fixture, KEYS);
        dict_deinit(&fixture->dict);
        dict_prefetch_bucket(&fixture->dict, 1);
        assert_null(dict_guess(&fixture->dict, 1, 0).at);
        dict_prefetch(dict_guess(&fixture->dict, 1, 0));
    }
}

/* Bucket by bucket it leads to the entry, unless another entry has the same tag. */
static void test_guesses_lead_to_the_entry(void **state)
{
    struct fixture *fixture = start(*state, hash_well);
    size_t steps[8] = {0}, wrong = 0;
    for (uint32_t key = 0; key < MANY; key++)
        put(fixture, key, 1);
    for (uint32_t key = 0; key < MANY; key++) {
        const struct entry *entry = find(fixture, key);
        struct dict_guess guess;
        unsigned links = 0;
        do {
            guess = dict_guess(&fixture->dict, hash_well(key), links++);
            assert_non_null(guess.at);
        } while (guess.is_bucket);
        wrong += guess.at != entry;
        steps[links]++;
    }
    assert_true(wrong < MANY / 20);
    assert_true(steps[1] > MANY * 2 / 3 && steps[2] > 0);
    for (uint32_t key = MANY; key < 2 * MANY; key++) { /* absent: it ends somewhere */
        unsigned links = 0;
        while (dict_guess(&fixture->dict, hash_well(key), links).is_bucket)
            assert_true(++links < 8);
    }
    assert_null(dict_guess(&fixture->dict, hash_well(1), 100).at); /* no chain is so long */
}

struct prefetcher {
    const struct fixture *fixture;
    atomic_bool done;
};

static void *prefetch(void *context)
{
    struct prefetcher *prefetcher = context;
    for (uint32_t key = 0; !atomic_load(&prefetcher->done); key = (key + 1) % MANY)
        dict_prefetch_bucket(&prefetcher->fixture->dict, hash_well(key));
    return NULL;
}

static void test_buckets_are_prefetched_while_another_thread_writes(void **state)
{
    struct fixture *fixture = *state;
    struct prefetcher prefetcher = {.fixture = fixture};
    pthread_t thread;
    pthread_create(&thread, NULL, prefetch, &prefetcher);
    for (int round = 0; round < 3; round++) {
        for (uint32_t key = 0; key < 30000; key++)
            put(fixture, key, 1);
        for (uint32_t key = 0; key < 20000; key++)
            take(fixture, key);
        dict_clear(&fixture->dict);
        forget(fixture);
        for (uint32_t key = 0; key < 20000; key++)
            put(fixture, key, 1);
        struct dict taken;
        dict_take_all(&fixture->dict, &taken);
        forget(fixture);
        while (taken.count > 0) {
            dict_clear_some(&taken, 1000);
            put(fixture, (uint32_t)taken.count, 1);
        }
        dict_give_back(&fixture->dict, &taken);
    }
    atomic_store(&prefetcher.done, true);
    pthread_join(thread, NULL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, dict_setup, dict_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_scan_at_rest_reports_each_once),
        TEST(test_a_scan_misses_nothing_while_the_table_changes),
        TEST(test_a_scan_reports_nothing_below_its_cursor),
        TEST(test_random_entries_are_equally_likely),
        TEST(test_a_random_entry_is_what_the_number_selects),
        TEST(test_every_entry_of_a_long_chain_is_drawn),
        TEST(test_prefetches_are_only_hints),
        TEST(test_guesses_lead_to_the_entry),
        TEST(test_buckets_are_prefetched_while_another_thread_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
