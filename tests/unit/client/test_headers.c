/* Tests of client/headers.c. */
#include "client/headers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_field(const struct headers *headers, size_t at, const char *name,
                         const char *value)
{
    const nghttp2_nv *field = &headers->fields[at];
    assert_int_equal(field->namelen, strlen(name));
    assert_memory_equal(field->name, name, field->namelen);
    assert_int_equal(field->valuelen, strlen(value));
    assert_memory_equal(field->value, value, field->valuelen);
}

static void test_fields(void **state)
{
    (void)state;
    struct headers headers;
    headers_init(&headers, "host:1", 4096);
    assert_int_equal(headers_complete(&headers, "/s/M", NULL), 8);
    assert_field(&headers, 0, ":method", "POST");
    assert_field(&headers, 2, ":path", "/s/M");
    assert_field(&headers, 3, ":authority", "host:1");
    assert_field(&headers, 7, "keystore-max-reply-bytes", "4096");
    assert_int_equal(headers_complete(&headers, "/s/N", "5S"), 9);
    assert_field(&headers, 2, ":path", "/s/N");
    assert_field(&headers, 8, "grpc-timeout", "5S");
    headers_deinit(&headers);
}

/* The timeout stays the last one. */
static void test_tokens(void **state)
{
    (void)state;
    struct headers headers;
    headers_init(&headers, "host:1", 4096);
    assert_true(headers_set_token(&headers, "secret"));
    assert_int_equal(headers_complete(&headers, "/s/M", "5S"), 10);
    assert_field(&headers, 8, "authorization", "Bearer secret");
    assert_field(&headers, 9, "grpc-timeout", "5S");
    assert_int_equal(headers_complete(&headers, "/s/M", NULL), 9);
    assert_true(headers_set_token(&headers, "other"));
    assert_int_equal(headers_complete(&headers, "/s/M", NULL), 9);
    assert_field(&headers, 8, "authorization", "Bearer other");
    assert_true(headers_set_token(&headers, NULL));
    assert_int_equal(headers_complete(&headers, "/s/M", "5S"), 9);
    assert_field(&headers, 8, "grpc-timeout", "5S");
    assert_true(headers_set_token(&headers, ""));
    assert_int_equal(headers_complete(&headers, "/s/M", NULL), 8);
    headers_deinit(&headers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
