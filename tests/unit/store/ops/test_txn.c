/* Tests of store/ops/txn.c: compares, all or nothing, and one budget for all answers. What an
 * aborted transaction leaves is tested at random in test_txn_model.c. */
#include "store/ops/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/key_ops.h"
#include "store/keyspace_fixture.h"

#define COUNT(array)   (sizeof(array) / sizeof(array)[0])
#define MAX_ANSWER_ANY ((size_t)0)

/* A transaction; its operations are valid until the next one. */
struct txn {
    struct op op;
    struct op_txn otherwise;
    struct op compares[4], ops[8], otherwise_ops[8];
};

static void init(struct txn *txn)
{
    *txn = (struct txn){0};
    txn->op = (struct op){.kind = OP_TXN, .ops = txn->ops, .txn = &txn->otherwise};
    txn->otherwise.else_ops = txn->otherwise_ops;
    txn->otherwise.compares = txn->compares;
}

static void compare(struct txn *txn, const char *key, struct condition condition)
{
    txn->compares[txn->otherwise.compare_count++] =
        (struct op){.key = slice_from_string(key), .condition = condition};
}

static void add(struct txn *txn, struct op op)
{
    txn->ops[txn->op.op_count++] = op;
}

static void add_otherwise(struct txn *txn, struct op op)
{
    txn->otherwise_ops[txn->otherwise.else_count++] = op;
}

static const struct op_result *run(struct keyspace_fixture *fixture, struct txn *txn)
{
    return keyspace_apply(fixture, txn->op);
}

/* It failed with a message, and nothing was written. */
static void assert_aborted(const struct keyspace_fixture *fixture, uint64_t revision, enum err err,
                           const char *why)
{
    const struct op_result *result = &fixture->result;
    assert_int_equal(result->err, err);
    assert_memory_equal(result->why, why, strlen(why));
    assert_false(result->ok);
    assert_int_equal(result->version, 0);
    assert_int_equal(result->result_count, 0);
    assert_true(result->seen <= revision);
    assert_int_equal(fixture->revision, revision);
}

static void test_all_operations_are_one_commit(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t old = keyspace_put_string(fixture, "read", "value");
    struct txn txn;
    init(&txn);
    add(&txn, set_op("a", "1"));
    add(&txn, key_op(OP_GET, "read"));
    add(&txn, set_op("b", "2"));
    add(&txn, key_op(OP_DELETE, "a"));
    const struct op_result *result = run(fixture, &txn);
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->ok);
    assert_int_equal(result->version, old + 1);
    assert_int_equal(fixture->revision, old + 1);
    assert_int_equal(result->result_count, 4);
    assert_ptr_equal(result->done, txn.ops);
    assert_int_equal(result->results[0].version, old + 1);
    assert_slice_is(result->results[1].value.bytes, "value");
    assert_int_equal(result->results[1].value.version, old);
    assert_int_equal(result->results[2].version, old + 1);
    assert_true(result->results[3].ok);
    assert_null(keyspace_find(fixture, "a"));
    assert_slice_is(entry_string(keyspace_find(fixture, "b")), "2");
    assert_int_equal(fixture->change_count, 4);
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(fixture->changes[i].revision, old + 1);
}

/* An operation sees the effects of those before it. */
static void test_operations_build_on_one_another(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct txn txn;
    init(&txn);
    add(&txn, set_op("a", "1"));
    add(&txn, pair_op(OP_RENAME, "a", "b"));
    add(&txn, pair_op(OP_COPY, "b", "c"));
    add(&txn, key_op(OP_GET, "c"));
    add(&txn, key_op(OP_GET, "a"));
    const struct op_result *result = run(fixture, &txn);
    assert_slice_is(result->results[3].value.bytes, "1");
    assert_false(result->results[4].value.found);
}

static void test_reading_is_no_write(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t revision = keyspace_put_string(fixture, "key", "value");
    struct txn txn;
    init(&txn);
    const struct op_result *result = run(fixture, &txn); /* of nothing */
    assert_true(result->ok);
    assert_int_equal(result->result_count, 0);
    add(&txn, key_op(OP_GET, "key"));
    add(&txn, key_op(OP_DELETE, "none"));
    result = run(fixture, &txn);
    assert_true(result->ok);
    assert_int_equal(result->version, 0);
    assert_int_equal(result->seen, revision);
    assert_int_equal(fixture->revision, revision);
}

