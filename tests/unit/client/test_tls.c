/* Tests of client/tls.c against OpenSSL's server on a thread: handshakes that succeed, those that
 * fail with the right words, and data of any size. */
#include "client/tls.h"

#include "base/clock.h"
#include "client/socket.h"
#include "support/certs.h"
#include "support/folder.h"
#include "support/tls_echo.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define YEAR_S      ((int64_t)365 * 24 * 3600)
#define PATIENCE_MS 60000
#define LARGE       ((size_t)5 * 1024 * 1024)

static struct folder folder;
static struct certs_pair ca, good, named, over, client_pair;

static struct certs_pair make(const char *name, const struct certs_pair *by, const char *names,
                              int64_t valid_s)
{
    return certs_make(folder.path, name, by,
                      &(struct certs_options){.subject = name, .names = names, .valid_s = valid_s});
}

static int set_up_all(void **state)
{
    (void)state;
    folder_make(&folder);
    ca = make("ca", NULL, NULL, YEAR_S);
    good = make("good", &ca, "DNS:localhost,IP:127.0.0.1", YEAR_S);
    named = make("named", &ca, "DNS:db.example.org", YEAR_S);
    over = make("over", &ca, "DNS:localhost,IP:127.0.0.1", -60);
    client_pair = make("client", &ca, NULL, YEAR_S);
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

/* ---- the client ---- */

static struct target target_of(const struct tls_echo *echo, const char *host)
{
    struct target target;
    struct keystore_error error;
    char text[64];
    snprintf(text, sizeof text, "%s:%u", host, (unsigned)echo->port);
    assert_true(target_parse(text, &target, &error));
    return target;
}

/* Connects; NULL with *error set if the handshake fails. */
static struct tls *connect_to(const struct tls_echo *echo, const struct keystore_tls *options,
                              int64_t timeout_ms, int *fd, struct keystore_error *error)
{
    struct target target = target_of(echo, "127.0.0.1");
    int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    struct tls *tls = tls_new(options, &target, error);
    if (tls == NULL)
        fail_msg("%s", error->message);
    *fd = socket_connect(&target, deadline_ms, error);
    assert_true(*fd >= 0);
    if (tls_connect(tls, *fd, -1, deadline_ms, error))
        return tls;
    tls_free(tls);
    close(*fd);
    return NULL;
}

static void assert_fails(struct tls_echo *echo, const struct keystore_tls *options,
                         enum keystore_code code, const char *words)
{
    struct keystore_error error = {0};
    int fd;
    tls_echo_start(echo);
    assert_null(connect_to(echo, options, code == KEYSTORE_DEADLINE_EXCEEDED ? 50 : PATIENCE_MS,
                           &fd, &error));
    tls_echo_stop(echo);
    assert_int_equal(error.code, code);
    if (strstr(error.message, words) == NULL)
        fail_msg("\"%s\" does not contain \"%s\"", error.message, words);
}

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 11 + at / 257);
}

/* Sends the bytes and receives them back, waiting for the socket as a channel does. */
static void exchange(struct tls *tls, int fd, size_t len, bool waits)
{
    uint8_t *out = malloc(len), in[65536];
    size_t sent = 0, received = 0;
    for (size_t i = 0; i < len; i++)
        out[i] = byte_at(i);
    while (received < len) {
        ssize_t done = sent < len ? tls_send(tls, slice_make(out + sent, len - sent)) : 0;
        assert_true(done >= 0 || socket_would_block());
        sent += done > 0 ? (size_t)done : 0;
        ssize_t got = waits && sent == len ? tls_receive_waiting(tls, in, sizeof in)
                                           : tls_receive(tls, in, sizeof in);
        if (got < 0) {
            assert_true(socket_would_block());
            assert_false(tls_has_more(tls));
            short events = sent < len ? POLLIN | POLLOUT : POLLIN;
            assert_true(socket_wait(fd, events, clock_monotonic_ms() + PATIENCE_MS) > 0);
            continue;
        }
        assert_true(got > 0);
        for (ssize_t i = 0; i < got; i++, received++)
            assert_int_equal(in[i], byte_at(received));
    }
    free(out);
}

static void test_data_of_any_size(void **state)
{
    (void)state;
    for (int waits = 0; waits <= 1; waits++) {
        struct tls_echo echo = {.pair = &good};
        struct keystore_error error;
        int fd;
        tls_echo_start(&echo);
        struct tls *tls =
            connect_to(&echo, &(struct keystore_tls){.ca_file = ca.cert}, PATIENCE_MS, &fd, &error);
        if (tls == NULL)
            fail_msg("%s", error.message);
        exchange(tls, fd, 1, waits);
        exchange(tls, fd, LARGE, waits);
        exchange(tls, fd, 100, waits);
        assert_null(tls_failure(tls));
        tls_free(tls); /* close_notify ends the echo */
        shutdown(fd, SHUT_WR);
        tls_echo_stop(&echo);
        close(fd);
    }
}

