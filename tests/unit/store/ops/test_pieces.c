/*
 * Tests of store/ops/pieces.c: long reads answer as short ones do, and are atomic while others
 * write their keys: by one commit over all, by removals, and by renames between two pieces.
 */
#include "store/ops/pieces.h"

#include "base/arena.h"
#include "base/blob.h"
#include "store/store.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/seeded.h"

#define KEYS    3000
#define READS   300
#define NAME    8
#define NOW_MS  1700000000000
#define MISSING 7 /* every so many keys are absent */

struct fixture {
    struct store *store;
    struct arena arena;
    char names[KEYS][NAME];
    struct op_key keys[KEYS];
    atomic_bool stop;
    unsigned writes; /* by the other thread */
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->store = store_new(&(struct store_options){.databases = 1});
    arena_init(&fixture->arena);
    for (size_t i = 0; i < KEYS; i++) {
        int len = snprintf(fixture->names[i], NAME, "%zu", i);
        fixture->keys[i].bytes = slice_make(fixture->names[i], (size_t)len);
    }
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    store_free(fixture->store);
    arena_deinit(&fixture->arena);
    free(fixture);
    return 0;
}

static void apply(struct fixture *fixture, struct op op, struct arena *arena,
                  struct op_result *result)
{
    op.now_ms = NOW_MS;
    store_apply(fixture->store, &op, arena, result);
}

static void set(struct fixture *fixture, size_t i, struct slice value)
{
    struct op_result result;
    apply(fixture, (struct op){.kind = OP_SET, .key = fixture->keys[i].bytes, .value = value},
          &fixture->arena, &result);
    assert_int_equal(result.err, ERR_NONE);
}

static struct op all_keys(struct fixture *fixture, enum op_kind kind)
{
    return (struct op){.kind = kind, .keys = fixture->keys, .key_count = KEYS, .now_ms = NOW_MS};
}

/* ---- what they answer ---- */

static void fill(struct fixture *fixture, uint64_t *random)
{
    static uint8_t bytes[BLOB_LEAST + 100];
    seeded_fill(random, bytes, sizeof bytes);
    for (size_t i = 0; i < KEYS; i++)
        if (i % MISSING != 0)
            set(fixture, i, slice_make(bytes, i % 500 == 1 ? sizeof bytes : i % 100));
}

static void test_values_are_those_of_the_keys(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = seeded_start();
    fill(fixture, &random);
    struct op op = all_keys(fixture, OP_M_GET);
    struct op_result result = {0};
    assert_true(pieces_apply(fixture->store, &op, &fixture->arena, &result));
    assert_int_equal(result.err, ERR_NONE);
    assert_int_equal(result.item_count, KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        struct op_result one;
        apply(fixture, (struct op){.kind = OP_GET, .key = fixture->keys[i].bytes}, &fixture->arena,
              &one);
        assert_int_equal(result.items[i].found, one.value.found);
        assert_int_equal(result.items[i].version, one.value.version);
        assert_true(slice_equal(result.items[i].bytes, one.value.bytes));
        op_result_release(&one);
    }
    assert_int_equal(result.seen, result.items[KEYS - 1].version);
    op_result_release(&result);
}

static void test_keys_are_counted(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = seeded_start();
    fill(fixture, &random);
    static const enum op_kind kinds[] = {OP_EXISTS, OP_TOUCH};
    for (size_t k = 0; k < 2; k++) {
        struct op op = all_keys(fixture, kinds[k]);
        struct op_result result = {0};
        assert_true(pieces_apply(fixture->store, &op, &fixture->arena, &result));
        assert_true(result.ok);
        assert_int_equal(result.count, KEYS - (KEYS + MISSING - 1) / MISSING);
    }
}

static void test_short_reads_and_writes_are_not_for_it(void **state)
{
    struct fixture *fixture = *state;
    struct op_result result = {0};
    struct op op = all_keys(fixture, OP_DELETE_MANY);
    assert_false(pieces_apply(fixture->store, &op, &fixture->arena, &result));
    op = all_keys(fixture, OP_M_GET);
    op.key_count = 100;
    assert_false(pieces_apply(fixture->store, &op, &fixture->arena, &result));
}

