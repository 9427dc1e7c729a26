/*
 * OpenSSL over a BIO that sends and receives with client/socket.h, so that a socket is never
 * blocked by TLS, and no signal is raised. Whole records are read ahead: an answer that fits one is
 * received by one system call.
 */
#include "client/tls.h"

#include "client/socket.h"
#include "client/status.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* Bytes of a name, as in DNS. */
#define NAME_SIZE 256
/* Plaintext bytes of a record, at most. */
#define RECORD_BYTES ((size_t)SSL3_RT_MAX_PLAIN_LENGTH)
/* What is read ahead of a record. */
#define AHEAD_BYTES ((size_t)64 << 10)

struct tls {
    SSL_CTX *context;
    BIO_METHOD *method;
    char name[NAME_SIZE]; /* that the server's certificate must be for */
    char target[sizeof((struct target *)NULL)->name]; /* for error messages */
    SSL *ssl;                                         /* NULL: not connected */
    int fd;
    bool waits;   /* the next receive from the socket blocks */
    bool drained; /* the socket has nothing more */
    bool has_more;
    int error; /* errno of the socket, if that has failed */
    bool failed;
    char failure[200];
};

static int tls_on_read(BIO *bio, char *out, int size)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (tls->drained) {
        BIO_set_retry_read(bio);
        return -1;
    }
    ssize_t got = tls->waits ? socket_receive_waiting(tls->fd, out, (size_t)size)
                             : socket_receive(tls->fd, out, (size_t)size);
    tls->waits = false;
    tls->drained = got < size;
    if (got < 0 && socket_would_block())
        BIO_set_retry_read(bio);
    else if (got < 0)
        tls->error = errno;
    return (int)got;
}

static int tls_on_write(BIO *bio, const char *bytes, int size)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t sent = socket_send(tls->fd, slice_make(bytes, (size_t)size));
    if (sent < 0 && socket_would_block())
        BIO_set_retry_write(bio);
    else if (sent < 0)
        tls->error = errno;
    return (int)sent;
}

static long tls_on_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static const char *tls_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason != NULL ? reason : "no reason is known";
}

/* ---- what is configured ---- */

static bool tls_refuse_file(const char *what, const char *path, struct keystore_error *error)
{
    unsigned long code = ERR_peek_error(); /* the first one: whether the file could be opened */
    const char *cause = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : tls_reason();
    status_set(error, KEYSTORE_INVALID_ARGUMENT, "%s '%.200s' cannot be used for TLS: %s", what,
               path, cause);
    return false;
}

static bool tls_use_ca(struct tls *tls, const char *path, struct keystore_error *error)
{
    if (path != NULL)
        return SSL_CTX_load_verify_file(tls->context, path) == 1 ||
               tls_refuse_file("the file of CAs", path, error);
    if (SSL_CTX_set_default_verify_paths(tls->context) == 1)
        return true;
    status_set(error, KEYSTORE_INVALID_ARGUMENT, "the CAs of this system cannot be used: %s",
               tls_reason());
    return false;
}

static int tls_on_password(char *out, int size, int writes, void *user)
{
    (void)out;
    (void)size;
    (void)writes;
    (void)user;
    return -1; /* else OpenSSL would ask at the terminal */
}

