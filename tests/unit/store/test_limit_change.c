/* Tests of store/limit_change.c: limits and policies that change while operations are carried
 * out. */
#include "store/limit_change.h"

#include "store/data/shard.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/limited_fixture.h"
#include "store/seeded.h"

#define MIB ((size_t)1024 * 1024)
/* What threads and slabs may exceed a limit by, as limit.h says. */
#define TOLERANCE(limit) ((limit) / 64 + 64 * 1024)

static void set_limit(struct limited_fixture *fixture, size_t max_memory, enum store_policy policy)
{
    store_set_limit(fixture->store,
                    (struct store_limit){.max_memory = max_memory, .policy = policy});
}

static enum err set_key(struct limited_fixture *fixture, uint64_t number, size_t size,
                        int64_t expire_at_ms)
{
    char key[32];
    snprintf(key, sizeof key, "key%llu", (unsigned long long)number);
    return limited_apply(fixture, (struct op){.kind = OP_SET,
                                              .key = slice_from_string(key),
                                              .value = slice_make(fixture->zeros, size),
                                              .expire_at_ms = expire_at_ms})
        ->err;
}

static bool has_key(struct limited_fixture *fixture, uint64_t number)
{
    char key[32];
    snprintf(key, sizeof key, "key%llu", (unsigned long long)number);
    return limited_apply(fixture, (struct op){.kind = OP_GET, .key = slice_from_string(key)})
        ->value.found;
}

static void delete_key(struct limited_fixture *fixture, uint64_t number)
{
    char key[32];
    snprintf(key, sizeof key, "key%llu", (unsigned long long)number);
    limited_apply(fixture, (struct op){.kind = OP_DELETE, .key = slice_from_string(key)});
}

/* Keys of 100 bytes, numbered from 0, until so much is in use. Returns how many. */
static uint64_t fill(struct limited_fixture *fixture, size_t bytes)
{
    uint64_t count = 0;
    while (limited_used(fixture) < bytes)
        for (size_t i = 0; i < 1000; i++)
            assert_int_equal(set_key(fixture, count++, 100, 0), ERR_NONE);
    return count;
}

static void shrink_all(struct limited_fixture *fixture)
{
    while (store_shrink(fixture->store))
        ;
}

static void test_raising_ends_refusals(void **state)
{
    struct limited_fixture *fixture = *state;
    uint64_t number = 0;
    limited_open(fixture, 1, MIB, STORE_NOEVICTION);
    while (set_key(fixture, number, 1000, 0) == ERR_NONE)
        number++;
    assert_int_equal(fixture->result.err, ERR_OUT_OF_MEMORY);
    set_limit(fixture, 2 * MIB, STORE_NOEVICTION);
    while (set_key(fixture, number, 1000, 0) == ERR_NONE)
        number++;
    assert_in_range(limited_used(fixture), MIB + MIB / 2, 2 * MIB);
    set_limit(fixture, 0, STORE_NOEVICTION);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(set_key(fixture, number++, 1000, 0), ERR_NONE);
    assert_true(limited_used(fixture) > 5 * MIB);
}

/* What needs memory is refused, and nothing else, until the data fit. */
static void test_lowering_without_eviction(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 1, 0, STORE_NOEVICTION);
    uint64_t count = fill(fixture, 8 * MIB);
    set_limit(fixture, 4 * MIB, STORE_NOEVICTION);
    assert_false(store_shrink(fixture->store));
    uint64_t gone = 0;
    for (; limited_used(fixture) > 4 * MIB; gone++) {
        assert_int_equal(set_key(fixture, count, 100, 0), ERR_OUT_OF_MEMORY);
        assert_int_equal(set_key(fixture, count - 1, 100, 0), ERR_NONE); /* as large as before */
        assert_true(has_key(fixture, gone));
        delete_key(fixture, gone);
    }
    assert_true(gone > count / 4);
    for (uint64_t i = 0; i < 1000; i++)
        delete_key(fixture, gone++);
    assert_int_equal(set_key(fixture, count, 100, 0), ERR_NONE);
    assert_int_equal(limited_evicted(fixture), 0);
}

