/* Tests of net/loop.c: listening, shutdown, and calls in any order. */
#include "net/loop.h"

#include "net/echo_server.h"

#include <fcntl.h>

#define LONG_MS  600000 /* a drain timeout that no test reaches */
#define SHORT_MS 20

static void test_serves_all_its_sockets(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    char folder[] = "/tmp/keystore-loop-XXXXXX", text[64];
    assert_non_null(mkdtemp(folder));
    snprintf(text, sizeof text, "unix:%s/socket", folder);
    const struct net_address addresses[] = {echo_server_listen(server, text),
                                            echo_server_listen(server, "127.0.0.1:0")};
    echo_server_start(server);
    for (size_t round = 1; round <= 3; round++) {
        int fds[] = {echo_connect(&addresses[0], 0), echo_connect(&addresses[1], 0),
                     echo_connect(&server->address, 0)};
        for (size_t i = 0; i < 3; i++)
            echo_assert_echoes(fds[i]);
        assert_int_equal(atomic_load(&server->opened), 3 * round);
        for (size_t i = 0; i < 3; i++)
            close(fds[i]);
    }
    echo_server_stop_and_free(server);
    listener_unlink(&addresses[0]);
    assert_int_equal(rmdir(folder), 0);
}

static void test_many_connections_at_once(void **state)
{
    (void)state;
    enum { CONNECTIONS = 300 };
    struct echo_server *server = echo_server_new(LONG_MS);
    int fds[CONNECTIONS];
    echo_server_start(server);
    for (size_t i = 0; i < CONNECTIONS; i++)
        fds[i] = echo_connect(&server->address, 0);
    for (size_t i = 0; i < CONNECTIONS; i++)
        echo_assert_echoes(fds[i]);
    for (size_t i = 0; i < CONNECTIONS; i += 2) /* from the middle of the loop's list, too */
        close(fds[i]);
    echo_wait_until(atomic_load(&server->closed) == CONNECTIONS / 2);
    for (size_t i = 1; i < CONNECTIONS; i += 2)
        echo_assert_echoes(fds[i]);
    net_loop_stop(server->loop);
    for (size_t i = 1; i < CONNECTIONS; i += 2) {
        echo_wait_for_end(fds[i]);
        close(fds[i]);
    }
    echo_server_free(server);
}

static void test_descriptor_that_is_no_socket(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    int descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_true(descriptor >= 0);
    assert_int_equal(net_loop_listen(server->loop, &(struct net_socket){.descriptor = descriptor}),
                     -ENOTSOCK);
    echo_server_free(server);
}

static void test_free_of_a_loop_that_never_ran(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    struct net_address address = echo_server_listen(server, "127.0.0.1:0");
    int fd = echo_connect(&address, 0); /* never accepted */
    echo_server_free(server);
    echo_wait_for_end(fd);
    close(fd);
    net_loop_free(NULL);
}

static void test_stop_before_the_run(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    net_loop_stop(server->loop);
    echo_server_start(server);
    echo_server_free(server);
}

static void test_stop_of_an_idle_loop(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    echo_server_start(server);
    int fd = echo_connect(&server->address, 0);
    echo_assert_echoes(fd);
    close(fd);
    echo_wait_until(atomic_load(&server->closed) == 1);
    assert_false(atomic_load(&server->ended)); /* it does not end by itself */
    echo_server_stop_and_free(server);
}

static void test_stop_accepts_no_more(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->drains_to_finish = 1000;
    echo_server_start(server);
    struct net_address address = server->address;
    int fd = echo_connect(&address, 0);
    echo_assert_echoes(fd);
    net_loop_stop(server->loop);
    echo_wait_until(atomic_load(&server->drains) > 0);
    echo_assert_echoes(fd); /* while it is drained it is served */
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(late, (struct sockaddr *)&address.socket, address.size), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(late);
    close(fd);
    echo_server_free(server);
}

/* Connections that the kernel has made, more than are accepted at a time, are served and drained
 * like the others. */