static bool tls_use_pair(struct tls *tls, const struct keystore_tls *options,
                         struct keystore_error *error)
{
    if (options->cert_file == NULL && options->key_file == NULL)
        return true;
    if (options->cert_file == NULL || options->key_file == NULL) {
        status_set(error, KEYSTORE_INVALID_ARGUMENT,
                   "a client's certificate and its key are needed together");
        return false;
    }
    SSL_CTX_set_default_passwd_cb(tls->context, tls_on_password);
    if (SSL_CTX_use_certificate_chain_file(tls->context, options->cert_file) != 1)
        return tls_refuse_file("the certificate", options->cert_file, error);
    if (SSL_CTX_use_PrivateKey_file(tls->context, options->key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(tls->context) != 1)
        return tls_refuse_file("the key", options->key_file, error);
    return true;
}

static bool tls_make_context(struct tls *tls)
{
    static const unsigned char h2[] = {2, 'h', '2'};
    tls->context = SSL_CTX_new(TLS_client_method());
    if (tls->context == NULL)
        return false;
    SSL_CTX_set_options(tls->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                          SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(tls->context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_read_ahead(tls->context, 1);
    SSL_CTX_set_default_read_buffer_len(tls->context, AHEAD_BYTES);
    return SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_alpn_protos(tls->context, h2, sizeof h2) == 0;
}

static bool tls_make_method(struct tls *tls)
{
    tls->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "keystore");
    return tls->method != NULL && BIO_meth_set_read(tls->method, tls_on_read) == 1 &&
           BIO_meth_set_write(tls->method, tls_on_write) == 1 &&
           BIO_meth_set_ctrl(tls->method, tls_on_control) == 1;
}

static bool tls_set_name(struct tls *tls, const struct keystore_tls *options,
                         const struct target *target, struct keystore_error *error)
{
    const char *name = options->server_name != NULL ? options->server_name
                       : target->is_unix            ? "localhost"
                                                    : target->host;
    if (name[0] == '\0' || strlen(name) >= NAME_SIZE) {
        status_set(error, KEYSTORE_INVALID_ARGUMENT, "the server's name must have 1 to %d bytes",
                   NAME_SIZE - 1);
        return false;
    }
    snprintf(tls->name, sizeof tls->name, "%s", name);
    snprintf(tls->target, sizeof tls->target, "%s", target->name);
    return true;
}

struct tls *tls_new(const struct keystore_tls *options, const struct target *target,
                    struct keystore_error *error)
{
    struct tls *tls = calloc(1, sizeof *tls);
    ERR_clear_error();
    if (tls == NULL || !tls_make_context(tls) || !tls_make_method(tls)) {
        status_out_of_memory(error, "there is no TLS");
        tls_free(tls);
        tls = NULL;
    } else if (!tls_set_name(tls, options, target, error) ||
               !tls_use_ca(tls, options->ca_file, error) || !tls_use_pair(tls, options, error)) {
        tls_free(tls);
        tls = NULL;
    }
    ERR_clear_error();
    return tls;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    tls_disconnect(tls);
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->method);
    free(tls);
}

/* ---- the handshake ---- */

static bool tls_is_address(const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

static bool tls_start(struct tls *tls, int fd)
{
    tls->fd = fd;
    tls->waits = tls->drained = tls->has_more = tls->failed = false;
    tls->error = 0;
    tls->ssl = SSL_new(tls->context);
    BIO *bio = tls->ssl != NULL ? BIO_new(tls->method) : NULL;
    if (bio == NULL)
        return false;
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_connect_state(tls->ssl);
    if (tls_is_address(tls->name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), tls->name) == 1;
    SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(tls->ssl, tls->name) == 1 &&
           SSL_set_tlsext_host_name(tls->ssl, tls->name) == 1;
}

/* Why the server's certificate was refused. */
static void tls_explain_certificate(const struct tls *tls, long result,
                                    struct keystore_error *error)
{
    switch (result) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        status_set(error, KEYSTORE_UNAVAILABLE,
                   "the certificate of %s is for other names than '%s': connect by one of these, "
                   "or set the server's name",
                   tls->target, tls->name);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        status_set(error, KEYSTORE_UNAVAILABLE, "the certificate of %s has expired", tls->target);
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        status_set(error, KEYSTORE_UNAVAILABLE,
                   "the certificate of %s is not signed by a CA that this client trusts (%s): name "
                   "the file of its CA",
                   tls->target, X509_verify_cert_error_string(result));
        break;
    default:
        status_set(error, KEYSTORE_UNAVAILABLE, "the certificate of %s is not trusted: %s",
                   tls->target, X509_verify_cert_error_string(result));
    }
}

/* True if what the server sends is no TLS. */
static bool tls_is_plaintext(int reason)
{
    return reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
           reason == SSL_R_PACKET_LENGTH_TOO_LONG || reason == SSL_R_RECORD_LENGTH_MISMATCH ||
           reason == SSL_R_WRONG_SSL_VERSION;
}

static void tls_explain(struct tls *tls, struct keystore_error *error)
{
    long result = SSL_get_verify_result(tls->ssl);
    if (result != X509_V_OK)
        tls_explain_certificate(tls, result, error);
    else if (ERR_peek_error() != 0 && tls_is_plaintext(ERR_GET_REASON(ERR_peek_last_error())))
        status_set(error, KEYSTORE_UNAVAILABLE,
                   "%s does not speak TLS: connect without TLS, or to its port with TLS",
                   tls->target);
    else
        status_set(error, KEYSTORE_UNAVAILABLE, "the TLS handshake with %s failed: %s", tls->target,
                   ERR_peek_error() != 0 ? tls_reason()
                   : tls->error != 0     ? strerror(tls->error)
                                         : "the server closed the connection");
}

enum tls_step { TLS_DONE, TLS_AGAIN, TLS_FAILED };

/* A step of the handshake, after which it waits for the socket. */
static enum tls_step tls_step(struct tls *tls, int cancel_fd, int64_t deadline_ms,
                              struct keystore_error *error)
{
    tls->drained = false;
    int result = SSL_connect(tls->ssl);
    if (result == 1)
        return TLS_DONE;
    int wanted = SSL_get_error(tls->ssl, result);
    if (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE) {
        tls_explain(tls, error);
        return TLS_FAILED;
    }
    short ready = socket_wait_or_cancel(tls->fd, wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT,
                                        cancel_fd, deadline_ms);
    if (ready == SOCKET_CANCELLED)
        status_set(error, KEYSTORE_CANCELLED, "cancelled while connecting");
    else if (ready == 0)
        status_set(error, KEYSTORE_DEADLINE_EXCEEDED,
                   "%s accepted the connection but did not complete the TLS handshake in time",
                   tls->target);
    else
        return TLS_AGAIN;
    return TLS_FAILED;
}

static bool tls_has_h2(const struct tls *tls, struct keystore_error *error)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(tls->ssl, &name, &len);
    if (len == 2 && memcmp(name, "h2", 2) == 0)
        return true;
    status_set(error, KEYSTORE_UNAVAILABLE,
               "%s speaks TLS but does not agree to HTTP/2 (ALPN h2): check that it is a KeyStore "
               "server, or a proxy for gRPC",
               tls->target);
    return false;
}