/* What an operation here may evict, in bytes: it may need a new table of a shard's keys, of some
 * 10 KiB, and 4 KiB are evicted on top. */
#define MOST_EVICTED ((size_t)64 * 1024)

/* Some keys were evicted since then, not many. */
static void assert_evicted_a_little(struct limited_fixture *fixture, uint64_t before,
                                    uint64_t count)
{
    uint64_t evicted = limited_evicted(fixture), keys = count - evicted;
    assert_true(evicted > before);
    assert_true((evicted - before) * limited_used(fixture) / keys < MOST_EVICTED);
}

/* What is in use never grows, no operation evicts many keys, and none is refused. */
static void test_lowering_with_eviction(void **state)
{
    static const enum store_policy policies[] = {STORE_ALLKEYS_LRU, STORE_ALLKEYS_RANDOM};
    struct limited_fixture *fixture = *state;
    for (size_t i = 0; i < 2; i++) {
        limited_open(fixture, 1, i == 0 ? 64 * MIB : 0, policies[i]);
        uint64_t count = fill(fixture, 16 * MIB), steps = 0;
        size_t most = limited_used(fixture);
        set_limit(fixture, 2 * MIB, policies[i]);
        assert_true(limited_used(fixture) <= most);
        for (; limited_used(fixture) > 2 * MIB; steps++) {
            uint64_t evicted = limited_evicted(fixture);
            assert_int_equal(set_key(fixture, count++, 100, 0), ERR_NONE);
            assert_evicted_a_little(fixture, evicted, count);
            evicted = limited_evicted(fixture);
            store_shrink(fixture->store);
            assert_in_range(limited_evicted(fixture) - evicted, 0, 8);
            assert_true(limited_used(fixture) <= most + TOLERANCE(MIB));
            most = limited_used(fixture) < most ? limited_used(fixture) : most;
        }
        assert_true(steps > 1000);
        assert_false(store_shrink(fixture->store));
        for (size_t n = 0; n < 10000; n++)
            assert_int_equal(set_key(fixture, count++, 100, 0), ERR_NONE);
        assert_true(limited_used(fixture) <= 2 * MIB + TOLERANCE(2 * MIB));
        op_result_release(&fixture->result);
        fixture->result = (struct op_result){0};
        store_free(fixture->store);
        fixture->store = NULL;
    }
}

/* An operation evicts for a lowered limit also if it is refused; but nothing from when the limit is
 * reached, whoever freed the memory. */
static void test_lowering_and_refusals(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 1, 0, STORE_VOLATILE_LRU);
    uint64_t count = fill(fixture, 4 * MIB), gone = 0;
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(set_key(fixture, count++, 100, LIMITED_NOW_MS + 1000000), ERR_NONE);
    set_limit(fixture, 2 * MIB, STORE_VOLATILE_LRU);
    assert_int_equal(set_key(fixture, count, MIB, 0), ERR_OUT_OF_MEMORY);
    uint64_t evicted = limited_evicted(fixture);
    assert_in_range(evicted, 1, 8);
    while (pages_used(&fixture->store->pages) > 2 * MIB)
        delete_key(fixture, gone++);
    assert_int_equal(set_key(fixture, count, MIB, 0), ERR_OUT_OF_MEMORY);
    assert_false(store_shrink(fixture->store));
    assert_int_equal(limited_evicted(fixture), evicted);
}

/* Nobody writes. */
static void test_lowering_in_the_background(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 1, 0, STORE_ALLKEYS_LRU);
    uint64_t count = fill(fixture, 8 * MIB);
    for (uint64_t i = 0; i < count; i++) /* nothing was noted so far */
        assert_true(has_key(fixture, i));
    set_limit(fixture, 3 * MIB, STORE_ALLKEYS_LRU);
    shrink_all(fixture);
    assert_in_range(limited_used(fixture), 2 * MIB, 3 * MIB + TOLERANCE(3 * MIB));
    set_limit(fixture, 1 * MIB, STORE_ALLKEYS_LRU);
    set_limit(fixture, 10 * MIB, STORE_ALLKEYS_LRU); /* on second thoughts */
    assert_false(store_shrink(fixture->store));
    uint64_t evicted = limited_evicted(fixture);
    for (uint64_t i = 0; i < 20000; i++)
        assert_int_equal(set_key(fixture, count++, 100, 0), ERR_NONE);
    assert_int_equal(limited_evicted(fixture), evicted);
}

