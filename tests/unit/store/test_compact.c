/* Tests of store/compact.c: entries that move are found where they are, and nothing else changes.
 */
#include "store/compact.h"

#include "base/arena.h"
#include "store/data/entry.h"
#include "store/data/shard.h"
#include "store/list/list_garbage.h"
#include "store/op.h"
#include "store/snapshot.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define KEYS       1000000
#define VALUE_SIZE 64
/* What pages that are not full take in all shards. */
#define BASE ((size_t)10 << 20)

struct fixture {
    struct store *store;
    struct arena arena;
};

static int setup(void **state)
{
    static struct fixture fixture;
    fixture.store = store_new(&(struct store_options){.databases = 2});
    arena_init(&fixture.arena);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    arena_deinit(&fixture->arena);
    store_free(fixture->store);
    return 0;
}

/* A value begins with its key. */
static struct op_result apply(struct fixture *fixture, enum op_kind kind, unsigned number)
{
    const unsigned value[VALUE_SIZE / sizeof number] = {number};
    struct op op = {.kind = kind,
                    .db = 1,
                    .key = slice_make(&number, sizeof number),
                    .value = slice_make(value, sizeof value)};
    struct op_result result;
    arena_reset(&fixture->arena);
    store_apply(fixture->store, &op, &fixture->arena, &result);
    assert_int_equal(result.err, ERR_NONE);
    return result;
}

/* The hand goes round until there is nothing left to move; how many objects it has moved. */
static size_t compact_all(struct fixture *fixture)
{
    size_t moved = 0;
    for (size_t i = 0; i < fixture->store->shard_count; i++) {
        struct shard *shard = &fixture->store->shards[i];
        size_t visited = 0, lap = shard->databases[1].dict.count * 3 / 2, before;
        do { /* a lap, at least */
            before = moved;
            for (size_t end = visited + lap; visited < end;) {
                struct compact_result compacted = compact_shard(fixture->store, shard);
                if (compacted.visited == 0)
                    break;
                visited += compacted.visited;
                moved += compacted.moved;
            }
        } while (moved > before);
    }
    return moved;
}

static size_t held(struct fixture *fixture)
{
    return store_stats(fixture->store).resident_memory;
}

static void assert_there(struct fixture *fixture, unsigned number, bool there)
{
    struct op_result result = apply(fixture, OP_GET, number);
    assert_int_equal(result.value.found, there);
    if (there)
        assert_memory_equal(result.value.bytes.data, &number, sizeof number);
}

static void test_moved_entries_are_found(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < KEYS; i++)
        apply(fixture, OP_SET, i);
    for (unsigned i = 0; i < KEYS; i++)
        if (i % 5 != 0)
            apply(fixture, OP_DELETE, i);
    size_t before = held(fixture), used = store_stats(fixture->store).used_memory;
    size_t moved = compact_all(fixture);
    assert_in_range(moved, KEYS / 20, 2 * KEYS / 5);
    assert_int_equal(store_stats(fixture->store).used_memory, used);
    assert_true(before > 2 * used);
    assert_true(held(fixture) < used + used / 10 + BASE);
    assert_int_equal(store_count(fixture->store, 1), KEYS / 5);
    for (unsigned i = 0; i < KEYS; i++)
        assert_there(fixture, i, i % 5 == 0);
    assert_int_equal(compact_all(fixture), 0); /* nothing is left to do */
}

/* Buckets that are linked from others take as much as entries with values of 50 bytes. */
static void test_linked_buckets_make_way(void **state)
{
    struct fixture *fixture = *state;
    uint8_t value[50] = {0};
    for (unsigned i = 0; i < KEYS; i++) {
        struct op op = {.kind = OP_SET,
                        .db = 1,
                        .key = slice_make(&i, sizeof i),
                        .value = slice_make(value, sizeof value)};
        struct op_result result;
        store_apply(fixture->store, &op, &fixture->arena, &result);
        arena_reset(&fixture->arena);
    }
    for (unsigned i = 0; i < KEYS; i++)
        apply(fixture, OP_SET, i);
    compact_all(fixture);
    size_t used = store_stats(fixture->store).used_memory;
    assert_true(held(fixture) < used + used / 10 + BASE);
    for (unsigned i = 0; i < KEYS; i++)
        assert_there(fixture, i, true);
}

