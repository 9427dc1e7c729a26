/* Tests of store/lists.c: LPush, LRange and LPop as Redis does them. */
#include "store/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"
#include "store/seeded.h"

#define MAX_WORDS 16

/* An LPush of the words of `text`. */
static const struct op_result *push_if(struct keyspace_fixture *fixture, const char *key,
                                       const char *text, uint64_t max_length,
                                       struct condition condition)
{
    struct slice words[MAX_WORDS];
    size_t count = 0;
    for (const char *at = text; count < MAX_WORDS; at += words[count - 1].len + 1) {
        words[count++] = slice_make(at, strcspn(at, " "));
        if (at[words[count - 1].len] == '\0')
            break;
    }
    return keyspace_apply(fixture, (struct op){.kind = OP_LPUSH,
                                               .key = slice_from_string(key),
                                               .values = words,
                                               .value_count = count,
                                               .max_length = max_length,
                                               .condition = condition});
}

static const struct op_result *push(struct keyspace_fixture *fixture, const char *key,
                                    const char *text)
{
    return push_if(fixture, key, text, 0, (struct condition){0});
}

static const struct op_result *range(struct keyspace_fixture *fixture, const char *key,
                                     int64_t start, int64_t stop)
{
    return keyspace_apply(fixture, (struct op){.kind = OP_LRANGE,
                                               .key = slice_from_string(key),
                                               .start = start,
                                               .stop = stop});
}

static const struct op_result *pop(struct keyspace_fixture *fixture, const char *key)
{
    return keyspace_apply(fixture, (struct op){.kind = OP_LPOP, .key = slice_from_string(key)});
}

static void assert_pushed(struct keyspace_fixture *fixture, const char *key, int64_t length)
{
    assert_int_equal(fixture->result.err, ERR_NONE);
    assert_true(fixture->result.ok);
    assert_int_equal(fixture->result.count, length);
    assert_int_equal(fixture->result.version, fixture->revision);
    assert_int_equal(entry_version(keyspace_find(fixture, key)), fixture->revision);
}

static void test_push_puts_the_last_value_first(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t revision = fixture->revision;
    push(fixture, "list", "1 2 3");
    assert_pushed(fixture, "list", 3);
    assert_list_is(fixture, "list", "3 2 1");
    push(fixture, "list", "4 5");
    assert_pushed(fixture, "list", 5);
    assert_list_is(fixture, "list", "5 4 3 2 1");
    assert_int_equal(fixture->revision, revision + 2);
}

static void test_push_keeps_any_bytes(void **state)
{
    struct keyspace_fixture *fixture = *state;
    const struct slice values[] = {SLICE_LITERAL(""), SLICE_LITERAL("a\0b"), SLICE_LITERAL("\xff")};
    keyspace_apply(fixture, (struct op){.kind = OP_LPUSH,
                                        .key = SLICE_LITERAL("list"),
                                        .values = values,
                                        .value_count = 3});
    const struct op_result *result = range(fixture, "list", 0, -1);
    assert_int_equal(result->value_count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(slice_equal(result->values[i], values[2 - i]));
}

static void test_a_string_is_the_wrong_type_for_each(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = keyspace_put_string(fixture, "string", "value");
    push(fixture, "string", "1");
    assert_wrong_type(fixture, version, "holds a string");
    push_if(fixture, "string", "1", 0, (struct condition){.existence = EXISTENCE_ABSENT});
    assert_wrong_type(fixture, version, "holds a string");
    range(fixture, "string", 0, -1);
    assert_wrong_type(fixture, version, "holds a string");
    pop(fixture, "string");
    assert_wrong_type(fixture, version, "holds a string");
    assert_false(fixture->result.value.found);
    assert_slice_is(entry_string(keyspace_find(fixture, "string")), "value");
}

static void assert_push_refused(struct keyspace_fixture *fixture, const char *key,
                                struct condition condition, uint64_t version)
{
    uint64_t revision = fixture->revision;
    const struct op_result *result = push_if(fixture, key, "x", 1, condition);
    assert_int_equal(result->err, ERR_NONE);
    assert_false(result->ok);
    assert_int_equal(result->count, 0);
    assert_int_equal(result->version, version);
    assert_false(result->has_previous);
    assert_int_equal(fixture->revision, revision);
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

    push_if(fixture, "none", "a", 0, absent);
    assert_pushed(fixture, "none", 1);
    push_if(fixture, "list", "a", 0, present);
    assert_pushed(fixture, "list", 3);
    push_if(fixture, "list", "b", 0, (struct condition){.version = fixture->revision});
    assert_pushed(fixture, "list", 4);
    assert_list_is(fixture, "list", "b a 0 1");
}

static void test_push_cuts_the_tail_at_max_length(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct condition none = {0};
    push_if(fixture, "list", "1 2 3", 3, none);
    assert_pushed(fixture, "list", 3);
    push_if(fixture, "list", "4", 3, none);
    assert_pushed(fixture, "list", 3);
    assert_list_is(fixture, "list", "4 3 2");
    push_if(fixture, "list", "5 6 7 8 9", 3, none);
    assert_list_is(fixture, "list", "9 8 7");
    push_if(fixture, "list", "10", 1, none);
    assert_pushed(fixture, "list", 1);
    assert_list_is(fixture, "list", "10");
    push_if(fixture, "list", "11", UINT64_MAX, none);
    assert_pushed(fixture, "list", 2);
}

static void test_pop_takes_the_head_and_removes_an_empty_list(void **state)
{
    struct keyspace_fixture *fixture = *state;
    push(fixture, "list", "1 2");
    uint64_t revision = fixture->revision;
    const struct op_result *result = pop(fixture, "list");
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->value.found);
    assert_slice_is(result->value.bytes, "2");
    assert_int_equal(result->value.version, revision + 1);
    assert_int_equal(entry_version(keyspace_find(fixture, "list")), revision + 1);

    result = pop(fixture, "list");
    assert_true(result->value.found);
    assert_slice_is(result->value.bytes, "1");
    assert_int_equal(result->value.version, 0);
    assert_int_equal(fixture->revision, revision + 2);
    assert_null(keyspace_find(fixture, "list"));
    assert_int_equal(fixture->dict.count, 0);

    result = pop(fixture, "list");
    assert_int_equal(result->err, ERR_NONE);
    assert_false(result->value.found);
    assert_int_equal(result->value.version, 0);
    assert_int_equal(fixture->revision, revision + 2);
}

