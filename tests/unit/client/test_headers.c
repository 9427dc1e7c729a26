/* The headers of requests. */
#include "client/headers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct headers headers;
static struct target target;

static int set_up(void **state)
{
    (void)state;
    struct keystore_error error;
    assert_true(target_parse("example.org:1234", &target, &error));
    headers_init(&headers, &target, false, 30000, 1 << 20);
    return 0;
}

/* The fields as lines. */
static const char *lines_of(size_t count)
{
    static char text[1000];
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        const nghttp2_nv *field = &headers.fields[i];
        len += (size_t)snprintf(text + len, sizeof text - len, "%.*s: %.*s\n", (int)field->namelen,
                                (const char *)field->name, (int)field->valuelen,
                                (const char *)field->value);
    }
    return text;
}

#define USUAL                                                                                      \
    ":method: POST\n:scheme: http\n:path: /x/y\n:authority: example.org:1234\n"                    \
    "content-type: application/grpc\nte: trailers\nuser-agent: keystore-c/" KEYSTORE_VERSION       \
    "\nkeystore-max-reply-bytes: 1048576\n"

static void calls(void **state)
{
    (void)state;
    struct call_attempt attempt = {0};
    assert_string_equal(lines_of(headers_set(&headers, "/x/y", 30000, &attempt)),
                        USUAL "grpc-timeout: 30000m\n");
    assert_string_equal(lines_of(headers_set(&headers, "/x/y", 29999, &attempt)),
                        USUAL "grpc-timeout: 29999m\n");
    assert_string_equal(lines_of(headers_set(&headers, "/x/y", INT64_MAX, NULL)), USUAL);
}

/* Each may be missing, and none is left for the next call. */
static void attempts(void **state)
{
    (void)state;
    struct call_attempt attempt = {.request_id = "aWQ", .previous = UINT32_MAX};
    assert_string_equal(lines_of(headers_set(&headers, "/x/y", 30000, &attempt)),
                        USUAL "grpc-timeout: 30000m\nkeystore-request-id-bin: aWQ\n"
                              "grpc-previous-rpc-attempts: 4294967295\n");
    assert_string_equal(lines_of(headers_set(&headers, "/x/y", INT64_MAX, &attempt)),
                        USUAL "keystore-request-id-bin: aWQ\n"
                              "grpc-previous-rpc-attempts: 4294967295\n");
    attempt.request_id = NULL;
    assert_string_equal(lines_of(headers_set(&headers, "/x/y", 30000, &attempt)),
                        USUAL "grpc-timeout: 30000m\ngrpc-previous-rpc-attempts: 4294967295\n");
    attempt = (struct call_attempt){.request_id = "aWQ"};
    assert_string_equal(lines_of(headers_set(&headers, "/x/y", INT64_MAX, &attempt)),
                        USUAL "keystore-request-id-bin: aWQ\n");
    assert_string_equal(lines_of(headers_set(&headers, "/x/y", 30000, NULL)),
                        USUAL "grpc-timeout: 30000m\n");
}

/* What comes once would drive what comes often out of HPACK's table. */
static void ids_are_not_indexed(void **state)
{
    (void)state;
    struct call_attempt attempt = {.request_id = "aWQ"};
    size_t count = headers_set(&headers, "/x/y", 30000, &attempt);
    for (size_t i = 0; i < count; i++)
        assert_int_equal((headers.fields[i].flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0, i == count - 1);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

/* Before what differs from call to call. */
static void tokens(void **state)
{
    (void)state;
    assert_true(headers_set_token(&headers, "secret"));
    assert_string_equal(lines_of(headers_set(&headers, "/x/y", 30000, NULL)),
                        USUAL "authorization: Bearer secret\ngrpc-timeout: 30000m\n");
    assert_true(headers_set_token(&headers, "other"));
    assert_string_equal(lines_of(headers_set(&headers, "/x/y", INT64_MAX, NULL)),
                        USUAL "authorization: Bearer other\n");
    struct call_attempt attempt = {.request_id = "aWQ", .previous = 1};
    assert_string_equal(lines_of(headers_set(&headers, "/x/y", 30000, &attempt)),
                        USUAL "authorization: Bearer other\ngrpc-timeout: 30000m\n"
                              "keystore-request-id-bin: aWQ\ngrpc-previous-rpc-attempts: 1\n");
    assert_true(headers_set_token(&headers, ""));
    assert_string_equal(lines_of(headers_set(&headers, "/x/y", INT64_MAX, NULL)), USUAL);
    headers_deinit(&headers);
}

static void tls_has_its_scheme(void **state)
{
    (void)state;
    headers_init(&headers, &target, true, 30000, 1 << 20);
    assert_non_null(
        strstr(lines_of(headers_set(&headers, "/x/y", INT64_MAX, NULL)), ":scheme: https\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(calls), TEST(attempts), TEST(ids_are_not_indexed),
                                       TEST(tls_has_its_scheme), TEST(tokens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
