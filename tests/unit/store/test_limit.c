/* Tests of store/limit.c: what is refused, what is evicted, and for what, near the limit. */
#include "store/limit.h"

#include "base/effort.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/blob.h"
#include "base/runs.h"
#include "store/data/shard.h"
#include "store/limited_fixture.h"
#include "store/seeded.h"

#define MIB          ((size_t)1024 * 1024)
#define KIB          ((size_t)1024)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct slice zeros(struct limited_fixture *fixture, size_t len)
{
    return slice_make(fixture->zeros, len);
}

static struct op set_of(struct limited_fixture *fixture, const char *key, size_t len)
{
    return (struct op){.kind = OP_SET, .key = slice_from_string(key), .value = zeros(fixture, len)};
}

static enum err set(struct limited_fixture *fixture, const char *key, size_t len)
{
    return limited_apply(fixture, set_of(fixture, key, len))->err;
}

/* -1: no such key. */
static ptrdiff_t length(struct limited_fixture *fixture, const char *key)
{
    const struct op_result *result =
        limited_apply(fixture, (struct op){.kind = OP_GET, .key = slice_from_string(key)});
    return result->value.found ? (ptrdiff_t)result->value.bytes.len : -1;
}

static void fill(struct limited_fixture *fixture, unsigned count, size_t len)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(limited_apply(fixture, (struct op){.kind = OP_SET,
                                                            .db = 1,
                                                            .key = slice_make(&i, sizeof i),
                                                            .value = zeros(fixture, len)})
                             ->err,
                         ERR_NONE);
}

static struct op txn_of(struct op *ops, size_t count, struct op_txn *otherwise)
{
    return (struct op){.kind = OP_TXN, .ops = ops, .op_count = count, .txn = otherwise};
}

static void test_either_branch_of_a_transaction_counts(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 4, 8 * MIB, STORE_NOEVICTION);
    struct op sets[60];
    char keys[60][4];
    for (size_t i = 0; i < COUNT(sets); i++) {
        snprintf(keys[i], sizeof keys[i], "%zu", i);
        sets[i] = set_of(fixture, keys[i], MIB);
    }
    struct op compare = {.key = SLICE_LITERAL("absent"), .condition.version = 7};
    struct op_txn otherwise = {
        .compares = &compare, .compare_count = 1, .else_ops = sets, .else_count = COUNT(sets)};
    assert_int_equal(limited_apply(fixture, txn_of(NULL, 0, &otherwise))->err, ERR_OUT_OF_MEMORY);
    assert_int_equal(store_count(fixture->store, 0), 0);
    assert_int_equal(limited_apply(fixture, txn_of(sets, COUNT(sets), &(struct op_txn){0}))->err,
                     ERR_OUT_OF_MEMORY);
    assert_int_equal(store_count(fixture->store, 0), 0);
    /* Seven fit. */
    otherwise.else_count = 7;
    assert_int_equal(limited_apply(fixture, txn_of(NULL, 0, &otherwise))->err, ERR_NONE);
    assert_int_equal(store_count(fixture->store, 0), 7);
}

static void test_a_copy_counts_in_full(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 4, 8 * MIB, STORE_NOEVICTION);
    struct slice values[1000];
    for (size_t i = 0; i < COUNT(values); i++)
        values[i] = SLICE_LITERAL("12345");
    for (int i = 0; i < 400; i++)
        assert_int_equal(limited_apply(fixture, (struct op){.kind = OP_R_PUSH,
                                                            .key = SLICE_LITERAL("list"),
                                                            .values = values,
                                                            .value_count = COUNT(values)})
                             ->err,
                         ERR_NONE);
    struct op copies[50];
    char keys[50][4];
    for (size_t i = 0; i < COUNT(copies); i++) {
        snprintf(keys[i], sizeof keys[i], "%zu", i);
        copies[i] = (struct op){.kind = OP_COPY,
                                .key = SLICE_LITERAL("list"),
                                .target.bytes = slice_from_string(keys[i])};
    }
    assert_int_equal(
        limited_apply(fixture, txn_of(copies, COUNT(copies), &(struct op_txn){0}))->err,
        ERR_OUT_OF_MEMORY);
    assert_int_equal(store_count(fixture->store, 0), 1);
    size_t made = 0;
    while (limited_apply(fixture, copies[made])->err == ERR_NONE)
        made++;
    assert_in_range(made, 1, 6);
    assert_true(limited_used(fixture) <= fixture->limit);
}