static void test_an_empty_element_is_popped_as_found(void **state)
{
    struct keyspace_fixture *fixture = *state;
    push(fixture, "list", "");
    const struct op_result *result = pop(fixture, "list");
    assert_true(result->value.found);
    assert_int_equal(result->value.bytes.len, 0);
}

static void test_a_vanished_list_can_become_anything(void **state)
{
    struct keyspace_fixture *fixture = *state;
    push(fixture, "list", "1");
    uint64_t first = fixture->result.version;
    pop(fixture, "list");
    push(fixture, "list", "2");
    assert_pushed(fixture, "list", 1);
    assert_true(fixture->result.version > first);
    assert_list_is(fixture, "list", "2");
}

static void assert_range(struct keyspace_fixture *fixture, int64_t length, int64_t offset,
                         const char *text)
{
    const struct op_result *result = &fixture->result;
    char joined[1000] = "";
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->ok);
    assert_int_equal(result->length, length);
    assert_int_equal(result->offset, offset);
    for (size_t i = 0; i < result->value_count; i++) {
        size_t len = strlen(joined);
        snprintf(joined + len, sizeof joined - len, "%s%.*s", i > 0 ? " " : "",
                 (int)result->values[i].len, (const char *)result->values[i].data);
    }
    assert_string_equal(joined, text);
}

/* Redis' answers for a list of 0 1 2 3 4. */
static void test_range_clips_as_redis_does(void **state)
{
    struct keyspace_fixture *fixture = *state;
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
    keyspace_put_list(fixture, "list", 3);
    range(fixture, "list", 0, -1);
    dict_deinit(&fixture->dict);
    assert_range(fixture, 3, 0, "0 1 2");
}

static enum err range_within(struct keyspace_fixture *fixture, int64_t stop, size_t max_answer)
{
    return keyspace_apply(fixture, (struct op){.kind = OP_LRANGE,
                                               .key = SLICE_LITERAL("list"),
                                               .stop = stop,
                                               .max_answer = max_answer})
        ->err;
}

static void test_range_refuses_what_exceeds_the_answer(void **state)
{
    struct keyspace_fixture *fixture = *state;
    size_t two = op_answer_size(1) + op_answer_size(2), all = two + op_answer_size(3);
    push(fixture, "list", "ccc bb a");
    assert_int_equal(range_within(fixture, -1, 0), ERR_NONE);
    assert_int_equal(range_within(fixture, -1, all), ERR_NONE);
    assert_range(fixture, 3, 0, "a bb ccc");
    assert_int_equal(range_within(fixture, -1, all - 1), ERR_TOO_LARGE);
    assert_non_null(strstr(fixture->result.why, "StreamList"));
    assert_int_equal(fixture->result.value_count, 0);
    assert_int_equal(range_within(fixture, 1, two), ERR_NONE);
    assert_range(fixture, 3, 0, "a bb");
    assert_int_equal(range_within(fixture, 1, two - 1), ERR_TOO_LARGE);
}