static void test_every_kind_of_compare(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t string = keyspace_put_string(fixture, "string", "value");
    uint64_t list = keyspace_put_list(fixture, "list", 2);
    const struct {
        const char *key;
        struct condition condition;
        bool holds;
    } cases[] = {
        {"none", {.existence = EXISTENCE_ABSENT}, true},
        {"none", {.existence = EXISTENCE_PRESENT}, false},
        {"none", {.version = string}, false},
        {"none", {.match_value = true}, false},
        {"none", {0}, true},
        {"string", {.existence = EXISTENCE_PRESENT}, true},
        {"string", {.existence = EXISTENCE_ABSENT}, false},
        {"string", {.version = string}, true},
        {"string", {.version = list}, false},
        {"string", {.match_value = true, .value = SLICE_LITERAL("value")}, true},
        {"string", {.match_value = true, .value = SLICE_LITERAL("valu")}, false},
        {"list", {.version = list}, true},
        {"list", {.match_value = true, .value = SLICE_LITERAL("0")}, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct txn txn;
        init(&txn);
        compare(&txn, cases[i].key, cases[i].condition);
        add(&txn, key_op(OP_GET, "string"));
        add_otherwise(&txn, key_op(OP_DESCRIBE, "list"));
        add_otherwise(&txn, key_op(OP_DESCRIBE, "list"));
        const struct op_result *result = run(fixture, &txn);
        assert_int_equal(result->err, ERR_NONE);
        assert_int_equal(result->ok, cases[i].holds);
        assert_int_equal(result->result_count, cases[i].holds ? 1 : 2);
        assert_ptr_equal(result->done, cases[i].holds ? txn.ops : txn.otherwise_ops);
    }
}

static void test_all_compares_must_hold(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "a", "1");
    for (unsigned fails = 0; fails < 8; fails++) {
        struct txn txn;
        init(&txn);
        for (unsigned i = 0; i < 3; i++)
            compare(&txn, "a",
                    (struct condition){.existence =
                                           fails >> i & 1 ? EXISTENCE_ABSENT : EXISTENCE_PRESENT});
        add(&txn, set_op("b", "then"));
        add_otherwise(&txn, set_op("b", "otherwise"));
        assert_int_equal(run(fixture, &txn)->ok, fails == 0);
        assert_slice_is(entry_string(keyspace_find(fixture, "b")),
                        fails == 0 ? "then" : "otherwise");
    }
}

static void test_a_compare_has_its_own_database_and_clock(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op op = set_op("key", "value");
    op.db = 2;
    op.expire_at_ms = fixture->now_ms + 1000;
    keyspace_apply(fixture, op);
    struct txn txn;
    init(&txn);
    compare(&txn, "key", (struct condition){.existence = EXISTENCE_PRESENT});
    assert_false(run(fixture, &txn)->ok);
    txn.compares[0].db = 2;
    assert_true(run(fixture, &txn)->ok);
    fixture->now_ms += 1000;
    assert_false(run(fixture, &txn)->ok);
}

/* Operations use the transaction's time. */
static void test_operations_see_the_clock(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op op = set_op("key", "value");
    op.expire_at_ms = fixture->now_ms + 1000;
    keyspace_apply(fixture, op);
    struct txn txn;
    init(&txn);
    add(&txn, key_op(OP_GET, "key"));
    assert_true(run(fixture, &txn)->results[0].value.found);
    fixture->now_ms += 1000;
    assert_false(run(fixture, &txn)->results[0].value.found);
}

