/* What the connections of a server with TLS have in common, from files; private to net. */
#ifndef KEYSTORE_NET_TLS_CONTEXT_H
#define KEYSTORE_NET_TLS_CONTEXT_H

#include "net/tls_files.h"

#include <stdint.h>

struct ssl_ctx_st;

/*
 * TLS 1.2 or newer with forward secrecy and authenticated encryption, the protocol h2 (ALPN), no
 * renegotiation, no compression and no early data. *expires_s is when the certificate expires, in
 * Unix seconds. NULL with an error message if a file cannot be used. Free with SSL_CTX_free().
 */
struct ssl_ctx_st *tls_context_load(const struct net_tls_files *files, int64_t *expires_s,
                                    char why[static NET_TLS_WHY_SIZE]);

/* OpenSSL's reason for the newest error of this thread, which is forgotten. Static memory. */
const char *tls_context_reason(void);

/* What a handshake lacks without the protocol h2. */
extern const char tls_context_no_h2[];

/* Set as the ssl's application data, a place for the reason why a callback has failed. */
struct tls_cause {
    const char *text; /* static memory, or NULL */
};

#endif
