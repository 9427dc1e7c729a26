/* Tests of store/ops/list_answer.c: parts of lists in answers, in either direction. */
#include "store/ops/list_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/account.h"
#include "store/keyspace_fixture.h"
#include "store/lists_fixture.h"

struct answered {
    struct arena arena;
    struct op_context ctx;
    struct list *list;
    struct op_result result;
};

static int setup(void **state)
{
    struct answered *answered = calloc(1, sizeof *answered);
    arena_init(&answered->arena);
    answered->ctx.arena = &answered->arena;
    answered->list = list_new();
    *state = answered;
    return 0;
}

static int teardown(void **state)
{
    struct answered *answered = *state;
    op_result_release(&answered->result);
    list_free(answered->list);
    arena_deinit(&answered->arena);
    free(answered);
    return 0;
}

static void fill(struct answered *answered, const char *text)
{
    struct slice words[MAX_WORDS];
    size_t count = lists_split(text, words);
    for (size_t i = 0; i < count; i++)
        list_push(answered->list, LIST_TAIL, words[i]);
}

static void assert_part(struct answered *answered, size_t first, size_t count,
                        enum list_end towards, const char *text)
{
    struct list_part part = {
        .list = answered->list, .first = first, .count = count, .towards = towards};
    assert_true(list_answer_part(&answered->ctx, &part, SIZE_MAX, "too large", &answered->result));
    assert_values_are(&answered->result, text);
    assert_null(answered->result.blobs);
}

static void test_a_part_has_a_direction(void **state)
{
    struct answered *answered = *state;
    fill(answered, "a b c d");
    assert_part(answered, 0, 4, LIST_TAIL, "a b c d");
    assert_part(answered, 1, 2, LIST_TAIL, "b c");
    assert_part(answered, 3, 1, LIST_TAIL, "d");
    assert_part(answered, 3, 4, LIST_HEAD, "d c b a");
    assert_part(answered, 2, 2, LIST_HEAD, "c b");
    assert_part(answered, 0, 1, LIST_HEAD, "a");
}

static bool fits(struct answered *answered, const struct list_part *part, size_t most)
{
    bool fits = list_answer_part(&answered->ctx, part, most, "too large", &answered->result);
    assert_int_equal(answered->result.value_count, fits ? part->count : 0);
    return fits;
}

static void test_a_part_fits_into_its_size(void **state)
{
    struct answered *answered = *state;
    fill(answered, "a bb ccc");
    struct list_part all = {.list = answered->list, .count = 3, .towards = LIST_TAIL};
    struct list_part back = {.list = answered->list, .first = 1, .count = 2, .towards = LIST_HEAD};
    size_t two = op_answer_size(1) + op_answer_size(2), three = two + op_answer_size(3);
    assert_true(fits(answered, &all, three));
    assert_false(fits(answered, &all, three - 1));
    assert_false(fits(answered, &all, 0));
    assert_true(fits(answered, &back, two));
    assert_false(fits(answered, &back, two - 1));
    all.count = 0;
    assert_true(fits(answered, &all, 0));
}

static void test_what_does_not_fit_is_not_held(void **state)
{
    struct answered *answered = *state;
    list_push(answered->list, LIST_TAIL, keyspace_long_bytes(1));
    list_push(answered->list, LIST_TAIL, SLICE_LITERAL("short"));
    struct list_part all = {.list = answered->list, .count = 2, .towards = LIST_TAIL};
    struct op_value value = {0};
    assert_false(fits(answered, &all, op_answer_size(keyspace_long_bytes(1).len)));
    list_answer_value(&answered->ctx, answered->list, 0, &value);
    assert_int_equal(atomic_load(&value.blob->holders), 2);
    blob_release(value.blob);
}

static void test_long_elements_are_shared_and_short_ones_copied(void **state)
{
    struct answered *answered = *state;
    list_push(answered->list, LIST_TAIL, SLICE_LITERAL("short"));
    list_push(answered->list, LIST_TAIL, keyspace_long_bytes(1));
    struct list_part part = {.list = answered->list, .count = 2, .towards = LIST_TAIL};
    struct op_value value = {0};
    assert_true(list_answer_part(&answered->ctx, &part, SIZE_MAX, "too large", &answered->result));
    list_answer_value(&answered->ctx, answered->list, 1, &value);
    assert_ptr_equal(value.blob, answered->result.blobs[1]);
    assert_null(answered->result.blobs[0]);
    assert_int_equal(atomic_load(&value.blob->holders), 3);
    blob_release(value.blob);
    list_drop(answered->list, LIST_HEAD, 2);
    assert_slice_is(answered->result.values[0], "short");
    assert_true(slice_equal(answered->result.values[1], keyspace_long_bytes(1)));
}

/* Element `i` of a list of all kinds, in many chunks. */
static struct slice mixed_element(size_t i, uint8_t *bytes)
{
    if (i % 50 == 49)
        return keyspace_long_bytes(i / 50 % 2);
    size_t len = i % 7 == 0 ? 0 : i * i % 120;
    for (size_t at = 0; at < len; at++)
        bytes[at] = (uint8_t)(i % 3 == 0 ? '1' + i % 9 : 'a' + i % 26); /* of digits: numbers */
    return slice_make(bytes, i % 3 == 0 && len > 18 ? 18 : len);
}

