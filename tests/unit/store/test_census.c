/* Tests of store/census.c: what it counts, and that it does not wait. */
#include "store/census.h"

#include "base/arena.h"
#include "store/data/shard.h"
#include "store/op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS    1000
#define DATABASES 3

struct fixture {
    struct store *store;
    struct store_census census;
    size_t keys[DATABASES], expiring[DATABASES];
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->store = store_new(&(struct store_options){.databases = DATABASES});
    fixture->census.keys = fixture->keys;
    fixture->census.expiring = fixture->expiring;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    store_free(fixture->store);
    free(fixture);
    return 0;
}

static void apply(struct fixture *fixture, struct op op)
{
    struct op_result result;
    struct arena arena;
    arena_init(&arena);
    op.now_ms = NOW_MS;
    store_apply(fixture->store, &op, &arena, &result);
    assert_int_equal(result.err, ERR_NONE);
    op_result_release(&result);
    arena_deinit(&arena);
}

static struct slice name_of(unsigned i)
{
    static char name[20];
    return slice_make(name, (size_t)snprintf(name, sizeof name, "key:%u", i));
}

static void fill(struct fixture *fixture)
{
    for (unsigned i = 0; i < 600; i++)
        apply(fixture, (struct op){.kind = OP_SET,
                                   .db = i % 2,
                                   .key = name_of(i),
                                   .value = SLICE_LITERAL("value"),
                                   .expire_at_ms = i % 3 == 0 ? NOW_MS + 5000 : 0});
}

static void test_it_agrees_with_the_single_counts(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    fixture->keys[2] = fixture->expiring[2] = 77; /* of an earlier census */
    assert_true(store_take_census(fixture->store, &fixture->census));
    struct store_stats stats = store_stats(fixture->store);
    assert_memory_equal(&fixture->census.stats, &stats, sizeof stats);
    for (uint32_t db = 0; db < DATABASES; db++) {
        assert_int_equal(fixture->keys[db], store_count(fixture->store, db));
        assert_int_equal(fixture->expiring[db], store_expiring(fixture->store, db));
    }
    assert_int_equal(fixture->keys[0], 300);
    assert_int_equal(fixture->expiring[0], 100);
    assert_int_equal(fixture->keys[2], 0);
    assert_true(stats.used_memory > 0 && stats.resident_memory >= stats.used_memory);
}

/* Only reads count: of a write nobody asks whether the cache was good. */
static void test_lookups(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    struct store_stats before = store_stats(fixture->store);
    assert_int_equal(before.hits + before.misses, 0);
    for (unsigned i = 0; i < 10; i++)
        apply(fixture, (struct op){.kind = OP_GET, .db = 0, .key = name_of(2 * i)});
    for (unsigned i = 0; i < 7; i++)
        apply(fixture, (struct op){.kind = OP_GET, .db = 2, .key = name_of(i)});
    struct store_stats after = store_stats(fixture->store);
    assert_int_equal(after.hits, 10);
    assert_int_equal(after.misses, 7);
}

static void test_it_does_not_wait_for_a_long_operation(void **state)
{
    struct fixture *fixture = *state;
    struct mutex *lock = &fixture->store->shards[5].lock;
    mutex_lock_long(lock);
    assert_false(store_take_census(fixture->store, &fixture->census));
    mutex_unlock(lock);
    assert_true(store_take_census(fixture->store, &fixture->census));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_agrees_with_the_single_counts),
        TEST(test_lookups),
        TEST(test_it_does_not_wait_for_a_long_operation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
