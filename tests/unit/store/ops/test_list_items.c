/* Tests of store/ops/list_items.c: single elements by index and by value, as Redis 7.0 answers. */
#include "store/ops/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"
#include "store/lists_fixture.h"

#define LATER (KEYSPACE_NOW_MS + 1000)

static const struct op_result *apply(struct keyspace_fixture *fixture, enum op_kind kind,
                                     const char *key, const char *value, struct op op)
{
    op.kind = kind;
    op.key = slice_from_string(key);
    op.value = slice_from_string(value);
    return keyspace_apply(fixture, op);
}

static int64_t deadline_of(struct keyspace_fixture *fixture, const char *key)
{
    return entry_expire_at_ms(keyspace_find(fixture, key));
}

/* ---- by index ---- */

static void assert_index(struct keyspace_fixture *fixture, int64_t index, const char *expected)
{
    uint64_t revision = fixture->revision;
    const struct op_result *result =
        apply(fixture, OP_L_INDEX, "list", "", (struct op){.index = index});
    assert_int_equal(result->err, ERR_NONE);
    assert_int_equal(result->value.found, expected != NULL);
    assert_int_equal(result->ok, expected != NULL);
    assert_int_equal(result->value.version, expected != NULL ? revision : 0);
    assert_int_equal(result->value.expire_at_ms, expected != NULL ? LATER : 0);
    if (expected != NULL)
        assert_slice_is(result->value.bytes, expected);
    assert_int_equal(fixture->revision, revision);
}

static void test_index_counts_from_either_end(void **state)
{
    struct keyspace_fixture *fixture = *state;
    assert_index(fixture, 0, NULL);
    lists_make(fixture, "list", "a b c", LATER);
    assert_index(fixture, 0, "a");
    assert_index(fixture, 2, "c");
    assert_index(fixture, 3, NULL);
    assert_index(fixture, -1, "c");
    assert_index(fixture, -3, "a");
    assert_index(fixture, -4, NULL);
    assert_index(fixture, INT64_MAX, NULL);
    assert_index(fixture, INT64_MIN, NULL);
    fixture->now_ms = LATER;
    assert_index(fixture, 0, NULL);
}

static void set(struct keyspace_fixture *fixture, int64_t index, const char *value)
{
    apply(fixture, OP_L_SET, "list", value, (struct op){.index = index});
}

static void test_set_replaces_one_element(void **state)
{
    struct keyspace_fixture *fixture = *state;
    lists_make(fixture, "list", "a b c", LATER);
    size_t emitted = fixture->change_count;
    set(fixture, 0, "A");
    assert_written(fixture, "list", "A b c");
    assert_int_equal(fixture->result.count, 1);
    set(fixture, -1, "a much longer element");
    assert_written(fixture, "list", "A b a much longer element");
    set(fixture, -3, "");
    assert_written(fixture, "list", " b a much longer element");
    assert_int_equal(deadline_of(fixture, "list"), LATER);
    assert_emitted(fixture, emitted, "LSet LSet LSet");
}

static void test_set_beyond_the_list_or_without_one(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const int64_t beyond[] = {3, -4, INT64_MAX, INT64_MIN};
    uint64_t revision = fixture->revision;
    set(fixture, 0, "A");
    assert_unwritten(fixture, revision);
    lists_make(fixture, "list", "a b c", 0);
    revision = fixture->revision;
    for (size_t i = 0; i < 4; i++) {
        set(fixture, beyond[i], "A");
        assert_int_equal(fixture->result.err, ERR_OUT_OF_RANGE);
        assert_non_null(fixture->result.why);
        assert_false(fixture->result.ok);
        assert_int_equal(fixture->revision, revision);
    }
    assert_list_is(fixture, "list", "a b c");
}

/* ---- by value ---- */

static const struct op_result *insert(struct keyspace_fixture *fixture, bool after,
                                      const char *pivot)
{
    return apply(fixture, OP_L_INSERT, "list", "x",
                 (struct op){.insert.after = after, .insert.pivot = slice_from_string(pivot)});
}

