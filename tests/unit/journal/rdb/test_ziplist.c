/* Tests of journal/rdb/ziplist.c: every encoding, and damaged ones. */
#include "journal/rdb/ziplist.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/decimal.h"
#include "journal/packed_walk.h"
#include "journal/rdb_bytes.h"

static void test_every_encoding(void **state)
{
    (void)state;
    struct rdb_ziplist list;
    struct packed_cursor cursor;
    struct packed_element element;
    rdb_ziplist_fill(&list);
    assert_true(ziplist_open(&cursor, rdb_ziplist_end(&list)));
    for (size_t i = 0; i < RDB_ZIPLIST_ELEMENTS; i++) {
        uint8_t digits[DECIMAL_MAX];
        assert_int_equal(ziplist_next(&cursor, &element), PACKED_ELEMENT);
        if (element.is_number)
            element.bytes = decimal_write(element.number, digits);
        if (!rdb_ziplist_matches(i, element.bytes))
            fail_msg("element %zu is another", i);
    }
    assert_int_equal(ziplist_next(&cursor, &element), PACKED_END);
    buf_deinit(&list.bytes);
}

static const struct packed_format format = {ziplist_open, ziplist_next, 10};

static void fill_small(struct rdb_ziplist *list)
{
    static uint8_t letters[260];
    rdb_ziplist_begin(list);
    rdb_ziplist_add(list, SLICE_LITERAL("\x03"), SLICE_LITERAL("abc"));
    rdb_ziplist_add(list, SLICE_LITERAL("\xc0"), SLICE_LITERAL("\x01\x80"));
    rdb_ziplist_add(list, SLICE_LITERAL("\x41\x04"), slice_make(letters, sizeof letters));
    rdb_ziplist_add(list, SLICE_LITERAL("\xf5"), (struct slice){0});
}

static void test_damage_is_found_or_harmless(void **state)
{
    (void)state;
    struct rdb_ziplist list;
    fill_small(&list);
    struct slice whole = rdb_ziplist_end(&list);
    uint8_t *bytes = list.bytes.data;
    assert_true(packed_walk(&format, bytes, whole.len));
    for (uint32_t cut = 0; cut < whole.len; cut++) {
        assert_false(packed_walk(&format, bytes, cut));
        uint8_t former = bytes[cut > 0 ? cut - 1 : 0];
        uint32_t size = (uint32_t)whole.len;
        memcpy(bytes, &cut, 4); /* and with a frame that knows of it */
        bytes[cut > 0 ? cut - 1 : 0] = 255;
        packed_walk(&format, bytes, cut);
        bytes[cut > 0 ? cut - 1 : 0] = former;
        memcpy(bytes, &size, 4);
    }
    for (size_t bit = 0; bit < whole.len * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        packed_walk(&format, bytes, whole.len);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    bytes[8] = 5;
    assert_false(packed_walk(&format, bytes, whole.len));
    memcpy(bytes + 8, "\xff\xff", 2);
    assert_true(packed_walk(&format, bytes, whole.len));
    bytes[10 + 5] = 6; /* the size of the first element, before the second */
    assert_false(packed_walk(&format, bytes, whole.len));
    buf_deinit(&list.bytes);
}

/* Redis does not shrink a long size when a smaller element takes the place. */
static void test_a_long_size_may_hold_a_small_one(void **state)
{
    (void)state;
    static const uint8_t bytes[] = "\x14\0\0\0\x0d\0\0\0\2\0"
                                   "\0\xf1"
                                   "\xfe\2\0\0\0\1a\xff";
    uint8_t copy[sizeof bytes - 1];
    memcpy(copy, bytes, sizeof copy);
    copy[0] = sizeof copy;
    copy[4] = 12;
    assert_true(packed_walk(&format, copy, sizeof copy));
    copy[13] = 3;
    assert_false(packed_walk(&format, copy, sizeof copy));
}

static void test_random_bytes_are_walked_safely(void **state)
{
    (void)state;
    packed_walk_random(&format);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_encoding),
        cmocka_unit_test(test_damage_is_found_or_harmless),
        cmocka_unit_test(test_a_long_size_may_hold_a_small_one),
        cmocka_unit_test(test_random_bytes_are_walked_safely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
