/* Tests of engine/watching.c: the history is kept while somebody watches, shows what is durable,
 * and wakes each listener once. */
#include "engine/watching.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "journal/durable.h"
#include "store/data/shard.h"
#include "store/store.h"

#define WORKERS 2
#define NOW_MS  1700000000000

struct fixture {
    struct store *store;
    struct watching *watching;
    struct durable durable;
    struct arena arena;
    unsigned woken[WORKERS];
    size_t changes, commits;
};

static void wake(void *user, unsigned worker)
{
    ((struct fixture *)user)->woken[worker]++;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->store = store_new(&(struct store_options){.databases = 2});
    fixture->watching = watching_new(fixture->store, 100000, WORKERS, wake, fixture);
    arena_init(&fixture->arena);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    watching_free(fixture->watching);
    store_free(fixture->store);
    arena_deinit(&fixture->arena);
    free(fixture);
    return 0;
}

static uint64_t set(struct fixture *fixture)
{
    struct op op = {.kind = OP_SET,
                    .key = SLICE_LITERAL("key"),
                    .value = SLICE_LITERAL("value"),
                    .now_ms = NOW_MS};
    struct op_result result;
    store_apply(fixture->store, &op, &fixture->arena, &result);
    op_result_release(&result);
    return result.version;
}

static void on_change(void *user, uint64_t revision, const struct op *change)
{
    (void)revision;
    assert_int_equal(change->kind, OP_SET);
    ((struct fixture *)user)->changes++;
}

static bool on_commit(void *user, uint64_t revision)
{
    (void)revision;
    ((struct fixture *)user)->commits++;
    return true;
}

static enum engine_history read_after(struct fixture *fixture, uint64_t after)
{
    struct engine_reader reader = {.on_change = on_change, .on_commit = on_commit, .user = fixture};
    fixture->changes = fixture->commits = 0;
    return watching_read(fixture->watching, after, UINT64_MAX, &reader);
}

static void test_it_costs_nothing_while_nobody_watches(void **state)
{
    struct fixture *fixture = *state;
    set(fixture);
    assert_null(fixture->store->sink);
    assert_true(watching_open(fixture->watching));
    assert_non_null(fixture->store->sink);
    for (int i = 0; i < 100; i++)
        set(fixture);
    assert_int_equal(read_after(fixture, 1), ENGINE_HISTORY_READ);
    assert_int_equal(fixture->changes, 100);
    assert_int_equal(read_after(fixture, 0), ENGINE_HISTORY_LOST);
    watching_close(fixture->watching);

    watching_maintain(fixture->watching, NOW_MS);
    watching_maintain(fixture->watching, NOW_MS + 59999);
    assert_non_null(fixture->store->sink); /* somebody may come again */
    watching_maintain(fixture->watching, NOW_MS + 60000);
    assert_null(fixture->store->sink);
    assert_int_equal(watching_bytes(fixture->watching), 0);
    assert_int_equal(set(fixture), 102);
}

static void test_a_new_store_has_a_first_version(void **state)
{
    struct fixture *fixture = *state;
    assert_true(watching_open(fixture->watching));
    assert_int_equal(watching_newest(fixture->watching), 1);
    assert_int_equal(set(fixture), 2);
    watching_close(fixture->watching);
}

/* Another thread holds a lock for long. */
static void test_it_does_not_wait_for_long_operations(void **state)
{
    struct fixture *fixture = *state;
    mutex_lock_long(&fixture->store->shards[3].lock);
    assert_false(watching_open(fixture->watching));
    mutex_unlock(&fixture->store->shards[3].lock);
    assert_true(watching_open(fixture->watching));
    watching_close(fixture->watching);
}

static void test_listeners_are_woken_once(void **state)
{
    struct fixture *fixture = *state;
    assert_true(watching_open(fixture->watching));
    uint64_t version = set(fixture);
    assert_false(watching_listen(fixture->watching, 1, version - 1)); /* there is news already */
    assert_true(watching_listen(fixture->watching, 1, version));
    for (int i = 0; i < 10; i++)
        set(fixture);
    assert_int_equal(fixture->woken[1], 1);
    assert_int_equal(fixture->woken[0], 0);
    watching_close(fixture->watching);
}

static void test_what_is_not_durable_is_not_shown(void **state)
{
    struct fixture *fixture = *state;
    watching_set_durable(fixture->watching, &fixture->durable);
    atomic_store(&fixture->durable.revision, 1);
    assert_true(watching_open(fixture->watching));
    for (int i = 0; i < 5; i++)
        set(fixture);
    assert_int_equal(watching_newest(fixture->watching), 1);
    assert_true(watching_listen(fixture->watching, 0, 1));
    set(fixture);
    assert_int_equal(fixture->woken[0], 0);
    atomic_store(&fixture->durable.revision, 4);
    watching_on_progress(fixture->watching);
    assert_int_equal(fixture->woken[0], 1);
    assert_int_equal(read_after(fixture, 1), ENGINE_HISTORY_READ);
    assert_int_equal(fixture->commits, 3);
    watching_close(fixture->watching);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_costs_nothing_while_nobody_watches),
        TEST(test_a_new_store_has_a_first_version),
        TEST(test_it_does_not_wait_for_long_operations),
        TEST(test_listeners_are_woken_once),
        TEST(test_what_is_not_durable_is_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
