/* Tests of grpc/status.c: its encodings are decoded independently and compared. */
#include "grpc/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_slice(struct slice slice, const char *text)
{
    if (!slice_equal(slice, slice_from_string(text)))
        fail_msg("\"%.*s\" is not \"%s\"", (int)slice.len, (const char *)slice.data, text);
}

static void assert_encoded(struct slice message, const char *expected)
{
    struct buf out;
    buf_init(&out, 4096);
    assert_true(buf_append(&out, SLICE_LITERAL("before ")));
    grpc_status_encode_message(message, &out);
    assert_true(slice_starts_with(buf_slice(&out), SLICE_LITERAL("before ")));
    assert_slice(slice_skip(buf_slice(&out), 7), expected);
    buf_deinit(&out);
}

static void test_percent_encoding_table(void **state)
{
    (void)state;
    assert_encoded(SLICE_LITERAL(""), "");
    assert_encoded(SLICE_LITERAL("a plain sentence, it stays."), "a plain sentence, it stays.");
    assert_encoded(SLICE_LITERAL("100%"), "100%25");
    assert_encoded(SLICE_LITERAL("%25"), "%2525");
    assert_encoded(SLICE_LITERAL("two\nlines\r\n"), "two%0Alines%0D%0A");
    assert_encoded(SLICE_LITERAL("\0\x1f\x20\x7e\x7f\xff"), "%00%1F ~%7F%FF");
    assert_encoded(SLICE_LITERAL("Schl\xc3\xbcssel \xe2\x82\xac"), "Schl%C3%BCssel %E2%82%AC");
}

static void test_percent_encoding_of_every_byte(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        uint8_t one = (uint8_t)byte;
        char expected[4] = {(char)byte, '\0', '\0', '\0'};
        if (byte < ' ' || byte > '~' || byte == '%')
            snprintf(expected, sizeof expected, "%%%02X", (unsigned)byte);
        assert_encoded(slice_make(&one, 1), expected);
    }
}

/* Base64 by the table of RFC 4648, without padding; any other byte fails the test. */
static struct buf decode_base64(struct slice text)
{
    struct buf out;
    buf_init(&out, SIZE_MAX);
    unsigned bits = 0, count = 0;
    for (size_t i = 0; i < text.len; i++) {
        char digit = (char)text.data[i];
        unsigned value = 0;
        if (digit >= 'A' && digit <= 'Z')
            value = (unsigned)(digit - 'A');
        else if (digit >= 'a' && digit <= 'z')
            value = (unsigned)(digit - 'a') + 26;
        else if (digit >= '0' && digit <= '9')
            value = (unsigned)(digit - '0') + 52;
        else if (digit == '+' || digit == '/')
            value = digit == '+' ? 62 : 63;
        else
            fail_msg("%c is no digit of base64", digit);
        bits = (bits << 6 | value) & 0xffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            uint8_t byte = (uint8_t)(bits >> count);
            assert_true(buf_append(&out, slice_make(&byte, 1)));
        }
    }
    assert_true(count < 6);
    assert_int_equal(bits & ((1u << count) - 1), 0);
    return out;
}

static uint64_t take_varint(struct slice *bytes)
{
    uint64_t number = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert_true(bytes->len > 0 && shift < 64);
        uint8_t byte = bytes->data[0];
        *bytes = slice_skip(*bytes, 1);
        number |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return number;
    }
}

/* The next field of a protobuf message, which must have the number and be length-delimited. */
static struct slice take_field(struct slice *bytes, unsigned number)
{
    assert_int_equal(take_varint(bytes), number << 3 | 2);
    uint64_t len = take_varint(bytes);
    assert_true(len <= bytes->len);
    struct slice field = slice_make(bytes->data, (size_t)len);
    *bytes = slice_skip(*bytes, (size_t)len);
    return field;
}

/* Encodes, decodes and compares: google.rpc.Status {code 1, message 2, details 3: Any}. */
static void assert_details(const struct grpc_status *status)
{
    struct buf out;
    buf_init(&out, SIZE_MAX);
    grpc_status_encode_details(status, &out);
    struct buf decoded = decode_base64(buf_slice(&out));
    struct slice rest = buf_slice(&decoded);
    assert_int_equal(take_varint(&rest), 1 << 3 | 0);
    assert_int_equal(take_varint(&rest), status->code);
    assert_true(slice_equal(take_field(&rest, 2), status->message));
    struct slice any = take_field(&rest, 3);
    assert_int_equal(rest.len, 0);
    assert_slice(take_field(&any, 1), "type.googleapis.com/google.rpc.ErrorInfo");
    struct slice info = take_field(&any, 2);
    assert_int_equal(any.len, 0);
    assert_slice(take_field(&info, 1), status->reason);
    assert_slice(take_field(&info, 2), "keystore");
    assert_int_equal(info.len, 0);
    buf_deinit(&decoded);
    buf_deinit(&out);
}

static void test_details_decode_again(void **state)
{
    (void)state;
    for (int code = GRPC_CANCELLED; code <= GRPC_UNAUTHENTICATED; code++)
        assert_details(
            &(struct grpc_status){.code = (enum grpc_code)code,
                                  .reason = "ERROR_REASON_OF_SOME_KIND",
                                  .message = SLICE_LITERAL("what \xe2\x82\xac is 100%\n")});
}

/* Every remainder of base64, and lengths of one and two bytes. */
static void test_details_of_every_length(void **state)
{
    (void)state;
    static uint8_t sentence[2000];
    for (size_t i = 0; i < sizeof sentence; i++)
        sentence[i] = (uint8_t)(i * 31);
    for (size_t len = 0; len <= sizeof sentence; len += len < 300 ? 1 : 100)
        assert_details(&(struct grpc_status){
            .code = GRPC_INTERNAL, .reason = "R", .message = slice_make(sentence, len)});
}

static void test_details_are_appended(void **state)
{
    (void)state;
    const struct grpc_status status = {
        .code = GRPC_UNKNOWN, .reason = "R", .message = SLICE_LITERAL("m")};
    struct buf alone, behind;
    buf_init(&alone, 4096);
    buf_init(&behind, 4096);
    assert_true(buf_append(&behind, SLICE_LITERAL("before ")));
    grpc_status_encode_details(&status, &alone);
    grpc_status_encode_details(&status, &behind);
    assert_true(slice_starts_with(buf_slice(&behind), SLICE_LITERAL("before ")));
    assert_true(slice_equal(slice_skip(buf_slice(&behind), 7), buf_slice(&alone)));
    buf_deinit(&alone);
    buf_deinit(&behind);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percent_encoding_table),
        cmocka_unit_test(test_percent_encoding_of_every_byte),
        cmocka_unit_test(test_details_decode_again),
        cmocka_unit_test(test_details_of_every_length),
        cmocka_unit_test(test_details_are_appended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
