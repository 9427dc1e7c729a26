/*
 * Tests of net/progress.c through a loop and real sockets: timeouts, and the limits on what peers
 * make a connection hold.
 */
#include "net/progress.h"

#include "base/account.h"
#include "net/connection_state.h"
#include "net/echo_server.h"

#define MEBIBYTE ((size_t)1024 * 1024)
#define LONG_MS  600000 /* a drain timeout that no test reaches */

/* Time. */

static bool expire(struct echo_session *session, struct slice bytes)
{
    echo_server_append(session, bytes);
    session->expired = bytes.data[0] == 'E';
    return true;
}

static void test_expired_session_is_closed(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->on_feed = expire;
    echo_server_start(server);
    int other = echo_connect(&server->address, 0), fd = echo_connect(&server->address, 0);
    echo_send(fd, "E");
    char said[64] = {0};
    size_t len = 0;
    for (ssize_t more = 1; more > 0; len += (size_t)more) {
        echo_poll(fd, POLLIN);
        more = recv(fd, said + len, sizeof said - 1 - len, 0);
        assert_true(more >= 0);
    }
    assert_string_equal(said, "Ea test wanted it"); /* with the reason */
    assert_int_equal(
        net_closings_count(net_admission_closings(server->admission), CLOSING_HEADER_TIMEOUT), 1);
    close(fd);
    echo_wait_until(atomic_load(&server->closed) == 1);
    echo_assert_echoes(other);
    close(other);
    echo_server_stop_and_free(server);
}

static struct echo_server *server_with_write_timeout(int64_t timeout_ms)
{
    struct net_limits limits = net_default_limits;
    limits.write_timeout_ms = timeout_ms;
    struct echo_server *server = echo_server_new_with(&limits, (struct echo_admission){.all = 10});
    server->on_feed = echo_say_much_and_end;
    server->pull = 8 * MEBIBYTE; /* one write */
    echo_server_start(server);
    return server;
}

static void test_slow_reader_is_closed(void **state)
{
    (void)state;
    struct echo_server *server = server_with_write_timeout(100);
    int fd = echo_connect(&server->address, 65536);
    echo_send(fd, "x");
    echo_wait_until(atomic_load(&server->closed) == 1); /* although it neither reads nor
                                                           disconnects */
    assert_int_equal(
        net_closings_count(net_admission_closings(server->admission), CLOSING_WRITE_TIMEOUT), 1);
    close(fd);
    echo_server_stop_and_free(server);
}

/* A peer that violated the protocol and does not read has a shorter timeout. */
static void test_unread_last_output_has_a_shorter_timeout(void **state)
{
    (void)state;
    struct echo_server *server = server_with_write_timeout(ECHO_PATIENCE_MS);
    int fd = echo_connect(&server->address, 65536);
    echo_send(fd, "x");
    echo_wait_until(atomic_load(&server->closed) == 1);
    close(fd);
    echo_server_stop_and_free(server);
}

/* Its further input is discarded only up to a limit. */
static void test_input_after_the_end_is_limited(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->on_feed = echo_say_goodbye;
    echo_server_start(server);
    int fd = echo_connect(&server->address, 0);
    static const uint8_t zeros[65536];
    size_t sent = 0;
    ssize_t len;
    while ((len = send(fd, zeros, sizeof zeros, MSG_NOSIGNAL)) > 0) {
        sent += (size_t)len;
        assert_true(sent < 256 * MEBIBYTE);
    }
    assert_true(errno == EPIPE || errno == ECONNRESET);
    close(fd);
    echo_server_stop_and_free(server);
}

/* A peer that makes progress is not closed, however long the whole takes. */
static void test_slow_progress_is_enough(void **state)
{
    (void)state;
    enum { TIMEOUT_MS = 1200, WHOLE_MS = 4 * TIMEOUT_MS };
    struct echo_server *server = server_with_write_timeout(TIMEOUT_MS);
    int fd = echo_connect(&server->address, 65536);
    echo_send(fd, "x");
    int64_t begun_ms = clock_monotonic_ms();
    size_t read_back = 0, len = 1;
    while (len > 0) {
        /* As much as may have arrived by now, if spread over the whole time. */
        size_t due = (size_t)(clock_monotonic_ms() - begun_ms) * (8 * MEBIBYTE / WHOLE_MS);
        if (read_back > due) {
            poll(NULL, 0, 5);
            continue;
        }
        len = echo_read_some(fd, read_back);
        read_back += len;
    }
    assert_int_equal(read_back, 8 * MEBIBYTE);
    close(fd);
    echo_server_stop_and_free(server);
}

/* The total of peers that do not read. */

static void test_queues_are_bounded_together(void **state)
{
    (void)state;
    enum { CLIENTS = 3 };
    struct net_limits limits = net_default_limits;
    limits.max_queued = 32 * MEBIBYTE;
    limits.max_queued_total = MEBIBYTE;
    struct echo_server *server = echo_server_new_with(&limits, (struct echo_admission){.all = 10});
    echo_server_start(server);
    int fds[CLIENTS];
    size_t written[CLIENTS] = {0}, read_back[CLIENTS] = {0};
    for (size_t i = 0; i < CLIENTS; i++) {
        fds[i] = echo_connect(&server->address, 65536);
        short events;
        do { /* until nothing is taken for a while */
            struct pollfd polled = {.fd = fds[i], .events = POLLOUT};
            events = poll(&polled, 1, 300) == 1 ? polled.revents : 0;
            if (events != 0)
                written[i] += echo_write_some(fds[i], written[i], 64 * MEBIBYTE);
        } while (events != 0 && written[i] < 64 * MEBIBYTE);
        assert_true(written[i] < 64 * MEBIBYTE);
    }
    assert_true(atomic_load(&server->peak_queued) <= MEBIBYTE + READ_CHUNK);
    int other = echo_connect(&server->address, 0);
    echo_assert_echoes(other); /* a peer that reads is not affected */
    close(other);
    for (size_t i = 0; i < CLIENTS; i++) /* and one that reads again is read again */
        echo_exchange(fds[i], &written[i], &read_back[i], written[i] + MEBIBYTE);
    for (size_t i = 0; i < CLIENTS; i++)
        close(fds[i]);
    echo_server_stop_and_free(server);
}

