/* Tests of store/sweep.c: what has expired goes, whatever else happens, and nothing more. */
#include "store/store.h"

#include "base/arena.h"
#include "store/change.h"
#include "store/data/shard.h"
#include "store/op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/seeded.h"

#define NOW_MS 1700000000000

/* Counts the deletes for expiry. */
struct counting_sink {
    struct change_sink sink;
    uint64_t revision;
    size_t deletes;
};

static uint64_t begin(struct change_sink *sink)
{
    return ++((struct counting_sink *)sink)->revision;
}

static void change(struct change_sink *sink, const struct op *op)
{
    ((struct counting_sink *)sink)->deletes +=
        op->kind == OP_DELETE && op->removal.cause == OP_CAUSE_EXPIRY;
}

static void end(struct change_sink *sink)
{
    (void)sink;
}

struct fixture {
    struct counting_sink sink;
    struct store *store;
    struct arena arena;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->store = store_new(&(struct store_options){.databases = 3});
    fixture->sink.sink =
        (struct change_sink){.begin = begin, .change = change, .end = end, .abort = end};
    store_set_sink(fixture->store, &fixture->sink.sink);
    arena_init(&fixture->arena);
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

static void set(struct fixture *fixture, uint32_t db, unsigned number, int64_t expire_at_ms)
{
    struct op op = {.kind = OP_SET,
                    .db = db,
                    .key = slice_make(&number, sizeof number),
                    .value = SLICE_LITERAL("value"),
                    .now_ms = NOW_MS,
                    .expire_at_ms = expire_at_ms};
    struct op_result result;
    store_apply(fixture->store, &op, &fixture->arena, &result);
    assert_int_equal(result.err, ERR_NONE);
    op_result_release(&result);
    arena_reset(&fixture->arena);
}

/* Goes once everywhere with each of the parts; what was removed. */
static size_t lap(struct fixture *fixture, unsigned parts, int64_t now_ms)
{
    size_t removed = 0;
    for (unsigned part = 0; part < parts; part++) {
        struct store_sweep sweep = {.part = part, .parts = parts};
        struct store_swept swept;
        do {
            swept = store_sweep(fixture->store, &sweep, now_ms);
            removed += swept.removed;
        } while (!swept.lap);
    }
    return removed;
}

static void test_a_lap_removes_what_is_due_in_every_database(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 3000; i++) {
        set(fixture, i % 3, i, NOW_MS + 10);
        set(fixture, i % 3, 10000 + i, NOW_MS + 11);
        set(fixture, i % 3, 20000 + i, 0);
    }
    assert_int_equal(lap(fixture, 1, NOW_MS + 9), 0);
    assert_int_equal(lap(fixture, 1, NOW_MS + 10), 3000);
    assert_int_equal(fixture->sink.deletes, 3000);
    for (uint32_t db = 0; db < 3; db++) {
        assert_int_equal(store_count(fixture->store, db), 2000);
        assert_int_equal(store_expiring(fixture->store, db), 1000);
    }
    assert_int_equal(store_stats(fixture->store).expired_keys, 3000);
}

static void test_the_parts_together_go_everywhere(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned parts = 1; parts <= 300; parts += 23) {
        for (unsigned i = 0; i < 1000; i++)
            set(fixture, 1, i, NOW_MS + 1);
        assert_int_equal(lap(fixture, parts, NOW_MS + 1), 1000);
    }
}

static void test_a_step_is_short(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 100000; i++)
        set(fixture, 0, i, NOW_MS + 1);
    struct store_sweep sweep = {.parts = 1};
    for (size_t laps = 0; store_count(fixture->store, 0) > 0;) {
        struct store_swept swept = store_sweep(fixture->store, &sweep, NOW_MS + 1);
        assert_true(swept.visited < 400);
        laps += swept.lap;
        assert_true(laps < 100);
    }
}

static void test_without_deadlines_a_lap_looks_at_no_key(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 1000; i++)
        set(fixture, 2, i, 0);
    struct store_sweep sweep = {.parts = 1};
    struct store_swept swept = {0};
    for (size_t steps = 0; !swept.lap; steps++) {
        swept = store_sweep(fixture->store, &sweep, NOW_MS);
        assert_int_equal(swept.visited, 0);
        assert_true(steps < 10);
    }
}

static void test_what_is_left_is_moved_together(void **state)
{
    struct fixture *fixture = *state;
    enum { KEYS = 600000 };
    for (unsigned i = 0; i < KEYS; i++)
        set(fixture, i % 3, i, i % 10 == 0 ? 0 : NOW_MS + 1);
    size_t full = store_stats(fixture->store).resident_memory;
    size_t laps = 0;
    while (lap(fixture, 2, NOW_MS + 1) > 0)
        assert_true(++laps < 100);
    struct store_stats stats = store_stats(fixture->store);
    assert_true(stats.resident_memory < full * 2 / 3);
    assert_true(stats.resident_memory < stats.used_memory * 11 / 10 + ((size_t)10 << 20));
    for (unsigned i = 0; i < KEYS; i += 10) {
        struct op op = {
            .kind = OP_GET, .db = i % 3, .key = slice_make(&i, sizeof i), .now_ms = NOW_MS + 1};
        struct op_result result;
        store_apply(fixture->store, &op, &fixture->arena, &result);
        assert_true(result.value.found);
        assert_memory_equal(result.value.bytes.data, "value", 5);
        op_result_release(&result);
        arena_reset(&fixture->arena);
    }
}

static void test_keys_that_come_and_go_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = seeded_start();
    struct store_sweep sweep = {.parts = 1};
    int64_t now_ms = NOW_MS;
    for (unsigned i = 0; i < 50000; i++) {
        unsigned number = seeded_below(&random, 5000);
        bool lasting = number % 2 == 0;
        set(fixture, 0, number, lasting ? 0 : now_ms + seeded_below(&random, 50));
        if (i % 16 == 0)
            store_sweep(fixture->store, &sweep, ++now_ms);
    }
    lap(fixture, 1, now_ms + 100);
    assert_int_equal(store_expiring(fixture->store, 0), 0);
    /* Every lasting key was set with near certainty; none of them was taken. */
    assert_in_range(store_count(fixture->store, 0), 2480, 2500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_lap_removes_what_is_due_in_every_database, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_parts_together_go_everywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_step_is_short, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_deadlines_a_lap_looks_at_no_key, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_is_left_is_moved_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_that_come_and_go_meanwhile, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
