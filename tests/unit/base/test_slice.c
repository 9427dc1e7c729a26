/* Tests of base/slice.h: comparing and splitting borrowed bytes. */
#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_literal_leaves_out_the_terminating_zero(void **state)
{
    (void)state;
    assert_int_equal(SLICE_LITERAL("").len, 0);
    assert_int_equal(SLICE_LITERAL("a\0b").len, 3);
    assert_memory_equal(SLICE_LITERAL("a\0b").data, "a\0b", 3);
    assert_int_equal(slice_from_string("a\0b").len, 1);
}

static void test_equal_compares_length_and_every_byte(void **state)
{
    (void)state;
    assert_true(slice_equal(SLICE_LITERAL("a\0b"), SLICE_LITERAL("a\0b")));
    assert_false(slice_equal(SLICE_LITERAL("a\0b"), SLICE_LITERAL("a\0c")));
    assert_false(slice_equal(SLICE_LITERAL("ab"), SLICE_LITERAL("abc")));
    assert_false(slice_equal(SLICE_LITERAL("abc"), SLICE_LITERAL("ab")));
}

static void test_all_empty_slices_are_equal(void **state)
{
    (void)state;
    struct slice none = slice_make(NULL, 0);
    assert_true(slice_equal(none, none));
    assert_true(slice_equal(none, SLICE_LITERAL("")));
    assert_false(slice_equal(none, SLICE_LITERAL("a")));
}

static void test_starts_with(void **state)
{
    (void)state;
    struct slice text = SLICE_LITERAL("grpc-status");
    assert_true(slice_starts_with(text, SLICE_LITERAL("grpc-")));
    assert_true(slice_starts_with(text, text));
    assert_true(slice_starts_with(text, slice_make(NULL, 0)));
    assert_true(slice_starts_with(slice_make(NULL, 0), slice_make(NULL, 0)));
    assert_false(slice_starts_with(text, SLICE_LITERAL("grpc_")));
    assert_false(slice_starts_with(SLICE_LITERAL("grpc"), SLICE_LITERAL("grpc-")));
}

static void test_write_copies_any_length_and_no_more(void **state)
{
    (void)state;
    uint8_t bytes[100], out[102];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i + 1);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        memset(out, 0xee, sizeof out);
        assert_ptr_equal(slice_write(out + 1, slice_make(bytes, len)), out + 1 + len);
        assert_memory_equal(out + 1, bytes, len);
        assert_int_equal(out[0], 0xee);
        assert_int_equal(out[len + 1], 0xee);
    }
    assert_ptr_equal(slice_write(out, slice_make(NULL, 0)), out);
}

static void test_skip_drops_from_the_front(void **state)
{
    (void)state;
    struct slice text = SLICE_LITERAL("abc");
    assert_true(slice_equal(slice_skip(text, 0), text));
    assert_true(slice_equal(slice_skip(text, 1), SLICE_LITERAL("bc")));
    assert_int_equal(slice_skip(text, 3).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literal_leaves_out_the_terminating_zero),
        cmocka_unit_test(test_equal_compares_length_and_every_byte),
        cmocka_unit_test(test_all_empty_slices_are_equal),
        cmocka_unit_test(test_starts_with),
        cmocka_unit_test(test_write_copies_any_length_and_no_more),
        cmocka_unit_test(test_skip_drops_from_the_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