static void test_insert_goes_to_the_first_pivot(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const struct {
        bool after;
        const char *pivot, *list;
    } cases[] = {
        {false, "a", "x a b a c"}, {true, "a", "a x b a c"}, {false, "b", "a x b a c"},
        {true, "b", "a b x a c"},  {true, "c", "a b a c x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lists_make(fixture, "list", "a b a c", LATER);
        size_t emitted = fixture->change_count;
        insert(fixture, cases[i].after, cases[i].pivot);
        assert_written(fixture, "list", cases[i].list);
        assert_int_equal(fixture->result.count, 5);
        assert_int_equal(deadline_of(fixture, "list"), LATER);
        assert_emitted(fixture, emitted, "LInsert");
    }
}

static void test_insert_without_list_or_pivot(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t revision = fixture->revision;
    assert_int_equal(insert(fixture, false, "a")->count, 0);
    assert_unwritten(fixture, revision);
    lists_make(fixture, "list", "a b", 0);
    revision = fixture->revision;
    assert_int_equal(insert(fixture, false, "ab")->count, -1);
    assert_unwritten(fixture, revision);
    assert_int_equal(fixture->result.version, revision);
    assert_list_is(fixture, "list", "a b");
}

static const struct op_result *rem(struct keyspace_fixture *fixture, int64_t count,
                                   const char *value)
{
    return apply(fixture, OP_L_REM, "list", value, (struct op){.count = count});
}

static void test_rem_takes_as_many_as_asked_from_either_end(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const struct {
        int64_t count, removed;
        const char *list;
    } cases[] = {
        {0, 3, "b b c"},         {1, 1, "b a b c a"},  {2, 2, "b b c a"},       {3, 3, "b b c"},
        {100, 3, "b b c"},       {-1, 1, "a b a b c"}, {-2, 2, "a b b c"},      {-3, 3, "b b c"},
        {INT64_MAX, 3, "b b c"}, {-4, 3, "b b c"},     {INT64_MIN, 3, "b b c"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lists_make(fixture, "list", "a b a b c a", LATER);
        size_t emitted = fixture->change_count;
        rem(fixture, cases[i].count, "a");
        assert_written(fixture, "list", cases[i].list);
        assert_int_equal(fixture->result.count, cases[i].removed);
        assert_int_equal(deadline_of(fixture, "list"), LATER);
        assert_emitted(fixture, emitted, "LRem");
    }
}

static void test_rem_of_all_removes_the_list(void **state)
{
    struct keyspace_fixture *fixture = *state;
    for (int64_t count = -2; count <= 2; count += 2) {
        lists_make(fixture, "list", "a a", 0);
        uint64_t revision = fixture->revision;
        rem(fixture, count, "a");
        assert_int_equal(fixture->result.count, 2);
        assert_true(fixture->result.ok);
        assert_int_equal(fixture->result.version, 0);
        assert_int_equal(fixture->revision, revision + 1);
        assert_null(keyspace_find(fixture, "list"));
    }
}

static void test_rem_of_nothing_is_no_write(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t revision = fixture->revision;
    assert_int_equal(rem(fixture, 0, "a")->count, 0);
    assert_unwritten(fixture, revision);
    lists_make(fixture, "list", "a b", 0);
    revision = fixture->revision;
    assert_int_equal(rem(fixture, -1, "c")->count, 0);
    assert_unwritten(fixture, revision);
    assert_int_equal(fixture->result.version, revision);
}

/* ---- positions ---- */

static const struct op_result *pos(struct keyspace_fixture *fixture, const char *value,
                                   int64_t rank, int64_t count, uint64_t max_scan)
{
    return apply(fixture, OP_L_POS, "list", value,
                 (struct op){.pos.rank = rank, .count = count, .pos.max_scan = max_scan});
}

static void assert_positions(const struct op_result *result, const char *expected)
{
    char text[200] = "";
    assert_int_equal(result->err, ERR_NONE);
    for (size_t i = 0; i < result->index_count; i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%d", i > 0 ? " " : "", (int)result->indexes[i]);
    }
    assert_string_equal(text, expected);
    assert_int_equal(result->ok, result->index_count > 0);
}

/* Redis' answers for a b c a b c a. */
static void test_positions_by_rank_count_and_scan(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const struct {
        int64_t rank, count;
        uint64_t max_scan;
        const char *value, *positions;
    } cases[] = {
        {0, 0, 0, "a", "0 3 6"},
        {0, 1, 0, "a", "0"},
        {1, 2, 0, "a", "0 3"},
        {2, 0, 0, "a", "3 6"},
        {2, 1, 0, "a", "3"},
        {3, 0, 0, "a", "6"},
        {4, 0, 0, "a", ""},
        {-1, 0, 0, "a", "6 3 0"},
        {-1, 1, 0, "a", "6"},
        {-2, 1, 0, "a", "3"},
        {-3, 5, 0, "a", "0"},
        {-4, 0, 0, "a", ""},
        {0, 0, 4, "a", "0 3"},
        {0, 0, 3, "a", "0"},
        {-1, 0, 4, "a", "6 3"},
        {-1, 0, 3, "a", "6"},
        {2, 1, 3, "a", ""},
        {0, 0, 1, "b", ""},
        {0, 0, UINT64_MAX, "c", "2 5"},
        {0, INT64_MAX, 0, "c", "2 5"},
        {0, 0, 0, "z", ""},
        {INT64_MAX, 0, 0, "a", ""},
        {INT64_MIN, 0, 0, "a", ""},
    };
    assert_positions(pos(fixture, "a", 0, 0, 0), "");
    assert_int_equal(fixture->result.version, 0);
    lists_make(fixture, "list", "a b c a b c a", 0);
    uint64_t revision = fixture->revision;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_positions(
            pos(fixture, cases[i].value, cases[i].rank, cases[i].count, cases[i].max_scan),
            cases[i].positions);
        assert_int_equal(fixture->result.version, revision);
    }
    assert_int_equal(fixture->revision, revision);
}

static const struct op_result *pos_within(struct keyspace_fixture *fixture, int64_t count,
                                          size_t max_answer)
{
    return apply(fixture, OP_L_POS, "list", "a",
                 (struct op){.count = count, .max_answer = max_answer});
}

static void test_positions_are_bounded_by_the_answer(void **state)
{
    struct keyspace_fixture *fixture = *state;
    size_t each = op_answer_size(8);
    lists_make(fixture, "list", "a a a b", 0);
    assert_positions(pos_within(fixture, 0, 3 * each), "0 1 2");
    assert_positions(pos_within(fixture, 2, 2 * each), "0 1");
    assert_int_equal(pos_within(fixture, 0, 3 * each - 1)->err, ERR_TOO_LARGE);
    assert_non_null(fixture->result.why);
    assert_int_equal(fixture->result.index_count, 0);
    assert_false(fixture->result.ok);
}

static void test_many_positions(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice values[1000];
    for (size_t i = 0; i < 1000; i++)
        values[i] = i % 3 == 0 ? SLICE_LITERAL("fizz") : SLICE_LITERAL("12");
    keyspace_apply(fixture, (struct op){.kind = OP_R_PUSH,
                                        .key = SLICE_LITERAL("list"),
                                        .values = values,
                                        .value_count = 1000});
    const struct op_result *result = pos(fixture, "fizz", 0, 0, 0);
    assert_int_equal(result->index_count, 334);
    for (size_t i = 0; i < result->index_count; i++)
        assert_int_equal(result->indexes[i], 3 * i);
}

/* ---- each ---- */

/* Values are compared as bytes, whatever form the list keeps them in. */
static void test_values_are_bytes(void **state)
{
    struct keyspace_fixture *fixture = *state;
    lists_make(fixture, "list", "7 007 +7 -0 0 -7 7.0 7", 0);
    assert_positions(pos(fixture, "7", 0, 0, 0), "0 7");
    assert_positions(pos(fixture, "007", 0, 0, 0), "1");
    assert_positions(pos(fixture, "-0", 0, 0, 0), "3");
    assert_positions(pos(fixture, "0", 0, 0, 0), "4");
    assert_positions(pos(fixture, "", 0, 0, 0), "");
    struct slice value = keyspace_long_bytes(0);
    struct op op = {.key = SLICE_LITERAL("list"), .value = value, .index = 1};
    op.kind = OP_L_SET;
    keyspace_apply(fixture, op);
    op.kind = OP_L_POS;
    op.index = 0;
    assert_positions(keyspace_apply(fixture, op), "1");
    op.value.len--;
    assert_positions(keyspace_apply(fixture, op), "");
}

static void test_a_string_is_the_wrong_type_for_each(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const enum op_kind kinds[] = {OP_L_INDEX, OP_L_SET, OP_L_INSERT, OP_L_REM, OP_L_POS};
    uint64_t version = keyspace_put_string(fixture, "string", "value");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        apply(fixture, kinds[i], "string", "v", (struct op){0});
        assert_wrong_type(fixture, version, "holds a string");
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_index_counts_from_either_end),
        TEST(test_set_replaces_one_element),
        TEST(test_set_beyond_the_list_or_without_one),
        TEST(test_insert_goes_to_the_first_pivot),
        TEST(test_insert_without_list_or_pivot),
        TEST(test_rem_takes_as_many_as_asked_from_either_end),
        TEST(test_rem_of_all_removes_the_list),
        TEST(test_rem_of_nothing_is_no_write),
        TEST(test_positions_by_rank_count_and_scan),
        TEST(test_positions_are_bounded_by_the_answer),
        TEST(test_many_positions),
        TEST(test_values_are_bytes),
        TEST(test_a_string_is_the_wrong_type_for_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
