/*
 * Tests of net/connection.c through a loop and real sockets: bytes in both directions, peers that
 * do not read, and closing by either side.
 */
#include "net/connection.h"

#include "base/account.h"
#include "net/connection_state.h"
#include "net/echo_server.h"

#define MEBIBYTE ((size_t)1024 * 1024)
#define LONG_MS  600000 /* a drain timeout that no test reaches */

/* Queued bytes above which a peer that does not read is not read (backpressure). */
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

/* A protocol that has every other read scattered into pieces, and echoes them joined. */
static struct {
    uint8_t bytes[3][50000];
    size_t lens[3];
    atomic_size_t asked, fed;
} places = {.lens = {9, 50000, 1}};

static size_t want_places(void *session, struct iovec *pieces)
{
    (void)session;
    if (atomic_fetch_add(&places.asked, 1) % 2 == 1)
        return 0;
    for (size_t i = 0; i < 3; i++)
        pieces[i] = (struct iovec){.iov_base = places.bytes[i], .iov_len = places.lens[i]};
    return 3;
}

static bool feed_placed(void *user, void *session, size_t size, struct chain *out, int64_t now_ms)
{
    uint8_t *all = mem_alloc(size);
    size_t at = 0;
    for (size_t i = 0; i < 3 && at < size; i++) {
        size_t len = places.lens[i] < size - at ? places.lens[i] : size - at;
        memcpy(all + at, places.bytes[i], len);
        at += len;
    }
    bool alive = echo_server_feed(user, session, slice_make(all, at), out, now_ms);
    atomic_fetch_add(&places.fed, at);
    free(all);
    return alive;
}

static void test_reads_to_where_the_protocol_wants_them(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->protocol.place = want_places;
    server->protocol.feed_placed = feed_placed;
    echo_server_start(server);
    int fd = echo_connect(&server->address, 0), other = echo_connect(&server->address, 0);
    size_t written = 0, read_back = 0;
    echo_assert_echoes(other); /* too little for place() to be called */
    echo_assert_echoes(other);
    assert_int_equal(atomic_load(&places.asked), 0);
    echo_exchange(fd, &written, &read_back, 20 * MEBIBYTE);
    echo_assert_echoes(other);
    assert_in_range(atomic_load(&places.fed), 1, 20 * MEBIBYTE);
    close(fd); /* the end of the stream is seen in either case */
    close(other);
    echo_wait_until(atomic_load(&server->closed) == 2);
    echo_server_stop_and_free(server);
}

/* Writes until the loop stops reading; returns the bytes written, at most `end`. */
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

static void test_backpressure(void **state)
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
    echo_assert_echoes(other); /* other connections are not affected */
    close(other);
    echo_exchange(fd, &written, &read_back, end); /* and when it reads, it is read again */
    assert_int_equal(atomic_load(&server->fed), end + 10);
    close(fd);
    echo_server_stop_and_free(server);
}

static void test_peer_may_close_without_reading(void **state)
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

/* Closing. */

