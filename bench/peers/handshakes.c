/*
 * Full TLS handshakes, one after the other, each on a connection of its own that greets in HTTP/2
 * and ends when the server's SETTINGS have come: so the handshake is complete on both sides.
 *
 * usage: handshakes PORT CA 1.2|1.3 COUNT. Connects to 127.0.0.1, whose certificate a CA in
 * the file CA must have signed. Prints how long it took, in seconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_HEADER 9
#define SETTINGS     4

static const char greeting[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                               "\0\0\0\4\0\0\0\0\0"; /* empty SETTINGS */

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "handshakes: %s: ", what);
    if (ERR_peek_error() != 0)
        ERR_print_errors_fp(stderr);
    else
        fprintf(stderr, "%s\n", strerror(errno));
    exit(1);
}

static SSL_CTX *make_context(const char *ca, const char *version)
{
    static const unsigned char h2[] = "\2h2";
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    int number = strcmp(version, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
    if (context == NULL || SSL_CTX_load_verify_locations(context, ca, NULL) != 1 ||
        SSL_CTX_set_min_proto_version(context, number) != 1 ||
        SSL_CTX_set_max_proto_version(context, number) != 1 ||
        SSL_CTX_set_alpn_protos(context, h2, 3) != 0)
        die("cannot prepare TLS");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return context;
}

static int connect_to(int port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        die("cannot connect");
    return fd;
}

static void shake_hands(SSL_CTX *context, int port)
{
    unsigned char header[FRAME_HEADER];
    const unsigned char *protocol = NULL;
    unsigned length = 0;
    int fd = connect_to(port);
    SSL *ssl = SSL_new(context);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 ||
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), "127.0.0.1") != 1)
        die("cannot prepare a connection");
    if (SSL_connect(ssl) != 1)
        die("the handshake failed");
    SSL_get0_alpn_selected(ssl, &protocol, &length);
    if (SSL_session_reused(ssl) || length != 2 || memcmp(protocol, "h2", 2) != 0)
        die("the handshake was not a full one for h2");
    if (SSL_write(ssl, greeting, sizeof greeting - 1) != (int)sizeof greeting - 1)
        die("cannot greet");
    for (int got = 0, more; got < FRAME_HEADER; got += more)
        if ((more = SSL_read(ssl, header + got, FRAME_HEADER - got)) <= 0)
            die("the server sent no SETTINGS");
    if (header[3] != SETTINGS)
        die("the server did not begin with SETTINGS");
    SSL_free(ssl);
    close(fd);
}

int main(int argc, char **argv)
{
    struct timespec began, ended;
    if (argc != 5 || (strcmp(argv[3], "1.2") != 0 && strcmp(argv[3], "1.3") != 0)) {
        fprintf(stderr, "usage: handshakes PORT CA 1.2|1.3 COUNT\n");
        return 2;
    }
    SSL_CTX *context = make_context(argv[2], argv[3]);
    long count = strtol(argv[4], NULL, 10);
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (long i = 0; i < count; i++)
        shake_hands(context, (int)strtol(argv[1], NULL, 10));
    clock_gettime(CLOCK_MONOTONIC, &ended);
    printf("%.3f\n",
           (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9);
    SSL_CTX_free(context);
    return 0;
}
