/* Tests of store/scan.c: each key that stays is found exactly once and no key twice, whatever
 * happens to the data meanwhile; pages have their size; cursors are only what the store wrote. */
#include "store/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"
#include "store/seeded.h"

#define NOW_MS  KEYSPACE_NOW_MS
#define STAYING 3000
#define COMING  30000

struct fixture {
    struct change_sink sink; /* first */
    uint64_t revision;
    struct store *store;
    struct arena arena, page;
    struct scan scan;
    struct op_result result; /* of the newest step */
    unsigned found[STAYING + COMING];
};

static uint64_t begin(struct change_sink *sink)
{
    return ++((struct fixture *)sink)->revision;
}

static void change(struct change_sink *sink, const struct op *op)
{
    (void)sink;
    (void)op;
}

static void end(struct change_sink *sink)
{
    (void)sink;
}

static void restart(struct fixture *fixture)
{
    scan_release(&fixture->scan);
    arena_reset(&fixture->page);
    fixture->scan = (struct scan){
        .room = 64 * 1024, .max_visited = UINT64_MAX, .now_ms = NOW_MS, .arena = &fixture->page};
    memset(fixture->found, 0, sizeof fixture->found);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->sink =
        (struct change_sink){.begin = begin, .change = change, .end = end, .abort = end};
    fixture->store = store_new(&(struct store_options){.databases = 3});
    store_set_sink(fixture->store, &fixture->sink);
    arena_init(&fixture->arena);
    arena_init(&fixture->page);
    restart(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    scan_release(&fixture->scan);
    arena_deinit(&fixture->arena);
    arena_deinit(&fixture->page);
    store_free(fixture->store);
    free(fixture);
    return 0;
}

static void apply(struct fixture *fixture, struct op op)
{
    op.now_ms = NOW_MS;
    keyspace_carry_out(fixture->store, &fixture->arena, &op);
    arena_reset(&fixture->arena);
}

struct name {
    char text[16];
};

static struct name name_of(unsigned number)
{
    struct name name;
    snprintf(name.text, sizeof name.text, "%u", number);
    return name;
}

static void set(struct fixture *fixture, uint32_t db, unsigned number)
{
    struct name name = name_of(number);
    apply(fixture, (struct op){.kind = OP_SET,
                               .db = db,
                               .key = slice_from_string(name.text),
                               .value = SLICE_LITERAL("value")});
}

static void delete_key(struct fixture *fixture, unsigned number)
{
    struct name name = name_of(number);
    apply(fixture, (struct op){.kind = OP_DELETE, .key = slice_from_string(name.text)});
}

static void set_text(struct fixture *fixture, const char *key, struct slice value,
                     int64_t expire_at_ms)
{
    apply(fixture, (struct op){.kind = OP_SET,
                               .key = slice_from_string(key),
                               .value = value,
                               .expire_at_ms = expire_at_ms});
}

static void push(struct fixture *fixture, const char *key)
{
    struct slice value = SLICE_LITERAL("element");
    apply(fixture, (struct op){.kind = OP_L_PUSH,
                               .key = slice_from_string(key),
                               .values = &value,
                               .value_count = 1});
}

/* One step; true if the page is full. */
static bool step(struct fixture *fixture)
{
    fixture->result = (struct op_result){0};
    assert_int_equal(store_scan(fixture->store, &fixture->scan, &fixture->result), STORE_DONE);
    assert_int_equal(fixture->result.err, ERR_NONE);
    return fixture->scan.is_full;
}

static unsigned number_of(struct slice key)
{
    unsigned number = 0;
    for (size_t i = 0; i < key.len; i++)
        number = number * 10 + (unsigned)(key.data[i] - '0');
    assert_true(number < STAYING + COMING);
    return number;
}

/* Takes the page's keys, which are numbers, and begins the next; false after the last one. */
static bool take_page(struct fixture *fixture)
{
    struct scan *scan = &fixture->scan;
    for (size_t i = 0; i < scan->count; i++)
        fixture->found[number_of(scan->entries[i].key)]++;
    scan_release(scan);
    arena_reset(&fixture->page);
    scan->visited = 0;
    scan->is_full = false;
    return scan->cursor_len > 0;
}

static void assert_each_once(struct fixture *fixture)
{
    for (unsigned i = 0; i < STAYING + COMING; i++)
        if (fixture->found[i] > 1 || (i < STAYING && fixture->found[i] == 0))
            fail_msg("key %u was found %u times", i, fixture->found[i]);
}

static void test_at_rest(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < STAYING; i++)
        set(fixture, 0, i);
    size_t rooms[] = {1, 100, 1000, 64 * 1024, 1 << 20};
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        restart(fixture);
        fixture->scan.room = rooms[i];
        size_t steps = 0, pages = 1, visited = 0;
        while (true) {
            for (steps++; !step(fixture); steps++)
                ;
            assert_true(fixture->scan.count <= 1 || fixture->scan.bytes <= rooms[i]);
            visited += fixture->scan.visited;
            if (!take_page(fixture))
                break;
            pages++;
        }
        assert_each_once(fixture);
        assert_true(rooms[i] == 1 ? pages >= STAYING : pages < 2 + 2 * STAYING * 12 / rooms[i]);
        assert_true(steps >= 3); /* none is long */
        assert_true(rooms[i] < 64 * 1024 || visited == STAYING);
    }
}

