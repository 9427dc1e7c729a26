/*
 * Tests of net/connection.c through a loop and real sockets: bytes in both directions, peers that
 * do not read, and who closes when.
 */
#include "net/connection.h"

#include "net/echo_server.h"

#define MEBIBYTE ((size_t)1024 * 1024)
#define LONG_MS  600000 /* a drain timeout that no test reaches */

/* Bytes queued above which nothing more is read from who does not read: see connection.c. */
#define QUEUE_LIMIT (4 * MEBIBYTE)

static void test_echo_of_megabytes(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    echo_server_start(server);
    int fd = echo_connect(&server->address, 0);
    size_t written = 0, read_back = 0;
    echo_exchange(fd, &written, &read_back, 20 * MEBIBYTE);
    assert_int_equal(atomic_load(&server->fed), 20 * MEBIBYTE);
    close(fd);
    echo_wait_until(atomic_load(&server->closed) == 1);
    echo_server_stop_and_free(server);
}

static void test_several_clients_do_not_mix(void **state)
{
    (void)state;
    enum { CLIENTS = 4 };
    struct echo_server *server = echo_server_new(LONG_MS);
    int fds[CLIENTS];
    size_t written[CLIENTS] = {0}, read_back[CLIENTS] = {0};
    echo_server_start(server);
    for (size_t i = 0; i < CLIENTS; i++)
        fds[i] = echo_connect(&server->address, 65536); /* so that writes are partial */
    for (size_t end = 300000; end <= 3000000; end += 300000) {
        for (size_t i = 0; i < CLIENTS; i++) {
            while (written[i] < end - 100000 && (echo_poll(fds[i], POLLIN | POLLOUT) & POLLIN) == 0)
                written[i] += echo_write_some(fds[i], written[i], end - 100000);
        }
        for (size_t i = 0; i < CLIENTS; i++)
            echo_exchange(fds[i], &written[i], &read_back[i], end);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        close(fds[i]);
    echo_server_stop_and_free(server);
}

/* Writes until the loop reads no more. Bytes written, of `end`. */
static size_t write_until_stalled(struct echo_server *server, int fd, size_t end)
{
    size_t written = 0;
    int64_t until_ms = clock_monotonic_ms() + ECHO_PATIENCE_MS;
    while (written < end) {
        struct pollfd polled = {.fd = fd, .events = POLLOUT};
        if (poll(&polled, 1, 100) == 1)
            written += echo_write_some(fd, written, end);
        else if (atomic_load(&server->peak_queued) > QUEUE_LIMIT)
            return written;
        assert_true(clock_monotonic_ms() < until_ms);
    }
    return written;
}

static void test_who_does_not_read_is_not_read(void **state)
{
    (void)state;
    const size_t end = 64 * MEBIBYTE; /* more than the kernel's buffers and the queue hold */
    struct echo_server *server = echo_server_new(LONG_MS);
    echo_server_start(server);
    int fd = echo_connect(&server->address, 65536);
    size_t written = write_until_stalled(server, fd, end), read_back = 0;
    assert_true(written < end);
    assert_true(atomic_load(&server->peak_queued) <= QUEUE_LIMIT + READ_CHUNK);
    int other = echo_connect(&server->address, 0);
    echo_assert_echoes(other); /* nobody else suffers */
    close(other);
    echo_exchange(fd, &written, &read_back, end); /* and when it reads, it is read again */
    assert_int_equal(atomic_load(&server->fed), end + 10);
    close(fd);
    echo_server_stop_and_free(server);
}

static void test_who_does_not_read_may_leave(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    echo_server_start(server);
    int fd = echo_connect(&server->address, 65536);
    assert_true(write_until_stalled(server, fd, 64 * MEBIBYTE) < 64 * MEBIBYTE);
    close(fd);
    echo_wait_until(atomic_load(&server->closed) == 1);
    echo_server_stop_and_free(server);
}

/* Who closes. */

/* Answers with 8 MiB, and ends. */
static bool say_much_and_end(struct echo_session *session, struct slice bytes)
{
    uint8_t *much = mem_alloc(8 * MEBIBYTE);
    (void)bytes;
    echo_fill(much, 8 * MEBIBYTE, 0);
    echo_server_append(session, slice_make(much, 8 * MEBIBYTE));
    free(much);
    return false;
}

static void test_end_comes_after_what_is_left(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->on_feed = say_much_and_end;
    echo_server_start(server);
    int fd = echo_connect(&server->address, 65536);
    echo_send(fd, "x");
    size_t read_back = 0, len;
    while ((len = echo_read_some(fd, read_back)) > 0)
        read_back += len;
    assert_int_equal(read_back, 8 * MEBIBYTE);
    echo_wait_until(atomic_load(&server->closed) == 1);
    close(fd);
    echo_server_stop_and_free(server);
}

static void test_nothing_is_fed_after_the_end(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->on_feed = say_much_and_end;
    echo_server_start(server);
    int fd = echo_connect(&server->address, 4096);
    echo_send(fd, "x");
    echo_poll(fd, POLLIN); /* so it was fed, and is being written to */
    echo_send(fd, "not fed");
    char bytes[1000]; /* in small bites, so that the server has to wait all the time */
    while (recv(fd, bytes, sizeof bytes, 0) > 0)
        ;
    echo_wait_until(atomic_load(&server->closed) == 1);
    assert_int_equal(atomic_load(&server->fed), 1);
    close(fd);
    echo_server_stop_and_free(server);
}

static bool end_silently(struct echo_session *session, struct slice bytes)
{
    (void)session;
    (void)bytes;
    return false;
}

static void test_end_with_nothing_left(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->on_feed = end_silently;
    echo_server_start(server);
    int fd = echo_connect(&server->address, 0);
    echo_send(fd, "x");
    assert_int_equal(echo_read_some(fd, 0), 0);
    close(fd);
    echo_server_stop_and_free(server);
}

/* Echoes what it gets, and has then nothing more to do. */
static bool echo_and_be_done(struct echo_session *session, struct slice bytes)
{
    echo_server_append(session, bytes);
    session->done = true;
    return true;
}

static void test_finished_session_is_closed(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->on_feed = echo_and_be_done;
    echo_server_start(server);
    int fd = echo_connect(&server->address, 0);
    assert_int_equal(echo_write_some(fd, 0, 100), 100);
    size_t read_back = 0, len;
    while ((len = echo_read_some(fd, read_back)) > 0)
        read_back += len;
    assert_int_equal(read_back, 100);
    close(fd);
    echo_server_stop_and_free(server);
}

static void test_peer_that_closes_or_resets(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    echo_server_start(server);
    for (size_t i = 1; i <= 20; i++) {
        int fd = echo_connect(&server->address, 0);
        if (i % 4 >= 2)
            echo_assert_echoes(fd);
        const struct linger reset = {.l_onoff = 1, .l_linger = 0};
        if (i % 2 == 0)
            assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
        close(fd);
    }
    int fd = echo_connect(&server->address, 0);
    echo_assert_echoes(fd);
    close(fd);
    echo_wait_until(atomic_load(&server->closed) == atomic_load(&server->opened));
    /* One that was reset before it was accepted may never have been seen. */
    assert_true(atomic_load(&server->closed) >= 16);
    echo_server_stop_and_free(server);
}

/* Output that comes without input: what one session is fed leaves through another. */
static bool pass_on(struct echo_session *session, struct slice bytes)
{
    struct echo_server *server = session->server;
    if (server->registered == NULL) {
        server->registered = session;
        echo_server_append(session, bytes);
        return true;
    }
    echo_server_append(server->registered, bytes);
    net_connection_flush(server->registered->connection);
    return true;
}

static void test_flush_sends_without_having_been_fed(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->on_feed = pass_on;
    echo_server_start(server);
    int receiver = echo_connect(&server->address, 65536);
    echo_assert_echoes(receiver); /* is registered */
    int sender = echo_connect(&server->address, 65536);
    size_t written = 0, read_back = 0;
    while (read_back < 3 * MEBIBYTE) {
        while (written < 3 * MEBIBYTE && written - read_back < 200000) {
            echo_poll(sender, POLLOUT);
            written += echo_write_some(sender, written, 3 * MEBIBYTE);
        }
        echo_poll(receiver, POLLIN);
        size_t len = echo_read_some(receiver, read_back);
        assert_true(len > 0);
        read_back += len;
    }
    close(sender);
    close(receiver);
    echo_server_stop_and_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo_of_megabytes),
        cmocka_unit_test(test_several_clients_do_not_mix),
        cmocka_unit_test(test_who_does_not_read_is_not_read),
        cmocka_unit_test(test_who_does_not_read_may_leave),
        cmocka_unit_test(test_end_comes_after_what_is_left),
        cmocka_unit_test(test_nothing_is_fed_after_the_end),
        cmocka_unit_test(test_end_with_nothing_left),
        cmocka_unit_test(test_finished_session_is_closed),
        cmocka_unit_test(test_peer_that_closes_or_resets),
        cmocka_unit_test(test_flush_sends_without_having_been_fed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
