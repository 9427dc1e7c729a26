/* Tests of journal/load_rdb.c. */
#include "journal/load_rdb.h"

#include "base/arena.h"
#include "journal/rdb/block.h"
#include "journal/rdb/write.h"
#include "store/op.h"
#include "store/restore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "journal/rdb_bytes.h"
#include "journal/redis8_dump.h"
#include "journal/store_text.h"

struct fixture {
    struct store *store;
    struct loading loading;
    struct buf bytes; /* of the file */
    struct rdb_write write;
    struct rdb_block block;
};

static bool append(void *context, struct slice bytes)
{
    return buf_append(context, bytes);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->store = store_new(&(struct store_options){.databases = 4});
    fixture->loading.store = fixture->store;
    buf_init(&fixture->bytes, SIZE_MAX);
    rdb_write_init(&fixture->write, (struct rdb_sink){append, &fixture->bytes});
    rdb_block_init(&fixture->block, 100, false,
                   (struct rdb_sink){rdb_write_bytes, &fixture->write});
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    rdb_block_deinit(&fixture->block);
    buf_deinit(&fixture->bytes);
    loading_deinit(&fixture->loading);
    store_free(fixture->store);
    free(fixture);
    return 0;
}

/* A header without a revision, as Redis writes it. */
static void foreign_header(struct fixture *fixture)
{
    RDB_BYTES(&fixture->bytes, "REDIS0009");
}

static void foreign_end(struct fixture *fixture)
{
    RDB_BYTES(&fixture->bytes, "\xff");
    rdb_bytes_crc(&fixture->bytes);
}

static void add_string(struct fixture *fixture, uint64_t db, const char *name, const char *value,
                       uint64_t version)
{
    struct rdb_key key = {.name = slice_from_string(name), .version = version};
    assert_true(rdb_block_string(&fixture->block, db, &key, slice_from_string(value)));
}

static void finish(struct fixture *fixture)
{
    assert_true(rdb_block_flush(&fixture->block));
    assert_true(rdb_write_end(&fixture->write));
}

static bool load(struct fixture *fixture)
{
    size_t size;
    bool good = load_rdb(&fixture->loading, buf_slice(&fixture->bytes), &size);
    assert_true(good == (fixture->loading.verdict == LOADING_DONE));
    assert_true(!good || size == fixture->bytes.len);
    return good;
}

static void test_ours_keeps_versions(void **state)
{
    struct fixture *fixture = *state;
    rdb_write_header(&fixture->write, 100);
    add_string(fixture, 0, "a", "1", 7);
    add_string(fixture, 3, "b", "2", 100);
    finish(fixture);
    assert_true(load(fixture));
    store_text_expect(fixture->store, "0 \"a\" @0 v7 = \"1\"\n3 \"b\" @0 v100 = \"2\"\n");
    assert_int_equal(restore_newest(fixture->store), 100);
    assert_int_equal(fixture->loading.progress.keys, 2);
}

static void test_a_foreign_one_has_version_1(void **state)
{
    struct fixture *fixture = *state;
    foreign_header(fixture);
    /* A string that expires, a list of two, and an empty list, which is none. */
    RDB_BYTES(&fixture->bytes, "\xfe\x02\xfc\xe8\x03\0\0\0\0\0\0\0\1a\1x");
    RDB_BYTES(&fixture->bytes, "\1\1l\2\1x\xc0\x7b");
    RDB_BYTES(&fixture->bytes, "\1\1m\0");
    foreign_end(fixture);
    assert_true(load(fixture));
    store_text_expect(fixture->store,
                      "2 \"a\" @1000 v1 = \"x\"\n2 \"l\" @0 v1 = [ \"x\" \"123\" ]\n");
    assert_int_equal(restore_newest(fixture->store), 1);
}

static void test_late_deadlines(void **state)
{
    struct fixture *fixture = *state;
    foreign_header(fixture);
    RDB_BYTES(&fixture->bytes, "\xfc\xff\xff\xff\xff\xff\xff\xff\x7f\0\1a\1x");
    foreign_end(fixture);
    assert_true(load(fixture));
    store_text_expect(fixture->store, "0 \"a\" @9223372036854775807 v1 = \"x\"\n");
}

