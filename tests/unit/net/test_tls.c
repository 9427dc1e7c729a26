/* Tests of net/tls.c: loading again; and of connections with TLS through a loop and sockets. */
#include "net/tls.h"

#include "net/connection_state.h"
#include "net/echo_server.h"
#include "net/tls_fixture.h"
#include "support/certs.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#define MEBIBYTE ((size_t)1024 * 1024)
#define LONG_MS  600000 /* a drain timeout that no test reaches */

/* ---- loading again ---- */

static void copy_file(const char *from, const char *to)
{
    char bytes[10000];
    FILE *in = fopen(from, "re"), *out = fopen(to, "we");
    assert_true(in != NULL && out != NULL);
    size_t len = fread(bytes, 1, sizeof bytes, in);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* Replaces the file as tools for certificates do. */
static void replace_file(const char *from, const char *to)
{
    char beside[PATH_MAX + 8];
    snprintf(beside, sizeof beside, "%s.new", to);
    copy_file(from, beside);
    assert_int_equal(rename(beside, to), 0);
}

static void test_changed_files_are_loaded_again(void **state)
{
    struct tls_fixture *fixture = *state;
    char why[NET_TLS_WHY_SIZE];
    struct certs_pair used = tls_fixture_make(fixture, "used", &fixture->ca, NULL);
    struct certs_pair next = certs_make(fixture->folder.path, "next", &fixture->ca,
                                        &(struct certs_options){.valid_s = 2 * TLS_FIXTURE_YEAR_S});
    struct net_tls *tls =
        net_tls_new(&(struct net_tls_files){.cert = used.cert, .key = used.key}, why);
    assert_non_null(tls);
    int64_t expires_s = net_tls_counts(tls).expires_s;
    assert_false(net_tls_has_changed(tls));
    assert_true(net_tls_reload(tls, why));
    replace_file(next.cert, used.cert); /* the key does not match yet */
    assert_true(net_tls_has_changed(tls));
    assert_false(net_tls_reload(tls, why));
    assert_non_null(strstr(why, "does not belong to the certificate"));
    assert_false(net_tls_has_changed(tls)); /* it is tried once */
    assert_int_equal(net_tls_counts(tls).expires_s, expires_s);
    replace_file(next.key, used.key);
    assert_true(net_tls_has_changed(tls));
    assert_true(net_tls_reload(tls, why));
    assert_int_equal(net_tls_counts(tls).expires_s, expires_s + TLS_FIXTURE_YEAR_S);
    assert_int_equal(unlink(used.key), 0);
    assert_true(net_tls_has_changed(tls));
    assert_false(net_tls_reload(tls, why));
    assert_false(net_tls_has_changed(tls));
    net_tls_free(tls);
}

/* ---- connections ---- */

struct client {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
    size_t written, read_back;
};

/* Connects, and shakes hands. */
static struct client client_connect(const struct tls_fixture *fixture,
                                    const struct net_address *address, int buffer)
{
    struct client client = {.context = tls_fixture_client(fixture, NULL, TLS_FIXTURE_H2),
                            .fd = echo_connect(address, buffer)};
    client.ssl = SSL_new(client.context);
    assert_int_equal(SSL_set_fd(client.ssl, client.fd), 1);
    if (SSL_connect(client.ssl) != 1)
        fail_msg("%s", ERR_reason_error_string(ERR_peek_last_error()));
    SSL_set_mode(client.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    assert_int_equal(fcntl(client.fd, F_SETFL, O_NONBLOCK), 0);
    return client;
}

static void client_close(struct client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    close(client->fd);
    ERR_clear_error();
}

static void client_write_some(struct client *client, size_t end)
{
    uint8_t bytes[65536];
    size_t len = end - client->written < sizeof bytes ? end - client->written : sizeof bytes, done;
    if (len == 0)
        return;
    echo_fill(bytes, len, client->written);
    if (SSL_write_ex(client->ssl, bytes, len, &done) == 1)
        client->written += done;
    else
        assert_int_not_equal(SSL_get_error(client->ssl, 0), SSL_ERROR_SSL);
    ERR_clear_error();
}

/* Returns the number of bytes of the stream that were read, and *end at its end. */
static size_t client_read_some(struct client *client, bool *end)
{
    uint8_t bytes[65536];
    size_t len;
    *end = false;
    if (SSL_read_ex(client->ssl, bytes, sizeof bytes, &len) != 1) {
        int error = SSL_get_error(client->ssl, 0);
        *end = error == SSL_ERROR_ZERO_RETURN;
        if (!*end && error != SSL_ERROR_WANT_READ)
            fail_msg("%s", ERR_reason_error_string(ERR_peek_last_error()));
        ERR_clear_error();
        return 0;
    }
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != echo_byte_at(client->read_back + i))
            fail_msg("another byte came at %zu", client->read_back + i);
    client->read_back += len;
    return len;
}

static void client_exchange(struct client *client, size_t end)
{
    bool closed;
    while (client->read_back < end) {
        client_write_some(client, end);
        if (client_read_some(client, &closed) == 0)
            echo_poll(client->fd, client->written < end ? POLLIN | POLLOUT : POLLIN);
        assert_false(closed);
    }
}

/* Reads to the end of the stream, which close_notify must announce. */
static size_t client_read_to_end(struct client *client)
{
    bool closed = false;
    while (!closed)
        if (client_read_some(client, &closed) == 0 && !closed)
            echo_poll(client->fd, POLLIN);
    return client->read_back;
}

static struct echo_server *start_server(const struct tls_fixture *fixture, struct net_tls **tls)
{
    struct echo_server *server = echo_server_new(LONG_MS);
    *tls = tls_fixture_tls(fixture, NET_TLS_CLIENT_CERTS_OFF);
    server->tls = *tls;
    echo_server_start(server);
    return server;
}

static void stop_server(struct echo_server *server, struct net_tls *tls)
{
    echo_server_stop_and_free(server);
    net_tls_free(tls);
}

static void test_echo_of_megabytes(void **state)
{
    struct net_tls *tls;
    struct echo_server *server = start_server(*state, &tls);
    struct client large = client_connect(*state, &server->address, 0);
    struct client small = client_connect(*state, &server->address, 4096);
    client_exchange(&small, 10);
    client_exchange(&large, 20 * MEBIBYTE);
    client_exchange(&small, MEBIBYTE);
    assert_int_equal(atomic_load(&server->fed), 21 * MEBIBYTE);
    assert_int_equal(net_tls_counts(tls).handshakes, 2);
    client_close(&small);
    client_close(&large);
    echo_wait_until(atomic_load(&server->closed) == 2);
    stop_server(server, tls);
}

static void test_plaintext_listens_beside_it(void **state)
{
    struct net_tls *tls;
    struct echo_server *server = echo_server_new(LONG_MS);
    struct net_address plain = echo_server_listen(server, "127.0.0.1:0");
    tls = tls_fixture_tls(*state, NET_TLS_CLIENT_CERTS_OFF);
    server->tls = tls;
    echo_server_start(server);
    struct client client = client_connect(*state, &server->address, 0);
    int fd = echo_connect(&plain, 0);
    echo_assert_echoes(fd);
    client_exchange(&client, 1000);
    close(fd);
    client_close(&client);
    stop_server(server, tls);
}

/* What was not read within the limits stops the reading, and goes on. */
static void test_backpressure(void **state)
{
    const size_t end = 64 * MEBIBYTE;
    struct net_tls *tls;
    struct echo_server *server = start_server(*state, &tls);
    struct client client = client_connect(*state, &server->address, 65536);
    while (client.written < end) {
        struct pollfd polled = {.fd = client.fd, .events = POLLOUT};
        if (poll(&polled, 1, 100) == 1)
            client_write_some(&client, end);
        else if (atomic_load(&server->peak_queued) > 4 * MEBIBYTE)
            break;
    }
    assert_true(client.written < end);
    assert_true(atomic_load(&server->peak_queued) <= 4 * MEBIBYTE + 2 * READ_CHUNK);
    struct client other = client_connect(*state, &server->address, 0);
    client_exchange(&other, 10);
    client_close(&other);
    client_exchange(&client, end);
    client_close(&client);
    stop_server(server, tls);
}

static void test_end_comes_after_what_is_left(void **state)
{
    struct net_tls *tls;
    struct echo_server *server = echo_server_new(LONG_MS);
    server->on_feed = echo_say_much_and_end;
    tls = tls_fixture_tls(*state, NET_TLS_CLIENT_CERTS_OFF);
    server->tls = tls;
    echo_server_start(server);
    struct client client = client_connect(*state, &server->address, 65536);
    client_write_some(&client, 1);
    assert_int_equal(client_read_to_end(&client), 8 * MEBIBYTE);
    echo_wait_until(atomic_load(&server->closed) == 1);
    client_close(&client);
    stop_server(server, tls);
}

/* Those that drain before and after the handshake are closed in order. */
static void test_drain(void **state)
{
    struct net_tls *tls;
    struct echo_server *server = start_server(*state, &tls);
    struct client client = client_connect(*state, &server->address, 0);
    client_exchange(&client, 1000);
    int fd = echo_connect(&server->address, 0); /* has not begun to shake hands */
    echo_wait_until(atomic_load(&server->opened) == 2);
    net_loop_stop(server->loop);
    client_read_to_end(&client);
    echo_wait_for_end(fd);
    client_close(&client);
    close(fd);
    echo_server_free(server);
    net_tls_free(tls);
}

static void test_peers_that_leave(void **state)
{
    struct net_tls *tls;
    struct echo_server *server = start_server(*state, &tls);
    for (size_t i = 0; i < 20; i++) {
        int fd = echo_connect(&server->address, 0);
        if (i % 2 == 0)
            echo_send(fd, "\x16\x03\x01"); /* the start of a handshake */
        close(fd);
        struct client client = client_connect(*state, &server->address, 0);
        client_exchange(&client, 100);
        if (i % 3 == 0)
            SSL_shutdown(client.ssl);
        client_close(&client);
    }
    echo_wait_until(atomic_load(&server->closed) == 40);
    assert_int_equal(net_tls_counts(tls).handshakes, 20);
    assert_int_equal(net_tls_counts(tls).failures, 0);
    stop_server(server, tls);
}

/* One that says that it sends nothing more gets its answers, and our close_notify. */
static void test_half_closed(void **state)
{
    struct net_tls *tls;
    struct echo_server *server = start_server(*state, &tls);
    struct client client = client_connect(*state, &server->address, 0);
    client_write_some(&client, 10000);
    assert_int_equal(SSL_shutdown(client.ssl), 0);
    assert_int_equal(client_read_to_end(&client), 10000);
    client_close(&client);
    stop_server(server, tls);
}

static void test_what_is_no_tls(void **state)
{
    struct net_tls *tls;
    struct echo_server *server = start_server(*state, &tls);
    struct net_closings *closings = net_admission_closings(server->admission);
    int fd = echo_connect(&server->address, 0);
    echo_send(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    echo_wait_for_end(fd);
    close(fd);
    echo_wait_until(net_closings_count(closings, CLOSING_TLS_FAILED) == 1);
    assert_int_equal(atomic_load(&server->fed), 0);
    assert_int_equal(net_tls_counts(tls).failures, 1);
    stop_server(server, tls);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* OpenSSL's sockets */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changed_files_are_loaded_again),
        cmocka_unit_test(test_echo_of_megabytes),
        cmocka_unit_test(test_plaintext_listens_beside_it),
        cmocka_unit_test(test_backpressure),
        cmocka_unit_test(test_end_comes_after_what_is_left),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_peers_that_leave),
        cmocka_unit_test(test_half_closed),
        cmocka_unit_test(test_what_is_no_tls),
    };
    return cmocka_run_group_tests(tests, tls_fixture_setup, tls_fixture_teardown);
}
