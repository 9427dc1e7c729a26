/* Tests of journal/rdb/lists.c: lists in every encoding, their batches, and damaged ones. */
#include "journal/rdb/lists.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal/rdb_bytes.h"
#include "journal/rdb_recorder.h"

/* Reads one value from bytes that are followed by memory that must not be read. True if all was
 * read. */
static bool read_value(uint8_t type, struct slice bytes, struct recorder *recorder,
                       struct rdb_error *error)
{
    uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);
    memcpy(copy, bytes.data, bytes.len);
    struct rdb_input input = {.begin = copy, .at = copy, .end = copy + bytes.len, .error = error};
    struct rdb_key key = {.name = SLICE_LITERAL("k")};
    struct rdb_receiver receiver = recorder_receiver(recorder);
    struct rdb_scratch scratch;
    rdb_input_scratch_init(&scratch);
    bool sound = rdb_lists_read(&input, type, &key, &scratch, &receiver);
    rdb_input_scratch_deinit(&scratch);
    free(copy);
    return sound && input.at == input.end;
}

static void assert_list(uint8_t type, struct slice bytes, const char *expected)
{
    struct recorder recorder;
    struct rdb_error error = {0};
    recorder_init(&recorder);
    if (!read_value(type, bytes, &recorder, &error))
        fail_msg("offset %zu: %s", error.offset, error.reason);
    assert_string_equal(recorder_text(&recorder.text), expected);
    recorder_deinit(&recorder);
    for (size_t cut = 0; cut < bytes.len; cut++) {
        recorder_init(&recorder);
        assert_false(read_value(type, slice_make(bytes.data, cut), &recorder, &error));
        recorder_deinit(&recorder);
    }
}

static void test_types(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++)
        assert_int_equal(rdb_lists_is_list((uint8_t)type),
                         type == 1 || type == 10 || type == 14 || type == 18);
}

/* LZF: one literal byte, then 32 bytes from one byte back. */
#define COMPRESSED(letter) "\xc3\x05\x21\x00" letter "\xe0\x17\x00"
#define MANY_Y             "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
#define MANY_Z             "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"

static void test_a_list_of_strings(void **state)
{
    (void)state;
    assert_list(RDB_LIST, SLICE_LITERAL("\x00"), "");
    assert_list(RDB_LIST,
                SLICE_LITERAL("\x06\x01\x61\xc0\xff" COMPRESSED("y")
                                  COMPRESSED("z") "\x00\xc2\x00\x00\x01\x00"),
                "0 \"k\" @0 v0 = [ \"a\" \"-1\" \"" MANY_Y "\" \"" MANY_Z "\" \"\" \"65536\" ]\n");
}

/* [ "ab" 5 ] */
#define ZIPLIST  "\x11\0\0\0\x0e\0\0\0\2\0\0\2\x61\x62\4\xf6\xff"
#define LISTPACK "\x0d\0\0\0\2\0\x82\x61\x62\3\5\1\xff"

static void test_packed_lists(void **state)
{
    (void)state;
    assert_list(RDB_LIST_ZIPLIST, SLICE_LITERAL("\x11" ZIPLIST),
                "0 \"k\" @0 v0 = [ \"ab\" \"5\" ]\n");
    assert_list(RDB_LIST_QUICKLIST, SLICE_LITERAL("\x02\x11" ZIPLIST "\x11" ZIPLIST),
                "0 \"k\" @0 v0 = [ \"ab\" \"5\" \"ab\" \"5\" ]\n");
    assert_list(RDB_LIST_QUICKLIST_2,
                SLICE_LITERAL("\x04\x02\x0d" LISTPACK "\x01\x02xy\x01\xc0\x09\x02\x0d" LISTPACK),
                "0 \"k\" @0 v0 = [ \"ab\" \"5\" \"xy\" \"9\" \"ab\" \"5\" ]\n");
}

static void test_empty_nodes_are_no_elements(void **state)
{
    (void)state;
#define EMPTY_LISTPACK "\x02\x07\x07\0\0\0\0\0\xff"
    assert_list(RDB_LIST_QUICKLIST_2, SLICE_LITERAL("\x01" EMPTY_LISTPACK), "");
    assert_list(RDB_LIST_QUICKLIST_2,
                SLICE_LITERAL("\x03" EMPTY_LISTPACK "\x02\x0d" LISTPACK EMPTY_LISTPACK),
                "0 \"k\" @0 v0 = [ \"ab\" \"5\" ]\n");
    assert_list(RDB_LIST_ZIPLIST, SLICE_LITERAL("\x0b\x0b\0\0\0\x0a\0\0\0\0\0\xff"), "");
}

