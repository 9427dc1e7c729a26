/*
 * The connection of a channel: a socket, with or without TLS. As client/socket.h, it does not know
 * what the bytes mean.
 */
#ifndef KEYSTORE_CLIENT_LINK_H
#define KEYSTORE_CLIENT_LINK_H

#include "base/slice.h"
#include "client/target.h"
#include "client/tls.h"

struct link {
    int fd;          /* -1 when not connected */
    struct tls *tls; /* owned; NULL: plaintext */
};

/* Connects to the target, and completes the TLS handshake. False with *error set, and
 * nothing is open. */
bool link_open(struct link *link, const struct target *target, int cancel_fd, int64_t deadline_ms,
               struct keystore_error *error);
void link_close(struct link *link);

/* As the functions of client/socket.h; after an error of a send or receive, link_cause() is why. */
ssize_t link_send(struct link *link, struct slice bytes);
ssize_t link_receive(struct link *link, void *out, size_t size);
ssize_t link_receive_waiting(struct link *link, void *out, size_t size);
short link_wait(const struct link *link, short events, int cancel_fd, int64_t deadline_ms);
const char *link_cause(const struct link *link);

/* Sets *error for a connection that ended, because of `cause`, before there was HTTP/2. `last`:
 * what was received last. */
void link_explain_no_http2(const struct link *link, const struct target *target, const char *cause,
                           struct slice last, struct keystore_error *error);

#endif
