/* Tests of net/address.c: tables of valid and invalid addresses. */
#include "net/address.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

static void test_good_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int family;
        const char *host;
        int port;
    } cases[] = {
        {"127.0.0.1:50051", AF_INET, "127.0.0.1", 50051},
        {"127.0.0.1:0", AF_INET, "127.0.0.1", 0},
        {"0.0.0.0:65535", AF_INET, "0.0.0.0", 65535},
        {"192.0.2.1:00080", AF_INET, "192.0.2.1", 80},
        {"localhost:1", AF_INET, "127.0.0.1", 1},
        {"[::1]:50051", AF_INET6, "::1", 50051},
        {"[::]:0", AF_INET6, "::", 0},
        {"[2001:db8::1:2]:443", AF_INET6, "2001:db8::1:2", 443},
        {"[::ffff:192.0.2.1]:443", AF_INET6, "::ffff:192.0.2.1", 443},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct net_address address;
        const char *why = NULL;
        memset(&address, 0x5a, sizeof address);
        if (!net_address_parse(cases[i].text, &address, &why))
            fail_msg("%s: %s", cases[i].text, why);
        assert_string_equal(address.text, cases[i].text);
        assert_int_equal(address.socket.ss_family, cases[i].family);
        assert_int_equal(net_address_port(&address), cases[i].port);
        assert_false(net_address_is_unix(&address));
        char host[INET6_ADDRSTRLEN];
        const void *in = cases[i].family == AF_INET
                             ? (const void *)&((struct sockaddr_in *)&address.socket)->sin_addr
                             : (const void *)&((struct sockaddr_in6 *)&address.socket)->sin6_addr;
        assert_non_null(inet_ntop(cases[i].family, in, host, sizeof host));
        assert_string_equal(host, cases[i].host);
        assert_int_equal(address.size, cases[i].family == AF_INET ? sizeof(struct sockaddr_in)
                                                                  : sizeof(struct sockaddr_in6));
    }
}

/* An invalid address, and a word of its error message. */
static void test_bad_addresses(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "HOST:PORT"},
        {"localhost", "HOST:PORT"},
        {"127.0.0.1", "HOST:PORT"},
        {"50051", "HOST:PORT"},
        {"127.0.0.1:", "HOST:PORT"},
        {"127.0.0.1:65536", "0 to 65535"},
        {"127.0.0.1:99999999999999999999999", "0 to 65535"},
        {"127.0.0.1:-1", "0 to 65535"},
        {"127.0.0.1:+1", "0 to 65535"},
        {"127.0.0.1: 1", "0 to 65535"},
        {"127.0.0.1:1 ", "0 to 65535"},
        {"127.0.0.1:0x50", "0 to 65535"},
        {"127.0.0.1:http", "0 to 65535"},
        {":50051", "localhost"},
        {"256.0.0.1:50051", "localhost"},
        {"127.0.0:50051", "localhost"},
        {"127.0.0.1.1:50051", "localhost"},
        {" 127.0.0.1:50051", "localhost"},
        {"example.com:50051", "localhost"},
        {"*:50051", "localhost"},
        {"::1:50051", "brackets"},
        {"1:2:3:4:5:6:7:8", "brackets"},
        {"http://127.0.0.1:50051", "brackets"},
        {"[::1]", "HOST:PORT"},
        {"[::1]50051", "HOST:PORT"},
        {"[]:50051", "localhost"},
        {"[:50051", "localhost"},
        {"[::1:50051", "brackets"},
        {"[::1:::2]:50051", "localhost"},
        {"[127.0.0.1]:50051", "localhost"},
        {"[localhost]:50051", "localhost"},
        {"unix:", "107 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct net_address address;
        const char *why = NULL;
        if (net_address_parse(cases[i][0], &address, &why))
            fail_msg("\"%s\" was taken", cases[i][0]);
        if (why == NULL || strstr(why, cases[i][1]) == NULL)
            fail_msg("\"%s\": \"%s\" does not speak of \"%s\"", cases[i][0], why, cases[i][1]);
    }
}

static void test_unix_addresses(void **state)
{
    (void)state;
    static const char *const paths[] = {"/run/keystore.sock", "relative", "/with:colon:50051", ":"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char text[64];
        struct net_address address;
        const char *why = NULL;
        snprintf(text, sizeof text, "unix:%s", paths[i]);
        assert_true(net_address_parse(text, &address, &why));
        assert_true(net_address_is_unix(&address));
        assert_string_equal(net_address_path(&address), paths[i]);
        assert_string_equal(address.text, text);
        assert_int_equal(net_address_port(&address), 0);
    }
}

static void set_port(struct net_address *address, uint16_t port)
{
    if (address->socket.ss_family == AF_INET)
        ((struct sockaddr_in *)&address->socket)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)&address->socket)->sin6_port = htons(port);
}

static void test_the_text_names_the_port(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"127.0.0.1:0", "127.0.0.1:54321"},
        {"localhost:00", "localhost:54321"},
        {"[2001:db8::1:2]:0", "[2001:db8::1:2]:54321"},
    };
    const char *why = NULL;
    struct net_address address;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(net_address_parse(cases[i][0], &address, &why));
        set_port(&address, 54321);
        net_address_name_port(&address);
        assert_string_equal(address.text, cases[i][1]);
    }
    assert_true(net_address_parse("unix:/with:colon:0", &address, &why));
    net_address_name_port(&address);
    assert_string_equal(address.text, "unix:/with:colon:0");
}

/* The text that a socket's address has when it is not known how somebody has written it. */
static void test_the_text_of_a_socket(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"127.0.0.1:7", "127.0.0.1:7"},
        {"localhost:65535", "127.0.0.1:65535"},
        {"[2001:0db8::0:2]:80", "[2001:db8::2]:80"},
        {"unix:/a/socket", "unix:/a/socket"},
    };
    const char *why = NULL;
    struct net_address address;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(net_address_parse(cases[i][0], &address, &why));
        memset(address.text, 'x', sizeof address.text);
        assert_true(net_address_name(&address));
        assert_string_equal(address.text, cases[i][1]);
    }
    address = (struct net_address){.socket.ss_family = AF_UNIX}; /* without a name */
    assert_false(net_address_name(&address));
    address = (struct net_address){.socket.ss_family = AF_PACKET};
    assert_false(net_address_name(&address));
}

static void test_lengths(void **state)
{
    (void)state;
    struct net_address address;
    const char *why = NULL;
    size_t room = sizeof((struct sockaddr_un *)0)->sun_path; /* with the zero */
    char text[200] = "unix:";
    memset(text + 5, 'p', room - 1);
    assert_true(net_address_parse(text, &address, &why));
    assert_int_equal(strlen(net_address_path(&address)), room - 1);
    text[5 + room - 1] = 'p';
    assert_false(net_address_parse(text, &address, &why));
    assert_non_null(strstr(why, "107 bytes"));
    memset(text, '1', sizeof text - 1);
    assert_false(net_address_parse(text, &address, &why));
    assert_non_null(strstr(why, "127 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_addresses),       cmocka_unit_test(test_bad_addresses),
        cmocka_unit_test(test_unix_addresses),       cmocka_unit_test(test_the_text_names_the_port),
        cmocka_unit_test(test_the_text_of_a_socket), cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
