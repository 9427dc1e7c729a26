/*
 * TLS of a channel: what is configured, and the connection it has at the moment. The socket stays
 * the caller's; bytes are sent and received as by client/socket.h.
 */
#ifndef KEYSTORE_CLIENT_TLS_H
#define KEYSTORE_CLIENT_TLS_H

#include "base/slice.h"
#include "client/target.h"

#include <sys/types.h>

struct tls;

/* Loads the files; the server's certificate will have to be for options->server_name or else the
 * target's host. NULL with *error set (KEYSTORE_INVALID_ARGUMENT for a file that cannot be used).
 * Free with tls_free(); NULL is allowed there. */
struct tls *tls_new(const struct keystore_tls *options, const struct target *target,
                    struct keystore_error *error);
void tls_free(struct tls *tls);

/* The handshake on a connected socket, which is borrowed until tls_disconnect(). False with *error
 * set: KEYSTORE_UNAVAILABLE and what is wrong, KEYSTORE_DEADLINE_EXCEEDED or KEYSTORE_CANCELLED. */
bool tls_connect(struct tls *tls, int fd, int cancel_fd, int64_t deadline_ms,
                 struct keystore_error *error);

/* Notifies the server, if it takes that immediately, and forgets the socket. */
void tls_disconnect(struct tls *tls);

/* As socket_send(), socket_receive() and socket_receive_waiting(). After an error that is not
 * socket_would_block(), tls_failure() says what it was, unless it is NULL. */
ssize_t tls_send(struct tls *tls, struct slice bytes);
ssize_t tls_receive(struct tls *tls, void *out, size_t size);
ssize_t tls_receive_waiting(struct tls *tls, void *out, size_t size);
const char *tls_failure(const struct tls *tls);

/* True if the last receive was stopped by its size: there may be more without a wait. */
bool tls_has_more(const struct tls *tls);

#endif
