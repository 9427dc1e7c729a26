/* Tests of grpc/request.c: tables of header fields. */
#include "grpc/request.h"

#include "http2/http2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct http2_field field(const char *name, const char *value)
{
    return (struct http2_field){.name = slice_from_string(name), .value = slice_from_string(value)};
}

static void assert_slice(struct slice slice, const char *text)
{
    if (!slice_equal(slice, slice_from_string(text)))
        fail_msg("\"%.*s\" is not \"%s\"", (int)slice.len, (const char *)slice.data, text);
}

static void test_fields_are_found_among_others(void **state)
{
    (void)state;
    const struct http2_field fields[] = {
        field(":scheme", "http"),
        field(":method", "POST"),
        field(":pathX", "of another length"),
        field(":path", "/service/Method"),
        field(":authority", "host"),
        field("te", "trailers"),
        field("content-typo", "as long as content-type"),
        field("content-type", "application/grpc"),
        field("grpc-timeous", "as long as grpc-timeout"),
        field("grpc-encodinG", "as long as grpc-encoding"),
        field("grpc-encoding", "identity"),
        field("grpc-accept-encoding", "gzip"),
        field(":patx", "as long as :path"),
        field(":metxod", "as long as :method"),
        field("user-agent", "test"),
    };
    struct grpc_request request;
    memset(&request, 0x5a, sizeof request);
    grpc_request_parse(fields, sizeof fields / sizeof fields[0], &request);
    assert_slice(request.method, "POST");
    assert_slice(request.path, "/service/Method");
    assert_slice(request.content_type, "application/grpc");
    assert_slice(request.encoding, "identity");
    assert_true(request.timeout_ms == GRPC_NO_TIMEOUT);
    assert_true(request.timeout_valid);
    assert_ptr_equal(request.path.data, fields[3].value.data); /* borrowed */
}

static void test_absent_fields_are_empty(void **state)
{
    (void)state;
    struct grpc_request request;
    memset(&request, 0x5a, sizeof request);
    grpc_request_parse(NULL, 0, &request);
    assert_int_equal(request.method.len, 0);
    assert_int_equal(request.path.len, 0);
    assert_int_equal(request.content_type.len, 0);
    assert_int_equal(request.encoding.len, 0);
    assert_true(request.timeout_ms == GRPC_NO_TIMEOUT);
    assert_true(request.timeout_valid);
}

static void test_compression(void **state)
{
    (void)state;
    static const struct {
        const char *accepted, *wish;
        bool accepts;
        enum grpc_wish wishes;
    } cases[] = {
        {"gzip", "gzip", true, GRPC_WISH_GZIP},
        {"identity,gzip", "identity", true, GRPC_WISH_IDENTITY},
        {"identity, deflate, gzip", "", true, GRPC_WISH_MALFORMED},
        {"gzip , identity", "GZIP", true, GRPC_WISH_MALFORMED},
        {",,gzip,", "gzip ", true, GRPC_WISH_MALFORMED},
        {"", "deflate", false, GRPC_WISH_MALFORMED},
        {",", "gzip", false, GRPC_WISH_GZIP},
        {"gzi,p", "gzip", false, GRPC_WISH_GZIP},
        {"gzip;q=1", "gzip", false, GRPC_WISH_GZIP},
        {"xgzip", "gzip", false, GRPC_WISH_GZIP},
    };
    struct grpc_request request;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct http2_field fields[] = {
            field("grpc-accept-encoding", cases[i].accepted), field("grpc-accept-encodinG", "gzip"),
            field("keystore-compresS", "gzip"), field("keystore-compress", cases[i].wish)};
        grpc_request_parse(fields, 4, &request);
        assert_int_equal(request.accepts_gzip, cases[i].accepts);
        assert_int_equal(request.wish, cases[i].wishes);
    }
    const struct http2_field lists[] = {field("grpc-accept-encoding", "identity"),
                                        field("grpc-accept-encoding", "gzip"),
                                        field("grpc-accept-encoding", "deflate")};
    grpc_request_parse(lists, 3, &request); /* one list in several fields */
    assert_true(request.accepts_gzip);
    grpc_request_parse(NULL, 0, &request);
    assert_false(request.accepts_gzip);
    assert_int_equal(request.wish, GRPC_WISH_NONE);
}

static struct grpc_request with_timeout(const char *text)
{
    const struct http2_field fields[] = {field(":path", "/"), field("grpc-timeout", text)};
    struct grpc_request request;
    grpc_request_parse(fields, 2, &request);
    return request;
}

