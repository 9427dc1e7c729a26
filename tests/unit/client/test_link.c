/* Tests of client/link.c without TLS, and of what it says about servers that do not fit; with TLS
 * see test_tls.c and tests/e2e/test_tls.py. */
#include "client/link.h"

#include "base/clock.h"
#include "support/fake_server.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PATIENCE_MS 60000

static void test_bytes_of_a_plain_link(void **state)
{
    (void)state;
    struct fake_server server = {.raw = SLICE_LITERAL("hello")};
    struct link link = {.fd = -1};
    struct target target;
    struct keystore_error error;
    char in[10];
    size_t len = 0;
    fake_server_start(&server);
    assert_true(target_parse(server.address, &target, &error));
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
    assert_true(link_open(&link, &target, -1, deadline_ms, &error));
    assert_int_equal(link_send(&link, SLICE_LITERAL("x")), 1);
    while (len < 5) {
        assert_int_equal(link_wait(&link, POLLIN, -1, deadline_ms) & POLLIN, POLLIN);
        ssize_t got = link_receive(&link, in + len, sizeof in - len);
        assert_true(got > 0);
        len += (size_t)got;
    }
    assert_memory_equal(in, "hello", 5);
    errno = ECONNRESET;
    assert_string_equal(link_cause(&link), strerror(ECONNRESET));
    link_close(&link);
    link_close(&link); /* does nothing */
    assert_int_equal(link.fd, -1);
    fake_server_stop(&server);
    fake_server_deinit(&server);
    assert_false(link_open(&link, &target, -1, deadline_ms, &error)); /* nobody listens */
    assert_int_equal(error.code, KEYSTORE_UNAVAILABLE);
    assert_int_equal(link.fd, -1);
}

static void test_what_it_says_of_other_servers(void **state)
{
    (void)state;
    struct link link = {.fd = -1};
    struct target target;
    struct keystore_error error;
    assert_true(target_parse("localhost:1", &target, &error));
    link_explain_no_http2(&link, &target, "the server closed it",
                          SLICE_LITERAL("\x15\3\3\0\2\2\x0a"), &error);
    assert_string_equal(error.message, "localhost:1 speaks TLS: connect with TLS");
    link_explain_no_http2(&link, &target, "the server closed it", SLICE_LITERAL("\0\3\3"), &error);
    assert_string_equal(error.message,
                        "no HTTP/2 server answers at localhost:1 (the server closed it): check "
                        "that a KeyStore server without TLS listens there, or connect with TLS");
    assert_int_equal(error.code, KEYSTORE_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_of_a_plain_link),
        cmocka_unit_test(test_what_it_says_of_other_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
