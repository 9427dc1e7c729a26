/* Tests of store/ops/swap_db.c: what was in one database is in the other one, and no version of a
 * key comes twice with another value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/key_ops.h"
#include "store/keyspace_fixture.h"
#include "store/snapshot.h"

#define KEYS 1900

static const struct op_result *swap(struct keyspace_fixture *fixture, uint32_t one, uint32_t other)
{
    return keyspace_apply(fixture, (struct op){.kind = OP_SWAP_DB, .db = one, .target_db = other});
}

static struct op in_db(struct op op, uint32_t db)
{
    op.db = db;
    return op;
}

static uint64_t put(struct keyspace_fixture *fixture, uint32_t db, const char *key,
                    const char *value)
{
    return keyspace_apply(fixture, in_db(set_op(key, value), db))->version;
}

static void assert_holds(struct keyspace_fixture *fixture, uint32_t db, const char *value,
                         uint64_t version)
{
    struct op get = in_db(key_op(OP_GET, "key"), db);
    get.read.want_as_of = true;
    const struct op_result *result = keyspace_apply(fixture, get);
    assert_int_equal(result->value.found, value != NULL);
    if (value != NULL)
        assert_true(slice_equal(result->value.bytes, slice_from_string(value)));
    assert_int_equal(result->value.version, value != NULL ? version : 0);
    assert_int_equal(result->as_of, version);
    assert_int_equal(result->seen, version);
}

static bool is_unchanged(struct keyspace_fixture *fixture, uint32_t db, uint64_t since)
{
    struct op compare = in_db(key_op(OP_GET, "key"), db);
    compare.compare.since = since;
    compare.compare.has_since = true;
    struct op_txn txn = {.compares = &compare, .compare_count = 1};
    return keyspace_apply(fixture, (struct op){.kind = OP_TXN, .txn = &txn})->ok;
}

static bool has_version(struct keyspace_fixture *fixture, uint32_t db, uint64_t version)
{
    struct op compare = in_db(key_op(OP_GET, "key"), db);
    compare.condition.version = version;
    struct op_txn txn = {.compares = &compare, .compare_count = 1};
    return keyspace_apply(fixture, (struct op){.kind = OP_TXN, .txn = &txn})->ok;
}

static void fill(struct keyspace_fixture *fixture, uint32_t db)
{
    char name[12];
    for (int i = 0; i < KEYS; i++) {
        snprintf(name, sizeof name, "%d", i);
        struct op op = in_db(set_op(name, name), db);
        op.expire_at_ms = i % 4 == 0 ? fixture->now_ms + 1000 : 0;
        keyspace_apply(fixture, op);
    }
}

static void test_everything_changes_places(void **state)
{
    struct keyspace_fixture *fixture = *state;
    fill(fixture, 1);
    uint64_t before = put(fixture, 3, "key", "value");
    const struct op_result *result = swap(fixture, 3, 1);
    assert_true(result->ok);
    assert_int_equal(result->count, KEYS + 1);
    assert_int_equal(result->seen, before + 1);
    assert_int_equal(fixture->revision, before + 1);
    const struct keyspace_change *change = &fixture->changes[fixture->change_count - 1];
    assert_int_equal(change->op.kind, OP_SWAP_DB);
    assert_int_equal(change->op.db, 3);
    assert_int_equal(change->op.target_db, 1);
    assert_int_equal(store_count(fixture->store, 3), KEYS);
    assert_int_equal(store_expiring(fixture->store, 3), KEYS / 4);
    assert_int_equal(store_count(fixture->store, 1), 1);
    assert_int_equal(store_expiring(fixture->store, 1), 0);
    assert_holds(fixture, 1, "value", before + 1);
    fixture->now_ms += 1000;
    struct store_sweep sweep = {.parts = 1};
    while (!store_sweep(fixture->store, &sweep, fixture->now_ms).lap)
        continue;
    assert_int_equal(store_count(fixture->store, 3), KEYS - KEYS / 4);
}

static void test_a_swap_of_nothing_is_no_write(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t revision = put(fixture, 0, "key", "value");
    assert_false(swap(fixture, 0, 0)->ok);
    assert_false(swap(fixture, 1, 2)->ok);
    assert_int_equal(fixture->result.count, 0);
    assert_int_equal(fixture->revision, revision);
    assert_holds(fixture, 0, "value", revision);
}

/* Both keys have the same version, that of the transaction which wrote them. */
static void test_versions_do_not_come_twice(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op ops[] = {in_db(set_op("key", "zero"), 0), in_db(set_op("key", "one"), 1)};
    struct op_txn txn = {0};
    uint64_t version =
        keyspace_apply(fixture, (struct op){.kind = OP_TXN, .ops = ops, .op_count = 2, .txn = &txn})
            ->version;
    assert_true(has_version(fixture, 0, version) && is_unchanged(fixture, 0, version));
    swap(fixture, 0, 1);
    assert_holds(fixture, 0, "one", version + 1);
    assert_holds(fixture, 1, "zero", version + 1);
    assert_false(has_version(fixture, 0, version) || is_unchanged(fixture, 0, version));
    assert_true(has_version(fixture, 0, version + 1) && is_unchanged(fixture, 0, version + 1));
    swap(fixture, 1, 0); /* back, and still another version */
    assert_holds(fixture, 0, "zero", version + 2);
    assert_false(is_unchanged(fixture, 0, version) || is_unchanged(fixture, 0, version + 1));
    assert_int_equal(put(fixture, 0, "key", "new"), version + 3);
    assert_holds(fixture, 0, "new", version + 3);
    assert_holds(fixture, 1, "one", version + 2);
    struct op set = set_op("key", "not done");
    set.condition.version = version;
    assert_false(keyspace_apply(fixture, set)->ok);
    assert_int_equal(fixture->result.version, version + 3);
    struct op other = in_db(set, 1);
    assert_false(keyspace_apply(fixture, other)->ok);
    assert_int_equal(fixture->result.version, version + 2);
}

