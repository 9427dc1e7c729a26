/* Tests of store/strings.c: Set and Get. */
#include "store/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"

static struct op set_op(const char *key, const char *value)
{
    return (struct op){
        .kind = OP_SET, .key = slice_from_string(key), .value = slice_from_string(value)};
}

static const struct op_result *get(struct keyspace_fixture *fixture, const char *key)
{
    return keyspace_apply(fixture, (struct op){.kind = OP_GET, .key = slice_from_string(key)});
}

static void assert_stored(struct keyspace_fixture *fixture)
{
    assert_int_equal(fixture->result.err, ERR_NONE);
    assert_true(fixture->result.ok);
    assert_int_equal(fixture->result.count, 1);
    assert_int_equal(fixture->result.version, fixture->revision);
}

static void assert_get(struct keyspace_fixture *fixture, const char *key, const char *value)
{
    const struct op_result *result = get(fixture, key);
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->value.found);
    assert_slice_is(result->value.bytes, value);
    assert_int_equal(result->value.version, entry_version(keyspace_find(fixture, key)));
}

static void test_get_returns_what_set_stored(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t revision = fixture->revision;
    keyspace_apply(fixture, set_op("key", "value"));
    assert_stored(fixture);
    assert_int_equal(fixture->revision, revision + 1);
    assert_false(fixture->result.has_previous);
    assert_get(fixture, "key", "value");
    assert_int_equal(fixture->revision, revision + 1);
}

static void test_get_of_no_key_is_an_answer(void **state)
{
    struct keyspace_fixture *fixture = *state;
    const struct op_result *result = get(fixture, "key");
    assert_int_equal(result->err, ERR_NONE);
    assert_false(result->value.found);
    assert_int_equal(result->value.version, 0);
    assert_int_equal(result->value.bytes.len, 0);
}

static void test_the_empty_string_is_found(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_apply(fixture, set_op("key", ""));
    assert_get(fixture, "key", "");
}

static void test_bytes_are_kept_as_they_are(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice key = SLICE_LITERAL("\0k\xff"), value = SLICE_LITERAL("\xff\0\r\n");
    keyspace_apply(fixture, (struct op){.kind = OP_SET, .key = key, .value = value});
    const struct op_result *result =
        keyspace_apply(fixture, (struct op){.kind = OP_GET, .key = key});
    assert_true(slice_equal(result->value.bytes, value));
}

static void test_set_replaces_a_string_and_a_list(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "key", "old");
    uint64_t version = keyspace_put_list(fixture, "list", 3);
    keyspace_apply(fixture, set_op("key", "new"));
    assert_stored(fixture);
    assert_true(fixture->result.version > version);
    keyspace_apply(fixture, set_op("list", "new"));
    assert_stored(fixture);
    assert_get(fixture, "key", "new");
    assert_get(fixture, "list", "new");
    assert_int_equal(fixture->dict.count, 2);
}

static void test_get_of_a_list_is_the_wrong_type(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_list(fixture, "list", 3);
    get(fixture, "list");
    assert_wrong_type(fixture, fixture->revision, "holds a list");
    assert_false(fixture->result.value.found);
}

static void test_set_returns_the_previous_string(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = keyspace_put_string(fixture, "key", "old");
    struct op op = set_op("key", "new");
    op.return_previous = true;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_stored(fixture);
    assert_true(result->has_previous);
    assert_true(result->value.found);
    assert_int_equal(result->value.version, version);
    assert_slice_is(result->value.bytes, "old");
    assert_get(fixture, "key", "new");
}

static void test_set_says_that_there_was_no_previous_string(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op op = set_op("key", "new");
    op.return_previous = true;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_stored(fixture);
    assert_true(result->has_previous);
    assert_false(result->value.found);
    assert_get(fixture, "key", "new");
}

static void test_set_does_not_return_a_list_as_previous(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_list(fixture, "list", 2);
    uint64_t revision = fixture->revision;
    struct op op = set_op("list", "new");
    op.return_previous = true;
    keyspace_apply(fixture, op);
    assert_wrong_type(fixture, revision, "holds a list");
    assert_list_is(fixture, "list", "0 1");
}

/* The condition is to be not met. */
static void assert_set_refused(struct keyspace_fixture *fixture, const char *key,
                               struct condition condition, uint64_t version)
{
    uint64_t revision = fixture->revision;
    struct op op = set_op(key, "new");
    op.condition = condition;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_int_equal(result->err, ERR_NONE);
    assert_false(result->ok);
    assert_int_equal(result->count, 0);
    assert_int_equal(result->version, version);
    assert_int_equal(fixture->revision, revision);
}

static void assert_set_done(struct keyspace_fixture *fixture, const char *key,
                            struct condition condition)
{
    struct op op = set_op(key, "new");
    op.condition = condition;
    keyspace_apply(fixture, op);
    assert_stored(fixture);
    assert_get(fixture, key, "new");
}