/* The limit is that of the whole answer, whatever piece it ends in, and to the byte. */
static void test_the_answer_has_its_limit(void **state)
{
    struct fixture *fixture = *state;
    size_t size = KEYS * op_answer_size(10);
    for (size_t i = 0; i < KEYS; i++)
        set(fixture, i, SLICE_LITERAL("0123456789"));
    for (size_t missing = 0; missing < 2; missing++) {
        struct op op = all_keys(fixture, OP_M_GET);
        struct op_result result = {0};
        op.max_answer = size - missing;
        assert_true(pieces_apply(fixture->store, &op, &fixture->arena, &result));
        assert_int_equal(result.err, missing == 0 ? ERR_NONE : ERR_TOO_LARGE);
        assert_int_equal(result.item_count, missing == 0 ? KEYS : 0);
        op_result_release(&result);
    }
}

/* ---- while others write ---- */

/* All keys get the same value at once, again and again; every other time they are removed. */
static void *write_all(void *user)
{
    struct fixture *fixture = user;
    struct arena arena;
    struct op_result result;
    struct op *sets = calloc(KEYS, sizeof *sets);
    char text[12];
    arena_init(&arena);
    while (!atomic_load(&fixture->stop)) {
        int len = snprintf(text, sizeof text, "%u", fixture->writes++);
        for (size_t i = 0; i < KEYS; i++)
            sets[i] = (struct op){.kind = OP_SET,
                                  .key = fixture->keys[i].bytes,
                                  .value = slice_make(text, (size_t)len)};
        struct op op = {.kind = OP_M_SET, .ops = sets, .op_count = KEYS};
        if (fixture->writes % 2 == 0)
            op = all_keys(fixture, OP_DELETE_MANY);
        apply(fixture, op, &arena, &result);
        arena_reset(&arena);
    }
    arena_deinit(&arena);
    free(sets);
    return NULL;
}

static void test_a_commit_is_seen_whole(void **state)
{
    struct fixture *fixture = *state;
    pthread_t thread;
    unsigned present = 0;
    assert_int_equal(pthread_create(&thread, NULL, write_all, fixture), 0);
    for (unsigned round = 0; round < READS; round++) {
        struct op_result result;
        apply(fixture, all_keys(fixture, OP_M_GET), &fixture->arena, &result);
        assert_int_equal(result.item_count, KEYS);
        for (size_t i = 1; i < KEYS; i++) {
            assert_int_equal(result.items[i].found, result.items[0].found);
            assert_true(slice_equal(result.items[i].bytes, result.items[0].bytes));
        }
        present += result.items[0].found;
        op_result_release(&result);
        apply(fixture, all_keys(fixture, OP_EXISTS), &fixture->arena, &result);
        assert_true(result.count == 0 || result.count == KEYS);
        arena_reset(&fixture->arena);
    }
    atomic_store(&fixture->stop, true);
    pthread_join(thread, NULL);
    print_message("%u commits beside %u reads, of which %u found the keys\n", fixture->writes,
                  READS, present);
}

/* One key wanders between the first and the last piece. */
static void *rename_one(void *user)
{
    struct fixture *fixture = user;
    struct arena arena;
    struct op_result result;
    arena_init(&arena);
    while (!atomic_load(&fixture->stop)) {
        bool back = fixture->writes++ % 2;
        apply(fixture,
              (struct op){.kind = OP_RENAME,
                          .key = fixture->keys[back ? KEYS - 1 : 0].bytes,
                          .target = {.bytes = fixture->keys[back ? 0 : KEYS - 1].bytes}},
              &arena, &result);
        arena_reset(&arena);
    }
    arena_deinit(&arena);
    return NULL;
}

static void test_what_wanders_is_seen_once(void **state)
{
    struct fixture *fixture = *state;
    pthread_t thread;
    for (size_t i = 0; i + 1 < KEYS; i++)
        set(fixture, i, SLICE_LITERAL("here"));
    assert_int_equal(pthread_create(&thread, NULL, rename_one, fixture), 0);
    for (unsigned round = 0; round < READS; round++) {
        struct op_result result;
        apply(fixture, all_keys(fixture, OP_EXISTS), &fixture->arena, &result);
        assert_int_equal(result.count, KEYS - 1);
        arena_reset(&fixture->arena);
    }
    atomic_store(&fixture->stop, true);
    pthread_join(thread, NULL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_values_are_those_of_the_keys),
        TEST(test_keys_are_counted),
        TEST(test_short_reads_and_writes_are_not_for_it),
        TEST(test_the_answer_has_its_limit),
        TEST(test_a_commit_is_seen_whole),
        TEST(test_what_wanders_is_seen_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
