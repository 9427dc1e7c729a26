/* One connection of a loop; private to net. */
#ifndef KEYSTORE_NET_CONNECTION_H
#define KEYSTORE_NET_CONNECTION_H

#include "net/protocol.h"

#include <stdbool.h>

struct net_connection;
struct net_peer;
struct net_shared; /* net/connection_state.h */

/* Serves the accepted socket, whose descriptor the connection owns from now on, as one of the
 * listening socket. The peer has been admitted, and leaves the admission when the connection is
 * closed, also if opening fails. */
void connection_open(struct net_shared *shared, int descriptor, const struct net_socket *listening,
                     const struct net_peer *peer);

/* Flushes the connections in `waiting`. */
void connection_flush_waiting(struct net_shared *shared);

/* Starts a graceful shutdown: the protocol finishes what is in flight. */
void connection_drain(struct net_connection *connection);

/* Closes the connection immediately. */
void connection_close(struct net_connection *connection);

/* The same for that reason, which is logged; the peer is informed if its socket takes the output.
 */
void connection_close_for(struct net_connection *connection, struct closing why);

/* Lets the protocol end the connection for that reason; it is closed when the protocol's last
 * output is written. */
void connection_end_for(struct net_connection *connection, struct closing why);

/* The next in the list that starts at `net_shared.first`; NULL at its end. */
struct net_connection *connection_next(const struct net_connection *connection);

#endif