static void test_timeouts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"0H", 0},
        {"0n", 0},
        {"1H", 3600000},
        {"2M", 120000},
        {"3S", 3000},
        {"4m", 4},
        {"5000u", 5},
        {"5001u", 6}, /* rounded up: a deadline must not expire early */
        {"1u", 1},
        {"999u", 1},
        {"1000u", 1},
        {"6000000n", 6},
        {"6000001n", 7},
        {"1n", 1},
        {"00000001S", 1000},
        {"99999999H", 99999999LL * 3600000},
        {"99999999M", 99999999LL * 60000},
        {"99999999S", 99999999000LL},
        {"99999999m", 99999999},
        {"99999999u", 100000},
        {"99999999n", 100},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct grpc_request request = with_timeout(cases[i].text);
        if (!request.timeout_valid || request.timeout_ms != cases[i].ms)
            fail_msg("%s: valid %d, %lld ms", cases[i].text, request.timeout_valid,
                     (long long)request.timeout_ms);
    }
}

static void test_malformed_timeouts(void **state)
{
    (void)state;
    const char *const cases[] = {"",         "S",          "1",        "1s",  "1h",   "1 S",
                                 " 1S",      "1S ",        "-1S",      "+1S", "1.5S", "123456789S",
                                 "0x1S",     "SS",         "1SS",      "1ms", "1D",   "1\0",
                                 "12345678", "000000001S", "\xd9\xa1S"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (with_timeout(cases[i]).timeout_valid)
            fail_msg("\"%s\" was taken", cases[i]);
    }
}

static struct grpc_request with_max_reply(const char *text)
{
    const struct http2_field fields[] = {field(":path", "/"),
                                         field("keystore-max-reply-bytes", text)};
    struct grpc_request request;
    grpc_request_parse(fields, 2, &request);
    return request;
}

/* A number too large for its type still means a large one. */
static void test_sizes_of_replies(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t least, most;
    } cases[] = {
        {"1", 1, 1},
        {"4194304", 4194304, 4194304},
        {"007", 7, 7},
        {"2147483648", 2147483648, 2147483648},
        {"18446744073709551615", UINT64_MAX, UINT64_MAX},
        {"18446744073709551616", (uint64_t)1 << 59, UINT64_MAX},
        {"99999999999999999999999999999999999999999", (uint64_t)1 << 59, UINT64_MAX},
        {"100000000000000000000000000000000000000000", (uint64_t)1 << 59, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct grpc_request request = with_max_reply(cases[i].text);
        assert_true(request.max_reply_valid);
        assert_in_range(request.max_reply, cases[i].least, cases[i].most);
    }
    struct grpc_request request;
    const struct http2_field other = field("keystore-max-reply-bytez", "7");
    grpc_request_parse(&other, 1, &request);
    assert_true(request.max_reply_valid);
    assert_int_equal(request.max_reply, GRPC_DEFAULT_MAX_REPLY);
}

static void test_malformed_sizes_of_replies(void **state)
{
    (void)state;
    static const char *const cases[] = {"",   "0",  "000",  "-1",    "+1", "1.0", "1e6",     "4MiB",
                                        " 1", "1 ", "0x10", "1,000", "1/", "1:",  "\xd9\xa1"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (with_max_reply(cases[i]).max_reply_valid)
            fail_msg("\"%s\" was taken", cases[i]);
    }
}

static void test_content_types(void **state)
{
    (void)state;
    const char *const good[] = {"application/grpc",
                                "application/grpc+proto",
                                "application/grpc;charset=utf-8",
                                "application/grpc+proto;charset=utf-8",
                                "application/grpc;",
                                "Application/gRPC",
                                "application/grpc+PROTO",
                                "application/grpc ;charset=utf-8",
                                "application/grpc+proto \t;a=b"};
    const char *const bad[] = {"",
                               "application",
                               "application/grp",
                               "application/grpc+json",
                               "application/grpc+",
                               "application/grpc+proto2",
                               "application/grpc-web",
                               "application/grpc-web+proto",
                               "application/grpcx",
                               "application/grpc x",
                               "application/grpc charset=utf-8",
                               "application/json",
                               "text/application/grpc",
                               " application/grpc"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!grpc_request_content_type_valid(slice_from_string(good[i])))
            fail_msg("\"%s\" was refused", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (grpc_request_content_type_valid(slice_from_string(bad[i])))
            fail_msg("\"%s\" was taken", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_are_found_among_others),
        cmocka_unit_test(test_absent_fields_are_empty),
        cmocka_unit_test(test_compression),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_malformed_timeouts),
        cmocka_unit_test(test_sizes_of_replies),
        cmocka_unit_test(test_malformed_sizes_of_replies),
        cmocka_unit_test(test_content_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
