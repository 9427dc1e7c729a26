/* Tests of store/ops/keys.c: removing and reading keys. */
#include "store/ops/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/key_ops.h"
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
    assert_int_equal(keyspace_count(fixture), 1);
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

/* ---- several keys ---- */

/* A string that expires at now_ms + ttl_ms. */
static void put_expiring(struct keyspace_fixture *fixture, const char *key, int64_t ttl_ms)
{
    struct op op = set_op(key, "value");
    op.expire_at_ms = fixture->now_ms + ttl_ms;
    keyspace_apply(fixture, op);
}

/* A string, a list, and a key that expires in a second. */
static void put_some(struct keyspace_fixture *fixture)
{
    keyspace_put_string(fixture, "string", "value");
    keyspace_put_list(fixture, "list", 3);
    put_expiring(fixture, "brief", 1000);
}

static void assert_count(struct keyspace_fixture *fixture, enum op_kind kind, const char *names,
                         int64_t count)
{
    struct op_key keys[10];
    const struct op_result *result = keyspace_apply(fixture, keys_op(kind, keys, names));
    assert_int_equal(result->err, ERR_NONE);
    assert_int_equal(result->count, count);
    assert_int_equal(result->ok, count > 0);
}

static void test_exists_and_touch_count_with_multiplicity(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const enum op_kind kinds[] = {OP_EXISTS, OP_TOUCH};
    put_some(fixture);
    uint64_t revision = fixture->revision;
    for (size_t i = 0; i < 2; i++) {
        assert_count(fixture, kinds[i], "string", 1);
        assert_count(fixture, kinds[i], "none", 0);
        assert_count(fixture, kinds[i], "list none string list", 3);
        assert_count(fixture, kinds[i], "brief brief", 2);
    }
    fixture->now_ms += 1000;
    for (size_t i = 0; i < 2; i++)
        assert_count(fixture, kinds[i], "brief string brief", 1);
    assert_int_equal(fixture->revision, revision);
    assert_int_equal(keyspace_count(fixture), 3); /* reads remove nothing */
}

static void test_the_answer_shows_the_newest_of_the_keys(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t older = keyspace_put_string(fixture, "older", "value");
    uint64_t newer = keyspace_put_string(fixture, "newer", "value");
    assert_count(fixture, OP_EXISTS, "newer older", 2);
    assert_int_equal(fixture->result.seen, newer);
    assert_count(fixture, OP_EXISTS, "older", 1);
    assert_int_equal(fixture->result.seen, older);
}

static void test_delete_many_is_one_commit_that_emits_each_key(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put_some(fixture);
    keyspace_put_string(fixture, "other", "value");
    uint64_t revision = fixture->revision;
    size_t emitted = fixture->change_count;
    assert_count(fixture, OP_DELETE_MANY, "none string none string list", 2);
    assert_int_equal(fixture->revision, revision + 1);
    assert_int_equal(fixture->change_count, emitted + 2);
    assert_slice_is(fixture->changes[emitted].op.key, "string");
    assert_slice_is(fixture->changes[emitted + 1].op.key, "list");
    for (size_t i = emitted; i < emitted + 2; i++) {
        assert_int_equal(fixture->changes[i].op.kind, OP_DELETE);
        assert_int_equal(fixture->changes[i].revision, revision + 1);
    }
    assert_null(keyspace_find(fixture, "string"));
    assert_int_equal(keyspace_count(fixture), 2);
    assert_count(fixture, OP_DELETE_MANY, "none string", 0);
    assert_int_equal(fixture->revision, revision + 1);
}

/* The key is removed, but the request does not count it. */
static void test_delete_many_does_not_count_what_has_expired(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put_some(fixture);
    fixture->now_ms += 1000;
    assert_count(fixture, OP_DELETE_MANY, "brief", 0);
    assert_int_equal(keyspace_count(fixture), 2);
}

static void test_keys_of_another_database_are_others(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op_key keys[2];
    put_some(fixture);
    static const enum op_kind kinds[] = {OP_EXISTS, OP_TOUCH, OP_DELETE_MANY};
    for (size_t i = 0; i < 3; i++) {
        struct op op = keys_op(kinds[i], keys, "string list");
        op.db = 1;
        assert_int_equal(keyspace_apply(fixture, op)->count, 0);
    }
    assert_int_equal(keyspace_count(fixture), 3);
}

/* ---- Describe ---- */

static const struct op_result *describe(struct keyspace_fixture *fixture, const char *key)
{
    return keyspace_apply(fixture, key_op(OP_DESCRIBE, key));
}

static void test_describe_a_string(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = keyspace_put_string(fixture, "key", "value");
    const struct op_result *result = describe(fixture, "key");
    assert_true(result->ok);
    assert_int_equal(result->type, OP_TYPE_STRING);
    assert_int_equal(result->length, 5);
    assert_int_equal(result->version, version);
    assert_int_equal(result->value.expire_at_ms, 0);
    assert_int_equal(result->memory_bytes, 16 + 64); /* an object of 8 + 3 + 5, a bucket */
    assert_int_equal(fixture->revision, version);
}

