/*
 * Listening sockets. Each worker has its own: with TCP the kernel distributes the connections among
 * them (SO_REUSEPORT), with unix sockets they share one queue.
 */
#ifndef KEYSTORE_NET_LISTENER_H
#define KEYSTORE_NET_LISTENER_H

#include "net/address.h"

#include <stddef.h>

/*
 * Binds `count` sockets to the address and listens. If its port is 0, the system chooses one for
 * all of them; the port is stored in *address and its text. The caller owns the descriptors. Fails
 * with nothing bound and errno set, for instance EADDRINUSE if another server uses the address,
 * even one that shares its port among its own sockets. The file of a unix socket without a server
 * is replaced.
 */
bool listener_bind(struct net_address *address, int *descriptors, size_t count)
    __attribute__((warn_unused_result));

/* Makes `count` descriptors of one listening socket, of which the first is `descriptor` itself. The
 * same on failure, and `descriptor` stays open. */
bool listener_share(int descriptor, int *descriptors, size_t count)
    __attribute__((warn_unused_result));

/* Removes the file of a unix address; to be called by the process that bound it, when it stops
 * serving. */
void listener_unlink(const struct net_address *address);

#endif
