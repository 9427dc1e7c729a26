/* Tests of net/certificate.c: names in their order, and those that are left out. */
#include "net/certificate.h"

#include "net/tls_fixture.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

struct seen {
    char text[1000];
};

static void on_name(void *user, enum net_name_kind kind, struct slice name)
{
    static const char *const kinds[] = {"dns", "uri", "subject"};
    struct seen *seen = user;
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof seen->text - len, "%s=%.*s\n", kinds[kind], (int)name.len,
             (const char *)name.data);
}

static X509 *read_certificate(const struct certs_pair *pair)
{
    FILE *file = fopen(pair->cert, "re");
    assert_non_null(file);
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    assert_non_null(certificate);
    fclose(file);
    return certificate;
}

static void assert_names(const struct certs_pair *pair, const char *expected)
{
    struct seen seen = {0};
    X509 *certificate = read_certificate(pair);
    certificate_names(certificate, on_name, &seen);
    X509_free(certificate);
    assert_string_equal(seen.text, expected);
}

static void test_names_in_their_order(void **state)
{
    struct tls_fixture *fixture = *state;
    assert_names(&fixture->client, "dns=alice.example.org\nuri=spiffe://example.org/alice\n"
                                   "subject=CN=alice\n");
    assert_names(&fixture->stranger, "subject=CN=stranger\n");
    struct certs_pair many = tls_fixture_make(fixture, "many, and\xc3\xa4", &fixture->ca,
                                              "DNS:a,email:x@y,DNS:b,URI:urn:c,IP:1.2.3.4");
    assert_names(&many, "dns=a\ndns=b\nuri=urn:c\nsubject=CN=many\\, and\xc3\xa4\n");
    struct certs_pair none =
        certs_make(fixture->folder.path, "none", &fixture->ca,
                   &(struct certs_options){.names = "DNS:only", .valid_s = 100});
    assert_names(&none, "dns=only\n");
}

/* "good.example.org\0.evil.org", which C programs could take for the part before the zero. */
static void test_names_with_a_zero_byte(void **state)
{
    static const char bytes[] = "good.example.org\0.evil.org";
    struct seen seen = {0};
    (void)state;
    X509 *certificate = X509_new();
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    for (size_t i = 0; i < 2; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();
        assert_int_equal(ASN1_STRING_set(text, bytes, i == 0 ? sizeof bytes - 1 : 16), 1);
        GENERAL_NAME_set0_value(name, GEN_DNS, text);
        assert_true(sk_GENERAL_NAME_push(names, name) > 0);
    }
    assert_int_equal(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0), 1);
    certificate_names(certificate, on_name, &seen);
    assert_string_equal(seen.text, "dns=good.example.org\n"); /* the one without a zero */
    GENERAL_NAMES_free(names);
    X509_free(certificate);
}

static void test_expiry(void **state)
{
    struct tls_fixture *fixture = *state;
    int64_t expires_s = 0, now_s = (int64_t)time(NULL);
    X509 *certificate = read_certificate(&fixture->server);
    assert_true(certificate_expiry(certificate, &expires_s));
    assert_in_range(expires_s, now_s + TLS_FIXTURE_YEAR_S - 600, now_s + TLS_FIXTURE_YEAR_S);
    X509_free(certificate);
    assert_false(certificate_expiry(NULL, &expires_s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_in_their_order),
        cmocka_unit_test(test_names_with_a_zero_byte),
        cmocka_unit_test(test_expiry),
    };
    return cmocka_run_group_tests(tests, tls_fixture_setup, tls_fixture_teardown);
}