static void test_stop_accepts_what_is_pending(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    struct net_address address = echo_server_listen(server, "127.0.0.1:0");
    int fds[200];
    server->drains_to_finish = 1000;
    for (size_t i = 0; i < 200; i++)
        fds[i] = echo_connect(&address, 0);
    net_loop_stop(server->loop);
    echo_server_start(server);
    for (size_t i = 0; i < 200; i++)
        echo_assert_echoes(fds[i]);
    assert_int_equal(atomic_load(&server->opened), 200);
    for (size_t i = 0; i < 200; i++)
        close(fds[i]);
    echo_server_free(server);
}

static bool answer_at_length(struct echo_session *session, struct slice bytes)
{
    uint8_t *long_answer = mem_alloc(8 * 1024 * 1024);
    (void)bytes;
    echo_fill(long_answer, 8 * 1024 * 1024, 0);
    echo_server_append(session, slice_make(long_answer, 8 * 1024 * 1024));
    free(long_answer);
    return true;
}

static void test_drain_sends_what_is_under_way(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->on_feed = answer_at_length;
    echo_server_start(server);
    int fd = echo_connect(&server->address, 65536);
    echo_send(fd, "x");
    echo_poll(fd, POLLIN);
    net_loop_stop(server->loop);
    echo_wait_until(atomic_load(&server->drains) > 0);
    assert_false(atomic_load(&server->ended));
    size_t read_back = 0, len;
    while ((len = echo_read_some(fd, read_back)) > 0)
        read_back += len;
    assert_int_equal(read_back, 8 * 1024 * 1024);
    echo_server_free(server);
    close(fd);
}

static struct echo_session *stop_session;

/* Output of a session that the loop does not ask for any. */
static void say_that_it_stops(void *user)
{
    const struct echo_server *server = user;
    assert_int_equal(atomic_load(&server->drains), 0);
    echo_server_append(stop_session, SLICE_LITERAL("stops"));
    net_connection_flush(stop_session->connection);
}

static bool note_session(struct echo_session *session, struct slice bytes)
{
    stop_session = session;
    echo_server_append(session, bytes);
    return true;
}

/* The peer has it although a drain ends the session at once. */
static void test_what_on_stop_says_is_sent_before_the_drain(void **state)
{
    (void)state;
    char got[8] = "";
    struct echo_server *server = echo_server_new(LONG_MS);
    server->protocol.on_stop = say_that_it_stops;
    server->on_feed = note_session;
    echo_server_start(server);
    int fd = echo_connect(&server->address, 0);
    echo_assert_echoes(fd);
    net_loop_stop(server->loop);
    assert_int_equal(recv(fd, got, 5, MSG_WAITALL), 5);
    assert_string_equal(got, "stops");
    echo_wait_for_end(fd);
    close(fd);
    echo_server_free(server);
}

static void test_drain_is_repeated(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->drains_to_finish = 2;
    echo_server_start(server);
    int fd = echo_connect(&server->address, 0);
    echo_assert_echoes(fd);
    int64_t begun_ms = clock_monotonic_ms();
    net_loop_stop(server->loop);
    echo_wait_for_end(fd);
    assert_true(clock_monotonic_ms() - begun_ms >= NET_DRAIN_GRACE_MS / 2);
    assert_int_equal(atomic_load(&server->drains), 2);
    close(fd);
    echo_server_free(server);
}

static void test_drain_timeout_closes_the_rest(void **state)
{
    (void)state;
    enum { CONNECTIONS = 5 };
    struct echo_server *server = echo_server_new(SHORT_MS);
    int fds[CONNECTIONS];
    server->drains_to_finish = 1000;
    echo_server_start(server);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        fds[i] = echo_connect(&server->address, 0);
        echo_assert_echoes(fds[i]);
    }
    net_loop_stop(server->loop);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        echo_wait_for_end(fds[i]);
        close(fds[i]);
    }
    echo_server_free(server);
}

/* The timeout also applies to connections with output that do not read. */
static void test_drain_timeout_closes_peers_that_do_not_read(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(SHORT_MS);
    server->on_feed = answer_at_length;
    echo_server_start(server);
    int fd = echo_connect(&server->address, 65536);
    echo_send(fd, "x");
    echo_poll(fd, POLLIN);
    net_loop_stop(server->loop);
    echo_server_free(server); /* waits for the end */
    close(fd);
}

