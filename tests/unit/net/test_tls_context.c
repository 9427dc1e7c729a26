/* Tests of net/tls_context.c: files that cannot be used, each with its error message. */
#include "net/tls_context.h"

#include "net/tls_fixture.h"

#include <sys/stat.h>

/* Expects the files to be refused with these words. */
static void assert_refused(const struct net_tls_files *files, const char *words)
{
    char why[NET_TLS_WHY_SIZE] = "";
    int64_t expires_s;
    assert_null(tls_context_load(files, &expires_s, why));
    if (strstr(why, words) == NULL)
        fail_msg("\"%s\" does not contain \"%s\"", why, words);
    assert_int_equal(ERR_peek_error(), 0); /* nothing is left for the next connection to find */
}

static const char *write_file(const struct tls_fixture *fixture, const char *text)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/written", fixture->folder.path);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return path;
}

static void test_files_that_are_missing(void **state)
{
    const struct tls_fixture *fixture = *state;
    const struct certs_pair *server = &fixture->server;
    assert_refused(&(struct net_tls_files){.cert = "/nowhere/cert", .key = server->key},
                   "cannot read /nowhere/cert (--tls-cert): No such file or directory");
    assert_refused(&(struct net_tls_files){.cert = server->cert, .key = "/nowhere/key"},
                   "cannot read /nowhere/key (--tls-key): No such file");
    assert_refused(&(struct net_tls_files){.cert = server->cert,
                                           .key = server->key,
                                           .client_ca = "/nowhere/ca",
                                           .client_certs = NET_TLS_CLIENT_CERTS_OPTIONAL},
                   "cannot read /nowhere/ca (--tls-client-ca): No such file");
    assert_refused(&(struct net_tls_files){.cert = fixture->folder.path, .key = server->key},
                   "(--tls-cert): Is a directory");
    assert_refused(&(struct net_tls_files){.cert = server->cert,
                                           .key = server->key,
                                           .client_certs = NET_TLS_CLIENT_CERTS_REQUIRED},
                   "--tls-client-ca");
}

static void test_files_that_are_something_else(void **state)
{
    const struct tls_fixture *fixture = *state;
    const struct certs_pair *server = &fixture->server;
    static const char *const texts[] = {
        "", "hello\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *path = write_file(fixture, texts[i]);
        assert_refused(&(struct net_tls_files){.cert = path, .key = server->key},
                       "written (--tls-cert) has no certificate in PEM format");
        assert_refused(&(struct net_tls_files){.cert = server->cert, .key = path},
                       "written (--tls-key) has no private key in PEM format");
        assert_refused(&(struct net_tls_files){.cert = server->cert,
                                               .key = server->key,
                                               .client_ca = path,
                                               .client_certs = NET_TLS_CLIENT_CERTS_OPTIONAL},
                       "written (--tls-client-ca) has no certificate in PEM format");
    }
    assert_refused(&(struct net_tls_files){.cert = server->key, .key = server->key},
                   "(--tls-cert) has no certificate");
    assert_refused(&(struct net_tls_files){.cert = server->cert, .key = server->cert},
                   "(--tls-key) has no private key");
}

static void test_a_key_of_another_certificate(void **state)
{
    const struct tls_fixture *fixture = *state;
    assert_refused(
        &(struct net_tls_files){.cert = fixture->server.cert, .key = fixture->client.key},
        "does not belong to the certificate in");
}

/* It would be asked for at the terminal. */
static void test_a_key_with_a_password(void **state)
{
    const struct tls_fixture *fixture = *state;
    char path[PATH_MAX];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    snprintf(path, sizeof path, "%s/encrypted.key", fixture->folder.path);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(),
                                          (const unsigned char *)"secret", 6, NULL, NULL),
                     1);
    assert_int_equal(fclose(file), 0);
    EVP_PKEY_free(key);
    assert_refused(&(struct net_tls_files){.cert = fixture->server.cert, .key = path},
                   "without a password");
}

static void test_files_that_are_good(void **state)
{
    const struct tls_fixture *fixture = *state;
    char why[NET_TLS_WHY_SIZE];
    int64_t expires_s = 0;
    const struct net_tls_files files = {.cert = fixture->server.cert,
                                        .key = fixture->server.key,
                                        .client_ca = fixture->ca.cert,
                                        .client_certs = NET_TLS_CLIENT_CERTS_REQUIRED};
    SSL_CTX *context = tls_context_load(&files, &expires_s, why);
    assert_non_null(context);
    assert_true(expires_s > 0);
    SSL_CTX_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_that_are_missing),
        cmocka_unit_test(test_files_that_are_something_else),
        cmocka_unit_test(test_a_key_of_another_certificate),
        cmocka_unit_test(test_a_key_with_a_password),
        cmocka_unit_test(test_files_that_are_good),
    };
    return cmocka_run_group_tests(tests, tls_fixture_setup, tls_fixture_teardown);
}
