/* Tests of http2/frame.c: headers written and parsed, and padding of every size. */
#include "http2/frame.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "store/seeded.h"

static void test_headers_are_read_as_they_were_written(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int i = 0; i < 1000; i++) {
        uint8_t header[FRAME_HEADER_SIZE];
        size_t length = seeded_below(&random, 1 << 24);
        unsigned type = seeded_below(&random, 256), flags = seeded_below(&random, 256);
        uint32_t id = seeded_below(&random, INT32_MAX);
        frame_write_header(header, length, (enum frame_type)type, flags, id);
        struct frame frame = frame_read(header, length);
        assert_int_equal(frame_read_length(header), length);
        assert_int_equal(frame.type, type);
        assert_int_equal(frame.flags, flags);
        assert_int_equal(frame.stream_id, id);
        assert_ptr_equal(frame.payload.data, header + FRAME_HEADER_SIZE);
        assert_int_equal(frame.payload.len, length);
    }
}

static void test_a_header_is_laid_out_as_the_rfc_says(void **state)
{
    (void)state;
    uint8_t header[FRAME_HEADER_SIZE];
    frame_write_header(header, 0x010203, FRAME_CONTINUATION, FRAME_END_HEADERS, 0x04050607);
    assert_memory_equal(header, "\1\2\3\x9\x4\4\5\6\7", sizeof header);
}

static void test_the_reserved_bit_of_the_stream_is_ignored(void **state)
{
    (void)state;
    const uint8_t header[] = {0, 0, 0, FRAME_PING, 0, 0x80, 0, 0, 1};
    assert_int_equal(frame_read(header, 0).stream_id, 1);
}

/* Strips a frame with that payload; returns a negative error or the remaining length. */
#define TOO_SHORT  (-HTTP2_FRAME_SIZE_ERROR)
#define OVERPADDED (-HTTP2_PROTOCOL_ERROR)

static int strip(enum frame_type type, unsigned flags, const char *bytes, size_t len,
                 struct slice *left)
{
    struct frame frame = {
        .type = (uint8_t)type, .flags = (uint8_t)flags, .payload = slice_make(bytes, len)};
    enum http2_error error = frame_strip(&frame);
    if (error != HTTP2_NO_ERROR)
        return -(int)error;
    *left = frame.payload;
    return (int)frame.payload.len;
}

static void test_padding_and_priority_are_stripped(void **state)
{
    (void)state;
    const unsigned padded = FRAME_PADDED, both = FRAME_PADDED | FRAME_PRIORITIZED;
    struct slice left;
    assert_int_equal(strip(FRAME_DATA, 0, "body", 4, &left), 4);
    assert_int_equal(strip(FRAME_DATA, padded, "\2bodyxx", 7, &left), 4);
    assert_memory_equal(left.data, "body", 4);
    assert_int_equal(strip(FRAME_DATA, padded, "\0body", 5, &left), 4);
    assert_int_equal(strip(FRAME_DATA, padded, "\2xx", 3, &left), 0);
    assert_int_equal(strip(FRAME_HEADERS, FRAME_PRIORITIZED,
                           "\0\0\0\1\xf"
                           "block",
                           10, &left),
                     5);
    assert_memory_equal(left.data, "block", 5);
    assert_int_equal(strip(FRAME_HEADERS, both,
                           "\1\0\0\0\1\xf"
                           "blockx",
                           12, &left),
                     5);
    assert_memory_equal(left.data, "block", 5);
    /* The flag is undefined for DATA. */
    assert_int_equal(strip(FRAME_DATA, FRAME_PRIORITIZED, "body", 4, &left), 4);
    assert_int_equal(strip(FRAME_DATA, 0, NULL, 0, &left), 0);
}

/* RFC 9113, 4.2 and 6.1. */
static void test_too_few_bytes_and_too_much_padding(void **state)
{
    (void)state;
    const unsigned padded = FRAME_PADDED, both = FRAME_PADDED | FRAME_PRIORITIZED;
    struct slice left;
    assert_int_equal(strip(FRAME_DATA, padded, NULL, 0, &left), TOO_SHORT);
    assert_int_equal(strip(FRAME_HEADERS, padded, NULL, 0, &left), TOO_SHORT);
    assert_int_equal(strip(FRAME_HEADERS, FRAME_PRIORITIZED, "\0\0\0\1", 4, &left), TOO_SHORT);
    assert_int_equal(strip(FRAME_HEADERS, both, "\0\0\0\0\1", 5, &left), TOO_SHORT);
    assert_int_equal(strip(FRAME_DATA, padded, "\1", 1, &left), OVERPADDED);
    assert_int_equal(strip(FRAME_DATA, padded, "\5body", 5, &left), OVERPADDED);
    assert_int_equal(strip(FRAME_HEADERS, both, "\1\0\0\0\1\xf", 6, &left), OVERPADDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_are_read_as_they_were_written),
        cmocka_unit_test(test_a_header_is_laid_out_as_the_rfc_says),
        cmocka_unit_test(test_the_reserved_bit_of_the_stream_is_ignored),
        cmocka_unit_test(test_padding_and_priority_are_stripped),
        cmocka_unit_test(test_too_few_bytes_and_too_much_padding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