static void test_set_if_absent(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct condition absent = {.existence = EXISTENCE_ABSENT};
    uint64_t string = keyspace_put_string(fixture, "string", "old");
    uint64_t list = keyspace_put_list(fixture, "list", 2);
    assert_set_refused(fixture, "string", absent, string);
    assert_true(fixture->result.has_previous);
    assert_slice_is(fixture->result.value.bytes, "old");
    assert_get(fixture, "string", "old");
    assert_set_refused(fixture, "list", absent, list);
    assert_false(fixture->result.has_previous);
    assert_list_is(fixture, "list", "0 1");
    assert_set_done(fixture, "none", absent);
}

static void test_set_if_present(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct condition present = {.existence = EXISTENCE_PRESENT};
    keyspace_put_string(fixture, "string", "old");
    keyspace_put_list(fixture, "list", 2);
    assert_set_refused(fixture, "none", present, 0);
    assert_null(keyspace_find(fixture, "none"));
    assert_set_done(fixture, "string", present);
    assert_set_done(fixture, "list", present);
}

static void test_compare_and_set_by_version(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = keyspace_put_string(fixture, "key", "old");
    assert_set_refused(fixture, "key", (struct condition){.version = version + 1}, version);
    assert_set_refused(fixture, "key", (struct condition){.version = version - 1}, version);
    assert_set_refused(fixture, "none", (struct condition){.version = version}, 0);
    assert_get(fixture, "key", "old");
    assert_set_done(fixture, "key", (struct condition){.version = version});
    uint64_t newer = fixture->revision;
    assert_set_refused(fixture, "key", (struct condition){.version = version}, newer);
}

static void test_compare_and_set_by_value(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct condition old = {.match_value = true, .value = SLICE_LITERAL("old")};
    struct condition other = {.match_value = true, .value = SLICE_LITERAL("other")};
    uint64_t version = keyspace_put_string(fixture, "key", "old");
    assert_set_refused(fixture, "key", other, version);
    assert_slice_is(fixture->result.value.bytes, "old");
    assert_set_refused(fixture, "none", other, 0);
    assert_set_done(fixture, "key", old);
    keyspace_put_list(fixture, "list", 2);
    uint64_t revision = fixture->revision;
    struct op op = set_op("list", "new");
    op.condition = old;
    keyspace_apply(fixture, op);
    assert_wrong_type(fixture, revision, "holds a list");
    assert_list_is(fixture, "list", "0 1");
}

static void test_a_refused_set_returns_the_current_string_once(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = keyspace_put_string(fixture, "key", "old");
    struct op op = set_op("key", "new");
    op.return_previous = true;
    op.condition.existence = EXISTENCE_ABSENT;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_false(result->ok);
    assert_true(result->has_previous);
    assert_int_equal(result->value.version, version);
    assert_get(fixture, "key", "old");
}

static struct op set_long_op(unsigned which)
{
    return (struct op){
        .kind = OP_SET, .key = SLICE_LITERAL("key"), .value = keyspace_long_bytes(which)};
}

/* Who reads a long value keeps it as it was, whatever becomes of the key. */
static void test_a_long_value_outlives_its_replacement(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_apply(fixture, set_long_op(0));
    struct op_result before = *get(fixture, "key");
    fixture->result = (struct op_result){0}; /* ours now */
    assert_non_null(before.value.blob);
    keyspace_apply(fixture, set_long_op(1));
    const struct op_result *after = get(fixture, "key");
    assert_true(slice_equal(before.value.bytes, keyspace_long_bytes(0)));
    assert_true(slice_equal(after->value.bytes, keyspace_long_bytes(1)));
    op_result_release(&before);
}

static void test_a_long_previous_value(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_apply(fixture, set_long_op(0));
    struct op op = set_long_op(1);
    op.return_previous = true;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_true(result->has_previous);
    assert_true(slice_equal(result->value.bytes, keyspace_long_bytes(0)));
    op.condition.existence = EXISTENCE_ABSENT;
    result = keyspace_apply(fixture, op);
    assert_false(result->ok); /* with the current one */
    assert_true(slice_equal(result->value.bytes, keyspace_long_bytes(1)));
    op.condition = (struct condition){.match_value = true, .value = keyspace_long_bytes(1)};
    assert_true(keyspace_apply(fixture, op)->ok);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_get_returns_what_set_stored),
        TEST(test_get_of_no_key_is_an_answer),
        TEST(test_the_empty_string_is_found),
        TEST(test_bytes_are_kept_as_they_are),
        TEST(test_set_replaces_a_string_and_a_list),
        TEST(test_get_of_a_list_is_the_wrong_type),
        TEST(test_set_returns_the_previous_string),
        TEST(test_set_says_that_there_was_no_previous_string),
        TEST(test_set_does_not_return_a_list_as_previous),
        TEST(test_set_if_absent),
        TEST(test_set_if_present),
        TEST(test_compare_and_set_by_version),
        TEST(test_compare_and_set_by_value),
        TEST(test_a_refused_set_returns_the_current_string_once),
        TEST(test_a_long_value_outlives_its_replacement),
        TEST(test_a_long_previous_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
