/* Tests of store/ops/list_push_pop.c: pushing, popping and moving as Redis does them. */
#include "store/ops/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"
#include "store/lists_fixture.h"

#define LATER (KEYSPACE_NOW_MS + 1000)

static const struct op_result *push(struct keyspace_fixture *fixture, const char *key,
                                    const char *text)
{
    return lists_push_as(fixture, (struct op){.kind = OP_L_PUSH}, key, text);
}

static const struct op_result *push_if(struct keyspace_fixture *fixture, const char *key,
                                       const char *text, struct condition condition)
{
    return lists_push_as(fixture, (struct op){.kind = OP_L_PUSH, .condition = condition}, key,
                         text);
}

static const struct op_result *apply(struct keyspace_fixture *fixture, enum op_kind kind,
                                     const char *key)
{
    return keyspace_apply(fixture, (struct op){.kind = kind, .key = slice_from_string(key)});
}

static int64_t deadline_of(struct keyspace_fixture *fixture, const char *key)
{
    return entry_expire_at_ms(keyspace_find(fixture, key));
}

/* ---- pushing ---- */

static void assert_pushed(struct keyspace_fixture *fixture, const char *key, int64_t length,
                          const char *words)
{
    assert_int_equal(fixture->result.count, length);
    assert_written(fixture, key, words);
}

static void test_a_left_push_puts_the_last_value_first(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t revision = fixture->revision;
    push(fixture, "list", "1 2 3");
    assert_pushed(fixture, "list", 3, "3 2 1");
    push(fixture, "list", "4 5");
    assert_pushed(fixture, "list", 5, "5 4 3 2 1");
    assert_int_equal(fixture->revision, revision + 2);
}

static void test_a_right_push_puts_the_last_value_last(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op right = {.kind = OP_R_PUSH};
    lists_push_as(fixture, right, "list", "1 2 3");
    assert_pushed(fixture, "list", 3, "1 2 3");
    lists_push_as(fixture, right, "list", "4 5");
    assert_pushed(fixture, "list", 5, "1 2 3 4 5");
}

static void test_push_keeps_any_bytes(void **state)
{
    struct keyspace_fixture *fixture = *state;
    const struct slice values[] = {SLICE_LITERAL(""), SLICE_LITERAL("a\0b"), SLICE_LITERAL("\xff")};
    keyspace_apply(fixture, (struct op){.kind = OP_R_PUSH,
                                        .key = SLICE_LITERAL("list"),
                                        .values = values,
                                        .value_count = 3});
    for (size_t i = 0; i < 3; i++) {
        const struct op_result *result = apply(fixture, OP_L_POP, "list");
        assert_true(result->value.found);
        assert_true(slice_equal(result->value.bytes, values[i]));
    }
}

static void assert_push_refused(struct keyspace_fixture *fixture, const char *key,
                                struct condition condition, uint64_t version)
{
    uint64_t revision = fixture->revision;
    const struct op_result *result = push_if(fixture, key, "x", condition);
    assert_unwritten(fixture, revision);
    assert_int_equal(result->count, 0);
    assert_int_equal(result->version, version);
    assert_false(result->has_previous);
}

static void test_push_on_conditions(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct condition absent = {.existence = EXISTENCE_ABSENT};
    struct condition present = {.existence = EXISTENCE_PRESENT};
    uint64_t version = keyspace_put_list(fixture, "list", 2);
    assert_push_refused(fixture, "list", absent, version);
    assert_push_refused(fixture, "list", (struct condition){.version = version + 1}, version);
    assert_push_refused(fixture, "none", present, 0);
    assert_push_refused(fixture, "none", (struct condition){.version = version}, 0);
    assert_list_is(fixture, "list", "0 1");
    assert_null(keyspace_find(fixture, "none"));

    push_if(fixture, "none", "a", absent);
    assert_pushed(fixture, "none", 1, "a");
    push_if(fixture, "list", "a", present);
    assert_pushed(fixture, "list", 3, "a 0 1");
    push_if(fixture, "list", "b", (struct condition){.version = fixture->revision});
    assert_pushed(fixture, "list", 4, "b a 0 1");
}

