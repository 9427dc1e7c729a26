/* Certificates for tests, made on the spot: ECDSA with P-256, in PEM files. */
#ifndef KEYSTORE_TESTS_SUPPORT_CERTS_H
#define KEYSTORE_TESTS_SUPPORT_CERTS_H

#include <limits.h>
#include <stdint.h>

/* A certificate and its key, in files. */
struct certs_pair {
    char cert[PATH_MAX], key[PATH_MAX];
};

struct certs_options {
    const char *subject; /* the common name; NULL: none */
    const char *names;   /* alternative names as in openssl.cnf: "DNS:localhost"; NULL: none */
    int64_t valid_s;     /* from an hour ago until so many seconds from now; negative: expired */
};

/* Writes FOLDER/NAME.pem and FOLDER/NAME.key. `ca`: who signs it; NULL: it is a CA itself. Aborts
 * the program if that fails. */
struct certs_pair certs_make(const char *folder, const char *name, const struct certs_pair *ca,
                             const struct certs_options *options);

#endif