static void test_an_empty_database(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, 1, 1);
    assert_true(step(fixture));
    assert_int_equal(fixture->scan.count, 0);
    assert_int_equal(fixture->scan.cursor_len, 0);
}

/* Keys come in hordes and go again, so that buckets split and merge. */
static void wreak_havoc(struct fixture *fixture, uint64_t *random, unsigned *present)
{
    unsigned target = seeded_below(random, 3) > 0 ? seeded_below(random, COMING) : 0;
    for (unsigned i = 0; i < 2000 && *present < target; i++)
        set(fixture, 0, STAYING + (*present)++);
    for (unsigned i = 0; i < 2000 && *present > target; i++)
        delete_key(fixture, STAYING + --*present);
}

static void test_while_keys_come_and_go(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = seeded_start();
    unsigned present = 0;
    for (unsigned i = 0; i < STAYING; i++)
        set(fixture, 0, i);
    for (int round = 0; round < 10; round++) {
        restart(fixture);
        fixture->scan.room = 1 + seeded_below(&random, 4000);
        fixture->scan.max_visited = 1 + seeded_below(&random, 1000);
        do {
            while (!step(fixture))
                wreak_havoc(fixture, &random, &present);
            if (seeded_below(&random, 10) == 0)
                wreak_havoc(fixture, &random, &present);
        } while (take_page(fixture));
        assert_each_once(fixture);
    }
}

/* Keys that both databases have exist throughout. */
static void test_while_databases_are_swapped_and_flushed(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = seeded_start();
    for (unsigned i = 0; i < STAYING; i++) {
        set(fixture, 0, i);
        set(fixture, 1, i);
    }
    for (unsigned i = 0; i < COMING; i++)
        set(fixture, 1, STAYING + i); /* it has many more buckets */
    fixture->scan.room = 500;
    do {
        while (!step(fixture))
            ;
        if (seeded_below(&random, 4) == 0)
            apply(fixture, (struct op){.kind = OP_SWAP_DB, .db = 0, .target_db = 1});
        if (seeded_below(&random, 20) == 0)
            apply(fixture, (struct op){.kind = OP_FLUSH_DB, .db = 2});
    } while (take_page(fixture));
    assert_each_once(fixture);
    for (unsigned i = 0; i < STAYING; i++)
        set(fixture, 2, i);
    restart(fixture);
    fixture->scan.db = 2;
    fixture->scan.room = 500;
    assert_false(step(fixture) && !take_page(fixture));
    apply(fixture, (struct op){.kind = OP_FLUSH_DB, .db = 2});
    while (!step(fixture))
        ;
    take_page(fixture);
    assert_int_equal(fixture->scan.cursor_len, 0);
}

static bool has_found(struct fixture *fixture, const char *key)
{
    struct scan *scan = &fixture->scan;
    for (size_t i = 0; i < scan->count; i++)
        if (slice_equal(scan->entries[i].key, slice_from_string(key)))
            return true;
    return false;
}

static void test_filters(void **state)
{
    struct fixture *fixture = *state;
    set_text(fixture, "user:1", SLICE_LITERAL("one"), 0);
    set_text(fixture, "user:2", SLICE_LITERAL("two"), NOW_MS + 1);
    set_text(fixture, "user:3", SLICE_LITERAL("gone"), NOW_MS + 1);
    push(fixture, "user:list");
    push(fixture, "list");
    fixture->scan.pattern = SLICE_LITERAL("user:*");
    while (!step(fixture))
        ;
    assert_int_equal(fixture->scan.count, 4);
    assert_int_equal(fixture->scan.visited, 5);
    assert_false(has_found(fixture, "list"));
    restart(fixture);
    fixture->scan.type = OP_TYPE_LIST;
    while (!step(fixture))
        ;
    assert_int_equal(fixture->scan.count, 2);
    assert_true(has_found(fixture, "list") && has_found(fixture, "user:list"));
    assert_int_equal(fixture->scan.entries[0].type, OP_TYPE_LIST);
    restart(fixture);
    fixture->scan.type = OP_TYPE_STRING;
    fixture->scan.now_ms = NOW_MS + 1;
    while (!step(fixture))
        ;
    assert_int_equal(fixture->scan.count, 1);
    assert_true(has_found(fixture, "user:1"));
}

