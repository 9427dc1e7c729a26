/*
 * Tests of apply_adopt() in store/ops/apply.c: values that arrive in a blob, as those of large
 * messages do, stay in it where that costs no memory.
 */
#include "store/ops/apply.h"

#include "base/runs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/key_ops.h"
#include "store/keyspace_fixture.h"
#include "store/lists_fixture.h"

/* What a copy of `len` bytes takes. */
static size_t memory_of(size_t len)
{
    return runs_round(sizeof(struct blob) + len);
}

/* Like a message: some bytes before and after the value. */
struct message {
    struct blob *blob;
    struct op op;
};

static struct message message_of(enum op_kind kind, size_t before, struct slice value, size_t after)
{
    struct message message = {.blob = blob_new(before + value.len + after)};
    memset(message.blob->data, '.', before + value.len + after);
    memcpy(message.blob->data + before, value.data, value.len);
    message.op = key_op(kind, "key");
    message.op.value = slice_make(message.blob->data + before, value.len);
    message.op.holder = message.blob;
    return message;
}

/* Sets the value and releases the message; true if it was kept instead of a copy. What it
 * takes is the same as for a copy. */
static bool set_from_message(struct keyspace_fixture *fixture, struct message message)
{
    struct slice value = message.op.value;
    keyspace_apply(fixture, message.op);
    struct entry *entry = keyspace_find(fixture, "key");
    assert_true(slice_equal(entry_string(entry), value));
    bool kept = entry_blob(entry) == message.blob;
    blob_release(message.blob);
    if (entry_blob(entry) != NULL) {
        assert_true(blob_is_sole(entry_blob(entry)));
        assert_int_equal(blob_memory(entry_blob(entry)), memory_of(value.len));
        assert_int_equal(entry_reserve(entry), 0);
    }
    return kept;
}

static void test_a_long_value_is_kept_where_it_lies(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice value = slice_make(keyspace_long_bytes(0).data, BLOB_LEAST);
    assert_true(set_from_message(fixture, message_of(OP_SET, 11, value, 3)));
    assert_true(set_from_message(fixture, message_of(OP_SET, 0, value, 0)));
    assert_true(set_from_message(fixture, message_of(OP_SET, 3000, value, 0)));
    keyspace_apply(fixture, key_op(OP_DELETE, "key"));
    assert_true(set_from_message(fixture, message_of(OP_SET, 11, value, 3)));
}

static void test_a_value_that_is_too_little_of_its_message_is_copied(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice value = slice_make(keyspace_long_bytes(0).data, BLOB_LEAST);
    assert_false(set_from_message(fixture, message_of(OP_SET, RUNS_PAGE, value, 0)));
    assert_false(set_from_message(fixture, message_of(OP_SET, 0, value, RUNS_PAGE)));
    value.len--; /* it lies in its entry */
    assert_false(set_from_message(fixture, message_of(OP_SET, 11, value, 3)));
    struct message other = message_of(OP_SET, 11, keyspace_long_bytes(1), 3);
    other.op.value = keyspace_long_bytes(0);
    assert_false(set_from_message(fixture, other));
}

static void test_what_is_not_set_leaves_the_message_alone(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct message message = message_of(OP_SET, 11, keyspace_long_bytes(0), 3);
    message.op.condition.existence = EXISTENCE_PRESENT;
    assert_false(keyspace_apply(fixture, message.op)->ok);
    assert_true(blob_is_sole(message.blob));
    assert_int_equal(blob_slice(message.blob).len, keyspace_long_bytes(0).len + 14);
    blob_release(message.blob);
}

/* A value does not change while it shares its bytes with a message in use. */
static void test_a_value_within_its_message_is_not_written(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct message message = message_of(OP_SET, 11, keyspace_long_bytes(0), 3);
    keyspace_apply(fixture, message.op);
    assert_ptr_equal(entry_blob(keyspace_find(fixture, "key")), message.blob);
    struct op range = set_op("key", "x");
    range.kind = OP_SET_RANGE;
    keyspace_apply(fixture, range);
    assert_true(slice_equal(message.op.value, keyspace_long_bytes(0)));
    assert_int_equal(entry_string(keyspace_find(fixture, "key")).data[0], 'x');
    blob_release(message.blob);
}

static void test_a_transaction_keeps_its_value_where_it_lies(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct message message = message_of(OP_SET, 11, keyspace_long_bytes(0), 3);
    struct op failing = key_op(OP_L_POP, "key"); /* the key holds a string by then */
    struct op ops[] = {message.op, failing};
    struct op_txn otherwise = {.else_ops = NULL};
    struct op txn = {.kind = OP_TXN, .ops = ops, .op_count = 2, .txn = &otherwise};
    txn.holder = message.blob;
    assert_int_equal(keyspace_apply(fixture, txn)->err, ERR_WRONG_TYPE);
    assert_null(keyspace_find(fixture, "key"));
    assert_true(blob_is_sole(message.blob));
    txn.op_count = 1; /* repeated, as near the memory limit */
    assert_int_equal(keyspace_apply(fixture, txn)->err, ERR_NONE);
    assert_ptr_equal(entry_blob(keyspace_find(fixture, "key")), message.blob);
    blob_release(message.blob);
    assert_true(slice_equal(keyspace_apply(fixture, key_op(OP_GET, "key"))->value.bytes,
                            keyspace_long_bytes(0)));
}

/* ---- elements ---- */

