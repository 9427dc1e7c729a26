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

/* A field that is a varint. */
static uint64_t take_number(struct slice *bytes, unsigned number)
{
    assert_int_equal(take_varint(bytes), number << 3 | 0);
    return take_varint(bytes);
}

/* A google.rpc.Status {code 1, message 2, details 3: Any}, as it is read. */
struct details {
    struct buf decoded;
    struct slice rest; /* the details that were not taken yet */
};

static struct details read_details(const struct grpc_status *status, struct slice message)
{
    struct buf out;
    buf_init(&out, SIZE_MAX);
    grpc_status_encode_details(status, &out);
    struct details details = {.decoded = decode_base64(buf_slice(&out))};
    buf_deinit(&out);
    details.rest = buf_slice(&details.decoded);
    assert_int_equal(take_number(&details.rest, 1), status->code);
    assert_true(slice_equal(take_field(&details.rest, 2), message));
    return details;
}

static struct slice take_detail(struct details *details, const char *type)
{
    char url[100];
    struct slice any = take_field(&details->rest, 3);
    snprintf(url, sizeof url, "type.googleapis.com/google.rpc.%s", type);
    assert_slice(take_field(&any, 1), url);
    struct slice detail = take_field(&any, 2);
    assert_int_equal(any.len, 0);
    return detail;
}

static void take_error_info(struct details *details, const char *reason)
{
    struct slice info = take_detail(details, "ErrorInfo");
    assert_slice(take_field(&info, 1), reason);
    assert_slice(take_field(&info, 2), "keystore");
    assert_int_equal(info.len, 0);
}

static void end_details(struct details *details)
{
    assert_int_equal(details->rest.len, 0);
    buf_deinit(&details->decoded);
}

/* Without further details. */
static void assert_details(const struct grpc_status *status, struct slice message)
{
    struct details details = read_details(status, message);
    take_error_info(&details, status->reason);
    end_details(&details);
}

static void test_details_decode_again(void **state)
{
    (void)state;
    for (int code = GRPC_CANCELLED; code <= GRPC_UNAUTHENTICATED; code++) {
        struct grpc_status status = {.code = (enum grpc_code)code,
                                     .reason = "ERROR_REASON_OF_SOME_KIND",
                                     .message = SLICE_LITERAL("what \xe2\x82\xac is 100%\n")};
        assert_details(&status, status.message);
    }
}