static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {"localhost", "127.0.0.1", NULL};
    for (size_t i = 0; i < 3; i++) {
        struct tls_echo echo = {.pair = &good};
        struct keystore_error error;
        int fd;
        tls_echo_start(&echo);
        struct tls *tls =
            connect_to(&echo, &(struct keystore_tls){.ca_file = ca.cert, .server_name = names[i]},
                       PATIENCE_MS, &fd, &error);
        if (tls == NULL)
            fail_msg("%s", error.message);
        tls_free(tls);
        shutdown(fd, SHUT_WR);
        tls_echo_stop(&echo);
        close(fd);
    }
    struct keystore_tls options = {.ca_file = ca.cert};
    assert_fails(&(struct tls_echo){.pair = &named}, &options, KEYSTORE_UNAVAILABLE,
                 "is for other names than '127.0.0.1'");
    options.server_name = "localhost";
    assert_fails(&(struct tls_echo){.pair = &named}, &options, KEYSTORE_UNAVAILABLE,
                 "is for other names than 'localhost'");
    options.server_name = "b.example.org";
    assert_fails(&(struct tls_echo){.pair = &named}, &options, KEYSTORE_UNAVAILABLE, "other names");
}

static void test_servers_that_are_not_trusted(void **state)
{
    (void)state;
    struct certs_pair other = make("other", NULL, NULL, YEAR_S);
    assert_fails(&(struct tls_echo){.pair = &good}, &(struct keystore_tls){.ca_file = other.cert},
                 KEYSTORE_UNAVAILABLE, "is not signed by a CA that this client trusts");
    assert_fails(&(struct tls_echo){.pair = &good}, &(struct keystore_tls){0}, KEYSTORE_UNAVAILABLE,
                 "is not signed by a CA that this client trusts");
    assert_fails(&(struct tls_echo){.pair = &over}, &(struct keystore_tls){.ca_file = ca.cert},
                 KEYSTORE_UNAVAILABLE, "has expired");
}

static void test_servers_of_another_kind(void **state)
{
    (void)state;
    static const char settings[] = "HTTP/1.1 505 HTTP Version Not Supported\r\n\r\n";
    struct keystore_tls options = {.ca_file = ca.cert};
    assert_fails(&(struct tls_echo){.text = settings}, &options, KEYSTORE_UNAVAILABLE,
                 "does not speak TLS");
    assert_fails(&(struct tls_echo){.text = "\1\2\3\4\5\6\7\10\11"}, &options, KEYSTORE_UNAVAILABLE,
                 "does not speak TLS");
    assert_fails(&(struct tls_echo){.pair = &good, .has_no_h2 = true}, &options,
                 KEYSTORE_UNAVAILABLE, "does not agree to HTTP/2");
    assert_fails(&(struct tls_echo){.text = NULL}, &options, KEYSTORE_DEADLINE_EXCEEDED,
                 "did not complete the TLS handshake in time");
}

static void test_certificate_of_the_client(void **state)
{
    (void)state;
    struct tls_echo echo = {.pair = &good, .client_ca = ca.cert};
    struct keystore_tls options = {
        .ca_file = ca.cert, .cert_file = client_pair.cert, .key_file = client_pair.key};
    struct keystore_error error;
    char byte;
    int fd;
    tls_echo_start(&echo);
    struct tls *tls = connect_to(&echo, &options, PATIENCE_MS, &fd, &error);
    if (tls == NULL)
        fail_msg("%s", error.message);
    exchange(tls, fd, 1000, false);
    tls_free(tls);
    shutdown(fd, SHUT_WR);
    tls_echo_stop(&echo);
    close(fd);
    /* Without one, the server says so after the client has completed its part. */
    tls_echo_start(&echo);
    tls = connect_to(&echo, &(struct keystore_tls){.ca_file = ca.cert}, PATIENCE_MS, &fd, &error);
    assert_non_null(tls);
    ssize_t got;
    while ((got = tls_receive(tls, &byte, 1)) < 0 && socket_would_block())
        assert_true(socket_wait(fd, POLLIN, clock_monotonic_ms() + PATIENCE_MS) > 0);
    assert_int_equal(got, -1);
    assert_non_null(strstr(tls_failure(tls), "certificate required"));
    assert_int_equal(tls_receive(tls, &byte, 1), -1); /* again */
    assert_false(socket_would_block());
    tls_free(tls);
    shutdown(fd, SHUT_WR);
    tls_echo_stop(&echo);
    close(fd);
}

static void test_files_that_cannot_be_used(void **state)
{
    (void)state;
    const struct {
        struct keystore_tls options;
        const char *words;
    } cases[] = {
        {{.ca_file = "/nowhere"}, "the file of CAs '/nowhere' cannot be used"},
        {{.ca_file = ca.key}, "the file of CAs"},
        {{.cert_file = "/nowhere", .key_file = good.key}, "the certificate '/nowhere'"},
        {{.cert_file = good.cert, .key_file = "/nowhere"}, "the key '/nowhere'"},
        {{.cert_file = good.cert, .key_file = over.key}, "key values mismatch"},
        {{.cert_file = good.cert}, "are needed together"},
        {{.key_file = good.key}, "are needed together"},
        {{.server_name = ""}, "the server's name"},
    };
    struct target target;
    struct keystore_error error;
    assert_true(target_parse("localhost:1", &target, &error));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(tls_new(&cases[i].options, &target, &error));
        assert_int_equal(error.code, KEYSTORE_INVALID_ARGUMENT);
        if (strstr(error.message, cases[i].words) == NULL)
            fail_msg("\"%s\" does not contain \"%s\"", error.message, cases[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_of_any_size),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_servers_that_are_not_trusted),
        cmocka_unit_test(test_servers_of_another_kind),
        cmocka_unit_test(test_certificate_of_the_client),
        cmocka_unit_test(test_files_that_cannot_be_used),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
