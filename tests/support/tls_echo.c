/* OpenSSL's server on a blocking socket. */
#include "support/tls_echo.h"

#include "base/check.h"

#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int tls_echo_select(SSL *ssl, const unsigned char **out, unsigned char *len,
                           const unsigned char *in, unsigned in_len, void *user)
{
    const struct tls_echo *echo = user;
    (void)ssl;
    (void)in;
    (void)in_len;
    *out = (const unsigned char *)"h2";
    *len = 2;
    return echo->has_no_h2 ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *tls_echo_context(struct tls_echo *echo)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    CHECK(context != NULL);
    CHECK(SSL_CTX_use_certificate_file(context, echo->pair->cert, SSL_FILETYPE_PEM) == 1);
    CHECK(SSL_CTX_use_PrivateKey_file(context, echo->pair->key, SSL_FILETYPE_PEM) == 1);
    SSL_CTX_set_alpn_select_cb(context, tls_echo_select, echo);
    if (echo->client_ca != NULL) {
        CHECK(SSL_CTX_load_verify_file(context, echo->client_ca) == 1);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return context;
}

static void tls_echo_serve(struct tls_echo *echo, int fd)
{
    static char bytes[100000];
    SSL_CTX *context = tls_echo_context(echo);
    SSL *ssl = SSL_new(context);
    int len;
    CHECK(ssl != NULL);
    CHECK(SSL_set_fd(ssl, fd) == 1);
    if (SSL_accept(ssl) == 1)
        while ((len = SSL_read(ssl, bytes, sizeof bytes)) > 0 && SSL_write(ssl, bytes, len) == len)
            ;
    SSL_free(ssl);
    SSL_CTX_free(context);
    ERR_clear_error();
}

static void *tls_echo_run(void *user)
{
    struct tls_echo *echo = user;
    char bytes[1000];
    int fd = accept(echo->listener, NULL, NULL);
    CHECK(fd >= 0);
    if (echo->pair != NULL)
        tls_echo_serve(echo, fd);
    else if (echo->text != NULL && send(fd, echo->text, strlen(echo->text), MSG_NOSIGNAL) > 0)
        shutdown(fd, SHUT_WR);
    while (recv(fd, bytes, sizeof bytes, 0) > 0)
        ;
    close(fd);
    return NULL;
}

void tls_echo_start(struct tls_echo *echo)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    echo->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(echo->listener >= 0);
    CHECK(bind(echo->listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(echo->listener, 1) == 0);
    CHECK(getsockname(echo->listener, (struct sockaddr *)&address, &len) == 0);
    echo->port = ntohs(address.sin_port);
    CHECK(pthread_create(&echo->thread, NULL, tls_echo_run, echo) == 0);
}

void tls_echo_stop(struct tls_echo *echo)
{
    CHECK(pthread_join(echo->thread, NULL) == 0);
    close(echo->listener);
}
