/*
 * Listening sockets. Each worker gets one of its own: with TCP the kernel spreads the connections
 * over them (SO_REUSEPORT), with unix sockets they share one queue.
 */
#ifndef KEYSTORE_NET_LISTENER_H
#define KEYSTORE_NET_LISTENER_H

#include "net/address.h"

#include <stddef.h>

/*
 * Binds `count` sockets to the address, all to the port that the system chose where it asks for
 * one, writes the port to *address and into its text, and listens. The caller owns the descriptors.
 * Fails, with nothing bound and errno set, also when another server has the address (EADDRINUSE),
 * though it shares its port among its own sockets. The file of a unix socket that nobody serves any
 * more is replaced.
 */
bool listener_bind(struct net_address *address, int *descriptors, size_t count)
    __attribute__((warn_unused_result));

/* Removes the file of a unix address; to be called by who bound it, when it no longer serves. */
void listener_unlink(const struct net_address *address);

#endif
