/* Tests of http2/preface.c: classification of the first bytes, however many have arrived. */
#include "http2/preface.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Bytes, their classification, and how many of them are enough. */
static const struct {
    struct slice bytes;
    enum closing_kind kind;
    size_t enough;
} beginnings[] = {
    {SLICE_LITERAL("GET / HTTP/1.1\r\nhost: a\r\n"), CLOSING_HTTP1, 5},
    {SLICE_LITERAL("POST /keystore.v1.KeyStore"), CLOSING_HTTP1, 6},
    {SLICE_LITERAL("PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n"), CLOSING_NOT_HTTP2, 12},
    {SLICE_LITERAL("PROPFIND / HTTP/1.1\r\n\r\n  "), CLOSING_HTTP1, 10},
    {SLICE_LITERAL("PROXY TCP4 192.0.2.1 192.0"), CLOSING_PROXY, 6},
    {SLICE_LITERAL("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\xc a b c d e"), CLOSING_PROXY, 12},
    {SLICE_LITERAL("\r\n\r\n\0\r\nQUID\n\x21\x11\0\xc a b c d e"), CLOSING_NOT_HTTP2, 11},
    {SLICE_LITERAL("\x16\x03\x01\x02\0\1\0\1\xfc\3\3 a hello of TLS"), CLOSING_TLS, 1},
    {SLICE_LITERAL("CONNECT host:1 HTTP/1.1\r\n"), CLOSING_HTTP1, 9},
    {SLICE_LITERAL("INVALID CONNECTION PREFACE"), CLOSING_NOT_HTTP2, 9},
    {SLICE_LITERAL("SSH-2.0-OpenSSH_9.2p1 Debi"), CLOSING_NOT_HTTP2, 4},
    {SLICE_LITERAL("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n"), CLOSING_NOT_HTTP2, 1},
    {SLICE_LITERAL("\0\0\0\4\0\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0\0\4\0\0"), CLOSING_NOT_HTTP2, 1},
    {SLICE_LITERAL("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), CLOSING_NOT_HTTP2, 24},
};

static void test_what_is_no_preface(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        for (size_t len = 0; len <= PREFACE_SIZE; len++) {
            struct closing closing = preface_classify(slice_make(beginnings[i].bytes.data, len));
            enum closing_kind kind = len < beginnings[i].enough ? CLOSING_NONE : beginnings[i].kind;
            if (closing.kind != kind)
                fail_msg("%zu bytes of the beginning %zu are taken for %d", len, i, closing.kind);
            if (kind != CLOSING_NONE)
                assert_non_null(closing.text);
        }
    }
}

static void test_the_preface(void **state)
{
    (void)state;
    const char *preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for (size_t len = 0; len <= PREFACE_SIZE; len++)
        assert_int_equal(preface_classify(slice_make(preface, len)).kind, CLOSING_NONE);
}

static void test_the_answer_for_http1_is_whole(void **state)
{
    (void)state;
    struct slice answer = preface_http1_answer();
    const char *end = strstr((const char *)answer.data, "\r\n\r\n");
    const char *length = strstr((const char *)answer.data, "Content-Length: ");
    assert_non_null(end);
    assert_non_null(length);
    assert_int_equal(strtoul(length + sizeof "Content-Length: " - 1, NULL, 10), strlen(end + 4));
    assert_int_equal(strlen((const char *)answer.data), answer.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_preface),
        cmocka_unit_test(test_the_preface),
        cmocka_unit_test(test_the_answer_for_http1_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
