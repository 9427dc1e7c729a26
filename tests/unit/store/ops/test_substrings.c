/* Tests of store/ops/substrings.c: Append, GetRange and SetRange. */
#include "store/ops/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"

#define LATER_MS (KEYSPACE_NOW_MS + 1000)
#define LONG     ((size_t)100000)

static struct op append_op(const char *key, struct slice value)
{
    return (struct op){.kind = OP_APPEND, .key = slice_from_string(key), .value = value};
}

static struct op set_range_op(const char *key, int64_t start, struct slice value)
{
    return (struct op){
        .kind = OP_SET_RANGE, .key = slice_from_string(key), .start = start, .value = value};
}

static const struct op_result *get_range(struct keyspace_fixture *fixture, const char *key,
                                         int64_t start, int64_t stop)
{
    return keyspace_apply(fixture, (struct op){.kind = OP_GET_RANGE,
                                               .key = slice_from_string(key),
                                               .start = start,
                                               .stop = stop});
}

static void assert_held(struct keyspace_fixture *fixture, const char *key, struct slice value)
{
    const struct entry *entry = keyspace_find(fixture, key);
    assert_non_null(entry);
    assert_true(slice_equal(entry_string(entry), value));
}

/* A write with this value as the result. */
static void assert_written(struct keyspace_fixture *fixture, struct op op, struct slice value)
{
    uint64_t revision = fixture->revision;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->ok);
    assert_int_equal(result->count, value.len);
    assert_int_equal(result->version, revision + 1);
    assert_int_equal(fixture->revision, revision + 1);
    assert_held(fixture, (const char *)op.key.data, value);
}

/* An answer of this length that changed nothing. */
static void assert_no_change(struct keyspace_fixture *fixture, struct op op, int64_t length,
                             uint64_t version)
{
    uint64_t revision = fixture->revision;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_int_equal(result->err, ERR_NONE);
    assert_int_equal(result->ok, version != 0);
    assert_int_equal(result->count, length);
    assert_int_equal(result->version, version);
    assert_int_equal(fixture->revision, revision);
}

/* `len` bytes that differ by place. */
static struct slice long_bytes(size_t len)
{
    static uint8_t bytes[LONG];
    for (size_t i = 0; i < LONG; i++)
        bytes[i] = (uint8_t)(i * 37 >> 4);
    return slice_make(bytes, len);
}

static void put(struct keyspace_fixture *fixture, const char *key, struct slice value,
                int64_t expire_at_ms)
{
    keyspace_apply(fixture, (struct op){.kind = OP_SET,
                                        .key = slice_from_string(key),
                                        .value = value,
                                        .expire_at_ms = expire_at_ms});
}

/* ---- Append ---- */

static void test_append_puts_bytes_after_those_there(void **state)
{
    struct keyspace_fixture *fixture = *state;
    assert_written(fixture, append_op("key", SLICE_LITERAL("one")), SLICE_LITERAL("one"));
    assert_written(fixture, append_op("key", SLICE_LITERAL("\0two")), SLICE_LITERAL("one\0two"));
    uint64_t version = fixture->revision;
    assert_no_change(fixture, append_op("key", SLICE_LITERAL("")), 7, version);
}

static void test_append_of_nothing_creates_the_key(void **state)
{
    struct keyspace_fixture *fixture = *state;
    assert_written(fixture, append_op("key", SLICE_LITERAL("")), SLICE_LITERAL(""));
    assert_no_change(fixture, append_op("key", SLICE_LITERAL("")), 0, fixture->revision);
}

static void test_append_and_set_range_keep_the_deadline(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put(fixture, "key", SLICE_LITERAL("one"), LATER_MS);
    assert_written(fixture, append_op("key", SLICE_LITERAL("two")), SLICE_LITERAL("onetwo"));
    assert_int_equal(entry_expire_at_ms(keyspace_find(fixture, "key")), LATER_MS);
    assert_written(fixture, set_range_op("key", 0, SLICE_LITERAL("ON")), SLICE_LITERAL("ONetwo"));
    assert_int_equal(entry_expire_at_ms(keyspace_find(fixture, "key")), LATER_MS);
    fixture->now_ms = LATER_MS;
    assert_written(fixture, append_op("key", SLICE_LITERAL("new")), SLICE_LITERAL("new"));
    assert_int_equal(entry_expire_at_ms(keyspace_find(fixture, "key")), 0);
}

static void test_append_across_the_edges(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const size_t edges[] = {255, 256, BLOB_LEAST, LONG};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        struct slice all = long_bytes(edges[i]);
        for (size_t first = edges[i] - 2; first <= edges[i] - 1; first++) {
            put(fixture, "key", slice_make(all.data, first), 0);
            assert_written(fixture, append_op("key", slice_skip(all, first)), all);
        }
    }
}