static void push(struct fixture *fixture, unsigned number, unsigned count)
{
    struct slice values[8];
    for (size_t i = 0; i < 8; i++)
        values[i] = SLICE_LITERAL("some twenty bytes of it");
    for (unsigned i = 0; i < count; i++) {
        struct op op = {.kind = OP_R_PUSH,
                        .db = 1,
                        .key = slice_make(&number, sizeof number),
                        .values = values,
                        .value_count = 8};
        struct op_result result;
        store_apply(fixture->store, &op, &fixture->arena, &result);
        assert_int_equal(result.err, ERR_NONE);
    }
    arena_reset(&fixture->arena);
}

/* Short and long lists, which grow by turns, so that their chunks lie among each other's. */
static void test_lists_move_with_all_they_have(void **state)
{
    struct fixture *fixture = *state;
    enum { LISTS = 8000 };
    for (unsigned round = 0; round < 10; round++)
        for (unsigned i = 0; i < LISTS; i++)
            push(fixture, i, i % 50 == 0 ? 40 : i % 3 + 1);
    size_t before = held(fixture);
    for (unsigned i = 0; i < LISTS; i++)
        if (i % 8 != 0)
            apply(fixture, OP_DELETE, i);
    list_garbage_collect(SIZE_MAX);
    assert_true(held(fixture) > before / 2);
    size_t used = store_stats(fixture->store).used_memory;
    assert_true(compact_all(fixture) > 0);
    assert_int_equal(store_stats(fixture->store).used_memory, used);
    assert_true(held(fixture) < used + used / 10 + BASE);
    for (unsigned i = 0; i < LISTS; i += 8) {
        struct op op = {
            .kind = OP_L_RANGE, .db = 1, .key = slice_make(&i, sizeof i), .start = 0, .stop = -1};
        struct op_result result;
        store_apply(fixture->store, &op, &fixture->arena, &result);
        assert_int_equal(result.value_count, 80 * (i % 50 == 0 ? 40 : i % 3 + 1));
        for (size_t n = 0; n < result.value_count; n++)
            assert_memory_equal(result.values[n].data, "some twenty bytes of it", 23);
        op_result_release(&result);
        arena_reset(&fixture->arena);
    }
}

/* What a snapshot saves: each number that is there, as it was. */
struct seen {
    struct snapshot snapshot;
    uint8_t times[KEYS];
};

static void save(struct snapshot *snapshot, uint32_t db, const struct entry *entry, bool early)
{
    struct seen *seen = (struct seen *)snapshot;
    unsigned number;
    (void)early;
    assert_int_equal(db, 1);
    memcpy(&number, entry_key(entry).data, sizeof number);
    assert_int_equal(entry_string(entry).len, VALUE_SIZE);
    assert_memory_equal(entry_string(entry).data, &number, sizeof number);
    seen->times[number]++;
}

static void on_begin(struct snapshot *snapshot)
{
    (void)snapshot;
}

/* Meanwhile everything moves, and some of it changes. */
static void test_a_snapshot_does_not_mind(void **state)
{
    struct fixture *fixture = *state;
    static struct seen seen = {.snapshot = {.save = save, .on_begin = on_begin}};
    for (unsigned i = 0; i < KEYS; i++)
        apply(fixture, OP_SET, i);
    for (unsigned i = 0; i < KEYS; i++)
        if (i % 5 != 0)
            apply(fixture, OP_DELETE, i);
    store_snapshot_begin(fixture->store, &seen.snapshot);
    size_t moved = 0;
    for (unsigned n = 0; store_snapshot_step(fixture->store, &seen.snapshot); n++) {
        for (unsigned i = 0; i < 20; i++) /* the keys are hashed, so this is anywhere */
            moved += compact_shard(fixture->store,
                                   &fixture->store->shards[(n + i) % fixture->store->shard_count])
                         .moved;
        apply(fixture, n % 2 == 0 ? OP_DELETE : OP_SET, n * 15 % KEYS);
    }
    store_snapshot_end(fixture->store);
    assert_true(moved > KEYS / 100);
    for (unsigned i = 0; i < KEYS; i++)
        assert_int_equal(seen.times[i], i % 5 == 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_moved_entries_are_found),
        TEST(test_linked_buckets_make_way),
        TEST(test_lists_move_with_all_they_have),
        TEST(test_a_snapshot_does_not_mind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