static void test_a_left_push_cuts_the_tail_at_max_length(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op three = {.kind = OP_L_PUSH, .push.max_length = 3};
    lists_push_as(fixture, three, "list", "1 2 3");
    assert_pushed(fixture, "list", 3, "3 2 1");
    assert_emitted(fixture, 0, "LPush");
    lists_push_as(fixture, three, "list", "4");
    assert_pushed(fixture, "list", 3, "4 3 2");
    assert_emitted(fixture, 1, "LPush LTrim");
    lists_push_as(fixture, three, "list", "5 6 7 8 9");
    assert_pushed(fixture, "list", 3, "9 8 7");
    lists_push_as(fixture, (struct op){.kind = OP_L_PUSH, .push.max_length = 1}, "list", "10");
    assert_pushed(fixture, "list", 1, "10");
    lists_push_as(fixture, (struct op){.kind = OP_L_PUSH, .push.max_length = UINT64_MAX}, "list",
                  "11");
    assert_pushed(fixture, "list", 2, "11 10");
}

static void test_a_right_push_cuts_the_head_at_max_length(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op three = {.kind = OP_R_PUSH, .push.max_length = 3};
    lists_push_as(fixture, three, "list", "1 2 3 4 5");
    assert_pushed(fixture, "list", 3, "3 4 5");
    assert_emitted(fixture, 0, "RPush LTrim");
    lists_push_as(fixture, three, "list", "6");
    assert_pushed(fixture, "list", 3, "4 5 6");
}

/* As replayed from a log that keeps only what RPush and LTrim need. */
static void test_changes_of_a_trimmed_push_need_no_max_length(void **state)
{
    struct keyspace_fixture *fixture = *state;
    lists_push_as(fixture, (struct op){.kind = OP_R_PUSH, .push.max_length = 3}, "right",
                  "1 2 3 4 5");
    lists_push_as(fixture, (struct op){.kind = OP_L_PUSH, .push.max_length = 2}, "left",
                  "1 2 3 4 5");
    for (size_t i = 0; i < fixture->change_count; i++)
        fixture->changes[i].op.push.max_length = 0;
}

static void test_push_sets_or_keeps_the_deadline(void **state)
{
    struct keyspace_fixture *fixture = *state;
    lists_push_as(fixture, (struct op){.kind = OP_R_PUSH, .expire_at_ms = LATER}, "list", "1");
    assert_pushed(fixture, "list", 1, "1");
    assert_emitted(fixture, 0, "RPush Expire");
    assert_int_equal(deadline_of(fixture, "list"), LATER);
    push(fixture, "list", "2");
    assert_pushed(fixture, "list", 2, "2 1");
    assert_int_equal(deadline_of(fixture, "list"), LATER);
    lists_push_as(fixture, (struct op){.kind = OP_L_PUSH, .expire_at_ms = LATER + 1}, "list", "3");
    assert_pushed(fixture, "list", 3, "3 2 1");
    assert_int_equal(deadline_of(fixture, "list"), LATER + 1);
    push(fixture, "other", "1");
    assert_int_equal(deadline_of(fixture, "other"), 0);
}

static void test_an_expired_list_is_not_there(void **state)
{
    struct keyspace_fixture *fixture = *state;
    lists_make(fixture, "list", "1 2", LATER);
    fixture->now_ms = LATER;
    size_t emitted = fixture->change_count;
    apply(fixture, OP_L_POP, "list");
    assert_false(fixture->result.value.found);
    assert_emitted(fixture, emitted, "Delete");
    lists_make(fixture, "list", "1 2", LATER + 1);
    fixture->now_ms = LATER + 1;
    emitted = fixture->change_count;
    push(fixture, "list", "3");
    assert_pushed(fixture, "list", 1, "3");
    assert_emitted(fixture, emitted, "Delete LPush");
    assert_int_equal(deadline_of(fixture, "list"), 0);
}

/* ---- popping ---- */

static void assert_popped(struct keyspace_fixture *fixture, const char *value, uint64_t version)
{
    const struct op_result *result = &fixture->result;
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->ok);
    assert_true(result->value.found);
    assert_slice_is(result->value.bytes, value);
    assert_int_equal(result->value.version, version);
    assert_int_equal(result->version, version);
}

