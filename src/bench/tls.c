/* OpenSSL on nonblocking sockets. Does not know what is sent over them. */
#include "bench/tls.h"

#include "base/mem.h"
#include "bench/now.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Plaintext bytes of a record, at most. */
#define RECORD_BYTES ((size_t)SSL3_RT_MAX_PLAIN_LENGTH)

struct tls {
    SSL_CTX *context;
    const char *name; /* that the server's certificate must be for */
};

static const char *tls_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason != NULL ? reason : "no reason is known";
}

static bool tls_refuse(const char *what, const char *path, char *problem)
{
    snprintf(problem, TARGET_PROBLEM_SIZE, "%s %.200s cannot be used for TLS: %s", what, path,
             tls_reason());
    return false;
}

static bool tls_load(SSL_CTX *context, const struct options *options, char *problem)
{
    static const unsigned char h2[] = {2, 'h', '2'};
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_alpn_protos(context, h2, sizeof h2) != 0)
        return tls_refuse("OpenSSL", "", problem);
    if (options->ca_file == NULL ? SSL_CTX_set_default_verify_paths(context) != 1
                                 : SSL_CTX_load_verify_file(context, options->ca_file) != 1)
        return tls_refuse("--ca", options->ca_file != NULL ? options->ca_file : "", problem);
    if (options->cert_file != NULL &&
        SSL_CTX_use_certificate_chain_file(context, options->cert_file) != 1)
        return tls_refuse("--cert", options->cert_file, problem);
    if (options->key_file != NULL &&
        SSL_CTX_use_PrivateKey_file(context, options->key_file, SSL_FILETYPE_PEM) != 1)
        return tls_refuse("--key", options->key_file, problem);
    return true;
}

struct tls *tls_new(const struct options *options, char problem[static TARGET_PROBLEM_SIZE])
{
    struct tls *tls = mem_alloc_zero(sizeof *tls);
    ERR_clear_error();
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    tls->name = options->server_name != NULL ? options->server_name
                : options->unix_path != NULL ? "localhost"
                                             : options->host;
    tls->context = SSL_CTX_new(TLS_client_method());
    if (tls->context == NULL)
        tls_refuse("OpenSSL", "", problem);
    if (tls->context != NULL && tls_load(tls->context, options, problem))
        return tls;
    ERR_clear_error();
    tls_free(tls);
    return NULL;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->context);
    free(tls);
}

static bool tls_set_name(SSL *ssl, const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static const char *tls_explain(SSL *ssl)
{
    long result = SSL_get_verify_result(ssl);
    if (result != X509_V_OK)
        return X509_verify_cert_error_string(result);
    return ERR_peek_error() != 0 ? tls_reason() : "the server closed the connection";
}

/* Waits until the handshake can go on; false after the timeout. */
static bool tls_wait(int fd, short events, uint64_t until_ns)
{
    uint64_t at_ns = now_ns();
    struct pollfd polled = {.fd = fd, .events = events};
    int left_ms = at_ns < until_ns ? (int)((until_ns - at_ns) / 1000000) + 1 : 0;
    return left_ms > 0 && poll(&polled, 1, left_ms) != 0;
}

/* NULL, or why it fails. */
static const char *tls_shake_hands(SSL *ssl, int fd, uint64_t timeout_ns)
{
    uint64_t until_ns = now_ns() + timeout_ns;
    const unsigned char *protocol;
    unsigned len;
    int result;
    while ((result = SSL_connect(ssl)) != 1) {
        int wanted = SSL_get_error(ssl, result);
        if (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE)
            return tls_explain(ssl);
        if (!tls_wait(fd, wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until_ns))
            return "it took too long";
    }
    SSL_get0_alpn_selected(ssl, &protocol, &len);
    return len == 2 && memcmp(protocol, "h2", 2) == 0 ? NULL : "the server does not agree to h2";
}

struct ssl_st *tls_connect(const struct tls *tls, const struct target *target, int fd,
                           uint64_t timeout_ns, char problem[static TARGET_PROBLEM_SIZE])
{
    ERR_clear_error();
    SSL *ssl = SSL_new(tls->context);
    const char *why = "there is no memory";
    if (ssl != NULL && SSL_set_fd(ssl, fd) == 1 && tls_set_name(ssl, tls->name))
        why = tls_shake_hands(ssl, fd, timeout_ns);
    if (why == NULL)
        return ssl;
    snprintf(problem, TARGET_PROBLEM_SIZE, "the TLS handshake with %s failed: %s", target->name,
             why);
    SSL_free(ssl);
    ERR_clear_error();
    return NULL;
}

void tls_close(struct ssl_st *ssl)
{
    if (ssl == NULL)
        return;
    ERR_clear_error();
    SSL_shutdown(ssl);
    ERR_clear_error();
    SSL_free(ssl);
}

static ssize_t tls_fail(SSL *ssl)
{
    switch (SSL_get_error(ssl, 0)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        ERR_clear_error();
        errno = EPROTO;
        return -1;
    }
}

/* Takes whole records, so that none is left of which epoll knows nothing. */
ssize_t tls_receive(struct ssl_st *ssl, uint8_t *buffer, size_t size)
{
    size_t total = 0, got;
    ERR_clear_error();
    while (total + RECORD_BYTES <= size) {
        if (SSL_read_ex(ssl, buffer + total, size - total, &got) != 1)
            return total > 0 ? (ssize_t)total : tls_fail(ssl);
        total += got;
    }
    return (ssize_t)total;
}

ssize_t tls_send(struct ssl_st *ssl, const uint8_t *bytes, size_t size)
{
    size_t sent;
    ERR_clear_error();
    return SSL_write_ex(ssl, bytes, size, &sent) == 1 ? (ssize_t)sent : tls_fail(ssl);
}
