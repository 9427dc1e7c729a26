/*
 * TLS of one connection: turns bytes of the peer into plaintext, and plaintext into records. It has
 * no socket: the connection reads and writes. Private to net.
 */
#ifndef KEYSTORE_NET_TLS_SESSION_H
#define KEYSTORE_NET_TLS_SESSION_H

#include "base/chain.h"
#include "net/certificate.h"

struct net_tls;
struct tls_session;

/* The server's side of a new connection; `tls` is borrowed. NULL without memory. */
struct tls_session *tls_session_new(struct net_tls *tls);

/* NULL is allowed. */
void tls_session_free(struct tls_session *session);

/*
 * Takes bytes of the peer, which it borrows until tls_session_read() returns 0. That is to be
 * called again and again: it writes at most `size` bytes of plaintext to `out` and returns their
 * number, 0 when all bytes are processed. Both may cause output of TLS itself, such as handshake
 * messages or an alert, which is held.
 */
void tls_session_give(struct tls_session *session, struct slice bytes);
size_t tls_session_read(struct tls_session *session, uint8_t *out, size_t size);

/* Appends what is held, and then the plaintext as records, to `out`. The handshake is complete
 * unless there is no plaintext. False if that fails: the connection is to be closed. */
bool tls_session_write(struct tls_session *session, const struct chain *plain, struct chain *out)
    __attribute__((warn_unused_result));

/* Bytes of output that are held. */
size_t tls_session_held(const struct tls_session *session);

/* The handshake is complete: there may be plaintext in both directions. */
bool tls_session_is_established(const struct tls_session *session);

/* The peer will send nothing more (close_notify). */
bool tls_session_is_finished(const struct tls_session *session);

/* An error message if TLS has failed, NULL otherwise; valid as long as the session. */
const char *tls_session_failure(const struct tls_session *session);

/* Holds the notification that nothing more will be sent (close_notify), the first time. True if
 * there is something to write. */
bool tls_session_close(struct tls_session *session) __attribute__((warn_unused_result));

/* The names in the certificate of the client, which was verified; false if it has shown none. */
bool tls_session_names(const struct tls_session *session, net_name_function *each, void *user);

#endif
