/* Tests of net/peer.c: identity of peers, and their text in messages. */
#include "net/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static struct net_peer peer_of(int family, const char *text)
{
    struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
    void *at = family == AF_INET ? (void *)&((struct sockaddr_in *)&address)->sin_addr
                                 : (void *)&((struct sockaddr_in6 *)&address)->sin6_addr;
    assert_int_equal(inet_pton(family, text, at), 1);
    return net_peer_of(&address);
}

static void test_peers_are_distinguished_by_address(void **state)
{
    (void)state;
    struct net_peer four = peer_of(AF_INET, "10.1.2.3");
    struct net_peer other = peer_of(AF_INET, "10.1.2.4");
    struct net_peer mapped = peer_of(AF_INET6, "::ffff:10.1.2.3");
    struct net_peer six = peer_of(AF_INET6, "2001:db8::1");
    assert_true(four.is_counted && six.is_counted);
    assert_memory_equal(four.address, mapped.address, 16);
    assert_memory_not_equal(four.address, other.address, 16);
    assert_memory_not_equal(four.address, six.address, 16);
}

static void test_ports_do_not_matter(void **state)
{
    (void)state;
    struct sockaddr_storage one = {.ss_family = AF_INET}, other = {.ss_family = AF_INET};
    ((struct sockaddr_in *)&one)->sin_port = htons(1);
    ((struct sockaddr_in *)&other)->sin_port = htons(2);
    assert_memory_equal(net_peer_of(&one).address, net_peer_of(&other).address, 16);
}

static void test_peers_are_printed(void **state)
{
    (void)state;
    struct sockaddr_storage address = {0};
    struct sockaddr_in *ip4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)&address;
    char text[NET_PEER_TEXT];
    struct net_peer peer;
    *ip4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(80)};
    assert_int_equal(inet_pton(AF_INET, "192.0.2.255", &ip4->sin_addr), 1);
    peer = net_peer_of(&address);
    net_peer_print(&peer, text);
    assert_string_equal(text, "192.0.2.255:80");
    *ip6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(65535)};
    assert_int_equal(
        inet_pton(AF_INET6, "2001:db8:ffff:ffff:ffff:ffff:192.0.2.255", &ip6->sin6_addr), 1);
    peer = net_peer_of(&address);
    net_peer_print(&peer, text);
    assert_string_equal(text, "[2001:db8:ffff:ffff:ffff:ffff:c000:2ff]:65535");
    address.ss_family = AF_UNIX;
    peer = net_peer_of(&address);
    net_peer_print(&peer, text);
    assert_string_equal(text, "a unix socket");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peers_are_distinguished_by_address),
        cmocka_unit_test(test_ports_do_not_matter),
        cmocka_unit_test(test_peers_are_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