/* Admission. */

/* True if the server serves the connection; false if it has closed it. */
static bool is_served(int fd)
{
    if (send(fd, "x", 1, MSG_NOSIGNAL) != 1)
        return false;
    echo_poll(fd, POLLIN);
    char byte;
    ssize_t len = recv(fd, &byte, 1, 0);
    assert_true(len >= 0 || errno == ECONNRESET || errno == EPIPE);
    return len == 1;
}

static void test_connections_over_the_limit_are_refused(void **state)
{
    (void)state;
    struct echo_server *server =
        echo_server_new_with(&net_default_limits, (struct echo_admission){.all = 2});
    echo_server_start(server);
    int one = echo_connect(&server->address, 0), two = echo_connect(&server->address, 0);
    assert_true(is_served(one));
    assert_true(is_served(two));
    for (size_t i = 0; i < 3; i++) {
        int refused = echo_connect(&server->address, 0);
        assert_false(is_served(refused));
        close(refused);
    }
    assert_int_equal(atomic_load(&server->opened), 2); /* the protocol never saw them */
    assert_true(is_served(one));
    close(two);
    echo_wait_until(atomic_load(&server->closed) == 1);
    two = echo_connect(&server->address, 0); /* the limit is not reached any more */
    assert_true(is_served(two));
    close(one);
    close(two);
    echo_server_stop_and_free(server);
}

static int connect_from(const char *host, const struct net_address *address)
{
    struct net_address from;
    const char *why;
    char text[64];
    snprintf(text, sizeof text, "%s:0", host);
    assert_true(net_address_parse(text, &from, &why));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&from.socket, from.size), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address->socket, address->size), 0);
    return fd;
}

static void test_connections_are_counted_per_address(void **state)
{
    (void)state;
    char folder[] = "/tmp/keystore-connection-XXXXXX", text[64];
    assert_non_null(mkdtemp(folder));
    snprintf(text, sizeof text, "unix:%s/socket", folder);
    struct echo_server *server = echo_server_new_with(
        &net_default_limits, (struct echo_admission){.all = 100, .per_address = 1});
    struct net_address local = echo_server_listen(server, text);
    echo_server_start(server);
    int one = connect_from("127.0.0.1", &server->address);
    assert_true(is_served(one));
    int again = connect_from("127.0.0.1", &server->address);
    assert_false(is_served(again));
    int two = connect_from("127.0.0.2", &server->address);
    assert_true(is_served(two));
    int unix_ones[3];
    for (size_t i = 0; i < 3; i++) { /* they have no address */
        unix_ones[i] = echo_connect(&local, 0);
        assert_true(is_served(unix_ones[i]));
    }
    for (size_t i = 0; i < 3; i++)
        close(unix_ones[i]);
    close(one);
    close(again);
    close(two);
    echo_server_stop_and_free(server);
    listener_unlink(&local);
    assert_int_equal(rmdir(folder), 0);
}

static bool say_much(struct echo_session *session, struct slice bytes)
{
    if (!slice_equal(bytes, SLICE_LITERAL("x"))) {
        echo_server_append(session, bytes);
        return true;
    }
    echo_say_much_and_end(session, bytes);
    return true;
}

/* Load shedding while clients hold too much; other peers are not affected. With a high limit it
 * happens after half a second. */
static void test_load_is_shed(void **state)
{
    (void)state;
    static const size_t limits[] = {2 * MEBIBYTE, 12 * MEBIBYTE};
    for (size_t i = 0; i < 2; i++) {
        struct echo_server *server = echo_server_new(LONG_MS);
        server->on_feed = say_much;
        server->pull = 8 * MEBIBYTE;
        account_set_limit(limits[i]);
        echo_server_start(server);
        int other = echo_connect(&server->address, 0);
        echo_assert_echoes(other);
        int fd = echo_connect(&server->address, 65536);
        echo_send(fd, "x");
        echo_wait_until(atomic_load(&server->closed) == 1);
        echo_wait_until(account_used() < MEBIBYTE);
        echo_assert_echoes(other);
        close(fd);
        close(other);
        echo_server_stop_and_free(server);
        account_set_limit(SIZE_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expired_session_is_closed),
        cmocka_unit_test(test_slow_reader_is_closed),
        cmocka_unit_test(test_unread_last_output_has_a_shorter_timeout),
        cmocka_unit_test(test_input_after_the_end_is_limited),
        cmocka_unit_test(test_slow_progress_is_enough),
        cmocka_unit_test(test_queues_are_bounded_together),
        cmocka_unit_test(test_connections_over_the_limit_are_refused),
        cmocka_unit_test(test_connections_are_counted_per_address),
        cmocka_unit_test(test_load_is_shed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
