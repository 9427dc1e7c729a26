/* Tests of store/ops/list_ranges.c: LRange and LTrim as Redis does them. */
#include "store/list/pinned.h"
#include "store/ops/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"
#include "store/lists_fixture.h"

static const struct op_result *apply_range(struct keyspace_fixture *fixture, enum op_kind kind,
                                           const char *key, int64_t start, int64_t stop)
{
    return keyspace_apply(
        fixture,
        (struct op){.kind = kind, .key = slice_from_string(key), .start = start, .stop = stop});
}

static const struct op_result *range(struct keyspace_fixture *fixture, const char *key,
                                     int64_t start, int64_t stop)
{
    return apply_range(fixture, OP_L_RANGE, key, start, stop);
}

static const struct op_result *trim(struct keyspace_fixture *fixture, const char *key,
                                    int64_t start, int64_t stop)
{
    return apply_range(fixture, OP_L_TRIM, key, start, stop);
}

static void assert_range(struct keyspace_fixture *fixture, int64_t length, int64_t offset,
                         const char *text)
{
    const struct op_result *result = &fixture->result;
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->ok);
    assert_int_equal(result->length, length);
    assert_int_equal(result->offset, offset);
    assert_values_are(result, text);
}

/* Redis' answers for a list of 0 1 2 3 4. */
static const struct {
    int64_t start, stop, offset;
    const char *elements;
} cases[] = {
    {0, -1, 0, "0 1 2 3 4"},
    {0, 4, 0, "0 1 2 3 4"},
    {0, 5, 0, "0 1 2 3 4"},
    {0, 100, 0, "0 1 2 3 4"},
    {0, 0, 0, "0"},
    {1, 3, 1, "1 2 3"},
    {4, 4, 4, "4"},
    {4, 100, 4, "4"},
    {5, 5, 0, ""},
    {5, 100, 0, ""},
    {100, 200, 0, ""},
    {100, -1, 0, ""},
    {3, 1, 0, ""},
    {-1, -1, 4, "4"},
    {-2, -1, 3, "3 4"},
    {-5, -1, 0, "0 1 2 3 4"},
    {-6, -1, 0, "0 1 2 3 4"},
    {-100, 100, 0, "0 1 2 3 4"},
    {-100, -5, 0, "0"},
    {-100, -6, 0, ""},
    {-100, -101, 0, ""},
    {-1, -2, 0, ""},
    {-1, 0, 0, ""},
    {-3, 3, 2, "2 3"},
    {1, -2, 1, "1 2 3"},
    {INT64_MIN, INT64_MAX, 0, "0 1 2 3 4"},
    {INT64_MAX, INT64_MIN, 0, ""},
    {INT64_MIN, INT64_MIN, 0, ""},
    {INT64_MAX, INT64_MAX, 0, ""},
    {0, INT64_MIN, 0, ""},
    {INT64_MIN, 0, 0, "0"},
    {2, INT64_MAX, 2, "2 3 4"},
};

static void test_range_clips_as_redis_does(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = keyspace_put_list(fixture, "list", 5);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct op_result *result = range(fixture, "list", cases[i].start, cases[i].stop);
        assert_range(fixture, 5, cases[i].offset, cases[i].elements);
        assert_int_equal(result->version, version);
        assert_int_equal(fixture->revision, version);
    }
}

/* The rule without clipping: an element is in the range if its index is between both ends. */
static void test_range_matches_the_plain_rule_for_every_small_list(void **state)
{
    struct keyspace_fixture *fixture = *state;
    for (int64_t length = 1; length <= 6; length++) {
        keyspace_put_list(fixture, "list", (unsigned)length);
        for (int64_t start = -9; start <= 9; start++) {
            for (int64_t stop = -9; stop <= 9; stop++) {
                char expected[20] = "";
                int64_t from = start < 0 ? length + start : start;
                int64_t to = stop < 0 ? length + stop : stop;
                int64_t offset = 0;
                for (int64_t i = length - 1; i >= 0 && from <= to; i--)
                    offset = i >= from && i <= to ? i : offset;
                for (int64_t i = 0; i < length; i++) {
                    size_t len = strlen(expected);
                    if (i >= from && i <= to)
                        snprintf(expected + len, sizeof expected - len, "%s%d", len > 0 ? " " : "",
                                 (int)i);
                }
                range(fixture, "list", start, stop);
                assert_range(fixture, length, offset, expected);
            }
        }
        keyspace_apply(fixture, (struct op){.kind = OP_DELETE, .key = SLICE_LITERAL("list")});
    }
}

static void test_range_of_no_list_is_an_answer(void **state)
{
    struct keyspace_fixture *fixture = *state;
    const struct op_result *result = range(fixture, "list", 0, -1);
    assert_int_equal(result->err, ERR_NONE);
    assert_false(result->ok);
    assert_int_equal(result->value_count, 0);
    assert_int_equal(result->length, 0);
    assert_int_equal(result->version, 0);
}

static void test_range_gives_copies(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op op = {.kind = OP_L_RANGE, .key = SLICE_LITERAL("list"), .stop = -1};
    struct op_result result;
    lists_make(fixture, "list", "0 1 2", 0);
    store_apply(fixture->store, &op, &fixture->emitted, &result);
    keyspace_apply(fixture, (struct op){.kind = OP_DELETE, .key = SLICE_LITERAL("list")});
    assert_values_are(&result, "0 1 2");
    op_result_release(&result);
}