static void test_describe_a_list(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_list(fixture, "key", 100);
    struct op op = expire_op("key", fixture->now_ms + 5, OP_ALWAYS);
    keyspace_apply(fixture, op);
    const struct op_result *result = describe(fixture, "key");
    size_t memory = list_memory(entry_list(keyspace_find(fixture, "key")));
    assert_true(result->ok);
    assert_int_equal(result->type, OP_TYPE_LIST);
    assert_int_equal(result->length, 100);
    assert_int_equal(result->version, fixture->revision);
    assert_int_equal(result->value.expire_at_ms, fixture->now_ms + 5);
    assert_in_range(result->memory_bytes, memory + 64, memory + 128);
}

static void test_describe_of_no_key(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put_expiring(fixture, "key", 1000);
    fixture->now_ms += 1000;
    static const char *const keys[] = {"key", "none"};
    for (size_t i = 0; i < 2; i++) {
        const struct op_result *result = describe(fixture, keys[i]);
        assert_int_equal(result->err, ERR_NONE);
        assert_false(result->ok);
        assert_int_equal(result->type, OP_TYPE_NONE);
        assert_int_equal(result->memory_bytes, 0);
    }
}

/* The sum over all keys is what the store has taken, but for pages that are not full. */
static void test_described_memory_is_what_was_taken(void **state)
{
    struct keyspace_fixture *fixture = *state;
    char name[12];
    size_t described = 0, used = 0;
    store_set_sink(fixture->store, NULL); /* more keys than the fixture keeps changes */
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "%d", i);
        struct op op = set_op(name, i % 100 == 0 ? "" : "some value");
        if (i % 1000 == 0)
            op.value = keyspace_long_bytes(1);
        keyspace_apply(fixture, op);
    }
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "%d", i);
        described += (size_t)describe(fixture, name)->memory_bytes;
    }
    for (size_t i = 0; i < fixture->store->shard_count; i++) {
        const struct shard *shard = &fixture->store->shards[i];
        used += slab_used(&shard->slab) - dict_memory(&shard->databases[0].dict);
        used += dict_memory_per_entry(&shard->databases[0].dict) * shard->databases[0].dict.count;
    }
    assert_int_equal(described, used);
    struct op flush = {.kind = OP_FLUSH_DB};
    keyspace_apply(fixture, flush);
}

/* ---- RandomKey ---- */

static const struct op_result *random_key(struct keyspace_fixture *fixture, uint32_t db)
{
    return keyspace_apply(fixture, (struct op){.kind = OP_RANDOM_KEY, .db = db});
}

/* Draws from the kernel's random numbers, so it cannot be replayed; but what is asserted is more
 * than six standard deviations wide. If shards, not keys, were equally likely, keys that share one
 * would be drawn half as often. */
static void test_every_key_is_as_likely(void **state)
{
    enum { NAMES = 100, DRAWS = 50000 };
    struct keyspace_fixture *fixture = *state;
    int drawn[NAMES] = {0};
    char name[12];
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "%d", i);
        keyspace_put_string(fixture, name, "value");
    }
    for (int i = 0; i < DRAWS; i++) {
        const struct op_result *result = random_key(fixture, 0);
        assert_true(result->ok);
        snprintf(name, sizeof name, "%.*s", (int)result->key.len, (const char *)result->key.data);
        drawn[atoi(name)]++;
    }
    for (int i = 0; i < NAMES; i++)
        assert_in_range(drawn[i], DRAWS / NAMES * 7 / 10, DRAWS / NAMES * 13 / 10);
}

static void test_a_random_key_is_one_of_the_database(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = keyspace_put_string(fixture, "key", "value");
    assert_false(random_key(fixture, 1)->ok);
    const struct op_result *result = random_key(fixture, 0);
    assert_true(result->ok);
    assert_slice_is(result->key, "key");
    assert_int_equal(result->version, version);
    assert_int_equal(result->seen, version);
    keyspace_apply(fixture, key_op(OP_DELETE, "key"));
    assert_false(random_key(fixture, 0)->ok);
    assert_int_equal(fixture->result.seen, version + 1); /* its removal */
    assert_int_equal(fixture->revision, version + 1);
}

static void test_a_random_key_has_not_expired(void **state)
{
    struct keyspace_fixture *fixture = *state;
    char name[12];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%d", i);
        put_expiring(fixture, name, 1000);
    }
    keyspace_put_string(fixture, "valid", "value");
    fixture->now_ms += 1000;
    for (int i = 0; i < 20; i++) {
        assert_true(random_key(fixture, 0)->ok);
        assert_slice_is(fixture->result.key, "valid");
    }
    keyspace_apply(fixture, key_op(OP_DELETE, "valid"));
    assert_false(random_key(fixture, 0)->ok);
    assert_int_equal(keyspace_count(fixture), 1000); /* reads remove nothing */
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
        TEST(test_exists_and_touch_count_with_multiplicity),
        TEST(test_the_answer_shows_the_newest_of_the_keys),
        TEST(test_delete_many_is_one_commit_that_emits_each_key),
        TEST(test_delete_many_does_not_count_what_has_expired),
        TEST(test_keys_of_another_database_are_others),
        TEST(test_describe_a_string),
        TEST(test_describe_a_list),
        TEST(test_describe_of_no_key),
        TEST(test_described_memory_is_what_was_taken),
        TEST(test_every_key_is_as_likely),
        TEST(test_a_random_key_is_one_of_the_database),
        TEST(test_a_random_key_has_not_expired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
