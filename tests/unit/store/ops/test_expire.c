/* Tests of store/ops/expire.c: every `when` on keys with and without a deadline. */
#include "store/ops/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/key_ops.h"
#include "store/keyspace_fixture.h"

#define SOON  (KEYSPACE_NOW_MS + 1000)
#define LATER (KEYSPACE_NOW_MS + 2000)
#define LAST  (KEYSPACE_NOW_MS + 3000)
#define PAST  (KEYSPACE_NOW_MS - 1)

/* Keys of both types with the deadline, 0 = none. */
static void put_both(struct keyspace_fixture *fixture, int64_t expire_at_ms)
{
    struct op op = set_op("string", "value");
    op.expire_at_ms = expire_at_ms;
    keyspace_apply(fixture, op);
    keyspace_apply(fixture, key_op(OP_DELETE, "list"));
    keyspace_put_list(fixture, "list", 3);
    if (expire_at_ms != 0)
        keyspace_apply(fixture, expire_op("list", expire_at_ms, OP_ALWAYS));
}

static size_t expiring(const struct keyspace_fixture *fixture)
{
    size_t count = 0;
    for (size_t i = 0; i < fixture->store->shard_count; i++)
        count += fixture->store->shards[i].databases[0].expiring;
    return count;
}

static void assert_unchanged(struct keyspace_fixture *fixture, const char *key, struct op op)
{
    uint64_t version = entry_version(keyspace_find(fixture, key));
    int64_t expire_at_ms = entry_expire_at_ms(keyspace_find(fixture, key));
    keyspace_assert_declined(fixture, op, version);
    assert_int_equal(entry_version(keyspace_find(fixture, key)), version);
    assert_int_equal(entry_expire_at_ms(keyspace_find(fixture, key)), expire_at_ms);
}

/* The key has the deadline afterwards; 0 = none. */
static void assert_changed(struct keyspace_fixture *fixture, const char *key, struct op op,
                           int64_t expire_at_ms)
{
    uint64_t revision = fixture->revision;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->ok);
    assert_int_equal(result->count, 1);
    assert_int_equal(result->version, revision + 1);
    const struct entry *entry = keyspace_find(fixture, key);
    assert_int_equal(entry_version(entry), revision + 1);
    assert_int_equal(entry_expire_at_ms(entry), expire_at_ms);
    if (entry_type(entry) == ENTRY_STRING)
        assert_slice_is(entry_string(entry), "value");
    else
        assert_list_is(fixture, key, "0 1 2");
    assert_int_equal(fixture->changes[fixture->change_count - 1].op.kind, OP_EXPIRE);
}

static void assert_removed(struct keyspace_fixture *fixture, const char *key, struct op op)
{
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->ok);
    assert_int_equal(result->count, 1);
    assert_int_equal(result->version, 0);
    assert_null(keyspace_find(fixture, key));
    assert_int_equal(fixture->changes[fixture->change_count - 1].op.kind, OP_DELETE);
}

/* As redis-server 7.0 answers to EXPIRE with NX, XX, GT and LT. */
static void test_every_when(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const struct {
        int64_t present_ms, wanted_ms;
        bool done[5]; /* by enum op_when */
    } cases[] = {
        {0, SOON, {true, true, false, false, true}},
        {LATER, SOON, {true, false, true, false, true}},
        {LATER, LATER, {true, false, true, false, false}},
        {LATER, LAST, {true, false, true, true, false}},
        {0, PAST, {true, true, false, false, true}},
        {LATER, PAST, {true, false, true, false, true}},
        {LATER, KEYSPACE_NOW_MS, {true, false, true, false, true}},
    };
    static const char *const keys[] = {"string", "list"};
    for (size_t i = 0; i < 2 * 5 * sizeof cases / sizeof cases[0]; i++) {
        const char *key = keys[i % 2];
        enum op_when when = (enum op_when)(i / 2 % 5);
        int64_t wanted_ms = cases[i / 10].wanted_ms;
        struct op op = expire_op(key, wanted_ms, when);
        put_both(fixture, cases[i / 10].present_ms);
        if (!cases[i / 10].done[when])
            assert_unchanged(fixture, key, op);
        else if (wanted_ms > KEYSPACE_NOW_MS)
            assert_changed(fixture, key, op, wanted_ms);
        else
            assert_removed(fixture, key, op);
    }
}

static void test_persist(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const char *const keys[] = {"string", "list"};
    put_both(fixture, SOON);
    assert_int_equal(expiring(fixture), 2);
    for (size_t i = 0; i < 2; i++) {
        struct op op = key_op(OP_EXPIRE, keys[i]);
        op.expire.persist = true;
        assert_changed(fixture, keys[i], op, 0);
        assert_true(fixture->changes[fixture->change_count - 1].op.expire.persist);
        assert_int_equal(expiring(fixture), 1 - i);
        assert_unchanged(fixture, keys[i], op);
    }
}

static void test_no_key(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t revision = fixture->revision;
    struct op op = key_op(OP_EXPIRE, "key");
    for (int persist = 0; persist < 2; persist++) {
        op.expire_at_ms = persist ? 0 : SOON;
        op.expire.persist = persist;
        const struct op_result *result = keyspace_apply(fixture, op);
        assert_int_equal(result->err, ERR_NONE);
        assert_false(result->ok);
        assert_int_equal(result->version, 0);
    }
    assert_int_equal(fixture->revision, revision);
}

/* An expired key does not come back. */
static void test_a_key_that_has_expired_is_no_key(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put_both(fixture, SOON);
    fixture->now_ms = SOON;
    assert_false(keyspace_apply(fixture, expire_op("string", LATER, OP_ALWAYS))->ok);
    struct op persist = key_op(OP_EXPIRE, "list");
    persist.expire.persist = true;
    assert_false(keyspace_apply(fixture, persist)->ok);
    assert_int_equal(keyspace_count(fixture), 0);
    assert_int_equal(expiring(fixture), 0);
}

static void test_the_last_deadline(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put_both(fixture, SOON);
    assert_changed(fixture, "string", expire_op("string", INT64_MAX - 1, OP_LATER), INT64_MAX - 1);
    assert_unchanged(fixture, "string", expire_op("string", (int64_t)1 << 48, OP_LATER));
    assert_changed(fixture, "string", expire_op("string", INT64_MAX, OP_LATER), INT64_MAX);
    assert_unchanged(fixture, "string", expire_op("string", INT64_MAX, OP_SOONER));
    assert_changed(fixture, "string", expire_op("string", INT64_MAX - 1, OP_SOONER), INT64_MAX - 1);
    assert_changed(fixture, "list", expire_op("list", INT64_MAX, OP_ALWAYS), INT64_MAX);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_when),
        TEST(test_persist),
        TEST(test_no_key),
        TEST(test_a_key_that_has_expired_is_no_key),
        TEST(test_the_last_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
