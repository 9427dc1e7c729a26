/* Tests of journal/compute_parts.c: arguments, and operations with what was left out in mind. */
#include "journal/compute_parts.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MOST_APPLIED 4

/* Stands for a store that has one string, "key", and fails INCR. */
struct fixture {
    struct arena arena;
    struct left_out left_out;
    struct scan_command command;
    struct compute compute;
    enum op_kind applied[MOST_APPLIED];
    size_t count;
};

static void fake_apply(void *user, struct op *op, struct op_result *result)
{
    struct fixture *fixture = user;
    assert_true(fixture->count < MOST_APPLIED);
    assert_int_equal(op->db, 3);
    fixture->applied[fixture->count++] = op->kind;
    if (op->kind == OP_INCR) {
        result->err = ERR_WRONG_TYPE;
        result->why = "no number";
    } else if (op->kind == OP_GET && slice_equal(op->key, SLICE_LITERAL("key"))) {
        result->value = (struct op_value){.found = true, .bytes = SLICE_LITERAL("value")};
    }
}

static const struct slice arguments[] = {SLICE_LITERAL("SORT"), SLICE_LITERAL("Alpha"),
                                         SLICE_LITERAL("-12"), SLICE_LITERAL("1x")};

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.command = {.db = 3, .args = arguments, .count = 4}};
    arena_init(&fixture.arena);
    fixture.compute = (struct compute){.command = &fixture.command,
                                       .arena = &fixture.arena,
                                       .left_out = &fixture.left_out,
                                       .apply = fake_apply,
                                       .user = &fixture};
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    left_out_deinit(&fixture->left_out);
    arena_deinit(&fixture->arena);
    return 0;
}

static void test_arguments_are_words_and_numbers(void **state)
{
    const struct compute *compute = &((struct fixture *)*state)->compute;
    int64_t number = 0;
    assert_true(compute_is_word(compute, 1, "ALPHA"));
    assert_false(compute_is_word(compute, 1, "ALPH"));
    assert_false(compute_is_word(compute, 4, "ALPHA"));
    assert_true(compute_is_number(compute, 2, &number));
    assert_int_equal(number, -12);
    assert_false(compute_is_number(compute, 3, &number));
    assert_false(compute_is_number(compute, 4, &number));
}

static void test_a_failed_operation_says_why(void **state)
{
    struct fixture *fixture = *state;
    struct op incr = {.kind = OP_INCR}, set = {.kind = OP_SET};
    assert_true(compute_do(&fixture->compute, &set));
    assert_false(compute_do(&fixture->compute, &incr));
    assert_string_equal(fixture->compute.why, "no number");
    assert_int_equal(compute_bad(&fixture->compute, "bad"), COMPUTE_BAD);
    assert_string_equal(fixture->compute.why, "bad");
}

static void test_what_was_left_out_is_unknown(void **state)
{
    struct fixture *fixture = *state;
    struct slice value;
    bool found;
    assert_true(compute_string(&fixture->compute, SLICE_LITERAL("key"), &value, &found));
    assert_true(found && slice_equal(value, SLICE_LITERAL("value")));
    assert_true(compute_string(&fixture->compute, SLICE_LITERAL("none"), &value, &found));
    assert_false(found || fixture->compute.unknown);
    left_out_add(&fixture->left_out, 3, SLICE_LITERAL("key"));
    assert_true(compute_string(&fixture->compute, SLICE_LITERAL("key"), &value, &found));
    assert_true(!found && fixture->compute.unknown);
    assert_int_equal(fixture->count, 2); /* the store was not asked for it */
}

static void test_a_replaced_key_is_known_again(void **state)
{
    struct fixture *fixture = *state;
    struct slice key = SLICE_LITERAL("key");
    struct op set = {.kind = OP_SET}, none = {.kind = OP_COUNT};
    left_out_add(&fixture->left_out, 3, key);
    assert_true(compute_replace(&fixture->compute, key, &set));
    assert_false(left_out_has(&fixture->left_out, 3, key));
    assert_true(compute_replace(&fixture->compute, key, &none));
    assert_int_equal(fixture->count, 3);
    assert_int_equal(fixture->applied[0], OP_DELETE);
    assert_int_equal(fixture->applied[1], OP_SET);
    assert_int_equal(fixture->applied[2], OP_DELETE);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_arguments_are_words_and_numbers),
        TEST(test_a_failed_operation_says_why),
        TEST(test_what_was_left_out_is_unknown),
        TEST(test_a_replaced_key_is_known_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
