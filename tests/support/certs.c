/* Makes keys and certificates with OpenSSL. */
#include "support/certs.h"

#include "base/check.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static void certs_add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    CHECK(extension != NULL);
    CHECK(X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509 *certs_read(const char *path)
{
    FILE *file = fopen(path, "re");
    CHECK(file != NULL);
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    CHECK(certificate != NULL);
    return certificate;
}

static EVP_PKEY *certs_read_key(const char *path)
{
    FILE *file = fopen(path, "re");
    CHECK(file != NULL);
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    CHECK(key != NULL);
    return key;
}

static void certs_write(const struct certs_pair *pair, X509 *certificate, EVP_PKEY *key)
{
    FILE *file = fopen(pair->cert, "we");
    CHECK(file != NULL);
    CHECK(PEM_write_X509(file, certificate) == 1);
    CHECK(fclose(file) == 0);
    file = fopen(pair->key, "we");
    CHECK(file != NULL);
    CHECK(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    CHECK(fclose(file) == 0);
}

static void certs_describe(X509 *certificate, X509 *issuer, const struct certs_options *options)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    unsigned char serial[8];
    CHECK(RAND_bytes(serial, sizeof serial) == 1);
    serial[0] &= 0x7f;
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    CHECK(number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL);
    BN_free(number);
    CHECK(X509_set_version(certificate, X509_VERSION_3) == 1);
    CHECK(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != NULL);
    CHECK(X509_gmtime_adj(X509_getm_notAfter(certificate), (long)options->valid_s) != NULL);
    if (options->subject != NULL)
        CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                         (const unsigned char *)options->subject, -1, -1, 0) == 1);
    CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1);
    certs_add_extension(certificate, issuer, NID_basic_constraints,
                        issuer == certificate ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (options->names != NULL)
        certs_add_extension(certificate, issuer, NID_subject_alt_name, options->names);
}

struct certs_pair certs_make(const char *folder, const char *name, const struct certs_pair *ca,
                             const struct certs_options *options)
{
    struct certs_pair pair;
    CHECK(snprintf(pair.cert, sizeof pair.cert, "%s/%s.pem", folder, name) < PATH_MAX);
    CHECK(snprintf(pair.key, sizeof pair.key, "%s/%s.key", folder, name) < PATH_MAX);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    CHECK(key != NULL && certificate != NULL);
    X509 *issuer = ca != NULL ? certs_read(ca->cert) : certificate;
    EVP_PKEY *signer = ca != NULL ? certs_read_key(ca->key) : key;
    CHECK(X509_set_pubkey(certificate, key) == 1);
    certs_describe(certificate, issuer, options);
    CHECK(X509_sign(certificate, signer, EVP_sha256()) > 0);
    certs_write(&pair, certificate, key);
    if (ca != NULL) {
        X509_free(issuer);
        EVP_PKEY_free(signer);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    return pair;
}
