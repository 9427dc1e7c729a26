/* Tests of net/acceptor.c: connections wait while there is no descriptor, and are accepted later.
 */
#include "net/acceptor.h"

#include "net/echo_server.h"

#include <fcntl.h>
#include <sys/resource.h>

#define CLIENTS 8

/* Limits the process to `more` descriptors in addition to those that are open. */
static void leave_descriptors(unsigned more)
{
    struct rlimit limit;
    int next = 0;
    while (fcntl(next, F_GETFD) >= 0)
        next++;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)next + more;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void restore_descriptors(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static uint64_t pauses(const struct echo_server *server)
{
    return net_admission_counts(server->admission).pauses;
}

/* Clients whose sockets take the last descriptors. */
static void connect_clients(const struct net_address *address, int *fds)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        fds[i] = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fds[i] >= 0);
    }
    leave_descriptors(0);
    for (size_t i = 0; i < CLIENTS; i++)
        assert_int_equal(connect(fds[i], (const struct sockaddr *)&address->socket, address->size),
                         0);
}

static void serve_without_descriptors(const char *unix_address)
{
    struct echo_server *server = echo_server_new(60000);
    struct net_address address = {0};
    int fds[CLIENTS];
    if (unix_address != NULL)
        address = echo_server_listen(server, unix_address);
    echo_server_start(server);
    connect_clients(unix_address != NULL ? &address : &server->address, fds);
    echo_wait_until(pauses(server) > 0);
    assert_int_equal(atomic_load(&server->opened), 0);
    leave_descriptors(1);
    for (size_t i = 0; i < CLIENTS; i++) { /* each that disconnects makes way for the next ones */
        echo_assert_echoes(fds[i]);
        close(fds[i]);
    }
    assert_int_equal(net_admission_counts(server->admission).refused, 0);
    restore_descriptors();
    echo_server_stop_and_free(server);
    if (unix_address != NULL)
        listener_unlink(&address);
}

static void test_tcp_waits_for_descriptors(void **state)
{
    (void)state;
    serve_without_descriptors(NULL);
}

static void test_unix_waits_for_descriptors(void **state)
{
    (void)state;
    char folder[] = "/tmp/keystore-acceptor-XXXXXX", text[64];
    assert_non_null(mkdtemp(folder));
    snprintf(text, sizeof text, "unix:%s/socket", folder);
    serve_without_descriptors(text);
    assert_int_equal(rmdir(folder), 0);
}

/* A paused acceptor does not keep the loop from ending. */
static void test_stop_while_it_waits(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(60000);
    echo_server_start(server);
    int fds[CLIENTS];
    connect_clients(&server->address, fds);
    echo_wait_until(pauses(server) > 0);
    echo_server_stop_and_free(server);
    restore_descriptors();
    for (size_t i = 0; i < CLIENTS; i++) {
        echo_wait_for_end(fds[i]);
        close(fds[i]);
    }
}

static void test_what_is_no_socket(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(60000);
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(net_loop_listen(server->loop, &(struct net_socket){.descriptor = pipes[0]}),
                     -ENOTSOCK);
    assert_int_equal(close(pipes[0]), -1); /* it was closed by acceptor_new() */
    close(pipes[1]);
    echo_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp_waits_for_descriptors),
        cmocka_unit_test(test_unix_waits_for_descriptors),
        cmocka_unit_test(test_stop_while_it_waits),
        cmocka_unit_test(test_what_is_no_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
