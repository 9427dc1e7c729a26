/* Tests of journal/rdb/packed.c and packed.h: frames that are sound, and what is wrong with others.
 * */
#include "journal/rdb/packed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define HEADER 8

static void test_a_sound_frame(void **state)
{
    (void)state;
    static const uint8_t bytes[] = "\x0b\0\0\0--\2\1ab\xff";
    struct packed_cursor cursor;
    assert_true(packed_open(&cursor, slice_make(bytes, 11), HEADER));
    assert_null(cursor.wrong);
    assert_ptr_equal(cursor.at, bytes + HEADER);
    assert_ptr_equal(cursor.end, bytes + 10);
    assert_int_equal(cursor.announced, 258);
    assert_true(cursor.counted);
    assert_int_equal(cursor.count, 0);
}

static void test_an_empty_one_may_leave_its_count_open(void **state)
{
    (void)state;
    struct packed_cursor cursor;
    assert_true(packed_open(&cursor, SLICE_LITERAL("\x09\0\0\0--\xff\xff\xff"), HEADER));
    assert_ptr_equal(cursor.at, cursor.end);
    assert_false(cursor.counted);
    assert_int_equal(packed_end(&cursor), PACKED_END);
}

static void assert_wrong(struct slice bytes, const char *wrong)
{
    struct packed_cursor cursor;
    assert_false(packed_open(&cursor, bytes, HEADER));
    assert_string_equal(cursor.wrong, wrong);
}

static void test_frames_that_are_not_sound(void **state)
{
    (void)state;
    assert_wrong(slice_make(NULL, 0), "is shorter than an empty one");
    assert_wrong(SLICE_LITERAL("\x08\0\0\0--\0\0"), "is shorter than an empty one");
    assert_wrong(SLICE_LITERAL("\x0a\0\0\0--\0\0\xff"), "has a size that differs from its header");
    assert_wrong(SLICE_LITERAL("\x09\0\0\1--\0\0\xff"), "has a size that differs from its header");
    assert_wrong(SLICE_LITERAL("\x09\0\0\0--\0\0\xfe"), "has no terminator");
}

static void test_the_count_is_checked_at_the_end(void **state)
{
    (void)state;
    struct packed_cursor cursor;
    assert_true(packed_open(&cursor, SLICE_LITERAL("\x09\0\0\0--\1\0\xff"), HEADER));
    assert_int_equal(packed_end(&cursor), PACKED_BAD);
    assert_string_equal(cursor.wrong, "has a number of elements that differs from its header");
    cursor.count = 1;
    assert_int_equal(packed_end(&cursor), PACKED_END);
}

static void test_signed_numbers_of_every_size(void **state)
{
    (void)state;
    for (unsigned size = 1; size <= 8; size++) {
        int64_t most = (int64_t)(UINT64_MAX >> (65 - 8 * size));
        const int64_t numbers[] = {0, 1, -1, most, -most - 1, most / 3};
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
            uint8_t bytes[9];
            memcpy(bytes, &numbers[i], 8);
            bytes[size] = 0x55; /* after the number */
            assert_int_equal(packed_signed(bytes, size), numbers[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sound_frame),
        cmocka_unit_test(test_an_empty_one_may_leave_its_count_open),
        cmocka_unit_test(test_frames_that_are_not_sound),
        cmocka_unit_test(test_the_count_is_checked_at_the_end),
        cmocka_unit_test(test_signed_numbers_of_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
