/*
 * Tests of store/snapshot.c: whatever happens between begin and end, each key that was there at the
 * beginning is saved once, as it was then, and nothing else is.
 */
#include "store/snapshot.h"

#include "base/arena.h"
#include "store/data/entry.h"
#include "store/data/shard.h"
#include "store/list/list.h"
#include "store/op.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/seeded.h"

#define DATABASES 3
#define KEYS      600
#define MOST      (DATABASES * KEYS)
#define NOW_MS    1700000000000
#define TEXT_SIZE 120

/* A key with its value as text. */
struct record {
    char text[TEXT_SIZE];
    uint64_t version;
};

struct records {
    struct record items[2 * MOST];
    size_t count;
};

struct fixture {
    struct snapshot snapshot; /* first: save() finds the fixture by it */
    struct store *store;
    struct arena arena;
    uint64_t random;
    int64_t now_ms;
    struct records expected;
    struct records saved;
    size_t early;
    size_t begun;
};

static unsigned draw(struct fixture *fixture, uint32_t bound)
{
    return seeded_below(&fixture->random, bound);
}

static void describe_list(char *out, size_t size, const struct list *list)
{
    struct list_cursor cursor;
    size_t used = 0;
    for (bool on = list_seek(list, &cursor, 0); on && used < size; on = list_next(&cursor)) {
        struct slice value = list_cursor_value(&cursor);
        used += (size_t)snprintf(out + used, size - used, " %.*s", (int)value.len,
                                 (const char *)value.data);
    }
}

static void add(struct records *records, uint32_t db, const struct entry *entry)
{
    struct record *record = &records->items[records->count++];
    struct slice key = entry_key(entry);
    size_t used = (size_t)snprintf(record->text, TEXT_SIZE, "%u %.*s %lld", db, (int)key.len,
                                   (const char *)key.data, (long long)entry_expire_at_ms(entry));
    record->version = entry_version(entry);
    if (entry_type(entry) == ENTRY_LIST) {
        describe_list(record->text + used, TEXT_SIZE - used, entry_list(entry));
        return;
    }
    struct slice string = entry_string(entry);
    snprintf(record->text + used, TEXT_SIZE - used, "=%.*s", (int)string.len,
             (const char *)string.data);
}

static void save(struct snapshot *snapshot, uint32_t db, const struct entry *entry, bool early)
{
    struct fixture *fixture = (struct fixture *)snapshot;
    assert_true(fixture->saved.count < 2 * MOST);
    assert_true(entry_version(entry) <= snapshot->revision);
    add(&fixture->saved, db, entry);
    fixture->early += early;
}

struct place {
    struct records *records;
    uint32_t db;
};

static void note_entry(void *context, struct entry *entry)
{
    const struct place *place = context;
    add(place->records, place->db, entry);
}

