/*
 * TLS for listening sockets: certificate, key and the CAs of clients, which all loops share and
 * which are replaced while connections go on. A connection keeps what it was opened with.
 * Thread-safe, except that one thread at a time reloads.
 */
#ifndef KEYSTORE_NET_TLS_H
#define KEYSTORE_NET_TLS_H

#include "net/tls_files.h"

#include <stdbool.h>
#include <stdint.h>

struct net_tls;

/* Loads the files. NULL, with an error message that names the file and what is wrong, if they
 * cannot be used. Free with net_tls_free() when no connection is open any longer. */
struct net_tls *net_tls_new(const struct net_tls_files *files, char why[static NET_TLS_WHY_SIZE]);
void net_tls_free(struct net_tls *tls);

/* Loads the files again, for connections from now on: nobody resumes a session of before. False
 * with an error message if they cannot be used; then the former ones stay in force. */
bool net_tls_reload(struct net_tls *tls, char why[static NET_TLS_WHY_SIZE])
    __attribute__((warn_unused_result));

/* True if a file is not the one that was last loaded, or tried: another one, or changed. */
bool net_tls_has_changed(const struct net_tls *tls);

struct net_tls_counts {
    uint64_t handshakes; /* completed */
    uint64_t failures;   /* handshakes that failed because of an error of TLS */
    int64_t expires_s;   /* when the server's certificate expires, in Unix seconds */
};

struct net_tls_counts net_tls_counts(struct net_tls *tls);

/* ---- for tls_session.c ---- */

struct ssl_st;

/* A new connection with the current certificate; NULL without memory. */
struct ssl_st *net_tls_open(struct net_tls *tls);
void net_tls_count(struct net_tls *tls, bool failed);

#endif
