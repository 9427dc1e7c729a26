/* Codes from texts, HTTP and HTTP/2, and the decoding of grpc-message. */
#include "client/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void codes_have_names(void **state)
{
    (void)state;
    assert_string_equal(keystore_code_name(KEYSTORE_OK), "OK");
    assert_string_equal(keystore_code_name(KEYSTORE_FAILED_PRECONDITION), "FAILED_PRECONDITION");
    assert_string_equal(keystore_code_name(KEYSTORE_UNAUTHENTICATED), "UNAUTHENTICATED");
    assert_string_equal(keystore_code_name((enum keystore_code)17), "UNKNOWN");
    assert_string_equal(keystore_code_name((enum keystore_code) - 1), "UNKNOWN");
}

static void status_texts(void **state)
{
    (void)state;
    assert_int_equal(status_parse(SLICE_LITERAL("0")), KEYSTORE_OK);
    assert_int_equal(status_parse(SLICE_LITERAL("9")), KEYSTORE_FAILED_PRECONDITION);
    assert_int_equal(status_parse(SLICE_LITERAL("16")), KEYSTORE_UNAUTHENTICATED);
    static const char *const strange[] = {"", "17", "99", "-1", "x", "1x", "000", " 0"};
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        assert_int_equal(status_parse(slice_from_string(strange[i])), KEYSTORE_UNKNOWN);
}

static void http_statuses(void **state)
{
    (void)state;
    static const struct {
        int http;
        enum keystore_code code;
    } rows[] = {
        {400, KEYSTORE_INTERNAL},          {401, KEYSTORE_UNAUTHENTICATED},
        {403, KEYSTORE_PERMISSION_DENIED}, {404, KEYSTORE_UNIMPLEMENTED},
        {429, KEYSTORE_UNAVAILABLE},       {502, KEYSTORE_UNAVAILABLE},
        {503, KEYSTORE_UNAVAILABLE},       {504, KEYSTORE_UNAVAILABLE},
        {200, KEYSTORE_UNKNOWN},           {418, KEYSTORE_UNKNOWN},
        {500, KEYSTORE_UNKNOWN},           {0, KEYSTORE_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(status_from_http(rows[i].http), rows[i].code);
}

static void http2_error_codes(void **state)
{
    (void)state;
    assert_int_equal(status_from_http2(0), KEYSTORE_INTERNAL);
    assert_int_equal(status_from_http2(2), KEYSTORE_INTERNAL);
    assert_int_equal(status_from_http2(7), KEYSTORE_UNAVAILABLE);
    assert_int_equal(status_from_http2(8), KEYSTORE_CANCELLED);
    assert_int_equal(status_from_http2(11), KEYSTORE_RESOURCE_EXHAUSTED);
    assert_int_equal(status_from_http2(12), KEYSTORE_PERMISSION_DENIED);
    assert_int_equal(status_from_http2(4711), KEYSTORE_INTERNAL);
}

static void assert_decoded(const char *text, const char *expected)
{
    char out[64];
    status_decode_message(slice_from_string(text), out, sizeof out);
    assert_string_equal(out, expected);
}

static void messages_are_decoded(void **state)
{
    (void)state;
    assert_decoded("", "");
    assert_decoded("plain text", "plain text");
    assert_decoded("a%20b%25c", "a b%c");
    assert_decoded("%C3%A4%c3%b6", "\xc3\xa4\xc3\xb6");
    assert_decoded("100%", "100%");
    assert_decoded("%4", "%4");
    assert_decoded("%zz%4g%41", "%zz%4gA");
}

static void long_messages_are_cut(void **state)
{
    (void)state;
    char out[4] = "xyz";
    status_decode_message(SLICE_LITERAL("a%62cdef"), out, sizeof out);
    assert_string_equal(out, "abc");
}

static void sentences(void **state)
{
    (void)state;
    struct keystore_error error = {.reason = "OLD"};
    status_set(&error, KEYSTORE_INTERNAL, "%d %s", 3, "mice");
    assert_int_equal(error.code, KEYSTORE_INTERNAL);
    assert_string_equal(error.message, "3 mice");
    assert_string_equal(error.reason, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_have_names),
        cmocka_unit_test(status_texts),
        cmocka_unit_test(http_statuses),
        cmocka_unit_test(http2_error_codes),
        cmocka_unit_test(messages_are_decoded),
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
