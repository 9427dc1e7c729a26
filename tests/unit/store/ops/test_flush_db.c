/* Tests of store/ops/flush_db.c: the operation's answer and its change; data/garbage.c does the
 * work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/flush_fixture.h"

static void test_a_flush_empties_one_database(void **state)
{
    struct keyspace_fixture *fixture = *state;
    flush_fill(fixture, 1);
    keyspace_put_string(fixture, "0", "here");
    uint64_t revision = fixture->revision;
    const struct op_result *result = flush_db(fixture, 1);
    assert_true(result->ok);
    assert_int_equal(result->count, FLUSH_KEYS);
    assert_int_equal(result->seen, revision + 1);
    assert_int_equal(fixture->revision, revision + 1);
    assert_int_equal(fixture->changes[fixture->change_count - 1].op.kind, OP_FLUSH_DB);
    assert_int_equal(fixture->changes[fixture->change_count - 1].op.db, 1);
    assert_int_equal(store_count(fixture->store, 1), 0);
    for (size_t i = 0; i < fixture->store->shard_count; i++)
        assert_int_equal(fixture->store->shards[i].databases[1].expiring, 0);
    struct op get = key_op(OP_GET, "0");
    assert_true(keyspace_apply(fixture, get)->value.found);
    get.db = 1;
    assert_false(keyspace_apply(fixture, get)->value.found);
    assert_int_equal(fixture->result.seen, revision + 1);
}

static void test_a_flush_of_nothing_is_no_write(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t revision = keyspace_put_string(fixture, "key", "value");
    const struct op_result *result = flush_db(fixture, 1);
    assert_int_equal(result->err, ERR_NONE);
    assert_false(result->ok);
    assert_int_equal(result->count, 0);
    assert_int_equal(fixture->revision, revision);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_flush_empties_one_database),
        TEST(test_a_flush_of_nothing_is_no_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
