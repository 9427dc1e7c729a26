/* Tests of store/data/garbage.c: a database is empty immediately, and its memory is freed
 * incrementally. */
#include "store/data/garbage.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "store/flush_fixture.h"

static size_t used(const struct keyspace_fixture *fixture)
{
    size_t bytes = 0;
    for (size_t i = 0; i < fixture->store->shard_count; i++)
        bytes += slab_used(&fixture->store->shards[i].slab);
    return bytes;
}

/* Entries freed. */
static size_t collect_all(struct keyspace_fixture *fixture, size_t max_entries)
{
    size_t count = 0;
    for (size_t i = 0; i < fixture->store->shard_count; i++) {
        size_t freed;
        do {
            freed = garbage_collect(&fixture->store->shards[i], max_entries);
            count += freed;
            assert_true(freed <= max_entries + 30); /* to the end of a bucket */
        } while (freed >= max_entries);
        assert_null(fixture->store->shards[i].garbage);
    }
    return count;
}

static void test_garbage_counts_until_it_is_collected(void **state)
{
    struct keyspace_fixture *fixture = *state;
    flush_fill(fixture, 0);
    size_t full = used(fixture);
    flush_db(fixture, 0);
    assert_in_range(used(fixture), full, full + fixture->store->shard_count * 128);
    assert_int_equal(collect_all(fixture, 3), FLUSH_KEYS);
    assert_in_range(used(fixture), 0, fixture->store->shard_count * 100); /* directories */
    assert_int_equal(collect_all(fixture, 3), 0);
}

static void test_collecting_stops_where_it_should(void **state)
{
    struct keyspace_fixture *fixture = *state;
    flush_fill(fixture, 0);
    flush_fill(fixture, 1);
    flush_db(fixture, 0);
    flush_db(fixture, 1); /* two pieces of garbage in each shard */
    struct shard *shard = &fixture->store->shards[0];
    assert_int_equal(garbage_collect(shard, 0), 0);
    assert_non_null(shard->garbage);
    size_t first = garbage_collect(shard, 1);
    assert_in_range(first, 1, 30);
    assert_non_null(shard->garbage);
    assert_int_equal(collect_all(fixture, 100), 2 * FLUSH_KEYS - first);
}

/* What is written before, in between and after is unharmed as well. */
static void test_the_database_is_in_use_while_garbage_is_collected(void **state)
{
    struct keyspace_fixture *fixture = *state;
    flush_fill(fixture, 0);
    flush_db(fixture, 0);
    struct op get = key_op(OP_GET, "7");
    keyspace_put_string(fixture, "7", "new");
    for (size_t i = 0; i < fixture->store->shard_count; i++) {
        garbage_collect(&fixture->store->shards[i], 2);
        assert_slice_is(keyspace_apply(fixture, get)->value.bytes, "new");
    }
    collect_all(fixture, 5);
    assert_slice_is(keyspace_apply(fixture, get)->value.bytes, "new");
    assert_int_equal(keyspace_count(fixture), 1);
    assert_int_equal(flush_db(fixture, 0)->count, 1); /* left to be freed with the store */
}

static void test_flushing_again_and_again_needs_no_more_memory(void **state)
{
    struct keyspace_fixture *fixture = *state;
    size_t first = 0;
    store_set_sink(fixture->store, NULL); /* more writes than the fixture keeps changes */
    for (int round = 0; round < 5; round++) {
        flush_fill(fixture, 0);
        flush_db(fixture, 0);
        collect_all(fixture, 100);
        if (round == 0)
            first = used(fixture);
        assert_int_equal(used(fixture), first);
    }
}

static void test_lists_and_long_values_are_freed(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op op = key_op(OP_SET, "long");
    op.value = keyspace_long_bytes(0);
    keyspace_apply(fixture, op);
    keyspace_put_list(fixture, "list", 10);
    struct op_result result = *keyspace_apply(fixture, key_op(OP_GET, "long"));
    fixture->result = (struct op_result){0}; /* ours now */
    assert_int_equal(flush_db(fixture, 0)->count, 2);
    assert_int_equal(collect_all(fixture, 1), 2);
    assert_int_equal(atomic_load(&result.value.blob->holders), 1);
    assert_true(slice_equal(result.value.bytes, keyspace_long_bytes(0)));
    op_result_release(&result);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_garbage_counts_until_it_is_collected),
        TEST(test_collecting_stops_where_it_should),
        TEST(test_the_database_is_in_use_while_garbage_is_collected),
        TEST(test_flushing_again_and_again_needs_no_more_memory),
        TEST(test_lists_and_long_values_are_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