static void test_append_obeys_the_limit(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op op = append_op("key", SLICE_LITERAL("12345"));
    op.max_value = 10;
    assert_written(fixture, op, SLICE_LITERAL("12345"));
    assert_written(fixture, op, SLICE_LITERAL("1234512345"));
    op.value = SLICE_LITERAL("x");
    keyspace_assert_fails(fixture, op, ERR_TOO_LARGE);
    op.key = SLICE_LITERAL("other");
    op.value = SLICE_LITERAL("12345678901");
    keyspace_assert_fails(fixture, op, ERR_TOO_LARGE);
    assert_null(keyspace_find(fixture, "other"));
    assert_held(fixture, "key", SLICE_LITERAL("1234512345"));
}

/* A reader in between neither sees later appends nor forces a copy. */
static void test_a_reader_keeps_what_it_read(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice all = long_bytes(LONG);
    put(fixture, "key", slice_make(all.data, 50000), 0);
    assert_written(fixture, append_op("key", slice_make(all.data + 50000, 10)),
                   slice_make(all.data, 50010));
    struct op_result before = *get_range(fixture, "key", 0, -1);
    fixture->result = (struct op_result){0}; /* ours now */
    assert_ptr_equal(before.value.blob, entry_blob(keyspace_find(fixture, "key")));
    assert_written(fixture, append_op("key", slice_make(all.data + 50010, 10)),
                   slice_make(all.data, 50020));
    assert_ptr_equal(before.value.blob, entry_blob(keyspace_find(fixture, "key")));
    assert_true(slice_equal(before.value.bytes, slice_make(all.data, 50010)));
    keyspace_apply(fixture, set_range_op("key", 0, SLICE_LITERAL("zzz")));
    assert_true(slice_equal(before.value.bytes, slice_make(all.data, 50010)));
    op_result_release(&before);
}

/* ---- GetRange ---- */

static void test_ranges_are_clipped_as_redis_does(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const struct {
        int64_t start, stop;
        const char *part;
    } rows[] = {{0, -1, "abc"},
                {0, 0, "a"},
                {1, 2, "bc"},
                {-2, -1, "bc"},
                {-100, 1, "ab"},
                {0, 100, "abc"},
                {2, 1, ""},
                {3, 9, ""},
                {-1, -2, ""},
                {-2, -3, ""},
                {0, -10, "a"},
                {-9, -10, ""},
                {-10, -9, "a"},
                {1, -3, ""},
                {INT64_MIN, INT64_MAX, "abc"},
                {INT64_MAX, INT64_MIN, ""},
                {INT64_MIN, INT64_MIN, "a"},
                {INT64_MAX, INT64_MAX, ""}};
    uint64_t version = keyspace_put_string(fixture, "key", "abc");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct op_result *result = get_range(fixture, "key", rows[i].start, rows[i].stop);
        assert_true(result->value.found);
        assert_int_equal(result->value.version, version);
        assert_slice_is(result->value.bytes, rows[i].part);
    }
    keyspace_put_string(fixture, "empty", "");
    assert_true(get_range(fixture, "empty", 0, 0)->value.found);
    assert_slice_is(get_range(fixture, "empty", 0, -1)->value.bytes, "");
    assert_slice_is(get_range(fixture, "empty", -1, 0)->value.bytes, "");
    assert_false(get_range(fixture, "none", 0, -1)->value.found);
}

static void test_a_range_tells_the_deadline(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put(fixture, "key", SLICE_LITERAL("abc"), LATER_MS);
    assert_int_equal(get_range(fixture, "key", 0, 1)->value.expire_at_ms, LATER_MS);
    fixture->now_ms = LATER_MS;
    assert_false(get_range(fixture, "key", 0, 1)->value.found);
}

static void test_a_long_range_shares_the_blob(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice all = long_bytes(LONG);
    put(fixture, "key", all, 0);
    const struct blob *blob = entry_blob(keyspace_find(fixture, "key"));
    const struct op_result *result = get_range(fixture, "key", 1, (int64_t)BLOB_LEAST);
    assert_ptr_equal(result->value.blob, blob);
    assert_true(slice_equal(result->value.bytes, slice_make(all.data + 1, BLOB_LEAST)));
    result = get_range(fixture, "key", 1, (int64_t)BLOB_LEAST - 1);
    assert_null(result->value.blob);
    assert_true(slice_equal(result->value.bytes, slice_make(all.data + 1, BLOB_LEAST - 1)));
}

/* ---- SetRange ---- */