static void test_all_kinds_are_answered_in_both_directions(void **state)
{
    struct answered *answered = *state;
    enum { COUNT = 1000 };
    uint8_t bytes[120];
    struct op_result back = {.err = ERR_NONE};
    for (size_t i = 0; i < COUNT; i++)
        list_push(answered->list, LIST_TAIL, mixed_element(i, bytes));
    struct list_part part = {.list = answered->list, .count = COUNT, .towards = LIST_TAIL};
    assert_true(list_answer_part(&answered->ctx, &part, SIZE_MAX, "too large", &answered->result));
    part.first = COUNT - 1;
    part.towards = LIST_HEAD;
    assert_true(list_answer_part(&answered->ctx, &part, SIZE_MAX, "too large", &back));
    list_drop(answered->list, LIST_HEAD, COUNT);
    memset(bytes, 'z', sizeof bytes);
    for (size_t i = 0; i < 2 * COUNT; i++) /* overwrites where the elements were */
        list_push(answered->list, LIST_TAIL, slice_make(bytes, sizeof bytes));
    for (size_t i = 0; i < COUNT; i++) {
        struct slice expected = mixed_element(i, bytes);
        assert_true(slice_equal(answered->result.values[i], expected));
        assert_true(slice_equal(back.values[COUNT - 1 - i], expected));
    }
    op_result_release(&back);
}

static void test_a_value_is_the_element_at_the_index(void **state)
{
    struct answered *answered = *state;
    fill(answered, "a b c");
    list_answer_value(&answered->ctx, answered->list, 1, &answered->result.value);
    assert_true(answered->result.value.found);
    assert_slice_is(answered->result.value.bytes, "b");
    assert_int_equal(list_answer_end(answered->list, LIST_HEAD), 0);
    assert_int_equal(list_answer_end(answered->list, LIST_TAIL), 2);
}

static void test_a_key_that_is_gone_has_no_version(void **state)
{
    struct answered *answered = *state;
    struct lookup at = {.entry = NULL};
    answered->result.version = 7;
    list_answer_key(&at, &answered->result);
    assert_true(answered->result.ok);
    assert_int_equal(answered->result.version, 0);
    assert_int_equal(answered->result.value.version, 0);
}

#define MIB ((size_t)1024 * 1024)

/* Short elements: the array of the answer takes most of the memory. */
static void test_a_part_of_very_many_is_refused(void **state)
{
    struct answered *answered = *state;
    for (size_t i = 0; i < 100000; i++)
        list_push(answered->list, LIST_TAIL, SLICE_LITERAL(""));
    struct list_part all = {.list = answered->list, .count = 100000, .towards = LIST_TAIL};
    account_set_limit(3 * MIB);
    assert_false(fits(answered, &all, SIZE_MAX));
    assert_int_equal(answered->result.err, ERR_TOO_LARGE);
    assert_non_null(strstr(answered->result.why, "half of --max-client-memory"));
    assert_int_equal(account_used(), 0);
    account_set_limit(4 * MIB);
    assert_true(fits(answered, &all, SIZE_MAX));
    assert_true(account_used() >= 100000 * sizeof(struct slice));
    answered->result = (struct op_result){0};
    assert_false(fits(answered, &all, SIZE_MAX)); /* a second one in the same transaction */
    account_set_limit(SIZE_MAX);
}

/* Refused during the copy, as soon as the memory is used up: a megabyte that is available is not
 * enough for the 100 of the list. */
static void test_a_part_for_which_there_is_no_memory_is_refused(void **state)
{
    struct answered *answered = *state;
    for (size_t i = 0; i < 100000; i++)
        list_push(answered->list, LIST_TAIL, slice_make(keyspace_long_bytes(0).data, 1000));
    struct list_part all = {.list = answered->list, .count = 100000, .towards = LIST_TAIL};
    account_set_limit(128 * MIB);
    account_count(ACCOUNT_CLIENTS, (ptrdiff_t)(120 * MIB));
    assert_false(fits(answered, &all, SIZE_MAX));
    assert_int_equal(answered->result.err, ERR_NO_CLIENT_MEMORY);
    assert_true(account_used() <= 128 * MIB);
    arena_reset(&answered->arena);
    assert_int_equal(account_used(), 120 * MIB);
    account_count(ACCOUNT_CLIENTS, -(ptrdiff_t)(120 * MIB));
    assert_true(fits(answered, &all, SIZE_MAX));
    account_set_limit(SIZE_MAX);
}

/* No more is copied than the caller accepts, however much memory there is. */
static void test_a_part_that_does_not_fit_is_not_copied(void **state)
{
    struct answered *answered = *state;
    for (size_t i = 0; i < 20000; i++)
        list_push(answered->list, LIST_TAIL, slice_make(keyspace_long_bytes(0).data, 1000));
    struct list_part all = {.list = answered->list, .count = 20000, .towards = LIST_TAIL};
    assert_false(fits(answered, &all, MIB));
    assert_int_equal(answered->result.err, ERR_TOO_LARGE);
    assert_true(account_used() <= 4 * MIB);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_part_has_a_direction),
        TEST(test_a_part_fits_into_its_size),
        TEST(test_what_does_not_fit_is_not_held),
        TEST(test_long_elements_are_shared_and_short_ones_copied),
        TEST(test_all_kinds_are_answered_in_both_directions),
        TEST(test_a_value_is_the_element_at_the_index),
        TEST(test_a_key_that_is_gone_has_no_version),
        TEST(test_a_part_of_very_many_is_refused),
        TEST(test_a_part_for_which_there_is_no_memory_is_refused),
        TEST(test_a_part_that_does_not_fit_is_not_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
