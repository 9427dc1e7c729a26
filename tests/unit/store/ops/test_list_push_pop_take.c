/* Tests of what ListPop and LMove do for those who wait and for streams (struct op_take), in
 * store/ops/list_push_pop.c and list_items.c. The changes are replayed at the end of each test. */
#include "store/ops/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"
#include "store/lists_fixture.h"

static struct op pop_op(struct op_key *key, enum op_end end, int64_t count, struct op_take *take)
{
    return (struct op){.kind = OP_LIST_POP,
                       .keys = key,
                       .key_count = 1,
                       .count = count,
                       .move = {.end = end, .target_end = OP_TAIL, .take = take}};
}

static void assert_absent(struct keyspace_fixture *fixture, const char *key)
{
    assert_null(keyspace_find(fixture, key));
}

static void test_what_is_popped_is_pushed_to_the_target(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op_key key = {.bytes = SLICE_LITERAL("list")};
    struct op_take take = {.target.bytes = SLICE_LITERAL("target")};
    keyspace_put_list(fixture, "list", 5);
    const struct op_result *result = keyspace_apply(fixture, pop_op(&key, OP_HEAD, 3, &take));
    assert_values_are(result, "0 1 2");
    assert_slice_is(result->key, "list");
    assert_list_is(fixture, "list", "3 4");
    assert_list_is(fixture, "target", "0 1 2");
    struct op op = pop_op(&key, OP_TAIL, 9, &take);
    op.move.target_end = OP_HEAD;
    keyspace_apply(fixture, op);
    assert_absent(fixture, "list");
    assert_list_is(fixture, "target", "3 4 0 1 2");
    keyspace_put_list(fixture, "list", 1);
    keyspace_put_string(fixture, "target", "text");
    keyspace_assert_fails(fixture, pop_op(&key, OP_HEAD, 1, &take), ERR_WRONG_TYPE);
    assert_list_is(fixture, "list", "0");
}

static void test_long_elements_move_without_a_copy(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice value = keyspace_long_bytes(0);
    struct op_key key = {.bytes = SLICE_LITERAL("list")};
    struct op_take take = {.target.bytes = SLICE_LITERAL("target")};
    keyspace_apply(
        fixture,
        (struct op){.kind = OP_R_PUSH, .key = key.bytes, .values = &value, .value_count = 1});
    const struct op_result *result = keyspace_apply(fixture, pop_op(&key, OP_HEAD, 1, &take));
    assert_true(slice_equal(result->values[0], value));
    struct list_cursor cursor;
    assert_true(list_seek(entry_list(keyspace_find(fixture, "target")), &cursor, 0));
    assert_ptr_equal(cursor.blob, result->blobs[0]);
}

/* As many as the answer may have, and one at least. */
static void test_as_many_as_fit(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op_key key = {.bytes = SLICE_LITERAL("list")};
    struct op_take take = {.fits = true};
    keyspace_put_list(fixture, "list", 8);
    struct op op = pop_op(&key, OP_HEAD, 100, &take);
    op.max_answer = 3 * op_answer_size(1) + 1;
    assert_values_are(keyspace_apply(fixture, op), "0 1 2");
    op.max_answer = 1;
    assert_values_are(keyspace_apply(fixture, op), "3");
    op.max_answer = 0;
    assert_values_are(keyspace_apply(fixture, op), "4 5 6 7");
}

static void test_nothing_is_done_while_the_count_is_not_zero(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op_key key = {.bytes = SLICE_LITERAL("list")};
    atomic_size_t count = 1;
    struct op_take take = {.unless = &count, .target.bytes = SLICE_LITERAL("target")};
    keyspace_put_list(fixture, "list", 2);
    assert_false(keyspace_apply(fixture, pop_op(&key, OP_TAIL, INT64_MAX, &take))->ok);
    assert_list_is(fixture, "list", "0 1");
    count = 0;
    assert_true(keyspace_apply(fixture, pop_op(&key, OP_HEAD, INT64_MAX, &take))->ok);
    assert_list_is(fixture, "target", "0 1");
}

static struct op equal_op(const char *value, struct op_take *take)
{
    return (struct op){.kind = OP_L_MOVE,
                       .key = SLICE_LITERAL("list"),
                       .target.bytes = SLICE_LITERAL("target"),
                       .value = slice_from_string(value),
                       .move = {.target_end = OP_HEAD, .take = take}};
}

static void test_an_element_moves_by_its_value(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op_take from_head = {.is_equal = true},
                   from_tail = {.is_equal = true, .from_tail = true};
    lists_make(fixture, "list", "a b a c", 0);
    assert_true(keyspace_apply(fixture, equal_op("a", &from_tail))->ok);
    assert_list_is(fixture, "list", "a b c");
    assert_true(keyspace_apply(fixture, equal_op("b", &from_head))->ok);
    assert_list_is(fixture, "list", "a c");
    assert_list_is(fixture, "target", "b a");
    uint64_t revision = fixture->revision;
    assert_false(keyspace_apply(fixture, equal_op("b", &from_head))->ok);
    assert_int_equal(fixture->revision, revision);
    keyspace_apply(fixture, equal_op("a", &from_head));
    keyspace_apply(fixture, equal_op("c", &from_head));
    assert_absent(fixture, "list");
    assert_false(keyspace_apply(fixture, equal_op("c", &from_head))->ok);
    keyspace_put_string(fixture, "list", "text"); /* which holds no such element, either */
    assert_false(keyspace_apply(fixture, equal_op("text", &from_head))->ok);
    assert_int_equal(fixture->result.err, ERR_NONE);
}

