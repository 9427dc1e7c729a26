/* A server on a thread that accepts one connection, shakes hands as the test says, and echoes. An
 * error aborts the program. */
#ifndef KEYSTORE_TESTS_SUPPORT_TLS_ECHO_H
#define KEYSTORE_TESTS_SUPPORT_TLS_ECHO_H

#include "support/certs.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct tls_echo {
    /* Set before the start. */
    const struct certs_pair *pair; /* its own; NULL: it says `text` instead of TLS */
    const char *text;              /* NULL: it says nothing */
    const char *client_ca;         /* clients must show a certificate of it; NULL: they need none */
    bool has_no_h2;                /* does not agree to h2 */
    /* Set by the start. */
    int listener;
    uint16_t port;
    pthread_t thread;
};

void tls_echo_start(struct tls_echo *echo);

/* Waits for the end of the connection, which the client is to shut down. */
void tls_echo_stop(struct tls_echo *echo);

#endif
