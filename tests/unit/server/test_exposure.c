/* Which sockets are open to others, and that they are refused with what to do. Sockets are bound
 * here, but none of those that others could reach listens. */
#include "server/exposure.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/folder.h"

static struct config config;

static int setup(void **state)
{
    (void)state;
    config = (struct config){0};
    return 0;
}

/* A socket that is bound there. */
static int bind_to(const char *text, struct net_address *address)
{
    const char *why;
    assert_true(net_address_parse(text, address, &why));
    int descriptor = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(descriptor >= 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&address->socket, address->size), 0);
    return descriptor;
}

static bool finds(const char *text, bool is_tls, struct exposure *exposure)
{
    struct net_address address;
    int descriptor = bind_to(text, &address);
    address.is_tls = is_tls;
    bool found = exposure_find(&config, descriptor, &address, exposure);
    close(descriptor);
    return found;
}

static void test_local_addresses(void **state)
{
    static const char *const texts[] = {"127.0.0.1:0", "127.255.1.2:0", "localhost:0",
                                        "[::ffff:127.0.0.1]:0"};
    struct exposure exposure;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(finds(texts[i], false, &exposure));
}

static void test_unix_sockets(void **state)
{
    struct folder folder;
    struct exposure exposure;
    char text[PATH_MAX + 16];
    (void)state;
    folder_make(&folder);
    snprintf(text, sizeof text, "unix:%s/socket", folder.path);
    assert_false(finds(text, false, &exposure));
    folder_remove(&folder);
}

/* IPv6 may be switched off where the tests run, so these are not bound. */
static void test_addresses_that_are_not_bound(void **state)
{
    static const struct {
        const char *host;
        bool is_local;
    } cases[] = {{"::1", true},
                 {"::", false},
                 {"::2", false},
                 {"::ffff:127.1.2.3", true},
                 {"::ffff:10.0.0.1", false},
                 {"::127.0.0.1", false},
                 {"fe80::1", false},
                 {"::ffff:0.0.0.0", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sockaddr_storage bound = {.ss_family = AF_INET6};
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&bound;
        assert_int_equal(inet_pton(AF_INET6, cases[i].host, &in6->sin6_addr), 1);
        assert_int_equal(exposure_is_local(&bound), cases[i].is_local);
    }
    struct sockaddr_storage other = {.ss_family = AF_VSOCK};
    assert_false(exposure_is_local(&other));
    other = (struct sockaddr_storage){.ss_family = AF_INET};
    ((struct sockaddr_in *)&other)->sin_addr.s_addr = inet_addr("128.0.0.1");
    assert_false(exposure_is_local(&other));
}

static void test_without_tls_and_users(void **state)
{
    struct exposure exposure;
    (void)state;
    assert_true(finds("0.0.0.0:0", false, &exposure));
    assert_non_null(strstr(exposure.danger, "neither TLS (--tls-listen) nor users (--users-file)"));
    assert_string_equal(exposure.remedy,
                        "use --tls-listen instead of --listen and set --users-file, or "
                        "--tls-client-ca if every client has a certificate");
}

static void test_one_is_not_enough(void **state)
{
    struct exposure exposure;
    (void)state;
    assert_true(finds("0.0.0.0:0", true, &exposure));
    assert_non_null(strstr(exposure.danger, "no users (--users-file)"));
    assert_null(strstr(exposure.remedy, "--tls-listen"));
    snprintf(config.users_file, sizeof config.users_file, "users");
    assert_true(finds("0.0.0.0:0", false, &exposure));
    assert_non_null(strstr(exposure.danger, "no TLS (--tls-listen)"));
    assert_string_equal(exposure.remedy, "use --tls-listen instead of --listen");
    assert_false(finds("0.0.0.0:0", true, &exposure));
}

/* Certificates that clients must have are as good as users, but only where there is TLS. */
static void test_certificates_of_clients(void **state)
{
    struct exposure exposure;
    (void)state;
    config.tls_client_certs = NET_TLS_CLIENT_CERTS_OPTIONAL;
    assert_true(finds("0.0.0.0:0", true, &exposure));
    config.tls_client_certs = NET_TLS_CLIENT_CERTS_REQUIRED;
    assert_false(finds("0.0.0.0:0", true, &exposure));
    assert_true(finds("0.0.0.0:0", false, &exposure));
}

/* The text of an address, and what its parser made of it, do not matter. */
static void test_judged_by_where_it_is_bound(void **state)
{
    struct net_address local, open;
    struct exposure exposure;
    (void)state;
    int descriptor = bind_to("0.0.0.0:0", &open), inner = bind_to("127.0.0.1:0", &local);
    assert_true(exposure_find(&config, descriptor, &local, &exposure));
    assert_false(exposure_find(&config, inner, &open, &exposure));
    open.is_passed = true;
    assert_true(exposure_find(&config, descriptor, &open, &exposure));
    assert_non_null(strstr(exposure.remedy, "FileDescriptorName"));
    close(inner);
    close(descriptor);
    assert_true(exposure_find(&config, descriptor, &local, &exposure)); /* nobody knows */
}

static void test_insecure(void **state)
{
    struct net_address open, local;
    (void)state;
    int descriptor = bind_to("0.0.0.0:0", &open), inner = bind_to("127.0.0.1:0", &local);
    assert_true(exposure_accept(&config, inner, &local));
    assert_false(exposure_accept(&config, descriptor, &open));
    config.insecure = true;
    assert_true(exposure_accept(&config, descriptor, &open));
    close(descriptor);
    close(inner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_local_addresses, setup),
        cmocka_unit_test_setup(test_unix_sockets, setup),
        cmocka_unit_test_setup(test_addresses_that_are_not_bound, setup),
        cmocka_unit_test_setup(test_without_tls_and_users, setup),
        cmocka_unit_test_setup(test_one_is_not_enough, setup),
        cmocka_unit_test_setup(test_certificates_of_clients, setup),
        cmocka_unit_test_setup(test_judged_by_where_it_is_bound, setup),
        cmocka_unit_test_setup(test_insecure, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
