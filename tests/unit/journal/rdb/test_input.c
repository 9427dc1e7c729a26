/* Tests of journal/rdb/input.c: lengths and strings in every encoding, and what must be refused. */
#include "journal/rdb/input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct rdb_input input;
    struct rdb_error error;
    struct rdb_scratch scratch;
    uint8_t *bytes;
};

/* The bytes, followed by memory that must not be read. */
static void start(struct fixture *fixture, struct slice bytes)
{
    fixture->bytes = malloc(bytes.len > 0 ? bytes.len : 1);
    memcpy(fixture->bytes, bytes.data, bytes.len);
    fixture->input = (struct rdb_input){.begin = fixture->bytes,
                                        .at = fixture->bytes,
                                        .end = fixture->bytes + bytes.len,
                                        .error = &fixture->error};
    rdb_input_scratch_init(&fixture->scratch);
}

static void stop(struct fixture *fixture)
{
    rdb_input_scratch_deinit(&fixture->scratch);
    free(fixture->bytes);
}

static void assert_length(struct slice bytes, uint64_t expected)
{
    struct fixture fixture;
    uint64_t length;
    start(&fixture, bytes);
    assert_true(rdb_input_length(&fixture.input, &length));
    assert_int_equal(length, expected);
    assert_int_equal(rdb_input_left(&fixture.input), 0);
    stop(&fixture);
    for (size_t cut = 0; cut < bytes.len; cut++) {
        start(&fixture, slice_make(bytes.data, cut));
        assert_false(rdb_input_length(&fixture.input, &length));
        stop(&fixture);
    }
}

static void test_lengths(void **state)
{
    (void)state;
    assert_length(SLICE_LITERAL("\x00"), 0);
    assert_length(SLICE_LITERAL("\x3f"), 63);
    assert_length(SLICE_LITERAL("\x40\x40"), 64);
    assert_length(SLICE_LITERAL("\x7f\xff"), 16383);
    assert_length(SLICE_LITERAL("\x80\x00\x00\x40\x00"), 16384);
    assert_length(SLICE_LITERAL("\x81\1\2\3\4\5\6\7\x08"), 0x0102030405060708);
}

static void assert_string(struct slice bytes, struct slice expected)
{
    struct fixture fixture;
    struct slice string;
    start(&fixture, bytes);
    assert_true(rdb_input_string(&fixture.input, &fixture.scratch, &string));
    assert_true(slice_equal(string, expected));
    assert_int_equal(rdb_input_left(&fixture.input), 0);
    stop(&fixture);
    start(&fixture, bytes);
    assert_true(rdb_input_skip_string(&fixture.input));
    assert_int_equal(rdb_input_offset(&fixture.input), bytes.len);
    stop(&fixture);
    for (size_t cut = 0; cut < bytes.len; cut++) {
        start(&fixture, slice_make(bytes.data, cut));
        assert_false(rdb_input_string(&fixture.input, &fixture.scratch, &string));
        stop(&fixture);
        start(&fixture, slice_make(bytes.data, cut));
        assert_false(rdb_input_skip_string(&fixture.input));
        stop(&fixture);
    }
}

static void test_strings(void **state)
{
    (void)state;
    assert_string(SLICE_LITERAL("\x00"), SLICE_LITERAL(""));
    assert_string(SLICE_LITERAL("\x03\x61\x62\x63"), SLICE_LITERAL("abc"));
    assert_string(SLICE_LITERAL("\x80\0\0\0\1z"), SLICE_LITERAL("z"));
    assert_string(SLICE_LITERAL("\xc0\x80"), SLICE_LITERAL("-128"));
    assert_string(SLICE_LITERAL("\xc1\xff\x7f"), SLICE_LITERAL("32767"));
    assert_string(SLICE_LITERAL("\xc2\x00\x00\x00\x80"), SLICE_LITERAL("-2147483648"));
    /* LZF: one literal byte, then 32 bytes from one byte back. */
    assert_string(SLICE_LITERAL("\xc3\x05\x21\x00z\xe0\x17\x00"),
                  SLICE_LITERAL("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"));
}

static void assert_refused(struct slice bytes, const char *reason)
{
    struct fixture fixture;
    struct slice string;
    start(&fixture, bytes);
    assert_false(rdb_input_string(&fixture.input, &fixture.scratch, &string));
    if (strstr(fixture.error.reason, reason) == NULL)
        fail_msg("\"%s\" says nothing of \"%s\"", fixture.error.reason, reason);
    assert_int_equal(fixture.scratch.unpacked.cap, 0);
    stop(&fixture);
}

/* None of these may take memory. */
static void test_wrong_strings(void **state)
{
    (void)state;
    assert_refused(SLICE_LITERAL("\x82"), "starts with byte 0x82");
    assert_refused(SLICE_LITERAL("\xc4"), "unknown encoding 4");
    assert_refused(SLICE_LITERAL("\x05\x61\x62"), "needs 5 bytes, 2 are left");
    assert_refused(SLICE_LITERAL("\x81\xff\xff\xff\xff\xff\xff\xff\xff"), "0 are left");
    assert_refused(SLICE_LITERAL("\xc3\x01\x80\xff\xff\xff\xff\x00"), "cannot be 4294967295");
    assert_refused(SLICE_LITERAL("\xc3\x00\x01"), "0 bytes cannot be 1");
    assert_refused(SLICE_LITERAL("\xc3\x01\x00\x00"), "cannot be 0");
    assert_refused(SLICE_LITERAL("\xc3\xc0\x01\x00"), "an encoded string where a length");
}

static void test_a_string_that_does_not_decompress(void **state)
{
    (void)state;
    struct fixture fixture;
    struct slice string;
    start(&fixture, SLICE_LITERAL("\xc3\x05\x22\x00z\xe0\x17\x00"));
    assert_false(rdb_input_string(&fixture.input, &fixture.scratch, &string));
    assert_string_equal(fixture.error.reason, "a compressed string does not decompress");
    assert_int_equal(fixture.error.offset, 1);
    stop(&fixture);
}

static void test_counts_must_be_possible(void **state)
{
    (void)state;
    struct fixture fixture;
    uint64_t count;
    start(&fixture, SLICE_LITERAL("\x02\x61\x62\x63\x64"));
    assert_true(rdb_input_count(&fixture.input, 2, &count));
    assert_int_equal(count, 2);
    fixture.input.at = fixture.input.begin;
    assert_false(rdb_input_count(&fixture.input, 3, &count));
    assert_int_equal(fixture.error.offset, 0);
    stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_wrong_strings),
        cmocka_unit_test(test_a_string_that_does_not_decompress),
        cmocka_unit_test(test_counts_must_be_possible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
