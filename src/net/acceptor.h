/*
 * Accepts the connections of one listening socket; private to net. When the system has no
 * descriptor or memory for another one, it pauses for a while, or until a connection of its loop
 * closes: pending connections stay in the kernel's queue, and everything else goes on.
 */
#ifndef KEYSTORE_NET_ACCEPTOR_H
#define KEYSTORE_NET_ACCEPTOR_H

#include "net/connection.h"
#include "net/protocol.h"

/* Listens and accepts on the bound socket, whose descriptor it owns from now on, even on failure.
 * The acceptor is added to shared->acceptors. Returns 0 or a negative errno. */
int acceptor_new(struct net_shared *shared, const struct net_socket *socket)
    __attribute__((warn_unused_result));

/* Accepts what is pending on the listening sockets of the loop, before they are closed: else the
 * kernel resets connections whose clients may have sent requests that they may not repeat. On a
 * socket that another process has open, too (socket activation), they wait for the next server. */
void acceptor_accept_all(struct net_shared *shared);

/* Closes all listening sockets of the loop; the memory is freed when the loop next runs. */
void acceptor_close_all(struct net_shared *shared);

#endif