/* Whatever the bounds of a transaction's copies add up to, it is not far from the limit. */
static void test_copies_in_both_branches(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 1, 8 * MIB, STORE_NOEVICTION);
    struct op copies[5];
    for (size_t i = 0; i < COUNT(copies); i++)
        copies[i] = (struct op){.kind = OP_COPY, .key = SLICE_LITERAL("list")};
    for (size_t n = 1; n <= COUNT(copies); n++) {
        for (size_t m = 0; m <= COUNT(copies); m++) {
            struct op_txn otherwise = {.else_ops = copies, .else_count = m};
            struct op op = txn_of(copies, n, &otherwise);
            assert_false(limit_is_far(fixture->store, &op));
        }
    }
}

static void test_overwriting_a_part_needs_nothing(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 4, 100 * MIB, STORE_ALLKEYS_LRU);
    fill(fixture, 300, 100 * KIB);
    assert_int_equal(set(fixture, "b", 60 * MIB), ERR_NONE);
    uint64_t before = limited_evicted(fixture);
    struct op op = {.kind = OP_SET_RANGE,
                    .key = SLICE_LITERAL("b"),
                    .start = (int64_t)(59 * MIB),
                    .value = SLICE_LITERAL("1")};
    assert_int_equal(limited_apply(fixture, op)->err, ERR_NONE);
    assert_int_equal(fixture->result.count, 60 * MIB);
    assert_int_equal(length(fixture, "b"), 60 * MIB);
    assert_int_equal(limited_evicted(fixture), before);
}

static void test_overwriting_a_part_is_never_refused(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 4, 100 * MIB, STORE_NOEVICTION);
    assert_int_equal(set(fixture, "b", 84 * MIB), ERR_NONE);
    struct op op = {.kind = OP_SET_RANGE,
                    .key = SLICE_LITERAL("b"),
                    .start = (int64_t)(59 * MIB),
                    .value = SLICE_LITERAL("1")};
    assert_int_equal(limited_apply(fixture, op)->err, ERR_NONE);
    assert_int_equal(length(fixture, "b"), 84 * MIB);
}

static void test_a_reserve_is_not_taken_beyond_the_limit(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 4, 100 * MIB, STORE_NOEVICTION);
    assert_int_equal(set(fixture, "s", 85 * MIB), ERR_NONE);
    struct op op = {.kind = OP_APPEND, .key = SLICE_LITERAL("s"), .value = SLICE_LITERAL("1")};
    assert_int_equal(limited_apply(fixture, op)->err, ERR_NONE);
    assert_true(limited_used(fixture) <= 86 * MIB + 128 * KIB);
    /* Where a reserve does not fit, the byte itself may. */
    assert_int_equal(set(fixture, "t", 100 * MIB - limited_used(fixture) - 500 * KIB), ERR_NONE);
    op.key = SLICE_LITERAL("t");
    assert_int_equal(limited_apply(fixture, op)->err, ERR_NONE);
    assert_true(limited_used(fixture) <= 100 * MIB);
    assert_int_equal(set(fixture, "small", 100), ERR_NONE);
}

static void test_reserves_are_reclaimed_before_a_write_is_refused(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 4, 8 * MIB, STORE_NOEVICTION);
    char key[] = "0";
    for (; key[0] < '5'; key[0]++) {
        assert_int_equal(set(fixture, key, MIB), ERR_NONE);
        assert_int_equal(limited_apply(fixture, (struct op){.kind = OP_APPEND,
                                                            .key = slice_from_string(key),
                                                            .value = SLICE_LITERAL("1")})
                             ->err,
                         ERR_NONE);
    }
    assert_true(limited_used(fixture) > 6 * MIB);
    assert_int_equal(set(fixture, "rest", 2 * MIB + 512 * KIB), ERR_NONE);
    for (key[0] = '0'; key[0] < '5'; key[0]++)
        assert_int_equal(length(fixture, key), MIB + 1);
}

static void test_what_cannot_fit_evicts_nothing(void **state)
{
    static const enum store_policy policies[] = {STORE_ALLKEYS_LRU, STORE_ALLKEYS_RANDOM,
                                                 STORE_VOLATILE_LRU, STORE_VOLATILE_TTL};
    struct limited_fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(policies); i++) {
        limited_open(fixture, 4, 8 * MIB, policies[i]);
        fill(fixture, 30000, 16);
        size_t count = store_count(fixture->store, 1);
        assert_int_equal(set(fixture, "large", 8 * MIB - 200), ERR_OUT_OF_MEMORY);
        assert_int_equal(store_count(fixture->store, 1), count);
        assert_int_equal(limited_evicted(fixture), 0);
        store_free(fixture->store);
    }
    limited_open(fixture, 4, MIB, STORE_NOEVICTION);
}