static void test_end_comes_after_what_is_left(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->on_feed = echo_say_much_and_end;
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
    server->on_feed = echo_say_much_and_end;
    echo_server_start(server);
    int fd = echo_connect(&server->address, 4096);
    echo_send(fd, "x");
    echo_poll(fd, POLLIN); /* so it was fed, and is being written to */
    echo_send(fd, "not fed");
    char bytes[1000]; /* in small portions, so that the server has to wait all the time */
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

/* Echoes its input, and is then finished. */
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

/* Output without input: what one session is fed is sent by another. */
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

/* Two sessions in one feed: the output flushed to one is not mixed with that of the other, which is
 * being fed. */
static bool pass_on_and_echo(struct echo_session *session, struct slice bytes)
{
    struct echo_server *server = session->server;
    if (server->registered == NULL) {
        server->registered = session;
        echo_server_append(session, bytes);
        return true;
    }
    echo_server_append(session, bytes);
    if (session->out != NULL)
        echo_server_pull(session, session->out, session->now_ms);
    echo_server_append(server->registered, bytes);
    net_connection_flush(server->registered->connection);
    return true;
}

static void test_flush_while_another_is_fed(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->on_feed = pass_on_and_echo;
    server->pull = 64 * MEBIBYTE;
    echo_server_start(server);
    int receiver = echo_connect(&server->address, 65536);
    echo_send(receiver, "x");
    char first;
    assert_int_equal(recv(receiver, &first, 1, 0), 1);
    int sender = echo_connect(&server->address, 65536);
    size_t written = 0, echoed = 0, passed_on = 0;
    while (echoed < 3 * MEBIBYTE || passed_on < 3 * MEBIBYTE) {
        struct pollfd polled[] = {
            {.fd = sender, .events = (short)(written < 3 * MEBIBYTE ? POLLIN | POLLOUT : POLLIN)},
            {.fd = receiver, .events = POLLIN}};
        assert_true(poll(polled, 2, ECHO_PATIENCE_MS) > 0);
        if ((polled[0].revents & POLLOUT) != 0)
            written += echo_write_some(sender, written, 3 * MEBIBYTE);
        if ((polled[0].revents & POLLIN) != 0)
            echoed += echo_read_some(sender, echoed);
        if ((polled[1].revents & POLLIN) != 0)
            passed_on += echo_read_some(receiver, passed_on);
    }
    assert_int_equal(echoed, 3 * MEBIBYTE);
    assert_int_equal(passed_on, 3 * MEBIBYTE);
    close(sender);
    close(receiver);
    echo_server_stop_and_free(server);
}

/* Blobs. */

/* Answers with many pieces: a few copied bytes and a blob, alternately. */
static bool say_in_pieces(struct echo_session *session, struct slice bytes)
{
    static const size_t sizes[] = {1, 16384, 70001};
    size_t at = 0;
    (void)bytes;
    for (size_t i = 0; at < 10 * MEBIBYTE; i++) {
        uint8_t head[10];
        struct blob *blob = blob_new(sizes[i % 3]);
        echo_fill(head, sizeof head, at);
        echo_server_append(session, slice_make(head, sizeof head));
        at += sizeof head;
        echo_fill(blob->data, blob->len, at);
        echo_server_append_blob(session, blob);
        at += blob->len;
        blob_release(blob);
    }
    session->done = true;
    return true;
}

static void test_blobs_leave_in_pieces_over_a_slow_socket(void **state)
{
    (void)state;
    struct net_limits limits = net_default_limits;
    limits.max_queued = 64 * MEBIBYTE;
    struct echo_server *server = echo_server_new_with(&limits, (struct echo_admission){.all = 10});
    server->on_feed = say_in_pieces;
    server->pull = 3 * MEBIBYTE; /* many times the pieces of one write */
    echo_server_start(server);
    int fd = echo_connect(&server->address, 4096);
    echo_send(fd, "x");
    size_t read_back = 0, len;
    while ((len = echo_read_some(fd, read_back)) > 0)
        read_back += len;
    assert_true(read_back >= 10 * MEBIBYTE);
    close(fd);
    echo_server_stop_and_free(server); /* the address sanitizer detects leaks */
}

/* Half-closed connections. */

static void assert_goodbye(int fd)
{
    char bytes[100];
    size_t len = 0;
    ssize_t more;
    while ((more = recv(fd, bytes + len, sizeof bytes - len, 0)) > 0)
        len += (size_t)more;
    if (more < 0)
        fail_msg("after %zu bytes: %s", len, strerror(errno));
    assert_int_equal(len, 7);
    assert_memory_equal(bytes, "goodbye", 7);
}

/* The peer receives the last output, although some of its input is not read. */
static void test_last_output_is_not_lost(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->on_feed = echo_say_goodbye;
    echo_server_start(server);
    for (size_t round = 1; round <= 20; round++) {
        int fd = echo_connect(&server->address, 0);
        size_t written = 0;
        while (written < 2 * MEBIBYTE) {
            echo_poll(fd, POLLOUT);
            written += echo_write_some(fd, written, 2 * MEBIBYTE);
        }
        assert_goodbye(fd);
        close(fd);
        echo_wait_until(atomic_load(&server->closed) == round);
    }
    assert_int_equal(atomic_load(&server->feeds), 20);
    echo_server_stop_and_free(server);
}

/* A peer that does not shut down its side is not waited for long. */
static void test_lingering_has_a_timeout(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->on_feed = echo_say_goodbye;
    echo_server_start(server);
    int fd = echo_connect(&server->address, 0);
    echo_send(fd, "x");
    assert_goodbye(fd);
    echo_wait_until(atomic_load(&server->closed) == 1);
    close(fd);
    echo_server_stop_and_free(server);
}

/* First a long answer, and while that is written, the end. */
static bool say_much_then_goodbye(struct echo_session *session, struct slice bytes)
{
    if (session->feeds > 1)
        return false;
    echo_say_much_and_end(session, bytes);
    return true;
}

static void test_end_while_writing_comes_after_what_is_left(void **state)
{
    (void)state;
    struct net_limits limits = net_default_limits;
    limits.max_queued = 64 * MEBIBYTE; /* so that it is read all the same */
    struct echo_server *server = echo_server_new_with(&limits, (struct echo_admission){.all = 10});
    server->on_feed = say_much_then_goodbye;
    echo_server_start(server);
    int fd = echo_connect(&server->address, 65536);
    echo_send(fd, "x");
    echo_poll(fd, POLLIN);
    echo_send(fd, "y");
    echo_wait_until(atomic_load(&server->feeds) == 2);
    size_t read_back = 0, len;
    while ((len = echo_read_some(fd, read_back)) > 0)
        read_back += len;
    assert_int_equal(read_back, 8 * MEBIBYTE);
    close(fd);
    echo_server_stop_and_free(server);
}

/* A peer that has shut down its side gets its answers, as shells and simple clients expect. */
static void test_half_closed_peer_gets_its_answers(void **state)
{
    (void)state;
    static const size_t sizes[] = {10, 100000, 16 * MEBIBYTE};
    struct net_limits limits = net_default_limits;
    limits.max_queued = 64 * MEBIBYTE; /* all of it is read */
    struct echo_server *server = echo_server_new_with(&limits, (struct echo_admission){.all = 10});
    echo_server_start(server);
    for (size_t i = 0; i < 3; i++) {
        int fd = echo_connect(&server->address, 65536);
        size_t written = 0, read_back = 0, len;
        while (written < sizes[i]) {
            echo_poll(fd, POLLOUT);
            written += echo_write_some(fd, written, sizes[i]);
        }
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        while ((len = echo_read_some(fd, read_back)) > 0)
            read_back += len;
        assert_int_equal(read_back, sizes[i]);
        echo_wait_until(atomic_load(&server->closed) == i + 1);
        close(fd);
    }
    echo_server_stop_and_free(server);
}

static void test_half_closed_peer_without_answers_is_closed(void **state)
{
    (void)state;
    struct echo_server *server = echo_server_new(LONG_MS);
    echo_server_start(server);
    int fd = echo_connect(&server->address, 0);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_int_equal(echo_read_some(fd, 0), 0);
    echo_wait_until(atomic_load(&server->closed) == 1);
    close(fd);
    echo_server_stop_and_free(server);
}

/* An answer given after the peer has shut down its side. */
static bool owe(struct echo_session *session, struct slice bytes)
{
    if (bytes.data[0] == 'n')
        return true;
    session->owed = 1 + (bytes.data[0] == 't'); /* "one" or "two" */
    session->server->registered = session;
    return true;
}

static void answer_one(void *user)
{
    struct echo_server *server = user;
    struct echo_session *session = server->registered;
    session->owed--;
    echo_server_append(session, SLICE_LITERAL("!"));
    net_connection_flush(session->connection);
}

static void test_half_closed_peer_gets_late_answers(void **state)
{
    (void)state;
    uint8_t byte;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->on_feed = owe;
    server->protocol.has_unanswered = echo_server_owes;
    server->protocol.on_wake = answer_one;
    echo_server_start(server);
    for (size_t answers = 0; answers < 3; answers++) {
        int fd = echo_connect(&server->address, 0);
        const char *words = answers == 0 ? "none" : answers == 1 ? "one" : "two";
        assert_int_equal(send(fd, words, 3, 0), 3);
        echo_wait_until(atomic_load(&server->fed) == 3 * (answers + 1));
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        for (size_t i = 0; i < answers; i++) {
            assert_int_equal(atomic_load(&server->closed), answers);
            net_loop_wake(server->loop);
            echo_poll(fd, POLLIN);
            assert_int_equal(recv(fd, &byte, 1, 0), 1);
            assert_int_equal(byte, '!');
        }
        echo_poll(fd, POLLIN);
        assert_int_equal(recv(fd, &byte, 1, 0), 0);
        echo_wait_until(atomic_load(&server->closed) == answers + 1);
        close(fd);
    }
    echo_server_stop_and_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo_of_megabytes),
        cmocka_unit_test(test_several_clients_do_not_mix),
        cmocka_unit_test(test_reads_to_where_the_protocol_wants_them),
        cmocka_unit_test(test_backpressure),
        cmocka_unit_test(test_peer_may_close_without_reading),
        cmocka_unit_test(test_end_comes_after_what_is_left),
        cmocka_unit_test(test_nothing_is_fed_after_the_end),
        cmocka_unit_test(test_end_with_nothing_left),
        cmocka_unit_test(test_finished_session_is_closed),
        cmocka_unit_test(test_peer_that_closes_or_resets),
        cmocka_unit_test(test_flush_sends_without_having_been_fed),
        cmocka_unit_test(test_flush_while_another_is_fed),
        cmocka_unit_test(test_blobs_leave_in_pieces_over_a_slow_socket),
        cmocka_unit_test(test_last_output_is_not_lost),
        cmocka_unit_test(test_lingering_has_a_timeout),
        cmocka_unit_test(test_end_while_writing_comes_after_what_is_left),
        cmocka_unit_test(test_half_closed_peer_gets_its_answers),
        cmocka_unit_test(test_half_closed_peer_without_answers_is_closed),
        cmocka_unit_test(test_half_closed_peer_gets_late_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