/* Instead of its elements, the answer says where they are in the pinned list. */
static void test_a_range_is_pinned(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct pinned pinned = {0};
    struct op op = {.kind = OP_L_RANGE,
                    .key = SLICE_LITERAL("list"),
                    .start = -2,
                    .stop = -1,
                    .range.pin = &pinned};
    assert_false(keyspace_apply(fixture, op)->ok);
    assert_null(pinned.list);
    lists_make(fixture, "list", "a bb ccc", 0);
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_true(result->ok);
    assert_int_equal(result->count, 2);
    assert_int_equal(result->offset, 1);
    assert_int_equal(result->length, 3);
    assert_int_equal(result->value_count, 0);
    assert_int_equal(result->version, fixture->revision);
    assert_int_equal(result->seen, fixture->revision);
    keyspace_apply(fixture, (struct op){.kind = OP_DELETE, .key = op.key});
    assert_int_equal(list_length(pinned.list), 3);
    assert_slice_is(list_peek(pinned.list, 2), "ccc");
    pinned_release(&pinned);
    keyspace_put_string(fixture, "list", "no list");
    keyspace_assert_fails(fixture, op, ERR_WRONG_TYPE);
    assert_null(pinned.list);
}

static enum err range_within(struct keyspace_fixture *fixture, int64_t stop, size_t max_answer)
{
    return keyspace_apply(fixture, (struct op){.kind = OP_L_RANGE,
                                               .key = SLICE_LITERAL("list"),
                                               .stop = stop,
                                               .max_answer = max_answer})
        ->err;
}

static void test_range_refuses_what_exceeds_the_answer(void **state)
{
    struct keyspace_fixture *fixture = *state;
    size_t two = op_answer_size(1) + op_answer_size(2), all = two + op_answer_size(3);
    lists_make(fixture, "list", "a bb ccc", 0);
    assert_int_equal(range_within(fixture, -1, 0), ERR_NONE);
    assert_int_equal(range_within(fixture, -1, all), ERR_NONE);
    assert_range(fixture, 3, 0, "a bb ccc");
    assert_int_equal(range_within(fixture, -1, all - 1), ERR_TOO_LARGE);
    assert_non_null(strstr(fixture->result.why, "StreamList"));
    assert_false(fixture->result.ok);
    assert_int_equal(fixture->result.value_count, 0);
    assert_int_equal(range_within(fixture, 1, two), ERR_NONE);
    assert_range(fixture, 3, 0, "a bb");
    assert_int_equal(range_within(fixture, 1, two - 1), ERR_TOO_LARGE);
}

/* They have no bytes of their own, but take some on the wire. */
static void test_range_bounds_empty_elements_too(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const struct slice values[100];
    keyspace_apply(fixture, (struct op){.kind = OP_L_PUSH,
                                        .key = SLICE_LITERAL("list"),
                                        .values = values,
                                        .value_count = 100});
    assert_true(op_answer_size(0) > 0);
    assert_int_equal(range_within(fixture, -1, 100 * op_answer_size(0)), ERR_NONE);
    assert_int_equal(fixture->result.value_count, 100);
    assert_int_equal(range_within(fixture, -1, 100 * op_answer_size(0) - 1), ERR_TOO_LARGE);
}

/* What LTrim keeps is what LRange answers. */
static void test_trim_keeps_the_range(void **state)
{
    struct keyspace_fixture *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lists_make(fixture, "list", "0 1 2 3 4", 0);
        uint64_t before = fixture->revision;
        const char *kept = cases[i].elements;
        const struct op_result *result = trim(fixture, "list", cases[i].start, cases[i].stop);
        assert_int_equal(result->err, ERR_NONE);
        assert_true(result->ok);
        assert_int_equal(result->count, (strlen(kept) + 1) / 2);
        /* A trim that removes nothing is not a write. */
        assert_int_equal(fixture->revision, before + (strlen(kept) < 9));
        assert_int_equal(result->version, strlen(kept) > 0 ? fixture->revision : 0);
        if (strlen(kept) > 0)
            assert_list_is(fixture, "list", kept);
        else
            assert_null(keyspace_find(fixture, "list"));
    }
}

static void test_trim_keeps_the_deadline(void **state)
{
    struct keyspace_fixture *fixture = *state;
    lists_make(fixture, "list", "0 1 2", KEYSPACE_NOW_MS + 10);
    trim(fixture, "list", 1, 1);
    assert_written(fixture, "list", "1");
    assert_int_equal(entry_expire_at_ms(keyspace_find(fixture, "list")), KEYSPACE_NOW_MS + 10);
}

static void test_trim_of_no_list_is_an_answer(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t revision = fixture->revision;
    trim(fixture, "none", 0, 1);
    assert_unwritten(fixture, revision);
    assert_int_equal(fixture->result.count, 0);
    assert_int_equal(fixture->result.version, 0);
}

static void test_a_string_is_the_wrong_type(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = keyspace_put_string(fixture, "string", "value");
    range(fixture, "string", 0, -1);
    assert_wrong_type(fixture, version, "holds a string");
    trim(fixture, "string", 1, 0);
    assert_wrong_type(fixture, version, "holds a string");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_range_clips_as_redis_does),
        TEST(test_range_matches_the_plain_rule_for_every_small_list),
        TEST(test_range_of_no_list_is_an_answer),
        TEST(test_range_gives_copies),
        TEST(test_a_range_is_pinned),
        TEST(test_range_refuses_what_exceeds_the_answer),
        TEST(test_range_bounds_empty_elements_too),
        TEST(test_trim_keeps_the_range),
        TEST(test_trim_keeps_the_deadline),
        TEST(test_trim_of_no_list_is_an_answer),
        TEST(test_a_string_is_the_wrong_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
