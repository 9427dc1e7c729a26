/* Tests of net/listener.c with real sockets on the loopback, and unix sockets in a new folder. */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define WORKERS 3

static struct net_address parsed(const char *text)
{
    struct net_address address;
    const char *why = NULL;
    if (!net_address_parse(text, &address, &why))
        fail_msg("%s: %s", text, why);
    return address;
}

static void close_all(const int *descriptors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(close(descriptors[i]), 0);
}

/* Descriptors that this process has open. */
static size_t open_descriptors(void)
{
    size_t count = 0;
    for (int i = 0; i < 1024; i++) {
        if (fcntl(i, F_GETFD) >= 0)
            count++;
    }
    return count;
}

static int port_of(int descriptor)
{
    struct net_address address = {0};
    address.size = sizeof address.socket;
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&address.socket, &address.size), 0);
    return net_address_port(&address);
}

static int connected_to(const struct net_address *address)
{
    int descriptor = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(descriptor >= 0);
    if (connect(descriptor, (const struct sockaddr *)&address->socket, address->size) != 0)
        fail_msg("connect: %s", strerror(errno));
    return descriptor;
}

/* Accepts a pending connection on one of the sockets; returns which one. */
static size_t accept_at_any(const int *descriptors, size_t count)
{
    struct pollfd polled[WORKERS];
    for (size_t i = 0; i < count; i++)
        polled[i] = (struct pollfd){.fd = descriptors[i], .events = POLLIN};
    assert_true(poll(polled, count, 30000) > 0);
    for (size_t i = 0; i < count; i++) {
        if (polled[i].revents == 0)
            continue;
        int accepted = accept(descriptors[i], NULL, NULL);
        assert_true(accepted >= 0);
        close(accepted);
        return i;
    }
    fail_msg("nobody has the connection");
    return 0;
}

static void assert_bound(struct net_address *address, int *descriptors, size_t count)
{
    if (!listener_bind(address, descriptors, count))
        fail_msg("%s: %s", address->text, strerror(errno));
}

/* Refused with the errno, and nothing is left open. */
static void assert_refused(struct net_address address, int expected)
{
    for (size_t count = 1; count <= WORKERS; count++) {
        int descriptors[WORKERS];
        size_t before = open_descriptors();
        errno = 0;
        assert_false(listener_bind(&address, descriptors, count));
        assert_int_equal(errno, expected);
        assert_int_equal(open_descriptors(), before);
    }
}

static void test_all_sockets_share_the_port_that_the_system_chose(void **state)
{
    (void)state;
    struct net_address address = parsed("127.0.0.1:0");
    int descriptors[WORKERS];
    assert_bound(&address, descriptors, WORKERS);
    assert_true(net_address_port(&address) > 0);
    char text[32];
    snprintf(text, sizeof text, "127.0.0.1:%d", net_address_port(&address));
    assert_string_equal(address.text, text);
    for (size_t i = 0; i < WORKERS; i++) {
        assert_int_equal(port_of(descriptors[i]), net_address_port(&address));
        assert_true((fcntl(descriptors[i], F_GETFD) & FD_CLOEXEC) != 0);
        assert_true((fcntl(descriptors[i], F_GETFL) & O_NONBLOCK) != 0);
    }
    close_all(descriptors, WORKERS);
}

static void test_ipv6(void **state)
{
    (void)state;
    struct net_address address = parsed("[::1]:0");
    int descriptors[WORKERS];
    if (!listener_bind(&address, descriptors, WORKERS)) {
        if (errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT)
            fail_msg("%s", strerror(errno));
        skip(); /* a machine without IPv6 */
    }
    assert_int_equal(port_of(descriptors[WORKERS - 1]), net_address_port(&address));
    close(connected_to(&address));
    assert_refused(address, EADDRINUSE);
    close_all(descriptors, WORKERS);
}

static void test_connections_are_spread(void **state)
{
    (void)state;
    enum { CONNECTIONS = 300 }; /* all at two of three sockets: less than once in 10^50 */
    struct net_address address = parsed("127.0.0.1:0");
    int descriptors[WORKERS];
    size_t counts[WORKERS] = {0};
    assert_bound(&address, descriptors, WORKERS);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        int client = connected_to(&address);
        counts[accept_at_any(descriptors, WORKERS)]++;
        close(client);
    }
    for (size_t i = 0; i < WORKERS; i++)
        assert_true(counts[i] > 0);
    close_all(descriptors, WORKERS);
}

