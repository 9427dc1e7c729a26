/*
 * The files for TLS while the server runs: loaded at the start, on SIGHUP and when they change. A
 * bad one is reported and leaves the former ones in force.
 */
#ifndef KEYSTORE_SERVER_CERTIFICATES_H
#define KEYSTORE_SERVER_CERTIFICATES_H

#include "net/tls.h"
#include "server/settings.h"

struct certificates {
    struct net_tls *tls; /* NULL: no address speaks TLS */
    const struct config *config;
    int64_t warned_expires_s; /* the expiry of the certificate that was warned of last, */
    int64_t warned_at_ms;     /* and when, in Unix time */
};

/* Loads the files if an address speaks TLS; `config` is borrowed. False after an error message on
 * standard error if they cannot be used. */
bool certificates_open(struct certificates *certificates, const struct config *config)
    __attribute__((warn_unused_result));
void certificates_close(struct certificates *certificates);

/* Loads them again, and says so in the log. */
void certificates_reload(struct certificates *certificates);

/* Loads them again if they have changed, and warns once a day of a certificate that expires within
 * 30 days. To be called about once a second, with Unix time. */
void certificates_look(struct certificates *certificates, int64_t now_ms);

#endif