/* Long values are shared; a page has only one that is larger than it may be. */
static void test_values(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t bytes[100000];
    for (unsigned i = 0; i < 100; i++)
        set_text(fixture, name_of(i).text, slice_make(bytes, 1000 * (i % 100)), NOW_MS + 5);
    push(fixture, "100");
    fixture->scan.with_values = true;
    fixture->scan.room = 50000;
    do {
        while (!step(fixture))
            ;
        const struct scan *scan = &fixture->scan;
        assert_true(scan->count > 0 || scan->cursor_len == 0);
        assert_true(scan->bytes <= scan->room || scan->count == 1);
        for (size_t i = 0; i < scan->count; i++) {
            const struct op_value *value = scan->entries[i].value;
            if (scan->entries[i].type == OP_TYPE_LIST) {
                assert_null(value);
                continue;
            }
            unsigned number = number_of(scan->entries[i].key);
            assert_int_equal(value->bytes.len, number % 100 * 1000);
            assert_int_equal(value->blob != NULL, value->bytes.len >= BLOB_LEAST);
            assert_int_equal(value->expire_at_ms, NOW_MS + 5);
            assert_int_equal(value->version, number + 1);
            assert_true(value->found);
        }
    } while (take_page(fixture));
    for (unsigned i = 0; i <= 100; i++)
        assert_int_equal(fixture->found[i], 1);
}

/* The page reflects what it shows, what it leaves out, and what is gone. */
static void test_seen(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, 0, 1);
    set(fixture, 1, 2);
    step(fixture);
    assert_int_equal(fixture->result.seen, 1);
    push(fixture, "list");
    restart(fixture);
    fixture->scan.pattern = SLICE_LITERAL("none");
    step(fixture);
    assert_int_equal(fixture->result.seen, 3);
    set(fixture, 0, 3);
    delete_key(fixture, 3);
    restart(fixture);
    step(fixture);
    assert_int_equal(fixture->result.seen, 5);
    apply(fixture, (struct op){.kind = OP_SWAP_DB, .db = 0, .target_db = 2});
    restart(fixture);
    step(fixture);
    assert_int_equal(fixture->result.seen, 6);
    assert_int_equal(fixture->scan.count, 0);
}

static enum err err_of_cursor(struct fixture *fixture)
{
    struct op_result result = {0};
    assert_int_equal(store_scan(fixture->store, &fixture->scan, &result), STORE_DONE);
    assert_true(result.err == ERR_NONE || result.why != NULL);
    return result.err;
}

static void test_cursors(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = seeded_start();
    for (unsigned i = 0; i < STAYING; i++)
        set(fixture, 0, i);
    fixture->scan.room = 1000;
    assert_true(step(fixture));
    uint8_t cursor[SCAN_CURSOR];
    assert_int_equal(fixture->scan.cursor_len, SCAN_CURSOR);
    memcpy(cursor, fixture->scan.cursor, SCAN_CURSOR);
    for (int i = 0; i < 2000; i++) {
        restart(fixture);
        memcpy(fixture->scan.cursor, cursor, SCAN_CURSOR);
        size_t at = seeded_below(&random, SCAN_CURSOR);
        uint8_t byte = (uint8_t)seeded_below(&random, 256);
        fixture->scan.cursor_len = 1 + seeded_below(&random, SCAN_CURSOR);
        if (i % 2 == 0) {
            fixture->scan.cursor_len = SCAN_CURSOR;
            fixture->scan.cursor[at] = byte;
        }
        bool same =
            fixture->scan.cursor_len == SCAN_CURSOR &&
            (i % 2 != 0 || byte == cursor[at] || (byte >= 'A' && (byte | 0x20) == cursor[at]));
        assert_int_equal(err_of_cursor(fixture), same ? ERR_NONE : ERR_BAD_ARGUMENT);
    }
    restart(fixture);
    fixture->scan.db = 1;
    fixture->scan.cursor_len = SCAN_CURSOR;
    memcpy(fixture->scan.cursor, cursor, SCAN_CURSOR);
    assert_int_equal(err_of_cursor(fixture), ERR_BAD_ARGUMENT);
    struct store *own = fixture->store;
    fixture->store = store_new(&(struct store_options){.databases = 3});
    restart(fixture);
    fixture->scan.cursor_len = SCAN_CURSOR;
    memcpy(fixture->scan.cursor, cursor, SCAN_CURSOR);
    assert_int_equal(err_of_cursor(fixture), ERR_BAD_ARGUMENT);
    store_free(fixture->store);
    fixture->store = own;
}

/* It does not wait for a shard that is locked for long. */
static void test_a_locked_shard(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, 0, 1);
    struct mutex *first = &fixture->store->shards[0].lock, *third = &fixture->store->shards[2].lock;
    mutex_lock_long(first);
    fixture->result = (struct op_result){0};
    assert_int_equal(store_scan(fixture->store, &fixture->scan, &fixture->result), STORE_HELD);
    assert_int_equal(fixture->scan.cursor_len, 0);
    mutex_unlock(first);
    mutex_lock_long(third);
    assert_false(step(fixture));
    assert_int_equal(store_scan(fixture->store, &fixture->scan, &fixture->result), STORE_HELD);
    mutex_unlock(third);
    while (!step(fixture))
        ;
    take_page(fixture);
    assert_int_equal(fixture->found[1], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_at_rest),
        TEST(test_an_empty_database),
        TEST(test_while_keys_come_and_go),
        TEST(test_while_databases_are_swapped_and_flushed),
        TEST(test_filters),
        TEST(test_values),
        TEST(test_seen),
        TEST(test_cursors),
        TEST(test_a_locked_shard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
