/* What the tests of TLS share: a CA with certificates, and OpenSSL's client. */
#ifndef KEYSTORE_TESTS_NET_TLS_FIXTURE_H
#define KEYSTORE_TESTS_NET_TLS_FIXTURE_H

#include "net/tls.h"
#include "support/certs.h"
#include "support/folder.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TLS_FIXTURE_YEAR_S ((int64_t)365 * 24 * 3600)

struct tls_fixture {
    struct folder folder;
    struct certs_pair ca, server, client;
    struct certs_pair stranger; /* a client of another CA */
};

static inline struct certs_pair tls_fixture_make(const struct tls_fixture *fixture,
                                                 const char *name, const struct certs_pair *ca,
                                                 const char *names)
{
    return certs_make(
        fixture->folder.path, name, ca,
        &(struct certs_options){.subject = name, .names = names, .valid_s = TLS_FIXTURE_YEAR_S});
}

static inline int tls_fixture_setup(void **state)
{
    struct tls_fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    folder_make(&fixture->folder);
    fixture->ca = tls_fixture_make(fixture, "ca", NULL, NULL);
    fixture->server =
        tls_fixture_make(fixture, "server", &fixture->ca, "DNS:localhost,IP:127.0.0.1");
    fixture->client = tls_fixture_make(fixture, "alice", &fixture->ca,
                                       "URI:spiffe://example.org/alice,DNS:alice.example.org");
    struct certs_pair other = tls_fixture_make(fixture, "other-ca", NULL, NULL);
    fixture->stranger = tls_fixture_make(fixture, "stranger", &other, NULL);
    *state = fixture;
    return 0;
}

static inline int tls_fixture_teardown(void **state)
{
    struct tls_fixture *fixture = *state;
    folder_remove(&fixture->folder);
    free(fixture);
    return 0;
}

static inline struct net_tls *tls_fixture_tls(const struct tls_fixture *fixture,
                                              enum net_tls_client_certs client_certs)
{
    char why[NET_TLS_WHY_SIZE];
    struct net_tls *tls = net_tls_new(&(struct net_tls_files){.cert = fixture->server.cert,
                                                              .key = fixture->server.key,
                                                              .client_ca = fixture->ca.cert,
                                                              .client_certs = client_certs},
                                      why);
    if (tls == NULL)
        fail_msg("%s", why);
    return tls;
}

/* A client that trusts the CA; `pair`: its certificate, or NULL; `alpn`: as in the wire format, or
 * NULL. */
static inline SSL_CTX *tls_fixture_client(const struct tls_fixture *fixture,
                                          const struct certs_pair *pair, const char *alpn)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    assert_non_null(context);
    assert_int_equal(SSL_CTX_load_verify_file(context, fixture->ca.cert), 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (pair != NULL) {
        assert_int_equal(SSL_CTX_use_certificate_file(context, pair->cert, SSL_FILETYPE_PEM), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(context, pair->key, SSL_FILETYPE_PEM), 1);
    }
    if (alpn != NULL)
        assert_int_equal(
            SSL_CTX_set_alpn_protos(context, (const unsigned char *)alpn, (unsigned)strlen(alpn)),
            0);
    return context;
}

#define TLS_FIXTURE_H2 "\x02h2"

#endif
