/* Tests of journal/rdb/listpack.c: every encoding to the byte, round trips, and damaged ones. */
#include "journal/rdb/listpack.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/decimal.h"
#include "journal/packed_walk.h"

static uint8_t letters[20000];

/* The text of an element. */
static struct slice text_of(const struct packed_element *element, uint8_t *digits)
{
    if (!element->is_number)
        return element->bytes;
    return decimal_write(element->number, digits);
}

/* The element is written as `head`, its content, `tail`, and read again. */
static void assert_item(struct slice element, struct slice head, struct slice content,
                        struct slice tail)
{
    struct listpack pack;
    struct listpack_item item = listpack_item(element);
    assert_int_equal(listpack_item_size(&item), head.len + content.len + tail.len);
    assert_false(listpack_item_is_large(&item));
    listpack_begin(&pack);
    assert_true(listpack_takes(&pack, &item));
    listpack_append(&pack, &item);
    struct slice bytes = listpack_finish(&pack);
    assert_int_equal(bytes.len, 7 + listpack_item_size(&item));
    assert_memory_equal(bytes.data + 4, "\1\0", 2);
    assert_memory_equal(bytes.data + 6, head.data, head.len);
    assert_memory_equal(bytes.data + 6 + head.len, content.data, content.len);
    assert_memory_equal(bytes.data + 6 + head.len + content.len, tail.data, tail.len);

    struct packed_cursor cursor;
    struct packed_element read;
    uint8_t digits[DECIMAL_MAX];
    assert_true(listpack_open(&cursor, bytes));
    assert_int_equal(listpack_next(&cursor, &read), PACKED_ELEMENT);
    assert_true(slice_equal(text_of(&read, digits), element));
    assert_int_equal(listpack_next(&cursor, &read), PACKED_END);
}

#define ASSERT_NUMBER(text, head, tail)                                                            \
    assert_item(SLICE_LITERAL(text), SLICE_LITERAL(head), (struct slice){.data = letters},         \
                SLICE_LITERAL(tail))

static void test_integers_to_the_byte(void **state)
{
    (void)state;
    ASSERT_NUMBER("0", "\0", "\1");
    ASSERT_NUMBER("127", "\x7f", "\1");
    ASSERT_NUMBER("128", "\xc0\x80", "\2");
    ASSERT_NUMBER("-1", "\xdf\xff", "\2");
    ASSERT_NUMBER("4095", "\xcf\xff", "\2");
    ASSERT_NUMBER("-4096", "\xd0\x00", "\2");
    ASSERT_NUMBER("4096", "\xf1\x00\x10", "\3");
    ASSERT_NUMBER("-32768", "\xf1\x00\x80", "\3");
    ASSERT_NUMBER("32768", "\xf2\x00\x80\x00", "\4");
    ASSERT_NUMBER("-8388608", "\xf2\x00\x00\x80", "\4");
    ASSERT_NUMBER("8388608", "\xf3\x00\x00\x80\x00", "\5");
    ASSERT_NUMBER("-2147483648", "\xf3\x00\x00\x00\x80", "\5");
    ASSERT_NUMBER("2147483648", "\xf4\x00\x00\x00\x80\x00\x00\x00\x00", "\x09");
    ASSERT_NUMBER("-9223372036854775808", "\xf4\x00\x00\x00\x00\x00\x00\x00\x80", "\x09");
}

static void assert_letters(size_t len, struct slice head, struct slice tail)
{
    memset(letters, 'a', sizeof letters);
    struct slice element = slice_make(letters, len);
    assert_item(element, head, element, tail);
}

static void test_strings_to_the_byte(void **state)
{
    (void)state;
    assert_letters(0, SLICE_LITERAL("\x80"), SLICE_LITERAL("\1"));
    assert_letters(63, SLICE_LITERAL("\xbf"), SLICE_LITERAL("\x40"));
    assert_letters(64, SLICE_LITERAL("\xe0\x40"), SLICE_LITERAL("\x42"));
    assert_letters(125, SLICE_LITERAL("\xe0\x7d"), SLICE_LITERAL("\x7f"));
    assert_letters(126, SLICE_LITERAL("\xe0\x7e"), SLICE_LITERAL("\x01\x80"));
    assert_letters(4095, SLICE_LITERAL("\xef\xff"), SLICE_LITERAL("\x20\x81"));
    assert_letters(4096, SLICE_LITERAL("\xf0\x00\x10\x00\x00"), SLICE_LITERAL("\x20\x85"));
    struct listpack_item item = listpack_item(slice_make(letters, 8178));
    assert_false(listpack_item_is_large(&item));
    item = listpack_item(slice_make(letters, 8179));
    assert_true(listpack_item_is_large(&item));
}

