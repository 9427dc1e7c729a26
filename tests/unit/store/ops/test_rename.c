/* Tests of store/ops/rename.c: Rename and Copy, within a database and across. */
#include "store/ops/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/key_ops.h"
#include "store/keyspace_fixture.h"

#define DEADLINE (KEYSPACE_NOW_MS + 1000)

static struct op across(struct op op, uint32_t target_db)
{
    op.target_db = target_db;
    return op;
}

static struct entry *find_in(struct keyspace_fixture *fixture, uint32_t db, const char *key)
{
    return keyspace_look(fixture->store, db, slice_from_string(key)).entry;
}

static void assert_done(struct keyspace_fixture *fixture, struct op op)
{
    uint64_t revision = fixture->revision;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->ok);
    assert_int_equal(result->count, 1);
    assert_int_equal(result->version, revision + 1);
    assert_int_equal(result->seen, revision + 1);
    assert_int_equal(fixture->revision, revision + 1);
    const struct entry *entry = keyspace_look(fixture->store, op.target_db, op.target.bytes).entry;
    assert_int_equal(entry_version(entry), revision + 1);
}

static void assert_string_is(const struct entry *entry, const char *value, int64_t expire_at_ms)
{
    assert_non_null(entry);
    assert_slice_is(entry_string(entry), value);
    assert_int_equal(entry_expire_at_ms(entry), expire_at_ms);
}

static void put_expiring(struct keyspace_fixture *fixture, const char *key, const char *value)
{
    struct op op = set_op(key, value);
    op.expire_at_ms = DEADLINE;
    keyspace_apply(fixture, op);
}

static size_t expiring(const struct keyspace_fixture *fixture, uint32_t db)
{
    size_t count = 0;
    for (size_t i = 0; i < fixture->store->shard_count; i++)
        count += fixture->store->shards[i].databases[db].expiring;
    return count;
}

static enum op_kind last_told(const struct keyspace_fixture *fixture, size_t back)
{
    return fixture->changes[fixture->change_count - 1 - back].op.kind;
}

/* ---- Rename ---- */

static void test_rename_takes_value_and_deadline_along(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put_expiring(fixture, "from", "value");
    assert_done(fixture, pair_op(OP_RENAME, "from", "to"));
    assert_null(keyspace_find(fixture, "from"));
    assert_string_is(keyspace_find(fixture, "to"), "value", DEADLINE);
    assert_int_equal(keyspace_count(fixture), 1);
    assert_int_equal(expiring(fixture, 0), 1);
    assert_int_equal(last_told(fixture, 0), OP_RENAME);
}

static void test_rename_replaces_the_target_of_any_type(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "string", "value");
    keyspace_put_list(fixture, "list", 3);
    put_expiring(fixture, "brief", "old");
    assert_done(fixture, pair_op(OP_RENAME, "list", "brief"));
    assert_list_is(fixture, "brief", "0 1 2");
    assert_int_equal(entry_expire_at_ms(keyspace_find(fixture, "brief")), 0);
    assert_int_equal(expiring(fixture, 0), 0);
    assert_done(fixture, pair_op(OP_RENAME, "string", "brief"));
    assert_string_is(keyspace_find(fixture, "brief"), "value", 0);
    assert_int_equal(keyspace_count(fixture), 1);
}

static void test_a_list_is_moved_not_copied(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_list(fixture, "from", 3);
    const struct list *list = entry_list(keyspace_find(fixture, "from"));
    assert_done(fixture, pair_op(OP_RENAME, "from", "to"));
    assert_ptr_equal(entry_list(keyspace_find(fixture, "to")), list);
    assert_done(fixture, across(pair_op(OP_RENAME, "to", "to"), 2));
    assert_ptr_equal(entry_list(find_in(fixture, 2, "to")), list);
}

static void test_a_blob_is_moved_not_copied(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op op = key_op(OP_SET, "from");
    op.value = keyspace_long_bytes(0);
    keyspace_apply(fixture, op);
    const struct blob *blob = entry_blob(keyspace_find(fixture, "from"));
    assert_done(fixture, pair_op(OP_RENAME, "from", "to"));
    assert_ptr_equal(entry_blob(keyspace_find(fixture, "to")), blob);
    assert_int_equal(atomic_load(&blob->holders), 1);
}

static void test_rename_of_no_key(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put_expiring(fixture, "brief", "value");
    keyspace_put_string(fixture, "to", "value");
    keyspace_assert_declined(fixture, pair_op(OP_RENAME, "none", "to"), 0);
    keyspace_assert_declined(fixture, pair_op(OP_RENAME, "none", "none"), 0);
    fixture->now_ms = DEADLINE;
    assert_false(keyspace_apply(fixture, pair_op(OP_RENAME, "brief", "to"))->ok);
    assert_string_is(keyspace_find(fixture, "to"), "value", 0);
}

/* RENAME k k is OK, RENAMENX k k is 0, as in redis-server 7.0; neither writes. */
static void test_rename_to_itself(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = keyspace_put_string(fixture, "key", "value");
    struct op op = pair_op(OP_RENAME, "key", "key");
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_true(result->ok);
    assert_int_equal(result->version, version);
    assert_int_equal(fixture->revision, version);
    op.copy.absent_only = true;
    keyspace_assert_declined(fixture, op, version);
    assert_string_is(keyspace_find(fixture, "key"), "value", 0);
}