/* Evicting the keys with a deadline would supply only part of what is missing. */
static void test_nothing_is_evicted_in_vain_for_the_volatile_policies(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 4, 8 * MIB, STORE_VOLATILE_LRU);
    struct op op = set_of(fixture, "volatile", MIB);
    op.expire_at_ms = LIMITED_NOW_MS + 100000;
    assert_int_equal(limited_apply(fixture, op)->err, ERR_NONE);
    assert_int_equal(set(fixture, "lasting", 5 * MIB), ERR_NONE);
    assert_int_equal(set(fixture, "new", 3 * MIB + 512 * KIB), ERR_OUT_OF_MEMORY);
    assert_int_equal(length(fixture, "volatile"), MIB);
    assert_int_equal(set(fixture, "new", 2 * MIB), ERR_NONE);
    assert_int_equal(length(fixture, "volatile"), -1);
}

static void test_the_same_size_again_fits(void **state)
{
    static const enum store_policy policies[] = {STORE_NOEVICTION, STORE_ALLKEYS_LRU};
    struct limited_fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(policies); i++) {
        limited_open(fixture, 4, 100 * MIB, policies[i]);
        fill(fixture, 400, 100 * KIB);
        for (int round = 0; round < 3; round++)
            assert_int_equal(set(fixture, "s", 55 * MIB), ERR_NONE);
        struct op op = set_of(fixture, "s", 55 * MIB);
        assert_int_equal(limited_apply(fixture, txn_of(&op, 1, &(struct op_txn){0}))->err,
                         ERR_NONE);
        assert_int_equal(store_count(fixture->store, 1), 400);
        store_free(fixture->store);
    }
    limited_open(fixture, 4, MIB, STORE_NOEVICTION);
}

static void test_an_operation_never_evicts_its_own_keys(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 4, 8 * MIB, STORE_ALLKEYS_LRU);
    assert_int_equal(set(fixture, "a", 3 * MIB), ERR_NONE);
    assert_int_equal(set(fixture, "b", 3 * MIB), ERR_NONE);
    fill(fixture, 100, 10 * KIB);
    struct op op = {.kind = OP_APPEND, .key = SLICE_LITERAL("a"), .value = zeros(fixture, 3 * MIB)};
    assert_int_equal(limited_apply(fixture, op)->count, 6 * MIB);
    assert_int_equal(length(fixture, "b"), -1);
    /* An operation that would need another key's memory is refused. */
    op.value = zeros(fixture, 4 * MIB);
    assert_int_equal(limited_apply(fixture, op)->err, ERR_OUT_OF_MEMORY);
    assert_int_equal(length(fixture, "a"), 6 * MIB);
}

static void test_a_transaction_copies_a_string_once(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 4, 0, STORE_NOEVICTION);
    assert_int_equal(set(fixture, "s", 16 * MIB), ERR_NONE);
    struct op parts[100];
    for (size_t i = 0; i < COUNT(parts); i++)
        parts[i] = (struct op){.kind = OP_SET_RANGE,
                               .key = SLICE_LITERAL("s"),
                               .start = (int64_t)i,
                               .value = SLICE_LITERAL("1")};
    /* The last operation fails, so the undo log has kept everything until then. */
    parts[99].kind = OP_L_PUSH;
    parts[99].values = &parts[99].value;
    parts[99].value_count = 1;
    assert_int_equal(limited_apply(fixture, txn_of(parts, COUNT(parts), &(struct op_txn){0}))->err,
                     ERR_WRONG_TYPE);
    limited_apply(fixture, (struct op){.kind = OP_GET, .key = SLICE_LITERAL("s")});
    assert_int_equal(fixture->result.value.bytes.data[0], 0);
    assert_int_equal(
        limited_apply(fixture, txn_of(parts, COUNT(parts) - 1, &(struct op_txn){0}))->err,
        ERR_NONE);
    limited_apply(fixture, (struct op){.kind = OP_GET, .key = SLICE_LITERAL("s")});
    assert_memory_equal(fixture->result.value.bytes.data + 95, "1111\0", 5);
    assert_true(store_stats(fixture->store).resident_memory < 40 * MIB);
}