/* Each evicts what it is for, whatever was in effect before, and is counted by itself. */
static void test_policies(void **state)
{
    static const enum store_policy order[] = {
        STORE_NOEVICTION,   STORE_ALLKEYS_LRU, STORE_VOLATILE_TTL, STORE_ALLKEYS_RANDOM,
        STORE_VOLATILE_LRU, STORE_ALLKEYS_LRU, STORE_NOEVICTION};
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 1, 2 * MIB, STORE_NOEVICTION);
    uint64_t number = 0, sum = 0;
    while (set_key(fixture, number, 100, 0) == ERR_NONE)
        number++;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        enum store_policy policy = order[i];
        set_limit(fixture, 2 * MIB, policy);
        struct store_stats before = store_stats(fixture->store);
        int64_t deadline = store_policy_is_volatile(policy) ? LIMITED_NOW_MS + 1000000 : 0;
        for (size_t n = 0; n < 1000; n++)
            if (set_key(fixture, number++, 100, deadline) != ERR_NONE)
                assert_int_equal(fixture->result.err, ERR_OUT_OF_MEMORY);
        struct store_stats after = store_stats(fixture->store);
        uint64_t evicted = after.evicted_by[policy] - before.evicted_by[policy];
        assert_int_equal(after.evicted_keys - before.evicted_keys, evicted);
        if (policy == STORE_NOEVICTION)
            assert_int_equal(evicted, 0);
        if (policy == STORE_ALLKEYS_LRU || policy == STORE_ALLKEYS_RANDOM)
            assert_in_range(evicted, 500, 2000);
        assert_true(after.used_memory <= 2 * MIB + TOLERANCE(2 * MIB));
        sum += evicted;
    }
    assert_int_equal(limited_evicted(fixture), sum);
}

/* A policy that begins late knows what is used from then on. */
static void test_use_is_noted_from_then_on(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 1, 4 * MIB, STORE_ALLKEYS_RANDOM);
    uint64_t number = 1000, kept = 0;
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(set_key(fixture, i, 100, 0), ERR_NONE);
    set_limit(fixture, 4 * MIB, STORE_ALLKEYS_LRU);
    for (size_t round = 0; round < 200; round++) {
        for (uint64_t i = 0; i < 1000; i++)
            has_key(fixture, i);
        for (size_t i = 0; i < 1000; i++)
            assert_int_equal(set_key(fixture, number++, 100, 0), ERR_NONE);
    }
    assert_true(limited_evicted(fixture) > 100000);
    for (uint64_t i = 0; i < 1000; i++)
        kept += has_key(fixture, i);
    assert_in_range(kept, 900, 1000);
}

/* What eviction keeps for each shard is made when no lock is held for long. */
static void test_a_long_operation_defers_a_policy(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 1, 4 * MIB, STORE_NOEVICTION);
    struct mutex *lock = &fixture->store->shards[5].lock;
    mutex_lock_long(lock);
    set_limit(fixture, 3 * MIB, STORE_ALLKEYS_LRU);
    assert_int_equal(store_limit(fixture->store).policy, STORE_NOEVICTION);
    assert_false(store_shrink(fixture->store));
    assert_int_equal(store_limit(fixture->store).policy, STORE_NOEVICTION);
    mutex_unlock(lock);
    assert_false(store_shrink(fixture->store));
    assert_int_equal(store_limit(fixture->store).policy, STORE_ALLKEYS_LRU);
    assert_int_equal(store_limit(fixture->store).max_memory, 3 * MIB);
    mutex_lock_long(lock); /* it has what it needs by now */
    set_limit(fixture, 30 * MIB, STORE_VOLATILE_LRU);
    assert_int_equal(store_limit(fixture->store).policy, STORE_VOLATILE_LRU);
    assert_int_equal(store_limit(fixture->store).max_memory, 30 * MIB);
    mutex_unlock(lock);
}