static void test_other_types_are_noted(void **state)
{
    struct fixture *fixture = *state;
    char text[300];
    foreign_header(fixture);
    RDB_BYTES(&fixture->bytes, "\2\1s\2\1x\1y"); /* a set */
    RDB_BYTES(&fixture->bytes, "\0\1a\1x");
    RDB_BYTES(&fixture->bytes, "\4\1h\1\1f\1v"); /* a hash */
    RDB_BYTES(&fixture->bytes, "\0\0\1x");       /* a string without a name */
    foreign_end(fixture);
    assert_true(load(fixture));
    store_text_expect(fixture->store, "0 \"a\" @0 v1 = \"x\"\n");
    unsupported_print(&fixture->loading.unsupported, text, sizeof text);
    assert_string_equal(text, "set (1: \"s\"), hash (1: \"h\"), key of no or over 65536 bytes (1)");
}

static void expect_end(struct fixture *fixture, enum loading_verdict verdict, const char *words)
{
    assert_false(load(fixture));
    assert_int_equal(fixture->loading.verdict, verdict);
    if (strstr(fixture->loading.why, words) == NULL)
        fail_msg("%s", fixture->loading.why);
}

static void test_a_key_twice_is_damage(void **state)
{
    struct fixture *fixture = *state;
    foreign_header(fixture);
    RDB_BYTES(&fixture->bytes, "\0\1a\1x\1\1a\1\1x");
    foreign_end(fixture);
    expect_end(fixture, LOADING_DAMAGED, "key \"a\" of database 0: it occurs twice");
}

static void test_a_database_too_many(void **state)
{
    struct fixture *fixture = *state;
    foreign_header(fixture);
    RDB_BYTES(&fixture->bytes, "\xfe\4\0\1a\1x");
    foreign_end(fixture);
    expect_end(fixture, LOADING_REFUSED, "start with --databases 5 or more");
}

/* An empty database does no harm, whatever its number. */
static void test_a_database_without_keys(void **state)
{
    struct fixture *fixture = *state;
    foreign_header(fixture);
    RDB_BYTES(&fixture->bytes, "\xfe\x3f");
    foreign_end(fixture);
    assert_true(load(fixture));
}

static void test_damage_is_told_with_its_place(void **state)
{
    struct fixture *fixture = *state;
    foreign_header(fixture);
    RDB_BYTES(&fixture->bytes, "\1\1l\2\1x");
    size_t size = fixture->bytes.len;
    RDB_BYTES(&fixture->bytes, "\x3fy");
    expect_end(fixture, LOADING_DAMAGED, "");
    assert_in_range(fixture->loading.offset, size, size + 1);
    store_text_expect(fixture->store, "");
}

static bool stop_it(void *user, const struct loading_progress *progress)
{
    (void)user;
    return progress->keys < 2;
}

static void test_it_can_be_stopped(void **state)
{
    struct fixture *fixture = *state;
    static char large[2 * 1024 * 1024];
    memset(large, 'x', sizeof large - 1);
    rdb_write_header(&fixture->write, 100);
    for (char name[2] = "a"; name[0] < 'g'; name[0]++)
        add_string(fixture, 0, name, large, 1);
    finish(fixture);
    fixture->loading.on_progress = stop_it;
    expect_end(fixture, LOADING_STOPPED, "stopped");
    assert_int_equal(fixture->loading.progress.keys, 2);
}

static void expect_value_of(struct fixture *fixture, struct arena *arena, const char *name,
                            struct slice value)
{
    struct op get = {.kind = OP_GET, .db = 3, .key = slice_from_string(name)};
    struct op_result result;
    store_apply(fixture->store, &get, arena, &result);
    assert_int_equal(result.err, ERR_NONE);
    assert_true(slice_equal(result.value.bytes, value));
    op_result_release(&result);
    arena_reset(arena);
}

/* Numbers and packed strings do not stand in the file as they are, and there are more of them than
 * wait at once: by number, and by the bytes that they take in all and each. */