/* Every remainder of base64, and lengths of one and two bytes. */
static void test_details_of_every_length(void **state)
{
    (void)state;
    static uint8_t text[2000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(' ' + i * 31 % 90);
    for (size_t len = 0; len <= sizeof text; len += len < 300 ? 1 : 100) {
        size_t sent = len < GRPC_STATUS_MESSAGE ? len : GRPC_STATUS_MESSAGE;
        assert_details(&(struct grpc_status){.code = GRPC_INTERNAL,
                                             .reason = "R",
                                             .message = slice_make(text, len)},
                       slice_make(text, sent));
    }
}

/* No character is cut in two. */
static void test_messages_are_cut_between_characters(void **state)
{
    (void)state;
    uint8_t text[GRPC_STATUS_MESSAGE + 40];
    for (size_t before = 0; before < 4; before++) {
        memset(text, 'a', before);
        for (size_t i = before; i + 4 <= sizeof text; i += 4)
            memcpy(text + i, "\xf0\x9f\x98\x80", 4);
        struct slice cut = grpc_status_cut(slice_make(text, sizeof text));
        assert_int_equal(cut.len, GRPC_STATUS_MESSAGE - (GRPC_STATUS_MESSAGE - before) % 4);
        assert_ptr_equal(cut.data, text);
    }
    assert_int_equal(grpc_status_cut(slice_make(text, GRPC_STATUS_MESSAGE)).len,
                     GRPC_STATUS_MESSAGE);
}

/* protobuf's runtimes refuse a string that is not UTF-8, and with it the whole status. */
static void test_a_message_that_is_not_utf8(void **state)
{
    (void)state;
    assert_details(&(struct grpc_status){.code = GRPC_UNKNOWN,
                                         .reason = "R",
                                         .message = SLICE_LITERAL("a\xff\xc3\xbc\xc3z")},
                   SLICE_LITERAL("a?\xc3\xbc?z"));
}

static void test_a_time_to_wait(void **state)
{
    (void)state;
    struct grpc_status status = {.code = GRPC_UNAVAILABLE, .reason = "R", .retry_ms = 61234};
    struct details details = read_details(&status, SLICE_LITERAL(""));
    take_error_info(&details, "R");
    struct slice info = take_detail(&details, "RetryInfo");
    struct slice delay = take_field(&info, 1);
    assert_int_equal(info.len, 0);
    assert_int_equal(take_number(&delay, 1), 61);
    assert_int_equal(take_number(&delay, 2), 234000000);
    assert_int_equal(delay.len, 0);
    end_details(&details);
    status.retry_ms = -1;
    assert_details(&status, SLICE_LITERAL(""));
}

static void take_violation(struct details *details, const char *type, const char *what,
                           const char *how)
{
    struct slice info = take_detail(details, type);
    struct slice violation = take_field(&info, 1);
    assert_int_equal(info.len, 0);
    assert_slice(take_field(&violation, 1), what);
    assert_slice(take_field(&violation, 2), how);
    assert_int_equal(violation.len, 0);
}

static void test_the_field_is_that_of_the_message(void **state)
{
    (void)state;
    struct grpc_status status = {.code = GRPC_INVALID_ARGUMENT,
                                 .reason = "R",
                                 .message = SLICE_LITERAL("success[3].set.key: it is empty")};
    struct details details = read_details(&status, status.message);
    take_error_info(&details, "R");
    take_violation(&details, "BadRequest", "success[3].set.key", "it is empty");
    end_details(&details);
}

static void test_a_limit(void **state)
{
    (void)state;
    struct grpc_status status = {.code = GRPC_RESOURCE_EXHAUSTED,
                                 .reason = "R",
                                 .message = SLICE_LITERAL("too much"),
                                 .subject = SLICE_LITERAL("max-memory")};
    struct details details = read_details(&status, status.message);
    take_error_info(&details, "R");
    take_violation(&details, "QuotaFailure", "max-memory", "too much");
    end_details(&details);
}

static void check_resource(struct slice key, const char *name)
{
    struct grpc_status status = {.code = GRPC_FAILED_PRECONDITION,
                                 .reason = "R",
                                 .message = SLICE_LITERAL("it holds a list"),
                                 .resource_type = "list",
                                 .resource_name = key};
    struct details details = read_details(&status, status.message);
    take_error_info(&details, "R");
    struct slice info = take_detail(&details, "ResourceInfo");
    assert_slice(take_field(&info, 1), "list");
    if (name != NULL)
        assert_slice(take_field(&info, 2), name);
    assert_slice(take_field(&info, 4), "it holds a list");
    assert_int_equal(info.len, 0);
    end_details(&details);
}

static void test_a_resource(void **state)
{
    (void)state;
    static uint8_t zeros[GRPC_STATUS_NAME / 3 + 1];
    char name[GRPC_STATUS_NAME + 1];
    check_resource(SLICE_LITERAL("user:1"), "user:1");
    check_resource(SLICE_LITERAL("100%\n\x7f\0"), "100%25%0A%7F%00");
    check_resource(SLICE_LITERAL("k\xc3\xbc\xff\xc3"), "k\xc3\xbc%FF%C3");
    check_resource(SLICE_LITERAL(""), NULL);
    for (size_t i = 0; i < GRPC_STATUS_NAME; i++)
        name[i] = "%00"[i % 3];
    name[GRPC_STATUS_NAME] = 0;
    check_resource(slice_make(zeros, sizeof zeros - 1), name);
    check_resource(slice_make(zeros, sizeof zeros), NULL); /* too long: not cut, left out */
}

static void test_a_trailer_is_metadata_too(void **state)
{
    (void)state;
    struct grpc_status status = {.code = GRPC_OUT_OF_RANGE,
                                 .reason = "R",
                                 .trailer_name = SLICE_LITERAL("keystore-oldest-version"),
                                 .trailer_value = SLICE_LITERAL("42")};
    struct details details = read_details(&status, SLICE_LITERAL(""));
    struct slice info = take_detail(&details, "ErrorInfo");
    assert_slice(take_field(&info, 1), "R");
    assert_slice(take_field(&info, 2), "keystore");
    struct slice entry = take_field(&info, 3);
    assert_slice(take_field(&entry, 1), "keystore-oldest-version");
    assert_slice(take_field(&entry, 2), "42");
    assert_int_equal(entry.len + info.len, 0);
    end_details(&details);
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
        cmocka_unit_test(test_messages_are_cut_between_characters),
        cmocka_unit_test(test_a_message_that_is_not_utf8),
        cmocka_unit_test(test_a_time_to_wait),
        cmocka_unit_test(test_the_field_is_that_of_the_message),
        cmocka_unit_test(test_a_limit),
        cmocka_unit_test(test_a_resource),
        cmocka_unit_test(test_a_trailer_is_metadata_too),
        cmocka_unit_test(test_details_are_appended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