static void test_a_change_while_it_is_lifted(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 1, 4 * MIB, STORE_NOEVICTION);
    store_lift_limit(fixture->store, true);
    set_limit(fixture, MIB, STORE_ALLKEYS_LRU);
    assert_int_equal(store_limit(fixture->store).max_memory, 0);
    uint64_t count = fill(fixture, 6 * MIB);
    assert_false(store_shrink(fixture->store));
    store_lift_limit(fixture->store, false);
    assert_int_equal(store_limit(fixture->store).max_memory, MIB);
    uint64_t evicted = limited_evicted(fixture);
    assert_int_equal(set_key(fixture, count++, 100, 0), ERR_NONE);
    assert_evicted_a_little(fixture, evicted, count);
    shrink_all(fixture);
    assert_true(limited_used(fixture) <= MIB + TOLERANCE(MIB));
}

/* ---- with threads ---- */

struct crowd {
    struct store *store;
    const uint8_t *zeros;
    atomic_bool stop;
    atomic_uint seeds;
    uint64_t seed;
};

static void crowd_apply(struct crowd *crowd, struct arena *arena, uint64_t *random)
{
    char key[32];
    struct op_result result;
    snprintf(key, sizeof key, "%llu", (unsigned long long)seeded_below(random, 20000));
    struct op op = {.kind = seeded_below(random, 3) == 0 ? OP_GET : OP_SET,
                    .key = slice_from_string(key),
                    .now_ms = LIMITED_NOW_MS};
    if (op.kind == OP_SET) {
        op.value = slice_make(crowd->zeros, seeded_below(random, 400));
        op.expire_at_ms = seeded_below(random, 2) == 0 ? LIMITED_NOW_MS + 100000 : 0;
    }
    store_apply(crowd->store, &op, arena, &result);
    assert_true(result.err == ERR_NONE || result.err == ERR_OUT_OF_MEMORY);
    op_result_release(&result);
    arena_reset(arena);
}

static void *crowd_run(void *user)
{
    struct crowd *crowd = user;
    uint64_t random = crowd->seed + atomic_fetch_add(&crowd->seeds, 1);
    struct arena arena;
    arena_init(&arena);
    while (!atomic_load(&crowd->stop)) {
        for (size_t i = 0; i < 100; i++)
            crowd_apply(crowd, &arena, &random);
        store_shrink(crowd->store);
    }
    arena_deinit(&arena);
    return NULL;
}

static void test_changes_among_threads(void **state)
{
    struct limited_fixture *fixture = *state;
    uint64_t random = seeded_start();
    pthread_t threads[3];
    limited_open(fixture, 1, 0, STORE_ALLKEYS_LRU);
    struct crowd crowd = {.store = fixture->store, .zeros = fixture->zeros, .seed = random};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_run, &crowd), 0);
    for (size_t i = 0; i < 300; i++) {
        size_t limit = seeded_below(&random, 5) * MIB / 2;
        set_limit(fixture, limit, (enum store_policy)seeded_below(&random, STORE_POLICIES));
        for (size_t n = 0; n < 10; n++)
            set_key(fixture, n, 100, 0);
    }
    set_limit(fixture, MIB, STORE_ALLKEYS_RANDOM);
    atomic_store(&crowd.stop, true);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    shrink_all(fixture);
    assert_true(limited_used(fixture) <= MIB + TOLERANCE(MIB));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, limited_setup, limited_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_raising_ends_refusals),       TEST(test_lowering_without_eviction),
        TEST(test_lowering_with_eviction),      TEST(test_lowering_and_refusals),
        TEST(test_lowering_in_the_background),  TEST(test_policies),
        TEST(test_use_is_noted_from_then_on),   TEST(test_a_long_operation_defers_a_policy),
        TEST(test_a_change_while_it_is_lifted), TEST(test_changes_among_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
