/* Tests of base/utf8.h: every code point, and what is none. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The code point in `size` bytes, whether or not that is allowed. */
static struct slice encode(uint32_t point, size_t size, uint8_t bytes[4])
{
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size; i-- > 1; point >>= 6)
        bytes[i] = (uint8_t)(0x80 | (point & 0x3f));
    bytes[0] = (uint8_t)(leads[size] | point);
    return slice_make(bytes, size);
}

static size_t right_size(uint32_t point)
{
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

static void test_every_code_point(void **state)
{
    (void)state;
    static const uint32_t most[] = {0, 0x7f, 0x7ff, 0xffff, 0x1fffff};
    for (size_t size = 1; size <= 4; size++) {
        for (uint32_t point = 0; point <= most[size]; point++) {
            uint8_t bytes[4];
            struct slice text = encode(point, size, bytes);
            if (utf8_size(text) != (right_size(point) == size ? size : 0))
                fail_msg("U+%X in %zu bytes: %zu", point, size, utf8_size(text));
        }
    }
}

static void test_what_is_cut_or_does_not_continue(void **state)
{
    (void)state;
    static const uint32_t points[] = {0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        uint8_t bytes[4];
        struct slice text = encode(points[i], right_size(points[i]), bytes);
        for (size_t length = 1; length < text.len; length++)
            assert_int_equal(utf8_size(slice_make(bytes, length)), 0);
        for (size_t at = 1; at < text.len; at++) {
            uint8_t right = bytes[at];
            bytes[at] = 'a';
            assert_int_equal(utf8_size(text), 0);
            bytes[at] = right | 0xc0;
            assert_int_equal(utf8_size(text), 0);
            bytes[at] = right;
        }
        assert_int_equal(utf8_size(text), text.len);
    }
    for (unsigned byte = 0x80; byte < 0xc2; byte++)
        assert_int_equal(utf8_size(slice_make((uint8_t[]){(uint8_t)byte, 0x80}, 2)), 0);
    for (unsigned byte = 0xf5; byte <= 0xff; byte++)
        assert_int_equal(utf8_size(slice_make((uint8_t[]){(uint8_t)byte, 0x80, 0x80, 0x80}, 4)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_what_is_cut_or_does_not_continue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