static void test_set_range_overwrites_and_extends(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put(fixture, "key", SLICE_LITERAL("Hello World"), 0);
    assert_written(fixture, set_range_op("key", 6, SLICE_LITERAL("Redis")),
                   SLICE_LITERAL("Hello Redis"));
    assert_written(fixture, set_range_op("key", 10, SLICE_LITERAL("..")),
                   SLICE_LITERAL("Hello Redi.."));
    assert_written(fixture, set_range_op("key", 12, SLICE_LITERAL("!")),
                   SLICE_LITERAL("Hello Redi..!"));
    assert_written(fixture, set_range_op("key", 15, SLICE_LITERAL("?")),
                   SLICE_LITERAL("Hello Redi..!\0\0?"));
}

static void test_set_range_creates_the_key(void **state)
{
    struct keyspace_fixture *fixture = *state;
    assert_written(fixture, set_range_op("one", 0, SLICE_LITERAL("a")), SLICE_LITERAL("a"));
    assert_written(fixture, set_range_op("two", 3, SLICE_LITERAL("a")), SLICE_LITERAL("\0\0\0a"));
    struct slice all = long_bytes(LONG);
    uint8_t zeros[300] = {0};
    assert_true(keyspace_apply(fixture, set_range_op("big", 300, all))->ok);
    struct slice held = entry_string(keyspace_find(fixture, "big"));
    assert_int_equal(held.len, 300 + LONG);
    assert_memory_equal(held.data, zeros, 300);
    assert_true(slice_equal(slice_skip(held, 300), all));
}

static void test_set_range_of_nothing_changes_nothing(void **state)
{
    struct keyspace_fixture *fixture = *state;
    assert_no_change(fixture, set_range_op("none", 0, SLICE_LITERAL("")), 0, 0);
    assert_no_change(fixture, set_range_op("none", 1000, SLICE_LITERAL("")), 0, 0);
    uint64_t version = keyspace_put_string(fixture, "key", "abc");
    assert_no_change(fixture, set_range_op("key", 1, SLICE_LITERAL("")), 3, version);
    assert_no_change(fixture, set_range_op("key", INT64_MAX, SLICE_LITERAL("")), 3, version);
}

static void test_set_range_refuses_offsets_and_lengths(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "key", "abc");
    keyspace_assert_fails(fixture, set_range_op("key", -1, SLICE_LITERAL("x")), ERR_OUT_OF_RANGE);
    keyspace_assert_fails(fixture, set_range_op("none", -1, SLICE_LITERAL("")), ERR_OUT_OF_RANGE);
    keyspace_assert_fails(fixture, set_range_op("key", INT64_MAX, SLICE_LITERAL("x")),
                          ERR_TOO_LARGE);
    keyspace_assert_fails(fixture, set_range_op("none", UINT32_MAX, SLICE_LITERAL("x")),
                          ERR_TOO_LARGE);
    struct op op = set_range_op("key", 8, SLICE_LITERAL("xyz"));
    op.max_value = 10;
    keyspace_assert_fails(fixture, op, ERR_TOO_LARGE);
    op.start = 7;
    assert_written(fixture, op, SLICE_LITERAL("abc\0\0\0\0xyz"));
}

static void test_lists_have_no_bytes(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_list(fixture, "list", 2);
    uint64_t revision = fixture->revision;
    keyspace_apply(fixture, append_op("list", SLICE_LITERAL("x")));
    assert_wrong_type(fixture, revision, "holds a list");
    keyspace_apply(fixture, set_range_op("list", 0, SLICE_LITERAL("")));
    assert_wrong_type(fixture, revision, "holds a list");
    get_range(fixture, "list", 0, -1);
    assert_wrong_type(fixture, revision, "holds a list");
    keyspace_apply(fixture, set_range_op("list", -1, SLICE_LITERAL("x")));
    assert_int_equal(fixture->result.err, ERR_OUT_OF_RANGE); /* before it looks at the key */
    assert_list_is(fixture, "list", "0 1");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_append_puts_bytes_after_those_there),
        TEST(test_append_of_nothing_creates_the_key),
        TEST(test_append_and_set_range_keep_the_deadline),
        TEST(test_append_across_the_edges),
        TEST(test_append_obeys_the_limit),
        TEST(test_a_reader_keeps_what_it_read),
        TEST(test_ranges_are_clipped_as_redis_does),
        TEST(test_a_range_tells_the_deadline),
        TEST(test_a_long_range_shares_the_blob),
        TEST(test_set_range_overwrites_and_extends),
        TEST(test_set_range_creates_the_key),
        TEST(test_set_range_of_nothing_changes_nothing),
        TEST(test_set_range_refuses_offsets_and_lengths),
        TEST(test_lists_have_no_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