/* All of them as one commit, which a later failure takes back. */
static void test_moves_are_rolled_back(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op_key key = {.bytes = SLICE_LITERAL("list")};
    struct op_take equal = {.is_equal = true}, take = {.target.bytes = SLICE_LITERAL("target")};
    struct op_txn txn = {0};
    lists_make(fixture, "list", "a b c", 0);
    keyspace_put_string(fixture, "text", "no number");
    struct op ops[] = {equal_op("b", &equal),
                       pop_op(&key, OP_HEAD, 1, &take),
                       {.kind = OP_INCR, .key = SLICE_LITERAL("text")}};
    struct op op = {.kind = OP_TXN, .ops = ops, .op_count = 3, .txn = &txn};
    keyspace_assert_fails(fixture, op, ERR_NOT_A_NUMBER);
    assert_list_is(fixture, "list", "a b c");
    assert_absent(fixture, "target");
    op.op_count = 2;
    assert_int_equal(keyspace_apply(fixture, op)->err, ERR_NONE);
    assert_list_is(fixture, "list", "c");
    assert_list_is(fixture, "target", "b a");
}

/* ---- waiting ---- */

static unsigned notified;

static void notify(struct waiter *waiter)
{
    (void)waiter;
    notified++;
}

static enum store_answer try_op(struct keyspace_fixture *fixture, struct op op)
{
    op.now_ms = fixture->now_ms;
    op_result_release(&fixture->result);
    arena_reset(&fixture->arena);
    return store_try_apply(fixture->store, &op, &fixture->arena, &fixture->result);
}

static struct op push_op(const char *key, const struct slice *value)
{
    return (struct op){
        .kind = OP_R_PUSH, .key = slice_from_string(key), .values = value, .value_count = 1};
}

static void test_a_pop_gets_in_line(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op_key key = {.bytes = SLICE_LITERAL("list")};
    struct waiter waiter = {.notify = notify};
    struct op_take take = {.wait_ms = -1};
    struct slice value = SLICE_LITERAL("a");
    notified = 0;
    assert_int_equal(try_op(fixture, pop_op(&key, OP_HEAD, 1, &take)), STORE_WAITING);
    assert_int_equal(try_op(fixture, push_op("list", &value)), STORE_DONE); /* nobody was in line */
    assert_int_equal(try_op(fixture, pop_op(&key, OP_HEAD, 1, &take)), STORE_DONE);
    take.waiter = &waiter;
    assert_int_equal(try_op(fixture, pop_op(&key, OP_HEAD, 1, &take)), STORE_WAITING);
    assert_int_equal(try_op(fixture, push_op("other", &value)), STORE_DONE);
    assert_int_equal(try_op(fixture, push_op("list", &value)), STORE_NOTIFIED);
    assert_true(fixture->result.ok);
    assert_int_equal(notified, 1);
    assert_int_equal(try_op(fixture, pop_op(&key, OP_HEAD, 1, &take)), STORE_DONE);
    assert_values_are(&fixture->result, "a");
    waiter_leave(&waiter);
}

static void test_a_list_that_is_rolled_back_is_seen_by_nobody(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op_key key = {.bytes = SLICE_LITERAL("list")};
    struct waiter waiter = {.notify = notify};
    struct op_take take = {.wait_ms = -1, .waiter = &waiter};
    struct slice value = SLICE_LITERAL("a");
    struct op_txn txn = {0};
    keyspace_put_string(fixture, "text", "no number");
    assert_int_equal(try_op(fixture, pop_op(&key, OP_HEAD, 1, &take)), STORE_WAITING);
    struct op ops[] = {push_op("list", &value), {.kind = OP_INCR, .key = SLICE_LITERAL("text")}};
    struct op op = {.kind = OP_TXN, .ops = ops, .op_count = 2, .txn = &txn};
    keyspace_assert_fails(fixture, op, ERR_NOT_A_NUMBER);
    assert_int_equal(try_op(fixture, pop_op(&key, OP_HEAD, 1, &take)), STORE_WAITING);
    notified = 0;
    assert_int_equal(try_op(fixture, push_op("list", &value)), STORE_NOTIFIED);
    assert_int_equal(notified, 1);
    waiter_leave(&waiter);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_popped_is_pushed_to_the_target),
        TEST(test_long_elements_move_without_a_copy),
        TEST(test_as_many_as_fit),
        TEST(test_nothing_is_done_while_the_count_is_not_zero),
        TEST(test_an_element_moves_by_its_value),
        TEST(test_moves_are_rolled_back),
        TEST(test_a_pop_gets_in_line),
        TEST(test_a_list_that_is_rolled_back_is_seen_by_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