/* All keys as they are now. */
static void on_begin(struct snapshot *snapshot)
{
    struct fixture *fixture = (struct fixture *)snapshot;
    fixture->begun++;
    for (size_t i = 0; i < fixture->store->shard_count; i++) {
        for (uint32_t db = 0; db < DATABASES; db++) {
            struct place place = {.records = &fixture->expected, .db = db};
            uint64_t cursor = 0;
            do
                cursor = dict_scan(&fixture->store->shards[i].databases[db].dict, cursor,
                                   note_entry, &place);
            while (cursor != 0);
        }
    }
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->store =
        store_new(&(struct store_options){.databases = DATABASES, .threads = SHARDS_MAX});
    fixture->snapshot = (struct snapshot){.save = save, .on_begin = on_begin};
    fixture->random = seeded_start();
    fixture->now_ms = NOW_MS;
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

/* ---- random operations ---- */

static struct slice random_text(struct fixture *fixture, const char *format, uint32_t bound)
{
    char *text = arena_alloc(&fixture->arena, 32);
    return slice_make(text, (size_t)snprintf(text, 32, format, draw(fixture, bound)));
}

static struct op random_op(struct fixture *fixture)
{
    static const enum op_kind kinds[] = {OP_SET,    OP_SET,    OP_SET,     OP_L_PUSH, OP_L_PUSH,
                                         OP_R_POP,  OP_DELETE, OP_EXPIRE,  OP_RENAME, OP_COPY,
                                         OP_L_TRIM, OP_L_SET,  OP_APPEND,  OP_INCR,   OP_L_MOVE,
                                         OP_GET_EX, OP_L_REM,  OP_GET_DEL, OP_GET};
    struct op op = {
        .kind = kinds[draw(fixture, sizeof kinds / sizeof kinds[0])],
        .db = draw(fixture, DATABASES),
        .now_ms = fixture->now_ms,
        .key = random_text(fixture, "key %u", KEYS),
        .value = random_text(fixture, "%u", 50),
        .target = {.bytes = random_text(fixture, "key %u", KEYS)},
        .stop = 2,
    };
    if (op.kind == OP_COPY)
        op.copy.replace = true;
    if (op.kind == OP_INCR)
        op.incr.by = 1;
    struct slice *values = arena_alloc(&fixture->arena, 2 * sizeof *values);
    values[0] = random_text(fixture, "a%u", 50);
    values[1] = random_text(fixture, "%u", 50);
    op.values = values;
    op.value_count = 2;
    op.target_db = op.kind == OP_L_MOVE ? op.db : draw(fixture, DATABASES);
    if (op.kind == OP_EXPIRE || op.kind == OP_GET_EX || draw(fixture, 8) == 0)
        op.expire_at_ms = fixture->now_ms + draw(fixture, 100);
    if (op.kind == OP_L_PUSH)
        op.push.max_length = 6;
    return op;
}

static void apply(struct fixture *fixture, struct op *op)
{
    struct op_result result;
    store_apply(fixture->store, op, &fixture->arena, &result);
    op_result_release(&result);
}

/* Most of these fail at some operation, and are taken back. */
static void apply_txn(struct fixture *fixture)
{
    struct op ops[4];
    struct op_txn none = {0};
    for (size_t i = 0; i < 4; i++)
        ops[i] = random_op(fixture);
    struct op op = {
        .kind = OP_TXN, .now_ms = fixture->now_ms, .ops = ops, .op_count = 4, .txn = &none};
    apply(fixture, &op);
}

static void apply_something(struct fixture *fixture)
{
    fixture->now_ms += draw(fixture, 2);
    if (draw(fixture, 400) == 0) {
        struct op flush = {.kind = OP_FLUSH_DB, .db = draw(fixture, DATABASES)};
        apply(fixture, &flush);
    } else if (draw(fixture, 3) == 0) {
        apply_txn(fixture);
    } else if (draw(fixture, 30) == 0) {
        struct store_sweep sweep = {.parts = 1};
        while (!store_sweep(fixture->store, &sweep, fixture->now_ms).lap)
            continue;
    } else {
        struct op op = random_op(fixture);
        apply(fixture, &op);
    }
    arena_reset(&fixture->arena);
}

/* ---- comparing ---- */

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct record *)a)->text, ((const struct record *)b)->text);
}

static void assert_as_expected(struct fixture *fixture)
{
    struct records *expected = &fixture->expected, *saved = &fixture->saved;
    qsort(expected->items, expected->count, sizeof expected->items[0], compare);
    qsort(saved->items, saved->count, sizeof saved->items[0], compare);
    for (size_t i = 0; i < expected->count && i < saved->count; i++) {
        assert_string_equal(saved->items[i].text, expected->items[i].text);
        assert_int_equal(saved->items[i].version, expected->items[i].version);
    }
    assert_int_equal(saved->count, expected->count);
}

static void take_snapshot(struct fixture *fixture, unsigned ops_per_step)
{
    fixture->expected.count = fixture->saved.count = 0;
    store_snapshot_begin(fixture->store, &fixture->snapshot);
    do
        for (unsigned i = draw(fixture, 2 * ops_per_step + 1); i > 0; i--)
            apply_something(fixture);
    while (store_snapshot_step(fixture->store, &fixture->snapshot));
    store_snapshot_end(fixture->store);
    assert_as_expected(fixture);
}

/* ---- tests ---- */

static void test_an_empty_store(void **state)
{
    struct fixture *fixture = *state;
    take_snapshot(fixture, 0);
    assert_int_equal(fixture->begun, 1);
    assert_int_equal(fixture->saved.count, 0);
}

static void test_nothing_happens_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 5000; i++)
        apply_something(fixture);
    take_snapshot(fixture, 0);
    while (fixture->saved.count <= 100) { /* FlushDb was among the last operations */
        apply_something(fixture);
        take_snapshot(fixture, 0);
    }
    take_snapshot(fixture, 0);
    assert_int_equal(fixture->early, 0);
}

static void test_everything_happens_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned round = 0; round < 150; round++) {
        for (unsigned i = 0; i < 1000; i++)
            apply_something(fixture);
        take_snapshot(fixture, 1 + round % 60);
    }
    assert_true(fixture->early > 1000);
}

static void test_one_that_is_given_up_leaves_nothing_behind(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned round = 0; round < 30; round++) {
        for (unsigned i = 0; i < 1000; i++)
            apply_something(fixture);
        fixture->expected.count = fixture->saved.count = 0;
        store_snapshot_begin(fixture->store, &fixture->snapshot);
        for (unsigned i = 0; i < 5; i++) {
            for (unsigned k = 0; k < 30; k++)
                apply_something(fixture);
            assert_true(store_snapshot_step(fixture->store, &fixture->snapshot));
        }
        store_snapshot_end(fixture->store);
        take_snapshot(fixture, 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_empty_store, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_happens_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_everything_happens_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_is_given_up_leaves_nothing_behind, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