/* They take no bytes of their own, but room on the wire. */
static void test_range_bounds_empty_elements_too(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const struct slice values[100];
    keyspace_apply(fixture, (struct op){.kind = OP_LPUSH,
                                        .key = SLICE_LITERAL("list"),
                                        .values = values,
                                        .value_count = 100});
    assert_true(op_answer_size(0) > 0);
    assert_int_equal(range_within(fixture, -1, 100 * op_answer_size(0)), ERR_NONE);
    assert_int_equal(fixture->result.value_count, 100);
    assert_int_equal(range_within(fixture, -1, 100 * op_answer_size(0) - 1), ERR_TOO_LARGE);
}

#define MODEL_SIZE 200

/* Pushes, pops and ranges by chance, against an array of numbers with the head at its end. */
static void test_random_steps_match_an_array(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t random = seeded_start();
    uint32_t model[MODEL_SIZE];
    size_t length = 0;
    for (uint32_t step = 0; step < 10000; step++) {
        char text[12];
        snprintf(text, sizeof text, "%u", step);
        bool pushes = seeded_below(&random, 10) < (step / 500 % 2 == 0 ? 7u : 3u);
        if (pushes && length < MODEL_SIZE) {
            push(fixture, "list", text);
            model[length++] = step;
            assert_pushed(fixture, "list", (int64_t)length);
        } else {
            const struct op_result *result = pop(fixture, "list");
            assert_int_equal(result->value.found, length > 0);
            if (length == 0)
                continue;
            snprintf(text, sizeof text, "%u", model[--length]);
            assert_slice_is(result->value.bytes, text);
        }
        assert_int_equal(fixture->dict.count, length > 0);
        if (length == 0)
            continue;
        uint32_t at = seeded_below(&random, (uint32_t)length);
        snprintf(text, sizeof text, "%u", model[length - 1 - at]);
        range(fixture, "list", at, at);
        assert_range(fixture, (int64_t)length, at, text);
    }
}

/* Short and long elements in one list; the long ones are shared and last as long as the result. */
static void test_long_elements(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice values[] = {keyspace_long_bytes(2), SLICE_LITERAL("short"), keyspace_long_bytes(1),
                             keyspace_long_bytes(0)};
    keyspace_apply(fixture, (struct op){.kind = OP_LPUSH,
                                        .key = SLICE_LITERAL("list"),
                                        .values = values,
                                        .value_count = 4});
    struct op_result all = *range(fixture, "list", 0, -1);
    fixture->result = (struct op_result){0}; /* ours now, though not what lies in the arena */
    assert_int_equal(all.value_count, 4);
    struct slice shared[4];
    for (size_t i = 0; i < 4; i++) {
        assert_true(slice_equal(all.values[i], values[3 - i]));
        assert_int_equal(all.blobs[i] != NULL, i != 2);
        shared[i] = all.values[i];
    }
    struct blob *blobs[4];
    memcpy(blobs, all.blobs, sizeof blobs);
    all.blobs = blobs;
    for (size_t i = 0; i < 4; i++) {
        assert_true(slice_equal(pop(fixture, "list")->value.bytes, values[3 - i]));
        assert_int_equal(fixture->result.value.blob != NULL, i != 2);
    }
    assert_null(keyspace_find(fixture, "list"));
    op_result_release(&fixture->result);
    for (size_t i = 0; i < 4; i++) {
        if (blobs[i] == NULL)
            continue;
        assert_true(slice_equal(shared[i], values[3 - i]));
        assert_int_equal(atomic_load(&blobs[i]->holders), 1);
    }
    op_result_release(&all);
}

static void test_a_range_of_short_elements_needs_no_blobs(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_list(fixture, "list", 3);
    assert_null(range(fixture, "list", 0, -1)->blobs);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_push_puts_the_last_value_first),
        TEST(test_push_keeps_any_bytes),
        TEST(test_a_string_is_the_wrong_type_for_each),
        TEST(test_push_on_conditions),
        TEST(test_push_cuts_the_tail_at_max_length),
        TEST(test_pop_takes_the_head_and_removes_an_empty_list),
        TEST(test_an_empty_element_is_popped_as_found),
        TEST(test_a_vanished_list_can_become_anything),
        TEST(test_range_clips_as_redis_does),
        TEST(test_range_matches_the_plain_rule_for_every_small_list),
        TEST(test_range_of_no_list_is_an_answer),
        TEST(test_range_gives_copies),
        TEST(test_range_refuses_what_exceeds_the_answer),
        TEST(test_range_bounds_empty_elements_too),
        TEST(test_random_steps_match_an_array),
        TEST(test_long_elements),
        TEST(test_a_range_of_short_elements_needs_no_blobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