static void test_rename_only_if_absent(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "from", "value");
    uint64_t version = keyspace_put_list(fixture, "to", 2);
    struct op op = pair_op(OP_RENAME, "from", "to");
    op.copy.absent_only = true;
    keyspace_assert_declined(fixture, op, version);
    assert_list_is(fixture, "to", "0 1");
    assert_non_null(keyspace_find(fixture, "from"));
    keyspace_apply(fixture, key_op(OP_DELETE, "to"));
    assert_done(fixture, op);
    put_expiring(fixture, "brief", "old");
    fixture->now_ms = DEADLINE; /* the target has expired */
    op = pair_op(OP_RENAME, "to", "brief");
    op.copy.absent_only = true;
    assert_done(fixture, op);
    assert_string_is(keyspace_find(fixture, "brief"), "value", 0);
}

/* With absent_only, like MOVE. */
static void test_rename_across_databases(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put_expiring(fixture, "key", "value");
    struct op op = across(pair_op(OP_RENAME, "key", "key"), 1);
    op.copy.absent_only = true;
    assert_done(fixture, op);
    assert_null(keyspace_find(fixture, "key"));
    assert_string_is(find_in(fixture, 1, "key"), "value", DEADLINE);
    assert_int_equal(expiring(fixture, 0), 0);
    assert_int_equal(expiring(fixture, 1), 1);
    assert_int_equal(last_told(fixture, 1), OP_COPY);
    assert_int_equal(last_told(fixture, 0), OP_DELETE);
    uint64_t version = entry_version(find_in(fixture, 1, "key"));
    keyspace_put_string(fixture, "key", "another");
    keyspace_assert_declined(fixture, op, version);
    op.copy.absent_only = false;
    assert_done(fixture, op);
    assert_string_is(find_in(fixture, 1, "key"), "another", 0);
}

/* ---- Copy ---- */

static void test_copy_takes_value_and_deadline(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put_expiring(fixture, "from", "value");
    uint64_t version = fixture->revision;
    assert_done(fixture, pair_op(OP_COPY, "from", "to"));
    assert_string_is(keyspace_find(fixture, "from"), "value", DEADLINE);
    assert_int_equal(entry_version(keyspace_find(fixture, "from")), version);
    assert_string_is(keyspace_find(fixture, "to"), "value", DEADLINE);
    assert_int_equal(expiring(fixture, 0), 2);
    assert_done(fixture, across(pair_op(OP_COPY, "from", "from"), 3));
    assert_string_is(find_in(fixture, 3, "from"), "value", DEADLINE);
    assert_int_equal(last_told(fixture, 0), OP_COPY);
}

static void test_copies_are_apart(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice element = SLICE_LITERAL("new");
    struct op op = key_op(OP_SET, "long");
    op.value = keyspace_long_bytes(0);
    keyspace_apply(fixture, op);
    keyspace_put_list(fixture, "list", 3);
    assert_done(fixture, pair_op(OP_COPY, "list", "list2"));
    keyspace_apply(fixture, push_op("list", &element));
    assert_list_is(fixture, "list2", "0 1 2");
    assert_done(fixture, pair_op(OP_COPY, "long", "long2"));
    assert_ptr_equal(entry_blob(keyspace_find(fixture, "long2")),
                     entry_blob(keyspace_find(fixture, "long")));
    op.value = keyspace_long_bytes(1);
    keyspace_apply(fixture, op);
    assert_true(slice_equal(entry_string(keyspace_find(fixture, "long2")), keyspace_long_bytes(0)));
}

static void test_copy_replaces_only_if_asked(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "from", "value");
    uint64_t version = keyspace_put_list(fixture, "to", 2);
    struct op op = pair_op(OP_COPY, "from", "to");
    keyspace_assert_declined(fixture, op, version);
    assert_list_is(fixture, "to", "0 1");
    op.copy.replace = true;
    assert_done(fixture, op);
    assert_string_is(keyspace_find(fixture, "to"), "value", 0);
    put_expiring(fixture, "brief", "old");
    fixture->now_ms = DEADLINE;
    assert_done(fixture, pair_op(OP_COPY, "from", "brief"));
    assert_string_is(keyspace_find(fixture, "brief"), "value", 0);
}

static void test_copy_of_no_key(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = keyspace_put_string(fixture, "to", "value");
    struct op op = pair_op(OP_COPY, "none", "to");
    keyspace_assert_declined(fixture, op, 0);
    op.copy.replace = true;
    keyspace_assert_declined(fixture, op, 0);
    put_expiring(fixture, "brief", "value");
    fixture->now_ms = DEADLINE;
    keyspace_assert_declined(fixture, pair_op(OP_COPY, "brief", "other"), 0);
    assert_int_equal(entry_version(keyspace_find(fixture, "to")), version);
}

/* Whether it exists or not, as redis-server 7.0 does. */
static void test_copy_to_itself_is_an_error(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t revision = keyspace_put_string(fixture, "key", "value");
    static const char *const keys[] = {"key", "none"};
    for (size_t i = 0; i < 2; i++) {
        struct op op = pair_op(OP_COPY, keys[i], keys[i]);
        op.copy.replace = true;
        const struct op_result *result = keyspace_apply(fixture, op);
        assert_int_equal(result->err, ERR_BAD_ARGUMENT);
        assert_non_null(strstr(result->why, "same key"));
        assert_false(result->ok);
    }
    assert_int_equal(fixture->revision, revision);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rename_takes_value_and_deadline_along),
        TEST(test_rename_replaces_the_target_of_any_type),
        TEST(test_a_list_is_moved_not_copied),
        TEST(test_a_blob_is_moved_not_copied),
        TEST(test_rename_of_no_key),
        TEST(test_rename_to_itself),
        TEST(test_rename_only_if_absent),
        TEST(test_rename_across_databases),
        TEST(test_copy_takes_value_and_deadline),
        TEST(test_copies_are_apart),
        TEST(test_copy_replaces_only_if_asked),
        TEST(test_copy_of_no_key),
        TEST(test_copy_to_itself_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