/* A compressed node uses the memory of the former one: its elements must be given on before. */
static void test_compressed_nodes(void **state)
{
    (void)state;
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX);
    RDB_BYTES(&bytes, "\x03\x02\x0d" LISTPACK);
    /* A listpack of one element of 33 bytes: seven literal bytes and a "z", 32 bytes from one byte
     * back, two literal bytes; 42 bytes in all, 15 compressed. */
#define NODE(letter) "\x02\xc3\x0f\x2a\x07\x2a\0\0\0\1\0\xa1" letter "\xe0\x17\x00\x01\x22\xff"
    RDB_BYTES(&bytes, NODE("y") NODE("z"));
    assert_list(RDB_LIST_QUICKLIST_2, buf_slice(&bytes),
                "0 \"k\" @0 v0 = [ \"ab\" \"5\" \"" MANY_Y "\" \"" MANY_Z "\" ]\n");
    buf_deinit(&bytes);
}

/* Integers and strings in turn, over several batches. */
static void test_many_elements(void **state)
{
    (void)state;
    for (unsigned count = 1; count < 300; count++) {
        struct buf bytes, expected;
        buf_init(&bytes, SIZE_MAX);
        buf_init(&expected, SIZE_MAX);
        uint8_t length[RDB_ENCODE_LENGTH];
        rdb_bytes_add(&bytes, slice_make(length, rdb_encode_length(length, count)));
        recorder_print(&expected, "0 \"k\" @0 v0 = [");
        for (unsigned i = 0; i < count; i++) {
            char text[16];
            uint8_t out[32];
            sprintf(text, i % 3 == 0 ? "%u" : "x%u", i * 977);
            size_t size = rdb_encode_string(out, slice_from_string(text));
            rdb_bytes_add(&bytes, slice_make(out, size));
            recorder_print(&expected, " \"%s\"", text);
        }
        recorder_print(&expected, " ]\n");
        struct recorder recorder;
        struct rdb_error error;
        recorder_init(&recorder);
        assert_true(read_value(RDB_LIST, buf_slice(&bytes), &recorder, &error));
        assert_string_equal(recorder_text(&recorder.text), recorder_text(&expected));
        assert_int_equal(recorder.calls, 2 + (count + 63) / 64);
        recorder_deinit(&recorder);
        buf_deinit(&bytes);
        buf_deinit(&expected);
    }
}

static void assert_refused(uint8_t type, struct slice bytes, size_t offset, const char *reason)
{
    struct recorder recorder;
    struct rdb_error error = {0};
    recorder_init(&recorder);
    assert_false(read_value(type, bytes, &recorder, &error));
    assert_string_equal(error.reason, reason);
    assert_int_equal(error.offset, offset);
    recorder_deinit(&recorder);
}

static void test_wrong_lists(void **state)
{
    (void)state;
    assert_refused(RDB_LIST, SLICE_LITERAL("\x05\x00"), 0,
                   "5 items of at least 1 bytes, but 1 bytes are left");
    assert_refused(RDB_LIST_QUICKLIST_2, SLICE_LITERAL("\x01\x03\x01x"), 1,
                   "unknown kind 3 of a list's node");
    assert_refused(RDB_LIST_QUICKLIST_2, SLICE_LITERAL("\x01\x02\x03xyz"), 2,
                   "a listpack is shorter than an empty one");
    assert_refused(RDB_LIST_QUICKLIST_2,
                   SLICE_LITERAL("\x01\x02\x0d\x0d\0\0\0\3\0\x82\x61\x62\3\5\1\xff"), 2,
                   "a listpack has a number of elements that differs from its header");
    assert_refused(RDB_LIST_ZIPLIST, SLICE_LITERAL("\x03xyz"), 0,
                   "a ziplist is shorter than an empty one");
}

static void test_a_receiver_may_stop(void **state)
{
    (void)state;
    for (size_t stop_at = 1; stop_at <= 3; stop_at++) {
        struct recorder recorder;
        struct rdb_error error = {0};
        recorder_init(&recorder);
        recorder.stop_at = stop_at;
        assert_false(
            read_value(RDB_LIST_ZIPLIST, SLICE_LITERAL("\x11" ZIPLIST), &recorder, &error));
        assert_string_equal(error.reason, "the receiver ended the reading");
        assert_int_equal(recorder.calls, stop_at);
        recorder_deinit(&recorder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_a_list_of_strings),
        cmocka_unit_test(test_packed_lists),
        cmocka_unit_test(test_empty_nodes_are_no_elements),
        cmocka_unit_test(test_compressed_nodes),
        cmocka_unit_test(test_many_elements),
        cmocka_unit_test(test_wrong_lists),
        cmocka_unit_test(test_a_receiver_may_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