static void test_busy_port_is_refused(void **state)
{
    (void)state;
    struct net_address address = parsed("127.0.0.1:0");
    int descriptors[WORKERS];
    for (size_t count = 1; count <= WORKERS; count++) {
        address = parsed("127.0.0.1:0");
        assert_bound(&address, descriptors, count);
        assert_refused(address, EADDRINUSE);
        close_all(descriptors, count);
        assert_bound(&address, descriptors, count); /* it is free again */
        close_all(descriptors, count);
    }
}

/* Another program with SO_REUSEPORT. */
static void test_port_of_a_foreign_server_is_refused(void **state)
{
    (void)state;
    struct net_address address = parsed("127.0.0.1:0");
    int foreign = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    assert_int_equal(setsockopt(foreign, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    assert_int_equal(setsockopt(foreign, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
    assert_int_equal(bind(foreign, (struct sockaddr *)&address.socket, address.size), 0);
    assert_int_equal(listen(foreign, 1), 0);
    char text[32];
    snprintf(text, sizeof text, "127.0.0.1:%d", port_of(foreign));
    assert_refused(parsed(text), EADDRINUSE);
    close(foreign);
}

/* A server that is restarted finds connections of its predecessor in TIME_WAIT. */
static void test_port_of_closed_connections_is_taken(void **state)
{
    (void)state;
    struct net_address address = parsed("127.0.0.1:0");
    int descriptors[WORKERS];
    assert_bound(&address, descriptors, 1);
    int client = connected_to(&address);
    assert_int_equal(accept_at_any(descriptors, 1), 0); /* closes first, so TIME_WAIT is here */
    char byte;
    assert_int_equal(read(client, &byte, 1), 0);
    close(client);
    close_all(descriptors, 1);
    assert_bound(&address, descriptors, WORKERS);
    close_all(descriptors, WORKERS);
}

static void test_address_of_another_machine_is_refused(void **state)
{
    (void)state;
    assert_refused(parsed("192.0.2.1:0"), EADDRNOTAVAIL);
}

/* Limits the process to `count` more descriptors; returns the former limit. */
static struct rlimit limit_descriptors(rlim_t count)
{
    struct rlimit before, limit;
    int lowest = dup(STDIN_FILENO);
    assert_true(lowest >= 0);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)lowest + count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

static void test_failure_in_the_middle_leaves_nothing(void **state)
{
    (void)state;
    struct rlimit before = limit_descriptors(2);
    struct net_address address = parsed("127.0.0.1:0");
    int descriptors[WORKERS];
    size_t open = open_descriptors();
    bool bound = listener_bind(&address, descriptors, WORKERS);
    int failure = errno;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_false(bound);
    assert_int_equal(failure, EMFILE);
    assert_int_equal(open_descriptors(), open);
}

/* Unix sockets: *state is the folder. */

static int make_folder(void **state)
{
    char *folder = strdup("/tmp/keystore-listener-XXXXXX");
    if (folder == NULL || mkdtemp(folder) == NULL)
        return -1;
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    int result = rmdir(*state); /* fails, with the test, if a file was left in it */
    free(*state);
    return result;
}

static struct net_address in_folder(void **state)
{
    char text[128];
    snprintf(text, sizeof text, "unix:%s/socket", (const char *)*state);
    return parsed(text);
}

static ino_t inode(const struct net_address *address)
{
    struct stat status;
    assert_int_equal(lstat(net_address_path(address), &status), 0);
    return status.st_ino;
}

static void test_unix_sockets_share_one_queue(void **state)
{
    struct net_address address = in_folder(state);
    int descriptors[WORKERS];
    assert_bound(&address, descriptors, WORKERS);
    for (size_t i = 0; i < WORKERS; i++) {
        assert_true((fcntl(descriptors[i], F_GETFD) & FD_CLOEXEC) != 0);
        int client = connected_to(&address);
        assert_int_equal(accept_at_any(&descriptors[i], 1), 0);
        close(client);
    }
    close_all(descriptors, WORKERS);
    listener_unlink(&address);
}

/* A socket that another process has bound, and that may block. */
static void test_a_given_socket_is_shared(void **state)
{
    (void)state;
    struct net_address address = parsed("127.0.0.1:0");
    int descriptors[WORKERS], one;
    assert_bound(&address, &one, 1);
    assert_int_equal(fcntl(one, F_SETFL, 0), 0);
    assert_true(listener_share(one, descriptors, WORKERS));
    assert_int_equal(descriptors[0], one);
    for (size_t i = 0; i < WORKERS; i++) {
        assert_int_equal(port_of(descriptors[i]), net_address_port(&address));
        assert_true((fcntl(descriptors[i], F_GETFL) & O_NONBLOCK) != 0);
        int client = connected_to(&address);
        assert_int_equal(accept_at_any(&descriptors[i], 1), 0);
        close(client);
    }
    close_all(descriptors, WORKERS);
    assert_false(listener_share(one, descriptors, WORKERS)); /* it is closed */
    assert_int_equal(errno, EBADF);
}

static void test_unlink_removes_only_unix_files(void **state)
{
    struct net_address address = in_folder(state);
    int descriptor;
    assert_bound(&address, &descriptor, 1);
    close(descriptor);
    assert_int_equal(access(net_address_path(&address), F_OK), 0);
    listener_unlink(&address);
    assert_int_equal(access(net_address_path(&address), F_OK), -1);
    struct net_address tcp = parsed("127.0.0.1:50051");
    listener_unlink(&tcp); /* nothing to remove */
}

static void test_stale_unix_file_is_replaced(void **state)
{
    struct net_address address = in_folder(state);
    int descriptors[WORKERS];
    assert_bound(&address, descriptors, WORKERS);
    close_all(descriptors, WORKERS); /* as after a crash: the file exists without a server */
    assert_int_equal(access(net_address_path(&address), F_OK), 0);
    assert_bound(&address, descriptors, WORKERS);
    int client = connected_to(&address);
    assert_int_equal(accept_at_any(descriptors, 1), 0);
    close(client);
    close_all(descriptors, WORKERS);
    listener_unlink(&address);
}

static void test_unix_socket_in_use_is_refused(void **state)
{
    struct net_address address = in_folder(state);
    int descriptor;
    assert_bound(&address, &descriptor, 1);
    ino_t before = inode(&address);
    assert_refused(address, EADDRINUSE);
    assert_int_equal(inode(&address), before);
    int client = connected_to(&address); /* still the first one's */
    assert_int_equal(accept_at_any(&descriptor, 1), 0);
    close(client);
    close(descriptor);
    listener_unlink(&address);
}

static void test_other_files_are_not_deleted(void **state)
{
    struct net_address address = in_folder(state);
    FILE *file = fopen(net_address_path(&address), "w");
    assert_non_null(file);
    assert_true(fputs("precious", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_refused(address, EADDRINUSE);
    char text[16] = "";
    file = fopen(net_address_path(&address), "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    assert_string_equal(text, "precious");
    fclose(file);
    assert_int_equal(unlink(net_address_path(&address)), 0);
}

static void test_symbolic_link_is_not_deleted(void **state)
{
    struct net_address address = in_folder(state);
    assert_int_equal(symlink("/nowhere/at/all", net_address_path(&address)), 0);
    assert_refused(address, EADDRINUSE);
    assert_int_equal(unlink(net_address_path(&address)), 0);
}

static void test_failure_in_the_middle_leaves_no_file(void **state)
{
    struct net_address address = in_folder(state);
    struct rlimit before = limit_descriptors(2);
    int descriptors[WORKERS];
    size_t open = open_descriptors();
    bool bound = listener_bind(&address, descriptors, WORKERS);
    int failure = errno;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_false(bound);
    assert_int_equal(failure, EMFILE);
    assert_int_equal(open_descriptors(), open);
    assert_int_equal(access(net_address_path(&address), F_OK), -1);
}

static void test_unix_socket_in_no_folder_is_refused(void **state)
{
    (void)state;
    assert_refused(parsed("unix:/nowhere/at/all/socket"), ENOENT);
}

/* A test that has a new folder, and leaves it empty. */
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_sockets_share_the_port_that_the_system_chose),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_connections_are_spread),
        cmocka_unit_test(test_busy_port_is_refused),
        cmocka_unit_test(test_port_of_a_foreign_server_is_refused),
        cmocka_unit_test(test_port_of_closed_connections_is_taken),
        cmocka_unit_test(test_address_of_another_machine_is_refused),
        cmocka_unit_test(test_failure_in_the_middle_leaves_nothing),
        IN_FOLDER(test_failure_in_the_middle_leaves_no_file),
        cmocka_unit_test(test_a_given_socket_is_shared),
        IN_FOLDER(test_unix_sockets_share_one_queue),
        IN_FOLDER(test_unlink_removes_only_unix_files),
        IN_FOLDER(test_stale_unix_file_is_replaced),
        IN_FOLDER(test_unix_socket_in_use_is_refused),
        IN_FOLDER(test_other_files_are_not_deleted),
        IN_FOLDER(test_symbolic_link_is_not_deleted),
        cmocka_unit_test(test_unix_socket_in_no_folder_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
