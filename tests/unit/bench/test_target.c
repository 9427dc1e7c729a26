/* Tests of bench/target.c with sockets that listen and such that do not. */
#include "bench/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)

/* Binds to a free port of the loopback address, and listens if that is wanted. */
static int open_port(bool listening, char port[static 8])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    if (listening)
        assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(port, 8, "%d", ntohs(address.sin_port));
    return fd;
}

static void test_finds_a_listener_and_connects_again(void **state)
{
    (void)state;
    char port[8];
    char problem[TARGET_PROBLEM_SIZE];
    char wanted[TARGET_NAME_SIZE];
    struct target target;
    int listener = open_port(true, port);
    assert_true(target_find(&target, "127.0.0.1", port, NULL, SECOND, problem));
    snprintf(wanted, sizeof wanted, "127.0.0.1:%s", port);
    assert_string_equal(target.name, wanted);
    assert_string_equal(target.authority, wanted);
    int fd = target_connect(&target, SECOND, problem);
    assert_true(fd >= 0);
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), -1); /* does not block */
    close(fd);
    close(listener);
    fd = target_connect(&target, SECOND, problem);
    assert_int_equal(fd, -1);
    assert_non_null(strstr(problem, "Connection refused"));
}

static void test_nobody_listening_is_a_sentence(void **state)
{
    (void)state;
    char port[8];
    char problem[TARGET_PROBLEM_SIZE];
    char wanted[TARGET_PROBLEM_SIZE];
    struct target target;
    int bound = open_port(false, port);
    assert_false(target_find(&target, "127.0.0.1", port, NULL, SECOND, problem));
    snprintf(wanted, sizeof wanted, "cannot connect to 127.0.0.1:%s: Connection refused", port);
    assert_string_equal(problem, wanted);
    close(bound);
}

static void test_unix_sockets(void **state)
{
    (void)state;
    char folder[] = "/tmp/keystore-bench-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", folder);
    char problem[TARGET_PROBLEM_SIZE];
    struct target target;
    assert_false(target_find(&target, "", "", address.sun_path, SECOND, problem));
    assert_non_null(strstr(problem, "No such file"));
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_true(target_find(&target, "", "", address.sun_path, SECOND, problem));
    assert_string_equal(target.authority, "localhost");
    assert_non_null(strstr(target.name, "unix:/tmp/keystore-bench-"));
    close(listener);
    unlink(address.sun_path);
    rmdir(folder);
}

static void test_ipv6_addresses_are_bracketed(void **state)
{
    (void)state;
    char problem[TARGET_PROBLEM_SIZE];
    struct target target;
    (void)!target_find(&target, "::1", "1", NULL, SECOND, problem);
    assert_string_equal(target.authority, "[::1]:1");
}

static void test_unknown_hosts_are_a_sentence(void **state)
{
    (void)state;
    char problem[TARGET_PROBLEM_SIZE];
    struct target target;
    assert_false(target_find(&target, "no such host", "1", NULL, SECOND, problem));
    assert_non_null(strstr(problem, "cannot resolve the host 'no such host'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_a_listener_and_connects_again),
        cmocka_unit_test(test_nobody_listening_is_a_sentence),
        cmocka_unit_test(test_unix_sockets),
        cmocka_unit_test(test_ipv6_addresses_are_bracketed),
        cmocka_unit_test(test_unknown_hosts_are_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