static void test_all_kinds_of_many_strings(void **state)
{
    struct fixture *fixture = *state;
    enum { NUMBERS = 70000, PACKED = 300, LARGE = 20000, HUGE_ONE = 300000 };
    static char text[HUGE_ONE + 1];
    char name[24];
    struct arena arena;
    rdb_block_deinit(&fixture->block);
    rdb_block_init(&fixture->block, 100, true, (struct rdb_sink){rdb_write_bytes, &fixture->write});
    rdb_write_header(&fixture->write, 100);
    assert_true(rdb_write_sizes(&fixture->write, 3, NUMBERS, 0));
    for (int i = 0; i < NUMBERS; i++) {
        snprintf(name, sizeof name, "%d", i);
        add_string(fixture, 3, name, name, 1);
    }
    memset(text, 'x', HUGE_ONE);
    add_string(fixture, 3, "huge", text, 1);
    text[LARGE] = '\0';
    for (int i = 0; i < PACKED; i++) {
        snprintf(name, sizeof name, "packed:%d", i);
        add_string(fixture, 3, name, text, 1);
    }
    finish(fixture);
    assert_true(load(fixture));

    assert_int_equal(store_count(fixture->store, 3), NUMBERS + PACKED + 1);
    arena_init(&arena);
    for (int i = 0; i < NUMBERS; i++) {
        snprintf(name, sizeof name, "%d", i);
        expect_value_of(fixture, &arena, name, slice_from_string(name));
    }
    for (int i = 0; i < PACKED; i++) {
        snprintf(name, sizeof name, "packed:%d", i);
        expect_value_of(fixture, &arena, name, slice_from_string(text));
    }
    text[LARGE] = 'x';
    expect_value_of(fixture, &arena, "huge", slice_from_string(text));
    arena_deinit(&arena);
}

static void test_a_string_twice_is_damage(void **state)
{
    struct fixture *fixture = *state;
    foreign_header(fixture);
    RDB_BYTES(&fixture->bytes, "\xfe\1\0\xc0\x7b\1x\0\1b\1x\0\xc0\x7b\1y");
    foreign_end(fixture);
    expect_end(fixture, LOADING_DAMAGED, "key \"123\" of database 1: it occurs twice");
}

/* The hint may say anything. */
static void test_sizes_are_only_a_hint(void **state)
{
    struct fixture *fixture = *state;
    foreign_header(fixture);
    RDB_BYTES(&fixture->bytes, "\xfb\x81\xff\xff\xff\xff\xff\xff\xff\xff\0");
    RDB_BYTES(&fixture->bytes, "\0\1a\1x");
    RDB_BYTES(&fixture->bytes, "\xfb\0\0\0\1b\1x\xfe\x3f\xfb\1\0");
    foreign_end(fixture);
    assert_true(load(fixture));
    store_text_expect(fixture->store, "0 \"a\" @0 v1 = \"x\"\n0 \"b\" @0 v1 = \"x\"\n");
}

static void test_a_dump_of_redis_8(void **state)
{
    struct fixture *fixture = *state;
    struct slice bytes = slice_make(redis8_dump, sizeof redis8_dump);
    char text[700];
    size_t size;
    if (!load_rdb(&fixture->loading, bytes, &size))
        fail_msg("%s", fixture->loading.why);
    assert_int_equal(size, sizeof redis8_dump);
    unsupported_print(&fixture->loading.unsupported, text, sizeof text);
    assert_non_null(strstr(text, "hash (1: \"hash\")"));
    assert_non_null(strstr(text, "set (1: \"set\")"));
    assert_non_null(strstr(text, "stream (1: \"stream\")"));
    assert_non_null(strstr(text, "module vectorset (1: \"v\")"));
    assert_int_equal(store_count(fixture->store, 0), 4);
    assert_int_equal(store_count(fixture->store, 2), 1);
    assert_true(left_out_has(&fixture->loading.left_out, 0, SLICE_LITERAL("hash")));
    loading_deinit(&fixture->loading);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_dump_of_redis_8),
        TEST(test_ours_keeps_versions),
        TEST(test_a_foreign_one_has_version_1),
        TEST(test_late_deadlines),
        TEST(test_other_types_are_noted),
        TEST(test_a_key_twice_is_damage),
        TEST(test_a_database_too_many),
        TEST(test_a_database_without_keys),
        TEST(test_damage_is_told_with_its_place),
        TEST(test_it_can_be_stopped),
        TEST(test_all_kinds_of_many_strings),
        TEST(test_a_string_twice_is_damage),
        TEST(test_sizes_are_only_a_hint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