/* 16383 has three bytes though two would do; larger sizes come from Redis only. */
static void test_sizes_behind_long_strings(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        const char *tail;
        size_t tail_len;
    } cases[] = {{16377, "\x7f\xfe", 2}, {16378, "\x00\xff\xff", 3}, {16379, "\x01\x80\x80", 3}};
    for (size_t i = 0; i < 3; i++) {
        size_t len = cases[i].len, total = 6 + 5 + len + cases[i].tail_len + 1;
        uint8_t *bytes = calloc(1, total);
        memcpy(bytes, &total, 4);
        bytes[4] = 1;
        bytes[6] = 0xf0;
        memcpy(bytes + 7, &len, 4);
        memcpy(bytes + 11 + len, cases[i].tail, cases[i].tail_len);
        bytes[total - 1] = 255;
        struct packed_cursor cursor;
        struct packed_element element;
        assert_true(listpack_open(&cursor, slice_make(bytes, total)));
        assert_int_equal(listpack_next(&cursor, &element), PACKED_ELEMENT);
        assert_int_equal(element.bytes.len, len);
        assert_int_equal(listpack_next(&cursor, &element), PACKED_END);
        free(bytes);
    }
}

static struct slice random_element(uint64_t *random, uint8_t *out)
{
    size_t len = seeded_below(random, seeded_below(random, 20) == 0 ? 6000 : 70);
    if (seeded_below(random, 2) == 0) {
        seeded_fill(random, out, len);
        return slice_make(out, len);
    }
    int64_t number;
    seeded_fill(random, (uint8_t *)&number, sizeof number);
    uint8_t digits[DECIMAL_MAX];
    struct slice text = decimal_write(number >> seeded_below(random, 64), digits);
    return slice_make(memcpy(out, text.data, text.len), text.len);
}

static void test_random_elements_come_back(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int round = 0; round < 500; round++) {
        static uint8_t store[2 * LISTPACK_MAX + 6000], *end;
        static size_t lens[LISTPACK_MAX];
        struct listpack pack;
        size_t count = 0;
        end = store;
        listpack_begin(&pack);
        for (;;) {
            struct slice element = random_element(&random, end);
            struct listpack_item item = listpack_item(element);
            if (!listpack_takes(&pack, &item))
                break;
            listpack_append(&pack, &item);
            lens[count++] = element.len;
            end += element.len;
        }
        struct slice bytes = listpack_finish(&pack);
        assert_in_range(bytes.len, 1, LISTPACK_MAX);
        struct packed_cursor cursor;
        struct packed_element element;
        uint8_t digits[DECIMAL_MAX];
        assert_true(listpack_open(&cursor, bytes));
        const uint8_t *expected = store;
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(listpack_next(&cursor, &element), PACKED_ELEMENT);
            assert_true(slice_equal(text_of(&element, digits), slice_make(expected, lens[i])));
            expected += lens[i];
        }
        assert_int_equal(listpack_next(&cursor, &element), PACKED_END);
    }
}

static const struct packed_format format = {listpack_open, listpack_next, 6};

static const uint8_t sample[] = "\x23\0\0\0\5\0\x05\1\x83"
                                "abc\4\xcf\xff\2\xf4\1\2\3\4\5\6\7\x80\x09\xf1\0\x80\3\xff";

static void test_damage_is_found_or_harmless(void **state)
{
    (void)state;
    uint8_t bytes[sizeof sample - 1];
    size_t len = sizeof bytes;
    memcpy(bytes, sample, len);
    bytes[0] = (uint8_t)len;
    assert_true(packed_walk(&format, bytes, len));
    for (size_t cut = 0; cut < len; cut++) {
        assert_false(packed_walk(&format, bytes, cut));
        uint8_t size = bytes[0];
        bytes[0] = (uint8_t)cut; /* and with a header that knows of it */
        packed_walk(&format, bytes, cut);
        bytes[0] = size;
    }
    for (size_t bit = 0; bit < len * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        packed_walk(&format, bytes, len);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    bytes[4] = 6;
    assert_false(packed_walk(&format, bytes, len));
    memcpy(bytes + 4, "\xff\xff", 2);
    assert_true(packed_walk(&format, bytes, len));
    bytes[7] = 2; /* the size after the first element */
    assert_false(packed_walk(&format, bytes, len));
}

static void test_random_bytes_are_walked_safely(void **state)
{
    (void)state;
    packed_walk_random(&format);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_to_the_byte),
        cmocka_unit_test(test_strings_to_the_byte),
        cmocka_unit_test(test_sizes_behind_long_strings),
        cmocka_unit_test(test_random_elements_come_back),
        cmocka_unit_test(test_damage_is_found_or_harmless),
        cmocka_unit_test(test_random_bytes_are_walked_safely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
