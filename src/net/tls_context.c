/* Makes an SSL_CTX of files, and says which of them is wrong. Knows no connection. */
#include "net/tls_context.h"

#include "net/certificate.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

/* TLS 1.2: those that RFC 9113 does not forbid. */
#define SUITES_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define SUITES_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
/* OpenSSL's own without finite-field groups: the smallest has only 112 bits, and the largest would
 * have a worker compute for milliseconds per handshake. */
#define GROUPS "X25519:P-256:X448:P-521:P-384"

const char tls_context_no_h2[] =
    "the client does not offer the protocol h2 (ALPN), which gRPC clients do";

const char *tls_context_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return reason != NULL ? reason : "no reason is known";
}

static int tls_context_refuse(SSL *ssl, const char *text)
{
    struct tls_cause *cause = SSL_get_app_data(ssl);
    if (cause != NULL)
        cause->text = text;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A client without ALPN never gets to the callback that selects a protocol. */
static int tls_context_on_hello(SSL *ssl, int *alert, void *user)
{
    const unsigned char *bytes;
    size_t len;
    (void)user;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &bytes,
                                  &len) == 1)
        return SSL_CLIENT_HELLO_SUCCESS;
    tls_context_refuse(ssl, tls_context_no_h2);
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

static int tls_context_select_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                                 const unsigned char *offered, unsigned offered_len, void *user)
{
    (void)user;
    for (unsigned at = 0; at < offered_len; at += 1u + offered[at]) {
        if (offered[at] != 2 || offered_len - at < 3 || memcmp(offered + at + 1, "h2", 2) != 0)
            continue;
        *out = offered + at + 1;
        *out_len = 2;
        return SSL_TLSEXT_ERR_OK;
    }
    return tls_context_refuse(ssl, tls_context_no_h2);
}

/* Never asks at the terminal. */
static int tls_context_on_password(char *out, int size, int writes, void *user)
{
    (void)out;
    (void)size;
    (void)writes;
    (void)user;
    return -1;
}

/* A context without certificates; NULL without memory. Tickets are of the context's own keys, so
 * they end with it. */
static SSL_CTX *tls_context_new(void)
{
    static const unsigned char name[] = "keystore";
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL)
        return NULL;
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(context, tls_context_on_password);
    SSL_CTX_set_client_hello_cb(context, tls_context_on_hello, NULL);
    SSL_CTX_set_alpn_select_cb(context, tls_context_select_h2, NULL);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
        SSL_CTX_set_cipher_list(context, SUITES_1_2) == 1 &&
        SSL_CTX_set_ciphersuites(context, SUITES_1_3) == 1 &&
        SSL_CTX_set1_groups_list(context, GROUPS) == 1 &&
        SSL_CTX_set_num_tickets(context, 1) == 1 && SSL_CTX_set_max_early_data(context, 0) == 1 &&
        SSL_CTX_set_session_id_context(context, name, sizeof name - 1) == 1)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

/* False with an error message; OpenSSL's own does not name the file. */
static bool tls_context_can_read(const char *path, const char *option, char *why)
{
    FILE *file = fopen(path, "re");
    char first;
    if (file != NULL && (fread(&first, 1, 1, file) == 1 || ferror(file) == 0)) {
        fclose(file);
        return true;
    }
    snprintf(why, NET_TLS_WHY_SIZE, "cannot read %s (%s): %s", path, option, strerror(errno));
    if (file != NULL)
        fclose(file);
    return false;
}

static bool tls_context_use_cert(SSL_CTX *context, const char *path, char *why)
{
    if (!tls_context_can_read(path, "--tls-cert", why))
        return false;
    if (SSL_CTX_use_certificate_chain_file(context, path) == 1)
        return true;
    snprintf(why, NET_TLS_WHY_SIZE,
             "%s (--tls-cert) has no certificate in PEM format that can be used: %s", path,
             tls_context_reason());
    return false;
}