static void test_pops_take_their_end_and_remove_an_empty_list(void **state)
{
    struct keyspace_fixture *fixture = *state;
    lists_make(fixture, "list", "1 2 3", 0);
    uint64_t revision = fixture->revision;
    size_t emitted = fixture->change_count;
    apply(fixture, OP_L_POP, "list");
    assert_popped(fixture, "1", revision + 1);
    assert_written(fixture, "list", "2 3");
    apply(fixture, OP_R_POP, "list");
    assert_popped(fixture, "3", revision + 2);
    assert_written(fixture, "list", "2");

    apply(fixture, OP_R_POP, "list");
    assert_popped(fixture, "2", 0);
    assert_int_equal(fixture->revision, revision + 3);
    assert_null(keyspace_find(fixture, "list"));
    assert_int_equal(keyspace_count(fixture), 0);
    assert_emitted(fixture, emitted, "ListPop ListPop Delete");

    apply(fixture, OP_L_POP, "list");
    assert_unwritten(fixture, revision + 3);
    assert_int_equal(fixture->result.value.version, 0);
}

static void test_a_popped_value_tells_the_deadline(void **state)
{
    struct keyspace_fixture *fixture = *state;
    lists_make(fixture, "list", "1 2", LATER);
    assert_int_equal(apply(fixture, OP_L_POP, "list")->value.expire_at_ms, LATER);
    assert_int_equal(deadline_of(fixture, "list"), LATER);
    assert_int_equal(apply(fixture, OP_L_POP, "list")->value.expire_at_ms, 0);
}

static void test_a_vanished_list_can_become_anything(void **state)
{
    struct keyspace_fixture *fixture = *state;
    push(fixture, "list", "1");
    uint64_t first = fixture->result.version;
    apply(fixture, OP_L_POP, "list");
    push(fixture, "list", "2");
    assert_pushed(fixture, "list", 1, "2");
    assert_true(fixture->result.version > first);
}

/* A ListPop of the keys among the words. */
static const struct op_result *pop_of(struct keyspace_fixture *fixture, const char *keys,
                                      struct op op)
{
    struct slice words[MAX_WORDS];
    struct op_key op_keys[MAX_WORDS] = {0};
    op.kind = OP_LIST_POP;
    op.keys = op_keys;
    op.key_count = lists_split(keys, words);
    for (size_t i = 0; i < op.key_count; i++)
        op_keys[i].bytes = words[i];
    return keyspace_apply(fixture, op);
}

static void assert_list_popped(struct keyspace_fixture *fixture, const char *key,
                               const char *values, int64_t count)
{
    const struct op_result *result = &fixture->result;
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->ok);
    assert_slice_is(result->key, key);
    assert_values_are(result, values);
    assert_int_equal(result->count, count);
    const struct entry *entry = keyspace_find(fixture, key);
    assert_int_equal(result->version, entry != NULL ? entry_version(entry) : 0);
}

static void test_list_pop_takes_from_the_first_list_there_is(void **state)
{
    struct keyspace_fixture *fixture = *state;
    lists_make(fixture, "a", "1 2 3 4 5", 0);
    lists_make(fixture, "b", "6 7", 0);
    size_t emitted = fixture->change_count;
    uint64_t revision = fixture->revision;
    pop_of(fixture, "none b a", (struct op){0});
    assert_list_popped(fixture, "b", "6", 1);
    pop_of(fixture, "a b", (struct op){.move.end = OP_TAIL, .count = 2});
    assert_list_popped(fixture, "a", "5 4", 2);
    assert_list_is(fixture, "a", "1 2 3");
    pop_of(fixture, "a a", (struct op){.count = 2});
    assert_list_popped(fixture, "a", "1 2", 2);
    pop_of(fixture, "b a", (struct op){.count = 100, .move.end = OP_TAIL});
    assert_list_popped(fixture, "b", "7", 1);
    assert_null(keyspace_find(fixture, "b"));
    pop_of(fixture, "b a", (struct op){.count = INT64_MAX});
    assert_list_popped(fixture, "a", "3", 1);
    assert_emitted(fixture, emitted, "ListPop ListPop ListPop Delete Delete");
    assert_int_equal(fixture->changes[emitted + 2].op.count, 2);
    assert_int_equal(fixture->changes[emitted + 2].op.key_count, 1);
    pop_of(fixture, "b a", (struct op){0});
    assert_unwritten(fixture, revision + 5);
    assert_int_equal(fixture->result.value_count, 0);
    assert_int_equal(fixture->result.key.len, 0);
}