static void test_a_failure_rolls_everything_back(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice element = SLICE_LITERAL("element");
    uint64_t version = keyspace_put_string(fixture, "string", "value");
    struct txn txn;
    init(&txn);
    add(&txn, set_op("new", "1"));
    add(&txn, set_op("string", "2"));
    add(&txn, push_op("string", &element));
    add(&txn, set_op("never", "3"));
    run(fixture, &txn);
    assert_aborted(fixture, version, ERR_WRONG_TYPE, "success[2].l_push: the key holds a string");
    assert_null(keyspace_find(fixture, "new"));
    assert_null(keyspace_find(fixture, "never"));
    assert_slice_is(entry_string(keyspace_find(fixture, "string")), "value");
    assert_int_equal(entry_version(keyspace_find(fixture, "string")), version);
    assert_int_equal(fixture->change_count, 1);
    assert_int_equal(keyspace_put_string(fixture, "next", "value"), version + 1); /* no gap */
}

static void test_a_failure_before_any_write(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct txn txn;
    init(&txn);
    compare(&txn, "key", (struct condition){.existence = EXISTENCE_PRESENT});
    add_otherwise(&txn, pair_op(OP_COPY, "key", "key"));
    run(fixture, &txn);
    assert_aborted(fixture, 100, ERR_BAD_ARGUMENT, "failure[0].copy.target: it is the same key");
}

/* A condition of an operation that does not hold is an answer, not a failure. */
static void test_an_unmet_condition_does_not_abort(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "key", "value");
    struct txn txn;
    init(&txn);
    struct op op = set_op("key", "new");
    op.condition.existence = EXISTENCE_ABSENT;
    add(&txn, op);
    add(&txn, set_op("other", "value"));
    const struct op_result *result = run(fixture, &txn);
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->ok);
    assert_false(result->results[0].ok);
    assert_true(result->results[1].ok);
}

/* Without a sink the revision is lost, which is harmless. */
static void test_a_failure_without_a_sink(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_list(fixture, "list", 1);
    store_set_sink(fixture->store, NULL);
    struct txn txn;
    init(&txn);
    add(&txn, set_op("key", "value"));
    add(&txn, key_op(OP_GET, "list"));
    uint64_t revision = fixture->revision;
    assert_int_equal(run(fixture, &txn)->err, ERR_WRONG_TYPE);
    assert_null(keyspace_find(fixture, "key"));
    assert_true(fixture->result.seen <= revision);
    assert_int_equal(keyspace_put_string(fixture, "key", "value"), revision + 2);
    fixture->revision = revision + 2; /* where the sink goes on */
    store_set_sink(fixture->store, &fixture->sink);
    keyspace_apply(fixture, key_op(OP_DELETE, "key"));
}

static void add_moves_of_a_list(struct txn *txn)
{
    add(txn, pair_op(OP_RENAME, "from", "to"));
    add(txn, expire_op("to", KEYSPACE_NOW_MS + 1000, OP_ALWAYS));
    add(txn, pair_op(OP_RENAME, "to", "string"));
    struct op across = pair_op(OP_RENAME, "string", "from");
    across.target_db = 3;
    add(txn, across);
    struct op op = key_op(OP_DELETE, "from");
    op.db = 3;
    add(txn, op);
}

/* However often it was moved, the rollback restores the same list. */
static void test_a_renamed_list_comes_back_without_a_copy(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "string", "value");
    uint64_t version = keyspace_put_list(fixture, "from", 3);
    const struct entry *entry = keyspace_find(fixture, "from");
    const struct list *list = entry_list(entry);
    struct txn txn;
    init(&txn);
    add_moves_of_a_list(&txn);
    add(&txn, pair_op(OP_COPY, "a", "a"));
    run(fixture, &txn);
    assert_aborted(fixture, version, ERR_BAD_ARGUMENT, "success[5].copy.target: ");
    assert_ptr_equal(keyspace_find(fixture, "from"), entry);
    assert_ptr_equal(entry_list(entry), list);
    assert_list_is(fixture, "from", "0 1 2");
    assert_int_equal(entry_version(entry), version);
    assert_int_equal(entry_expire_at_ms(entry), 0);
    assert_null(keyspace_find(fixture, "to"));
    assert_slice_is(entry_string(keyspace_find(fixture, "string")), "value");
    assert_int_equal(store_count(fixture->store, 3), 0);
}

static void test_a_renamed_list_may_stay(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "string", "value");
    keyspace_put_list(fixture, "from", 3);
    struct txn txn;
    init(&txn);
    add_moves_of_a_list(&txn);
    assert_true(run(fixture, &txn)->ok);
    assert_int_equal(keyspace_count(fixture), 0);
    assert_int_equal(store_count(fixture->store, 3), 0);
}