static bool tls_context_use_key(SSL_CTX *context, const struct net_tls_files *files, char *why)
{
    if (!tls_context_can_read(files->key, "--tls-key", why))
        return false;
    if (SSL_CTX_use_PrivateKey_file(context, files->key, SSL_FILETYPE_PEM) == 1 &&
        SSL_CTX_check_private_key(context) == 1)
        return true;
    unsigned long error = ERR_peek_last_error();
    if (ERR_GET_LIB(error) == ERR_LIB_X509 &&
        (ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH ||
         ERR_GET_REASON(error) == X509_R_KEY_TYPE_MISMATCH))
        snprintf(why, NET_TLS_WHY_SIZE,
                 "the key in %s (--tls-key) does not belong to the certificate in %s", files->key,
                 files->cert);
    else
        snprintf(why, NET_TLS_WHY_SIZE,
                 "%s (--tls-key) has no private key in PEM format, without a password: %s",
                 files->key, tls_context_reason());
    ERR_clear_error();
    return false;
}

/* OpenSSL takes a CA whose key it has failed to decode, if only for lack of memory, and then finds
 * no client's certificate valid. */
static bool tls_context_has_keys(SSL_CTX *context)
{
    STACK_OF(X509) *all = X509_STORE_get1_all_certs(SSL_CTX_get_cert_store(context));
    bool has_keys = all != NULL;
    for (int i = 0; has_keys && i < sk_X509_num(all); i++)
        has_keys = X509_get0_pubkey(sk_X509_value(all, i)) != NULL;
    sk_X509_pop_free(all, X509_free);
    return has_keys;
}

static bool tls_context_use_ca(SSL_CTX *context, const struct net_tls_files *files, char *why)
{
    STACK_OF(X509_NAME) *names = NULL;
    if (files->client_certs == NET_TLS_CLIENT_CERTS_OFF)
        return true;
    if (files->client_ca == NULL) {
        snprintf(why, NET_TLS_WHY_SIZE,
                 "clients' certificates need the CA that has signed them: --tls-client-ca");
        return false;
    }
    if (!tls_context_can_read(files->client_ca, "--tls-client-ca", why))
        return false;
    if (SSL_CTX_load_verify_file(context, files->client_ca) != 1 ||
        (names = SSL_load_client_CA_file(files->client_ca)) == NULL) {
        snprintf(why, NET_TLS_WHY_SIZE,
                 "%s (--tls-client-ca) has no certificate in PEM format that can be used: %s",
                 files->client_ca, tls_context_reason());
        return false;
    }
    SSL_CTX_set_client_CA_list(context, names);
    if (!tls_context_has_keys(context)) {
        snprintf(why, NET_TLS_WHY_SIZE,
                 "%s (--tls-client-ca) has a certificate whose public key cannot be used: %s",
                 files->client_ca, tls_context_reason());
        return false;
    }
    SSL_CTX_set_verify(context,
                       files->client_certs == NET_TLS_CLIENT_CERTS_REQUIRED
                           ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                           : SSL_VERIFY_PEER,
                       NULL);
    return true;
}

SSL_CTX *tls_context_load(const struct net_tls_files *files, int64_t *expires_s,
                          char why[static NET_TLS_WHY_SIZE])
{
    ERR_clear_error();
    SSL_CTX *context = tls_context_new();
    if (context == NULL) {
        snprintf(why, NET_TLS_WHY_SIZE, "OpenSSL makes no context for TLS: %s",
                 tls_context_reason());
        return NULL;
    }
    if (tls_context_use_cert(context, files->cert, why) &&
        tls_context_use_key(context, files, why) && tls_context_use_ca(context, files, why)) {
        if (certificate_expiry(SSL_CTX_get0_certificate(context), expires_s))
            return context;
        snprintf(why, NET_TLS_WHY_SIZE,
                 "the certificate in %s (--tls-cert) does not say when it expires", files->cert);
    }
    SSL_CTX_free(context);
    return NULL;
}
