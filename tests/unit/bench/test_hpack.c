/* Tests of bench/hpack.c: what nghttp2 reads of it, and how short it gets. */
#include "bench/hpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench/inflate.h"

static void test_nghttp2_reads_what_was_put(void **state)
{
    (void)state;
    nghttp2_hd_inflater *inflater;
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    struct hpack table = {.count = 0};
    struct buf block;
    char text[INFLATE_TEXT];
    for (int round = 0; round < 3; round++) {
        buf_init(&block, 4096);
        hpack_put(&table, &block, SLICE_LITERAL(":method"), SLICE_LITERAL("POST"));
        hpack_put(&table, &block, SLICE_LITERAL(":path"), SLICE_LITERAL("/x/y"));
        hpack_put(&table, &block, SLICE_LITERAL("te"), SLICE_LITERAL("trailers"));
        inflate_block(inflater, buf_slice(&block), text);
        assert_string_equal(text, ":method: POST\n:path: /x/y\nte: trailers\n");
        if (round > 0)
            assert_int_equal(block.len, 3);
        assert_int_equal(table.size, 5 + 4 + 32 + 2 + 8 + 32);
        assert_int_equal(table.size, nghttp2_hd_inflate_get_dynamic_table_size(inflater));
        buf_deinit(&block);
    }
    nghttp2_hd_inflate_del(inflater);
}

static void test_stateless_fields_leave_the_table_alone(void **state)
{
    (void)state;
    nghttp2_hd_inflater *inflater;
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    struct buf block;
    char text[INFLATE_TEXT];
    buf_init(&block, 4096);
    hpack_put_stateless(&block, SLICE_LITERAL(":scheme"), SLICE_LITERAL("http"));
    hpack_put_stateless(&block, SLICE_LITERAL("user-agent"), SLICE_LITERAL("me"));
    hpack_put_stateless(&block, SLICE_LITERAL("own-name"), SLICE_LITERAL(""));
    inflate_block(inflater, buf_slice(&block), text);
    assert_string_equal(text, ":scheme: http\nuser-agent: me\nown-name: \n");
    assert_int_equal(nghttp2_hd_inflate_get_num_table_entries(inflater), 61);
    buf_deinit(&block);
    nghttp2_hd_inflate_del(inflater);
}

/* Lengths around those at which the integers of HPACK get a byte longer. */
static void test_long_strings_come_through(void **state)
{
    (void)state;
    const size_t lens[] = {0, 1, 14, 15, 16, 126, 127, 128, 254, 255, 256, 300, 2000};
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        nghttp2_hd_inflater *inflater;
        assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
        struct hpack table = {.count = 0};
        struct buf block;
        char value[2001];
        char text[INFLATE_TEXT];
        char wanted[INFLATE_TEXT];
        memset(value, 'v', lens[i]);
        value[lens[i]] = '\0';
        snprintf(wanted, sizeof wanted, "name: %s\n", value);
        buf_init(&block, 8192);
        hpack_put(&table, &block, SLICE_LITERAL("name"), slice_make(value, lens[i]));
        inflate_block(inflater, buf_slice(&block), text);
        assert_string_equal(text, wanted);
        buf_deinit(&block);
        nghttp2_hd_inflate_del(inflater);
    }
}

static void test_size_updates_are_understood(void **state)
{
    (void)state;
    const uint32_t sizes[] = {0, 30, 31, 32, 1000, 4096};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        nghttp2_hd_inflater *inflater;
        assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
        struct buf block;
        char text[INFLATE_TEXT];
        buf_init(&block, 64);
        hpack_put_table_size(&block, 0);
        hpack_put_table_size(&block, sizes[i]);
        hpack_put_stateless(&block, SLICE_LITERAL(":method"), SLICE_LITERAL("POST"));
        inflate_block(inflater, buf_slice(&block), text);
        assert_string_equal(text, ":method: POST\n");
        assert_int_equal(nghttp2_hd_inflate_get_max_dynamic_table_size(inflater), sizes[i]);
        buf_deinit(&block);
        nghttp2_hd_inflate_del(inflater);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nghttp2_reads_what_was_put),
        cmocka_unit_test(test_stateless_fields_leave_the_table_alone),
        cmocka_unit_test(test_long_strings_come_through),
        cmocka_unit_test(test_size_updates_are_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