static const struct list *list_at(struct keyspace_fixture *fixture)
{
    return entry_list(keyspace_find(fixture, "key"));
}

/* The operation's value becomes an element, and is the message itself. */
static void assert_kept(struct keyspace_fixture *fixture, struct message message, size_t index)
{
    struct slice value = message.op.value;
    if (message.op.kind == OP_L_PUSH || message.op.kind == OP_R_PUSH) {
        message.op.values = &value;
        message.op.value_count = 1;
        message.op.value = (struct slice){0};
    }
    keyspace_apply(fixture, message.op);
    assert_int_equal(fixture->result.err, ERR_NONE);
    assert_ptr_equal(list_peek_blob(list_at(fixture), index), message.blob);
    assert_int_equal(atomic_load(&message.blob->holders), 2);
    blob_release(message.blob);
    assert_true(blob_is_sole(message.blob));
    assert_true(slice_equal(list_peek(list_at(fixture), index), value));
    assert_int_equal(blob_memory(message.blob), memory_of(value.len));
}

static void test_elements_are_kept_where_they_lie(void **state)
{
    struct keyspace_fixture *fixture = *state;
    lists_push_as(fixture, (struct op){.kind = OP_R_PUSH}, "key", "0 1 2");
    assert_kept(fixture, message_of(OP_R_PUSH, 11, keyspace_long_bytes(0), 3), 3);
    assert_kept(fixture, message_of(OP_L_PUSH, 11, keyspace_long_bytes(1), 3), 0);
    struct message message = message_of(OP_L_SET, 11, keyspace_long_bytes(2), 3);
    message.op.index = 2;
    assert_kept(fixture, message, 2);
    message = message_of(OP_L_INSERT, 11, keyspace_long_bytes(3), 3);
    message.op.insert.pivot = SLICE_LITERAL("2");
    assert_kept(fixture, message, 3);
}

static void test_one_of_several_elements_is_copied(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice two[] = {keyspace_long_bytes(0), keyspace_long_bytes(1)};
    struct blob *blob = blob_new(two[0].len + two[1].len);
    memcpy(blob->data, two[0].data, two[0].len);
    memcpy(blob->data + two[0].len, two[1].data, two[1].len);
    struct slice values[] = {slice_make(blob->data, two[0].len),
                             slice_make(blob->data + two[0].len, two[1].len)};
    struct op op = key_op(OP_R_PUSH, "key");
    op.values = values;
    op.value_count = 2;
    op.holder = blob;
    keyspace_apply(fixture, op);
    assert_true(blob_is_sole(blob));
    blob_release(blob);
    for (size_t i = 0; i < 2; i++)
        assert_true(slice_equal(list_peek(list_at(fixture), i), two[i]));
}

/* ---- several values ---- */

enum { PARTS = 3, PART = 8 * 1024 * 1024 };

/* A message of three values, each of one letter. */
static struct blob *message_of_parts(struct slice *values)
{
    struct blob *blob = blob_new((size_t)PARTS * PART);
    for (size_t i = 0; i < PARTS; i++) {
        memset(blob->data + i * PART, (int)('a' + i), PART);
        values[i] = slice_make(blob->data + i * PART + 10, PART - 100);
    }
    return blob;
}

static void assert_part_is_stored(struct slice stored, size_t i)
{
    assert_int_equal(stored.len, PART - 100);
    for (size_t at = 0; at < stored.len; at++)
        assert_int_equal(stored.data[at], 'a' + i);
}

/* A stored value is not also kept in the message while the other parts run. */
static void test_a_part_that_is_done_is_not_held_twice(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice values[PARTS];
    for (int kind = 0; kind < 2; kind++) {
        struct blob *blob = message_of_parts(values);
        struct op ops[PARTS] = {key_op(OP_SET, "a"), key_op(OP_SET, "b"), key_op(OP_SET, "c")};
        for (size_t i = 0; i < PARTS; i++)
            ops[i].value = values[i];
        struct op_txn otherwise = {.else_ops = NULL};
        struct op op = {.kind = kind == 0 ? OP_TXN : OP_M_SET,
                        .ops = ops,
                        .op_count = PARTS,
                        .txn = kind == 0 ? &otherwise : NULL,
                        .holder = blob};
        if (kind == 0)
            ops[2] = push_op("list", &values[2]);
        assert_int_equal(keyspace_apply(fixture, op)->err, ERR_NONE);
        assert_part_is_stored(entry_string(keyspace_find(fixture, "a")), 0);
        assert_part_is_stored(entry_string(keyspace_find(fixture, "b")), 1);
        assert_part_is_stored(list_peek(entry_list(keyspace_find(fixture, "list")), 0), 2);
        for (size_t i = 0; i < PARTS; i++)
            assert_int_equal(values[i].data[PART / 2], 0);
        blob_release(blob);
    }
    assert_part_is_stored(entry_string(keyspace_find(fixture, "c")), 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_long_value_is_kept_where_it_lies),
        TEST(test_a_value_that_is_too_little_of_its_message_is_copied),
        TEST(test_what_is_not_set_leaves_the_message_alone),
        TEST(test_a_value_within_its_message_is_not_written),
        TEST(test_a_transaction_keeps_its_value_where_it_lies),
        TEST(test_elements_are_kept_where_they_lie),
        TEST(test_one_of_several_elements_is_copied),
        TEST(test_a_part_that_is_done_is_not_held_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
