/* Tests of store/keys.c: Delete. */
#include "store/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"

static const struct op_result *delete_if(struct keyspace_fixture *fixture, const char *key,
                                         struct condition condition)
{
    return keyspace_apply(
        fixture,
        (struct op){.kind = OP_DELETE, .key = slice_from_string(key), .condition = condition});
}

static void assert_deleted(struct keyspace_fixture *fixture, const char *key,
                           struct condition condition)
{
    uint64_t revision = fixture->revision;
    const struct op_result *result = delete_if(fixture, key, condition);
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->ok);
    assert_int_equal(result->count, 1);
    assert_int_equal(result->version, 0);
    assert_false(result->has_previous);
    assert_null(keyspace_find(fixture, key));
    assert_int_equal(fixture->revision, revision + 1);
}

static void assert_not_deleted(struct keyspace_fixture *fixture, const char *key,
                               struct condition condition, uint64_t version)
{
    uint64_t revision = fixture->revision;
    const struct op_result *result = delete_if(fixture, key, condition);
    assert_int_equal(result->err, ERR_NONE);
    assert_false(result->ok);
    assert_int_equal(result->count, 0);
    assert_int_equal(result->version, version);
    assert_int_equal(keyspace_find(fixture, key) != NULL, version != 0);
    assert_int_equal(fixture->revision, revision);
}

static void test_delete_removes_a_key_of_any_type(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct condition none = {0};
    keyspace_put_string(fixture, "string", "value");
    keyspace_put_list(fixture, "list", 3);
    keyspace_put_string(fixture, "other", "value");
    assert_deleted(fixture, "string", none);
    assert_deleted(fixture, "list", none);
    assert_non_null(keyspace_find(fixture, "other"));
    assert_int_equal(fixture->dict.count, 1);
}

static void test_delete_of_no_key_changes_nothing(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct condition none = {0};
    assert_not_deleted(fixture, "key", none, 0);
    keyspace_put_string(fixture, "key", "value");
    assert_deleted(fixture, "key", none);
    assert_not_deleted(fixture, "key", none, 0);
}

static void test_delete_by_version(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t string = keyspace_put_string(fixture, "string", "value");
    uint64_t list = keyspace_put_list(fixture, "list", 3);
    assert_not_deleted(fixture, "string", (struct condition){.version = list}, string);
    assert_true(fixture->result.has_previous);
    assert_slice_is(fixture->result.value.bytes, "value");
    assert_not_deleted(fixture, "list", (struct condition){.version = string}, list);
    assert_false(fixture->result.has_previous);
    assert_not_deleted(fixture, "none", (struct condition){.version = string}, 0);
    assert_deleted(fixture, "string", (struct condition){.version = string});
    assert_deleted(fixture, "list", (struct condition){.version = list});
}

static void test_delete_by_value(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct condition value = {.match_value = true, .value = SLICE_LITERAL("value")};
    struct condition other = {.match_value = true, .value = SLICE_LITERAL("other")};
    uint64_t version = keyspace_put_string(fixture, "string", "value");
    keyspace_put_list(fixture, "list", 3);
    assert_not_deleted(fixture, "string", other, version);
    assert_not_deleted(fixture, "none", value, 0);
    assert_deleted(fixture, "string", value);
    uint64_t revision = fixture->revision;
    delete_if(fixture, "list", value);
    assert_wrong_type(fixture, revision, "holds a list");
    assert_list_is(fixture, "list", "0 1 2");
}

static void test_delete_by_existence(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct condition absent = {.existence = EXISTENCE_ABSENT};
    struct condition present = {.existence = EXISTENCE_PRESENT};
    uint64_t version = keyspace_put_string(fixture, "key", "value");
    assert_not_deleted(fixture, "key", absent, version);
    assert_not_deleted(fixture, "none", absent, 0);
    assert_not_deleted(fixture, "none", present, 0);
    assert_deleted(fixture, "key", present);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_delete_removes_a_key_of_any_type),
        TEST(test_delete_of_no_key_changes_nothing),
        TEST(test_delete_by_version),
        TEST(test_delete_by_value),
        TEST(test_delete_by_existence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