static void test_what_cannot_be_rolled_back_fails(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 4, 0, STORE_NOEVICTION);
    struct slice values[1000];
    for (size_t i = 0; i < COUNT(values); i++)
        values[i] = i % 2 == 0 ? SLICE_LITERAL("x") : SLICE_LITERAL("y");
    struct op push = {.kind = OP_R_PUSH,
                      .key = SLICE_LITERAL("list"),
                      .values = values,
                      .value_count = COUNT(values)};
    for (int i = 0; i < 2000; i++)
        limited_apply(fixture, push);
    size_t before = limited_used(fixture);
    struct op ops[] = {
        set_of(fixture, "s", 10),
        {.kind = OP_L_REM, .key = SLICE_LITERAL("list"), .value = SLICE_LITERAL("x")},
    };
    assert_int_equal(limited_apply(fixture, txn_of(ops, 2, &(struct op_txn){0}))->err,
                     ERR_TOO_LARGE);
    assert_non_null(strstr(fixture->result.why, "success[1].l_rem: "));
    assert_int_equal(length(fixture, "s"), -1);
    assert_true(limited_used(fixture) < before + 64 * KIB);
    /* Alone it needs no undo log. */
    struct op rem = {.kind = OP_L_REM, .key = SLICE_LITERAL("list"), .value = SLICE_LITERAL("x")};
    assert_int_equal(limited_apply(fixture, rem)->count, 1000000);
    /* A trim keeps the chunks that it cuts off, so any trim can be rolled back. */
    struct op cut[] = {{.kind = OP_L_TRIM, .key = SLICE_LITERAL("list"), .stop = 9},
                       {.kind = OP_APPEND, .key = SLICE_LITERAL("list")}};
    assert_int_equal(limited_apply(fixture, txn_of(cut, 2, &(struct op_txn){0}))->err,
                     ERR_WRONG_TYPE);
    struct op none = {.kind = OP_L_TRIM, .key = rem.key, .stop = -1};
    assert_int_equal(limited_apply(fixture, none)->count, 1000000);
    assert_int_equal(limited_apply(fixture, txn_of(cut, 1, &(struct op_txn){0}))->err, ERR_NONE);
    assert_int_equal(limited_apply(fixture, push)->count, 1010);
}

static void test_garbage_is_freed_before_a_write_is_refused(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 4, 8 * MIB, STORE_NOEVICTION);
    fill(fixture, 70, 100 * KIB);
    assert_int_equal(limited_apply(fixture, (struct op){.kind = OP_FLUSH_DB, .db = 1})->err,
                     ERR_NONE);
    assert_int_equal(set(fixture, "large", 7 * MIB), ERR_NONE);
}

static void test_adjusting_may_use_the_reserve(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 4, 8 * MIB, STORE_NOEVICTION);
    unsigned count = 0;
    while (
        limited_apply(fixture, (struct op){.kind = OP_SET, .key = slice_make(&count, sizeof count)})
            ->err == ERR_NONE)
        count++;
    unsigned adjusted = 0;
    for (; adjusted < count; adjusted++) {
        struct op op = {.kind = OP_EXPIRE,
                        .key = slice_make(&adjusted, sizeof adjusted),
                        .expire_at_ms = LIMITED_NOW_MS + 1000};
        if (limited_apply(fixture, op)->err != ERR_NONE)
            break;
    }
    assert_int_equal(fixture->result.err, ERR_OUT_OF_MEMORY);
    assert_true(adjusted > 1000);
    assert_true(limited_used(fixture) <= 8 * MIB + 8 * MIB / 64 + 8 * MIB / 64);
    unsigned first = 0;
    struct op op = {.kind = OP_DELETE, .key = slice_make(&first, sizeof first)};
    assert_true(limited_apply(fixture, op)->ok);
}

/* ---- several threads ---- */

#define THREADS    4
#define THREAD_OPS EFFORT(8000, 8000, 2000)

struct crowd {
    struct limited_fixture *fixture;
    uint64_t seed;
    atomic_uint number; /* of the next thread */
    atomic_uint at_work;
    atomic_bool was_refused;
};

static void work_once(struct crowd *crowd, uint64_t *random, struct arena *arena)
{
    unsigned number = seeded_below(random, 400);
    size_t most = seeded_below(random, 20) == 0 ? 200 * KIB : 20 * KIB;
    struct op op = {.kind = seeded_below(random, 3) == 0 ? OP_APPEND : OP_SET,
                    .key = slice_make(&number, sizeof number),
                    .value = zeros(crowd->fixture, seeded_below(random, (uint32_t)most)),
                    .max_value = 300 * KIB,
                    .now_ms = LIMITED_NOW_MS};
    struct op_result result;
    store_apply(crowd->fixture->store, &op, arena, &result);
    if (result.err == ERR_OUT_OF_MEMORY)
        atomic_store(&crowd->was_refused, true);
    op_result_release(&result);
    arena_reset(arena);
}