static void test_list_pop_fails_at_a_string_before_a_list(void **state)
{
    struct keyspace_fixture *fixture = *state;
    lists_make(fixture, "old", "1", LATER);
    lists_make(fixture, "list", "1", 0);
    uint64_t version = keyspace_put_string(fixture, "string", "value");
    fixture->now_ms = LATER;
    pop_of(fixture, "none old string list", (struct op){0});
    assert_wrong_type(fixture, version, "holds a string");
    pop_of(fixture, "none old list string", (struct op){0});
    assert_list_popped(fixture, "list", "1", 1);
}

static void test_list_pop_takes_nothing_that_exceeds_the_answer(void **state)
{
    struct keyspace_fixture *fixture = *state;
    size_t two = op_answer_size(1) + op_answer_size(2), key = op_answer_size(4);
    lists_make(fixture, "list", "ccc bb a", 0);
    uint64_t revision = fixture->revision;
    pop_of(fixture, "list",
           (struct op){.count = 2, .move.end = OP_TAIL, .max_answer = key + two - 1});
    assert_int_equal(fixture->result.err, ERR_TOO_LARGE);
    assert_non_null(fixture->result.why);
    assert_false(fixture->result.ok);
    assert_int_equal(fixture->result.value_count, 0);
    pop_of(fixture, "list", (struct op){.max_answer = 1});
    assert_int_equal(fixture->result.err, ERR_TOO_LARGE);
    assert_int_equal(fixture->revision, revision);
    assert_list_is(fixture, "list", "ccc bb a");
    pop_of(fixture, "list", (struct op){.count = 2, .move.end = OP_TAIL, .max_answer = key + two});
    assert_list_popped(fixture, "list", "a bb", 2);
}

