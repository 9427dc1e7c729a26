/* Tests of bench/tls.c against OpenSSL's server: data, and handshakes that fail. */
#include "bench/tls.h"

#include "base/mem.h"
#include "support/certs.h"
#include "support/folder.h"
#include "support/tls_echo.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)
#define YEAR_S ((int64_t)365 * 24 * 3600)
#define LARGE  ((size_t)2 * 1024 * 1024)

static struct folder folder;
static struct certs_pair ca, good, client;

static int set_up(void **state)
{
    (void)state;
    folder_make(&folder);
    ca = certs_make(folder.path, "ca", NULL, &(struct certs_options){"ca", NULL, YEAR_S});
    good = certs_make(folder.path, "good", &ca,
                      &(struct certs_options){"good", "DNS:localhost,IP:127.0.0.1", YEAR_S});
    client = certs_make(folder.path, "client", &ca, &(struct certs_options){"me", NULL, YEAR_S});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

/* Connects; NULL with an error message in `problem`. */
static struct ssl_st *connect_to(const struct tls_echo *echo, const struct options *options,
                                 uint64_t timeout_ns, int *fd,
                                 char problem[static TARGET_PROBLEM_SIZE])
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(echo->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct target target = {.name = "there", .address_len = sizeof address};
    memcpy(&target.address, &address, sizeof address);
    struct tls *tls = tls_new(options, problem);
    if (tls == NULL)
        fail_msg("%s", problem);
    *fd = target_connect(&target, timeout_ns, problem);
    assert_true(*fd >= 0);
    struct ssl_st *ssl = tls_connect(tls, &target, *fd, timeout_ns, problem);
    tls_free(tls);
    return ssl;
}

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 13 + at / 255);
}

static void exchange(struct ssl_st *ssl, int fd, size_t len)
{
    uint8_t *out = mem_alloc(len), in[65536];
    size_t sent = 0, received = 0;
    for (size_t i = 0; i < len; i++)
        out[i] = byte_at(i);
    while (received < len) {
        ssize_t done = sent < len ? tls_send(ssl, out + sent, len - sent) : 0;
        assert_true(done >= 0 || errno == EAGAIN);
        sent += done > 0 ? (size_t)done : 0;
        ssize_t got = tls_receive(ssl, in, sizeof in);
        if (got < 0) {
            assert_int_equal(errno, EAGAIN);
            struct pollfd polled = {.fd = fd, .events = sent < len ? POLLIN | POLLOUT : POLLIN};
            assert_int_equal(poll(&polled, 1, 60000), 1);
            continue;
        }
        assert_true(got > 0);
        for (ssize_t i = 0; i < got; i++, received++)
            assert_int_equal(in[i], byte_at(received));
    }
    free(out);
}

static void test_data(void **state)
{
    (void)state;
    struct tls_echo echo = {.pair = &good, .client_ca = ca.cert};
    struct options options = {
        .host = "127.0.0.1", .ca_file = ca.cert, .cert_file = client.cert, .key_file = client.key};
    char problem[TARGET_PROBLEM_SIZE];
    int fd;
    tls_echo_start(&echo);
    struct ssl_st *ssl = connect_to(&echo, &options, 60 * SECOND, &fd, problem);
    if (ssl == NULL)
        fail_msg("%s", problem);
    exchange(ssl, fd, 10);
    exchange(ssl, fd, LARGE);
    tls_close(ssl);
    close(fd);
    tls_echo_stop(&echo);
}

static void assert_fails(struct tls_echo *echo, const struct options *options, uint64_t timeout_ns,
                         const char *words)
{
    char problem[TARGET_PROBLEM_SIZE] = "";
    int fd;
    tls_echo_start(echo);
    assert_null(connect_to(echo, options, timeout_ns, &fd, problem));
    close(fd);
    tls_echo_stop(echo);
    if (strstr(problem, words) == NULL)
        fail_msg("\"%s\" does not contain \"%s\"", problem, words);
}

static void test_servers_that_do_not_fit(void **state)
{
    (void)state;
    struct options options = {.host = "127.0.0.1", .ca_file = ca.cert};
    assert_fails(&(struct tls_echo){.text = "HTTP/1.1 200 OK\r\n\r\n"}, &options, 60 * SECOND,
                 "the TLS handshake with there failed: wrong version number");
    assert_fails(&(struct tls_echo){.pair = &good, .has_no_h2 = true}, &options, 60 * SECOND,
                 "does not agree to h2");
    assert_fails(&(struct tls_echo){.text = NULL}, &options, SECOND / 20, "it took too long");
    options.server_name = "example.org";
    assert_fails(&(struct tls_echo){.pair = &good}, &options, 60 * SECOND, "hostname mismatch");
    options.ca_file = client.cert;
    assert_fails(&(struct tls_echo){.pair = &good}, &options, 60 * SECOND, "certificate");
}

static void test_files_that_cannot_be_used(void **state)
{
    (void)state;
    const struct {
        struct options options;
        const char *words;
    } cases[] = {{{.ca_file = "/nowhere"}, "--ca /nowhere cannot be used for TLS"},
                 {{.cert_file = "/nowhere"}, "--cert /nowhere cannot be used"},
                 {{.cert_file = good.cert, .key_file = client.key}, "--key "}};
    char problem[TARGET_PROBLEM_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(tls_new(&cases[i].options, problem));
        if (strstr(problem, cases[i].words) == NULL)
            fail_msg("\"%s\" does not contain \"%s\"", problem, cases[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_servers_that_do_not_fit),
        cmocka_unit_test(test_files_that_cannot_be_used),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