static void test_absent_keys(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = put(fixture, 1, "key", "value");
    assert_true(is_unchanged(fixture, 0, version));
    swap(fixture, 0, 1);
    assert_false(is_unchanged(fixture, 0, version)); /* it is there now */
    assert_false(is_unchanged(fixture, 1, version)); /* it is not */
    assert_holds(fixture, 1, NULL, version + 1);
    assert_true(is_unchanged(fixture, 1, version + 1));
    assert_true(is_unchanged(fixture, 2, version));
}

/* Every way in which an operation returns a version. */
static void test_answers_have_the_version(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put(fixture, 1, "key", "value");
    struct slice element = SLICE_LITERAL("e");
    keyspace_apply(fixture, in_db(push_op("list", &element), 1));
    swap(fixture, 0, 1);
    uint64_t version = fixture->revision;
    static const enum op_kind kinds[] = {OP_DESCRIBE, OP_GET_BIT, OP_BIT_COUNT, OP_BIT_POS};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        assert_int_equal(keyspace_apply(fixture, key_op(kinds[i], "key"))->version, version);
    static const enum op_kind of_lists[] = {OP_L_RANGE, OP_L_INDEX, OP_L_TRIM};
    for (size_t i = 0; i < sizeof of_lists / sizeof *of_lists; i++) {
        struct op op = key_op(of_lists[i], "list");
        op.stop = -1;
        keyspace_apply(fixture, op);
        assert_int_equal(fixture->result.version, version);
    }
    static const enum op_kind of_values[] = {OP_GET, OP_GET_RANGE, OP_GET_EX};
    for (size_t i = 0; i < sizeof of_values / sizeof *of_values; i++)
        assert_int_equal(keyspace_apply(fixture, key_op(of_values[i], "key"))->value.version,
                         version);
    struct op_key keys[2];
    const struct op_result *result = keyspace_apply(fixture, keys_op(OP_M_GET, keys, "key none"));
    assert_int_equal(result->items[0].version, version);
    assert_int_equal(result->items[1].version, 0);
    struct op expire = expire_op("key", fixture->now_ms + 1, OP_HAS_EXPIRY);
    assert_int_equal(keyspace_apply(fixture, expire)->version, version); /* not done */
    result = keyspace_apply(fixture, (struct op){.kind = OP_RANDOM_KEY});
    assert_int_equal(result->version, version);
    assert_int_equal(keyspace_apply(fixture, in_db((struct op){.kind = OP_RANDOM_KEY}, 1))->seen,
                     version); /* that it is empty shows the swap */
    struct op rename = pair_op(OP_RENAME, "key", "list");
    rename.copy.absent_only = true;
    assert_int_equal(keyspace_apply(fixture, rename)->version, version);
    assert_int_equal(fixture->revision, version);
}

/* ---- snapshots ---- */

struct saved {
    struct snapshot snapshot; /* first: save() finds this by it */
    uint64_t versions[KEYSPACE_DATABASES];
    unsigned counts[KEYSPACE_DATABASES];
};

static void save(struct snapshot *snapshot, const struct snapshot_entry *entry, bool early)
{
    struct saved *saved = (struct saved *)snapshot;
    (void)early;
    assert_int_equal(entry->version, saved->versions[entry->db]);
    saved->counts[entry->db]++;
}

static void on_begin(struct snapshot *snapshot)
{
    (void)snapshot;
}

static bool take_steps(struct keyspace_fixture *fixture, struct saved *saved, unsigned count)
{
    bool more = true;
    while (more && count-- > 0)
        more = store_snapshot_step(fixture->store, &saved->snapshot);
    return more;
}

/* Swaps before, and while it is under way: after any number of steps, to where they have been. */
static void test_a_snapshot_has_the_numbers_and_versions_of_its_time(void **state)
{
    struct keyspace_fixture *fixture = *state;
    bool more = true;
    fill(fixture, 0);
    fill(fixture, 3);
    for (unsigned steps = 0; more; steps++) {
        struct saved saved = {.snapshot = {.save = save, .on_begin = on_begin}};
        saved.versions[2] = swap(fixture, 0, 2)->seen;
        saved.versions[1] = swap(fixture, 3, 1)->seen;
        store_snapshot_begin(fixture->store, &saved.snapshot);
        more = take_steps(fixture, &saved, steps);
        swap(fixture, 2, 0);
        swap(fixture, 1, 3);
        assert_false(take_steps(fixture, &saved, UINT32_MAX));
        store_snapshot_end(fixture->store);
        assert_int_equal(saved.counts[2], KEYS);
        assert_int_equal(saved.counts[1], KEYS);
        assert_int_equal(saved.counts[0] + saved.counts[3], 0);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_everything_changes_places),
        TEST(test_a_swap_of_nothing_is_no_write),
        TEST(test_versions_do_not_come_twice),
        TEST(test_absent_keys),
        TEST(test_answers_have_the_version),
        TEST(test_a_snapshot_has_the_numbers_and_versions_of_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