/* A transaction that removes an expired key also restores it on rollback. */
static void test_what_had_expired_comes_back_too(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op op = set_op("key", "value");
    op.expire_at_ms = fixture->now_ms + 1000;
    uint64_t version = keyspace_apply(fixture, op)->version;
    fixture->now_ms += 1000;
    struct txn txn;
    init(&txn);
    add(&txn, set_op("key", "new"));
    add(&txn, pair_op(OP_COPY, "a", "a"));
    run(fixture, &txn);
    assert_aborted(fixture, version, ERR_BAD_ARGUMENT, "success[1].copy.target: ");
    assert_int_equal(keyspace_count(fixture), 1);
    assert_int_equal(entry_version(keyspace_find(fixture, "key")), version);
    assert_false(keyspace_apply(fixture, key_op(OP_GET, "key"))->value.found);
}

/* The size of each of these answers: a value of 100 bytes. */
static void add_answers(struct txn *txn, struct keyspace_fixture *fixture)
{
    static char bytes[101];
    memset(bytes, 'x', 100);
    struct slice element = SLICE_LITERAL("abcdefgh");
    keyspace_put_string(fixture, "string", bytes);
    for (int i = 0; i < 10; i++)
        keyspace_apply(fixture, push_op("list", &element));
    add(txn, key_op(OP_GET, "string"));
    struct op op = set_op("string", bytes);
    op.set.return_previous = true;
    add(txn, op);
    op = key_op(OP_L_RANGE, "list");
    op.stop = -1;
    add(txn, op);
}

static void test_answers_share_one_budget(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct txn txn;
    init(&txn);
    add_answers(&txn, fixture);
    size_t each = op_answer_size(100), list = op_answer_size(0) + 10 * op_answer_size(8);
    static const char *const names[] = {
        "success[0].get: ", "success[1].set: ", "success[2].l_range: "};
    const size_t limits[] = {each - 1, 2 * each - 1, 2 * each + list - 1};
    for (size_t i = 0; i < 3; i++) {
        uint64_t revision = fixture->revision;
        txn.op.max_answer = limits[i];
        run(fixture, &txn);
        assert_aborted(fixture, revision, ERR_TOO_LARGE, names[i]);
    }
    txn.op.max_answer = 2 * each + list;
    assert_int_equal(run(fixture, &txn)->err, ERR_NONE);
    txn.op.max_answer = MAX_ANSWER_ANY;
    assert_int_equal(run(fixture, &txn)->err, ERR_NONE);
}

/* Blobs are released when the answers are discarded. */
static void test_an_aborted_answer_holds_nothing(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op op = key_op(OP_SET, "key");
    op.value = keyspace_long_bytes(0);
    keyspace_apply(fixture, op);
    const struct blob *blob = entry_blob(keyspace_find(fixture, "key"));
    struct txn txn;
    init(&txn);
    add(&txn, key_op(OP_GET, "key"));
    add(&txn, key_op(OP_GET, "key"));
    assert_int_equal(run(fixture, &txn)->err, ERR_NONE);
    assert_int_equal(atomic_load(&blob->holders), 3);
    add(&txn, pair_op(OP_COPY, "a", "a"));
    run(fixture, &txn);
    assert_int_equal(atomic_load(&blob->holders), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_operations_are_one_commit),
        TEST(test_operations_build_on_one_another),
        TEST(test_reading_is_no_write),
        TEST(test_every_kind_of_compare),
        TEST(test_all_compares_must_hold),
        TEST(test_a_compare_has_its_own_database_and_clock),
        TEST(test_operations_see_the_clock),
        TEST(test_a_failure_rolls_everything_back),
        TEST(test_a_failure_before_any_write),
        TEST(test_an_unmet_condition_does_not_abort),
        TEST(test_a_failure_without_a_sink),
        TEST(test_a_renamed_list_comes_back_without_a_copy),
        TEST(test_a_renamed_list_may_stay),
        TEST(test_what_had_expired_comes_back_too),
        TEST(test_answers_share_one_budget),
        TEST(test_an_aborted_answer_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
