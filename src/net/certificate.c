/* Reads certificates by means of OpenSSL, which has verified them. */
#include "net/certificate.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

static void certificate_names_of_kind(const GENERAL_NAMES *names, int type, enum net_name_kind kind,
                                      net_name_function *each, void *user)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != type)
            continue;
        const ASN1_STRING *text =
            type == GEN_DNS ? name->d.dNSName : name->d.uniformResourceIdentifier;
        struct slice slice =
            slice_make(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
        if (slice.len > 0 && memchr(slice.data, 0, slice.len) == NULL)
            each(user, kind, slice);
    }
}

static void certificate_subject(X509 *certificate, net_name_function *each, void *user)
{
    const X509_NAME *name = X509_get_subject_name(certificate);
    BIO *memory = BIO_new(BIO_s_mem());
    char *text;
    if (memory != NULL && name != NULL && X509_NAME_entry_count(name) > 0 &&
        X509_NAME_print_ex(memory, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) > 0) {
        long len = BIO_get_mem_data(memory, &text);
        if (len > 0 && memchr(text, 0, (size_t)len) == NULL)
            each(user, NET_NAME_SUBJECT, slice_make(text, (size_t)len));
    }
    BIO_free(memory);
}

void certificate_names(X509 *certificate, net_name_function *each, void *user)
{
    int found = -1; /* -1: it has none */
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &found, NULL);
    if (names == NULL && found != -1) {
        /* Unreadable, or there is no memory: its other names might be those of another user. */
        ERR_clear_error();
        return;
    }
    if (names != NULL) {
        certificate_names_of_kind(names, GEN_DNS, NET_NAME_DNS, each, user);
        certificate_names_of_kind(names, GEN_URI, NET_NAME_URI, each, user);
        GENERAL_NAMES_free(names);
    }
    certificate_subject(certificate, each, user);
    ERR_clear_error();
}

bool certificate_expiry(X509 *certificate, int64_t *expires_s)
{
    struct tm time;
    if (certificate == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1)
        return false;
    *expires_s = (int64_t)timegm(&time);
    return true;
}
