/* Tests of journal/rdb/encode.c: lengths, integers and strings to the byte. */
#include "journal/rdb/encode.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_length(uint64_t length, struct slice expected)
{
    uint8_t out[RDB_ENCODE_LENGTH];
    assert_true(slice_equal(slice_make(out, rdb_encode_length(out, length)), expected));
}

static void test_lengths(void **state)
{
    (void)state;
    assert_length(0, SLICE_LITERAL("\x00"));
    assert_length(63, SLICE_LITERAL("\x3f"));
    assert_length(64, SLICE_LITERAL("\x40\x40"));
    assert_length(16383, SLICE_LITERAL("\x7f\xff"));
    assert_length(16384, SLICE_LITERAL("\x80\x00\x00\x40\x00"));
    assert_length(UINT32_MAX, SLICE_LITERAL("\x80\xff\xff\xff\xff"));
    assert_length((uint64_t)UINT32_MAX + 1, SLICE_LITERAL("\x81\0\0\0\1\0\0\0\0"));
}

static void assert_string(const char *text, struct slice expected)
{
    uint8_t out[64];
    struct slice string = slice_from_string(text);
    assert_true(slice_equal(slice_make(out, rdb_encode_string(out, string)), expected));
}

static void test_strings(void **state)
{
    (void)state;
    assert_string("", SLICE_LITERAL("\0"));
    assert_string("0", SLICE_LITERAL("\xc0\0"));
    assert_string("-128", SLICE_LITERAL("\xc0\x80"));
    assert_string("128", SLICE_LITERAL("\xc1\x80\x00"));
    assert_string("-32768", SLICE_LITERAL("\xc1\x00\x80"));
    assert_string("32768", SLICE_LITERAL("\xc2\x00\x80\x00\x00"));
    assert_string("-2147483648", SLICE_LITERAL("\xc2\x00\x00\x00\x80"));
    assert_string("2147483647", SLICE_LITERAL("\xc2\xff\xff\xff\x7f"));
    assert_string("2147483648", SLICE_LITERAL("\x0a\x32\x31\x34\x37\x34\x38\x33\x36\x34\x38"));
    assert_string("-2147483649", SLICE_LITERAL("\x0b-2147483649"));
    assert_string("01", SLICE_LITERAL("\2\x30\x31"));
}

static void assert_varint(uint64_t number, struct slice expected)
{
    uint8_t out[RDB_ENCODE_VARINT];
    assert_true(slice_equal(slice_make(out, rdb_encode_varint(out, number)), expected));
}

static void test_varints(void **state)
{
    (void)state;
    assert_varint(0, SLICE_LITERAL("\0"));
    assert_varint(127, SLICE_LITERAL("\x7f"));
    assert_varint(128, SLICE_LITERAL("\x80\1"));
    assert_varint(UINT64_MAX, SLICE_LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_varints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