bool tls_connect(struct tls *tls, int fd, int cancel_fd, int64_t deadline_ms,
                 struct keystore_error *error)
{
    enum tls_step step;
    ERR_clear_error();
    if (!tls_start(tls, fd)) {
        status_out_of_memory(error, "there is no connection");
        ERR_clear_error();
        return false;
    }
    do
        step = tls_step(tls, cancel_fd, deadline_ms, error);
    while (step == TLS_AGAIN);
    ERR_clear_error();
    return step == TLS_DONE && tls_has_h2(tls, error);
}

void tls_disconnect(struct tls *tls)
{
    if (tls->ssl == NULL)
        return;
    ERR_clear_error();
    if (!tls->failed && SSL_is_init_finished(tls->ssl))
        SSL_shutdown(tls->ssl);
    ERR_clear_error();
    SSL_free(tls->ssl);
    tls->ssl = NULL;
    tls->fd = -1;
}

/* ---- data ---- */

/* A call of OpenSSL has returned this, and nothing was moved: sets errno, or returns 0 at the end
 * of the stream. */
static ssize_t tls_fail(struct tls *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        break;
    }
    tls->failed = true;
    if (ERR_peek_error() != 0)
        snprintf(tls->failure, sizeof tls->failure, "TLS: %s", tls_reason());
    else
        snprintf(tls->failure, sizeof tls->failure, "%s",
                 tls->error != 0 ? strerror(tls->error) : "the server closed it");
    ERR_clear_error();
    errno = tls->error != 0 ? tls->error : EPROTO;
    return -1;
}

ssize_t tls_send(struct tls *tls, struct slice bytes)
{
    size_t sent;
    ERR_clear_error();
    int result = SSL_write_ex(tls->ssl, bytes.data, bytes.len, &sent);
    return result == 1 ? (ssize_t)sent : tls_fail(tls, result);
}

/* Takes whole records, so that none is left of which poll() knows nothing. */
ssize_t tls_receive(struct tls *tls, void *out, size_t size)
{
    uint8_t *bytes = out;
    size_t total = 0, got;
    int result = 1;
    if (tls->failed) {
        errno = EPROTO;
        return -1;
    }
    ERR_clear_error();
    tls->drained = false;
    while ((total == 0 || total + RECORD_BYTES <= size) &&
           (result = SSL_read_ex(tls->ssl, bytes + total, size - total, &got)) == 1)
        total += got;
    tls->has_more = result == 1;
    ssize_t end = result == 1 ? 0 : tls_fail(tls, result); /* for the next call, if there is data */
    return total > 0 ? (ssize_t)total : end;
}

ssize_t tls_receive_waiting(struct tls *tls, void *out, size_t size)
{
    tls->waits = true;
    ssize_t got = tls_receive(tls, out, size);
    tls->waits = false;
    return got;
}

const char *tls_failure(const struct tls *tls)
{
    return tls->failed ? tls->failure : NULL;
}

bool tls_has_more(const struct tls *tls)
{
    return tls->has_more;
}