static bool owe(struct echo_session *session, struct slice bytes)
{
    (void)bytes;
    session->owed = 1;
    session->server->registered = session;
    return true;
}

static void answer(void *user)
{
    struct echo_server *server = user;
    struct echo_session *session = server->registered;
    session->owed = 0;
    echo_server_append(session, SLICE_LITERAL("!"));
    net_connection_flush(session->connection);
}

/* A half-closed connection: nothing is read or written meanwhile. */
static void test_drain_waits_for_what_is_owed(void **state)
{
    (void)state;
    char byte = 0;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->on_feed = owe;
    server->protocol.has_unanswered = echo_server_owes;
    server->protocol.on_wake = answer;
    server->drains_to_finish = 1000;
    echo_server_start(server);
    int fd = echo_connect(&server->address, 0);
    echo_send(fd, "x");
    echo_wait_until(atomic_load(&server->fed) == 1);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    net_loop_stop(server->loop);
    echo_wait_until(atomic_load(&server->drains) == 2); /* NET_DRAIN_GRACE_MS later */
    net_loop_wake(server->loop);
    echo_poll(fd, POLLIN);
    assert_int_equal(recv(fd, &byte, 1, 0), 1);
    assert_int_equal(byte, '!');
    echo_wait_for_end(fd);
    close(fd);
    echo_server_free(server);
}

/* ---- when it has nothing to do ---- */

#define CHAIN 5

static int chain_fds[CHAIN];

/* While the server is busy with one client, the next one sends something. */
static bool have_next_send(struct echo_session *session, struct slice bytes)
{
    size_t next = (size_t)bytes.data[0];
    activity_mark_busy(&session->server->worker);
    if (next < CHAIN) {
        uint8_t byte = (uint8_t)(next + 1);
        if (send(chain_fds[next], &byte, 1, MSG_NOSIGNAL) != 1)
            atomic_fetch_add(&session->server->errors, 1);
    }
    return true;
}

static void test_idle_means_nothing_to_read(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->on_feed = have_next_send;
    echo_server_start(server);
    for (size_t i = 0; i < CHAIN; i++)
        chain_fds[i] = echo_connect(&server->address, 0);
    echo_wait_until(atomic_load(&server->opened) == CHAIN);
    for (size_t round = 1; round <= 20; round++) {
        assert_int_equal(send(chain_fds[0], "\1", 1, MSG_NOSIGNAL), 1);
        echo_wait_until(atomic_load(&server->idles) == round);
        assert_int_equal(atomic_load(&server->idle_feeds), round * CHAIN);
    }
    for (size_t i = 0; i < CHAIN; i++)
        close(chain_fds[i]);
    echo_wait_until(atomic_load(&server->closed) == CHAIN);
    assert_int_equal(atomic_load(&server->idles), 20); /* not busy, so not notified */
    echo_server_stop_and_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serves_all_its_sockets),
        cmocka_unit_test(test_many_connections_at_once),
        cmocka_unit_test(test_descriptor_that_is_no_socket),
        cmocka_unit_test(test_free_of_a_loop_that_never_ran),
        cmocka_unit_test(test_stop_before_the_run),
        cmocka_unit_test(test_stop_of_an_idle_loop),
        cmocka_unit_test(test_stop_accepts_no_more),
        cmocka_unit_test(test_stop_accepts_what_is_pending),
        cmocka_unit_test(test_drain_sends_what_is_under_way),
        cmocka_unit_test(test_what_on_stop_says_is_sent_before_the_drain),
        cmocka_unit_test(test_drain_is_repeated),
        cmocka_unit_test(test_drain_timeout_closes_the_rest),
        cmocka_unit_test(test_drain_timeout_closes_peers_that_do_not_read),
        cmocka_unit_test(test_drain_waits_for_what_is_owed),
        cmocka_unit_test(test_idle_means_nothing_to_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