static void *work(void *context)
{
    struct crowd *crowd = context;
    uint64_t random = crowd->seed + atomic_fetch_add(&crowd->number, 1);
    struct arena arena;
    arena_init(&arena);
    for (int i = 0; i < THREAD_OPS; i++)
        work_once(crowd, &random, &arena);
    arena_deinit(&arena);
    atomic_fetch_sub(&crowd->at_work, 1);
    return NULL;
}

/* The limit holds at every instant, not only at the end. */
static void run_crowd(struct limited_fixture *fixture, enum store_policy policy)
{
    limited_open(fixture, 4, 4 * MIB, policy);
    struct crowd crowd = {.fixture = fixture, .seed = seeded_start(), .at_work = THREADS};
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &crowd), 0);
    size_t most = 0;
    while (atomic_load(&crowd.at_work) > 0) {
        size_t now = pages_used(&fixture->store->pages);
        most = now > most ? now : most;
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    size_t bound = 4 * MIB + 4 * MIB / 64 + THREADS * 64 * KIB;
    assert_true(most <= bound);
    assert_true(limited_used(fixture) <= bound);
    assert_int_equal(atomic_load(&crowd.was_refused), policy == STORE_NOEVICTION);
}

static void test_threads_share_the_limit(void **state)
{
    struct limited_fixture *fixture = *state;
    run_crowd(fixture, STORE_NOEVICTION);
    store_free(fixture->store);
    run_crowd(fixture, STORE_ALLKEYS_LRU);
}

/* Its first attempts are rolled back, which leaves the message intact. */
static void test_a_large_message_is_whole_at_each_attempt(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 4, 64 * MIB, STORE_ALLKEYS_RANDOM);
    fill(fixture, 600, 100 * KIB);
    struct blob *blob = blob_new(24 * MIB);
    memset(blob->data, 'x', 24 * MIB);
    struct op ops[] = {set_of(fixture, "a", 0), set_of(fixture, "b", 0)};
    ops[0].value = slice_make(blob->data, 12 * MIB);
    ops[1].value = slice_make(blob->data + 12 * MIB, 12 * MIB);
    struct op txn = txn_of(ops, COUNT(ops), &(struct op_txn){0});
    txn.holder = blob;
    assert_int_equal(limited_apply(fixture, txn)->err, ERR_NONE);
    assert_true(limited_evicted(fixture) > 100);
    blob_release(blob);
    for (size_t i = 0; i < COUNT(ops); i++) {
        const struct op_result *result =
            limited_apply(fixture, (struct op){.kind = OP_GET, .key = ops[i].key});
        assert_int_equal(result->value.bytes.len, 12 * MIB);
        for (size_t at = 0; at < 12 * MIB; at++)
            assert_int_equal(result->value.bytes.data[at], 'x');
    }
}

/* What is kept to be used again does not count against the data: it is returned, and nothing is
 * evicted for it. */
static void test_what_was_just_freed_is_returned_near_the_limit(void **state)
{
    struct limited_fixture *fixture = *state;
    struct blob *blobs[16];
    limited_open(fixture, 4, 32 * MIB, STORE_ALLKEYS_LRU);
    runs_trim();
    for (size_t i = 0; i < COUNT(blobs); i++)
        blobs[i] = blob_new(4 * MIB - KIB);
    for (size_t i = 0; i < COUNT(blobs); i++)
        blob_release(blobs[i]);
    assert_true(runs_slack() > 60 * MIB);
    fill(fixture, 60000, 300);
    assert_true(limited_used(fixture) > 18 * MIB);
    assert_true(limited_used(fixture) + runs_slack() < 52 * MIB);
    assert_int_equal(limited_evicted(fixture), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, limited_setup, limited_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_either_branch_of_a_transaction_counts),
        TEST(test_a_copy_counts_in_full),
        TEST(test_copies_in_both_branches),
        TEST(test_overwriting_a_part_needs_nothing),
        TEST(test_overwriting_a_part_is_never_refused),
        TEST(test_a_reserve_is_not_taken_beyond_the_limit),
        TEST(test_reserves_are_reclaimed_before_a_write_is_refused),
        TEST(test_what_cannot_fit_evicts_nothing),
        TEST(test_nothing_is_evicted_in_vain_for_the_volatile_policies),
        TEST(test_the_same_size_again_fits),
        TEST(test_an_operation_never_evicts_its_own_keys),
        TEST(test_a_transaction_copies_a_string_once),
        TEST(test_what_cannot_be_rolled_back_fails),
        TEST(test_garbage_is_freed_before_a_write_is_refused),
        TEST(test_adjusting_may_use_the_reserve),
        TEST(test_threads_share_the_limit),
        TEST(test_a_large_message_is_whole_at_each_attempt),
        TEST(test_what_was_just_freed_is_returned_near_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