/* The list has twenty megabytes and the caller accepts one: no more than that is copied. */
static void test_list_pop_does_not_copy_what_the_caller_does_not_take(void **state)
{
    struct keyspace_fixture *fixture = *state;
    enum { COUNT = 20000, SIZE = 1000, MIB = 1024 * 1024 };
    static struct slice values[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        values[i] = slice_make(keyspace_long_bytes(0).data, SIZE);
    keyspace_apply(fixture, (struct op){.kind = OP_R_PUSH,
                                        .key = SLICE_LITERAL("list"),
                                        .values = values,
                                        .value_count = COUNT});
    uint64_t revision = fixture->revision;
    struct op_key key = {.bytes = SLICE_LITERAL("list")};
    struct op pop = {.kind = OP_LIST_POP, .keys = &key, .key_count = 1, .count = COUNT};
    struct op_txn otherwise = {.else_ops = NULL};
    struct op txn = {.kind = OP_TXN, .ops = &pop, .op_count = 1, .txn = &otherwise};
    for (int i = 0; i < 2; i++) {
        struct op op = i == 0 ? pop : txn;
        op.max_reply = MIB;
        const struct op_result *result = keyspace_apply(fixture, op);
        assert_int_equal(result->err, ERR_TOO_LARGE);
        assert_non_null(strstr(result->why, "this client accepts 1048576 at most"));
        assert_in_range(fixture->arena.counted, MIB, 4 * MIB);
        assert_int_equal(fixture->revision, revision);
        assert_int_equal(list_length(entry_list(keyspace_find(fixture, "list"))), COUNT);
    }
    pop.count = 1000;
    txn.max_reply = MIB;
    assert_int_equal(keyspace_apply(fixture, txn)->err, ERR_NONE);
    assert_int_equal(list_length(entry_list(keyspace_find(fixture, "list"))), COUNT - 1000);
}

/* ---- moving ---- */

static const struct op_result *move(struct keyspace_fixture *fixture, const char *source,
                                    const char *target, enum op_end end, enum op_end target_end)
{
    return keyspace_apply(fixture, (struct op){.kind = OP_L_MOVE,
                                               .key = slice_from_string(source),
                                               .target = {.bytes = slice_from_string(target)},
                                               .move.end = end,
                                               .move.target_end = target_end});
}

static void test_move_from_each_end_to_each(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const struct {
        enum op_end end, target_end;
        const char *source, *target, *value;
    } moves[] = {{OP_HEAD, OP_HEAD, "2 3", "1 8 9", "1"},
                 {OP_HEAD, OP_TAIL, "2 3", "8 9 1", "1"},
                 {OP_TAIL, OP_HEAD, "1 2", "3 8 9", "3"},
                 {OP_TAIL, OP_TAIL, "1 2", "8 9 3", "3"}};
    for (size_t i = 0; i < 4; i++) {
        lists_make(fixture, "source", "1 2 3", LATER);
        lists_make(fixture, "target", "8 9", LATER + 1);
        size_t emitted = fixture->change_count;
        uint64_t revision = fixture->revision;
        move(fixture, "source", "target", moves[i].end, moves[i].target_end);
        assert_popped(fixture, moves[i].value, revision + 1);
        assert_written(fixture, "source", moves[i].source);
        assert_written(fixture, "target", moves[i].target);
        assert_int_equal(deadline_of(fixture, "source"), LATER);
        assert_int_equal(deadline_of(fixture, "target"), LATER + 1);
        assert_int_equal(fixture->result.value.expire_at_ms, LATER + 1);
        assert_emitted(fixture, emitted, "LMove");
    }
}

static void test_move_within_a_list_rotates_it(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const struct {
        enum op_end end, target_end;
        const char *list, *value;
    } moves[] = {{OP_HEAD, OP_HEAD, "1 2 3", "1"},
                 {OP_HEAD, OP_TAIL, "2 3 1", "1"},
                 {OP_TAIL, OP_HEAD, "3 1 2", "3"},
                 {OP_TAIL, OP_TAIL, "1 2 3", "3"}};
    for (size_t i = 0; i < 4; i++) {
        lists_make(fixture, "list", "1 2 3", LATER);
        uint64_t revision = fixture->revision;
        move(fixture, "list", "list", moves[i].end, moves[i].target_end);
        assert_popped(fixture, moves[i].value, revision + 1);
        assert_written(fixture, "list", moves[i].list);
        lists_make(fixture, "list", "one", LATER);
        move(fixture, "list", "list", moves[i].end, moves[i].target_end);
        assert_popped(fixture, "one", revision + 4);
        assert_written(fixture, "list", "one");
        assert_int_equal(deadline_of(fixture, "list"), LATER);
    }
}

static void test_move_creates_and_removes_lists(void **state)
{
    struct keyspace_fixture *fixture = *state;
    lists_make(fixture, "source", "1", LATER);
    move(fixture, "source", "target", OP_HEAD, OP_TAIL);
    assert_popped(fixture, "1", fixture->revision);
    assert_null(keyspace_find(fixture, "source"));
    assert_written(fixture, "target", "1");
    assert_int_equal(deadline_of(fixture, "target"), 0);
}

static void test_move_takes_an_expired_target_for_none(void **state)
{
    struct keyspace_fixture *fixture = *state;
    lists_make(fixture, "source", "1 2", 0);
    lists_make(fixture, "target", "3", LATER);
    fixture->now_ms = LATER;
    size_t emitted = fixture->change_count;
    move(fixture, "source", "target", OP_TAIL, OP_HEAD);
    assert_written(fixture, "target", "2");
    assert_emitted(fixture, emitted, "Delete LMove");
}

/* As in Redis, a missing source comes before the target's type. */
static void test_move_of_nothing_or_a_string(void **state)
{
    struct keyspace_fixture *fixture = *state;
    lists_make(fixture, "list", "1", 0);
    uint64_t version = keyspace_put_string(fixture, "string", "value");
    move(fixture, "none", "string", OP_HEAD, OP_HEAD);
    assert_unwritten(fixture, version);
    move(fixture, "none", "none", OP_HEAD, OP_HEAD);
    assert_unwritten(fixture, version);
    move(fixture, "string", "none", OP_HEAD, OP_HEAD);
    assert_wrong_type(fixture, version, "holds a string");
    move(fixture, "list", "string", OP_HEAD, OP_HEAD);
    assert_wrong_type(fixture, version, "holds a string");
    assert_false(fixture->result.value.found);
    assert_list_is(fixture, "list", "1");
}

static void test_a_moved_long_element_stays_one_blob(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice value = keyspace_long_bytes(0);
    keyspace_apply(fixture, (struct op){.kind = OP_L_PUSH,
                                        .key = SLICE_LITERAL("source"),
                                        .values = &value,
                                        .value_count = 1});
    const struct blob *blob = list_peek_blob(entry_list(keyspace_find(fixture, "source")), 0);
    move(fixture, "source", "target", OP_HEAD, OP_HEAD);
    assert_ptr_equal(list_peek_blob(entry_list(keyspace_find(fixture, "target")), 0), blob);
    assert_ptr_equal(fixture->result.value.blob, blob);
    assert_int_equal(atomic_load(&blob->holders), 2);
}

/* ---- each ---- */

static void test_a_string_is_the_wrong_type_for_each(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = keyspace_put_string(fixture, "string", "value");
    push(fixture, "string", "1");
    assert_wrong_type(fixture, version, "holds a string");
    lists_push_as(fixture, (struct op){.kind = OP_R_PUSH}, "string", "1");
    assert_wrong_type(fixture, version, "holds a string");
    push_if(fixture, "string", "1", (struct condition){.existence = EXISTENCE_ABSENT});
    assert_wrong_type(fixture, version, "holds a string");
    apply(fixture, OP_L_POP, "string");
    assert_wrong_type(fixture, version, "holds a string");
    apply(fixture, OP_R_POP, "string");
    assert_wrong_type(fixture, version, "holds a string");
    assert_false(fixture->result.value.found);
    assert_slice_is(entry_string(keyspace_find(fixture, "string")), "value");
}

/* Long ones are shared, and last as long as the result. */
static void test_long_elements(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice values[] = {keyspace_long_bytes(2), SLICE_LITERAL("short"), keyspace_long_bytes(1),
                             keyspace_long_bytes(0)};
    keyspace_apply(fixture, (struct op){.kind = OP_R_PUSH,
                                        .key = SLICE_LITERAL("list"),
                                        .values = values,
                                        .value_count = 4});
    pop_of(fixture, "list", (struct op){.count = 3});
    for (size_t i = 0; i < 3; i++) {
        struct blob *blob = fixture->result.blobs[i];
        assert_true(slice_equal(fixture->result.values[i], values[i]));
        assert_int_equal(blob != NULL, i != 1);
        if (blob != NULL)
            assert_int_equal(atomic_load(&blob->holders), 1);
    }
    const struct op_value *value = &apply(fixture, OP_R_POP, "list")->value;
    assert_true(slice_equal(value->bytes, values[3]));
    assert_int_equal(atomic_load(&value->blob->holders), 1);
    assert_null(keyspace_find(fixture, "list"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

/* The change stream says that the key is gone. */
static void test_taking_the_last_element_is_a_delete(void **state)
{
    struct keyspace_fixture *fixture = *state;
    push(fixture, "list", "1 2");
    apply(fixture, OP_L_POP, "list");
    assert_int_equal(fixture->changes[1].op.kind, OP_LIST_POP);
    apply(fixture, OP_R_POP, "list");
    assert_int_equal(fixture->changes[2].op.kind, OP_DELETE);
    assert_int_equal(fixture->changes[2].op.removal.cause, OP_CAUSE_REQUEST);
    push(fixture, "list", "1 2");
    for (unsigned i = 0; i < 2; i++) {
        keyspace_apply(fixture, (struct op){.kind = OP_L_MOVE,
                                            .key = SLICE_LITERAL("list"),
                                            .target.bytes = SLICE_LITERAL("other")});
        assert_int_equal(fixture->changes[4 + i].op.move.empties, i == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_left_push_puts_the_last_value_first),
        TEST(test_a_right_push_puts_the_last_value_last),
        TEST(test_push_keeps_any_bytes),
        TEST(test_push_on_conditions),
        TEST(test_a_left_push_cuts_the_tail_at_max_length),
        TEST(test_a_right_push_cuts_the_head_at_max_length),
        TEST(test_changes_of_a_trimmed_push_need_no_max_length),
        TEST(test_push_sets_or_keeps_the_deadline),
        TEST(test_an_expired_list_is_not_there),
        TEST(test_pops_take_their_end_and_remove_an_empty_list),
        TEST(test_a_popped_value_tells_the_deadline),
        TEST(test_a_vanished_list_can_become_anything),
        TEST(test_list_pop_takes_from_the_first_list_there_is),
        TEST(test_list_pop_fails_at_a_string_before_a_list),
        TEST(test_list_pop_takes_nothing_that_exceeds_the_answer),
        TEST(test_list_pop_does_not_copy_what_the_caller_does_not_take),
        TEST(test_move_from_each_end_to_each),
        TEST(test_move_within_a_list_rotates_it),
        TEST(test_move_creates_and_removes_lists),
        TEST(test_move_takes_an_expired_target_for_none),
        TEST(test_move_of_nothing_or_a_string),
        TEST(test_a_moved_long_element_stays_one_blob),
        TEST(test_a_string_is_the_wrong_type_for_each),
        TEST(test_long_elements),
        TEST(test_taking_the_last_element_is_a_delete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
