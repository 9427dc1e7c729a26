/* Which texts name a server, and which are refused. */
#include "client/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct target parse(const char *text)
{
    struct target target;
    struct keystore_error error = {.code = KEYSTORE_OK};
    assert_true(target_parse(text, &target, &error));
    return target;
}

static void assert_refused(const char *text, const char *expected)
{
    struct target target;
    struct keystore_error error = {.code = KEYSTORE_OK};
    assert_false(target_parse(text, &target, &error));
    assert_int_equal(error.code, KEYSTORE_INVALID_ARGUMENT);
    if (strstr(error.message, expected) == NULL)
        fail_msg("'%s' should contain '%s'", error.message, expected);
}

static void host_and_port(void **state)
{
    (void)state;
    struct target target = parse("example.org:1234");
    assert_false(target.is_unix);
    assert_string_equal(target.host, "example.org");
    assert_string_equal(target.port, "1234");
    assert_string_equal(target.authority, "example.org:1234");
    assert_string_equal(target.name, "example.org:1234");
}

static void port_has_a_default(void **state)
{
    (void)state;
    assert_string_equal(parse("localhost").port, "50051");
    assert_string_equal(parse("[::1]").port, "50051");
}

static void ipv6_stands_in_brackets(void **state)
{
    (void)state;
    struct target target = parse("[fe80::1]:70");
    assert_string_equal(target.host, "fe80::1");
    assert_string_equal(target.port, "70");
    assert_string_equal(target.authority, "[fe80::1]:70");
    assert_refused("::1", "has no host");
    assert_refused("fe80::1", "needs brackets");
    assert_refused("[::1", "has no host");
    assert_refused("[]:70", "has no host");
    assert_refused("[::1]70", "port from 1 to 65535");
}

static void unix_socket(void **state)
{
    (void)state;
    struct target target = parse("unix:/run/a:b.sock");
    assert_true(target.is_unix);
    assert_string_equal(target.path, "/run/a:b.sock");
    assert_string_equal(target.authority, "localhost");
    assert_string_equal(target.name, "unix:/run/a:b.sock");
    assert_refused("unix:", "1 to 107 bytes");
}

static void unix_path_length_has_a_limit(void **state)
{
    (void)state;
    char text[5 + 108 + 1] = "unix:";
    memset(text + 5, 'p', 107);
    assert_int_equal(strlen(parse(text).path), 107);
    text[5 + 107] = 'p';
    assert_refused(text, "1 to 107 bytes");
}

static void bad_ports(void **state)
{
    (void)state;
    static const char *const texts[] = {"h:", "h:0", "h:65536", "h:999999", "h:1x", "h:-1", "h: 1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_refused(texts[i], "port from 1 to 65535");
    assert_string_equal(parse("h:1").port, "1");
    assert_string_equal(parse("h:65535").port, "65535");
}

static void empty_and_too_long(void **state)
{
    (void)state;
    char text[400];
    memset(text, 'h', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_refused(text, "has no host");
    assert_refused("", "empty");
    assert_refused(NULL, "empty");
    assert_refused(":80", "has no host");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_and_port),
        cmocka_unit_test(port_has_a_default),
        cmocka_unit_test(ipv6_stands_in_brackets),
        cmocka_unit_test(unix_socket),
        cmocka_unit_test(unix_path_length_has_a_limit),
        cmocka_unit_test(bad_ports),
        cmocka_unit_test(empty_and_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
