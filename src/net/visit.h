/*
 * Visits the open connections of a loop, a few at a time, describes them and ends them. All on the
 * loop's thread, unless the loop has ended.
 */
#ifndef KEYSTORE_NET_VISIT_H
#define KEYSTORE_NET_VISIT_H

#include "base/closing.h"
#include "net/address.h"
#include "net/peer.h"

#include <stddef.h>
#include <stdint.h>

struct net_connection;
struct net_loop;
struct net_shared;

/*
 * Where a visitor is. Connections may open and close meanwhile: those that are open from the start
 * to the end are visited once, in no order that is of use; those that open later, or that the
 * server is closing already, are not.
 */
struct net_visit {
    struct net_connection *at;      /* the next one to be visited; NULL: there are no more */
    struct net_visit *next, **link; /* in the loop's list of visits; `link` is NULL if it is not */
};

/* Starts a visit, whose memory must not move before net_visit_end(). */
void net_visit_begin(struct net_loop *loop, struct net_visit *visit);

/* The next connection, valid until it is closed or the visitor returns to the loop; NULL: there are
 * no more. */
struct net_connection *net_visit_next(struct net_visit *visit);

/* Ends the visit, also after net_loop_free(). */
void net_visit_end(struct net_visit *visit);

/* Ends all visits of a loop that is freed. */
void net_visit_end_all(struct net_shared *shared);

/* What on_open() returned for the connection. */
void *net_connection_session(const struct net_connection *connection);

/* The number that the connection has for its life, from 1, unique among all loops of an admission;
 * and its peer. */
uint64_t net_connection_id(const struct net_connection *connection);
const struct net_peer *net_connection_peer(const struct net_connection *connection);

/* The address that the client has connected to, as --listen takes it. Its text is empty if the
 * system does not say. A system call. */
void net_connection_listener(const struct net_connection *connection, struct net_address *listener);

struct net_traffic {
    int64_t now_ms;     /* monotonic, like the session's times */
    int64_t age_ms;     /* since the connection was accepted */
    uint64_t bytes_in;  /* received, by the kernel's count; 0 for unix sockets, which have none */
    uint64_t bytes_out; /* passed to the kernel */
    size_t unsent;      /* bytes of output that wait for the peer to take them */
};

/* A system call. */
/* Sets *uid to the number of the system's user whose process has connected to a unix socket. False
 * for other sockets. */
bool net_connection_peer_uid(const struct net_connection *connection, unsigned *uid);
struct net_traffic net_connection_traffic(const struct net_connection *connection);

/* Ends the connection for that reason, of which the client is notified if its socket takes output.
 * Within on_wake(). */
void net_connection_kill(struct net_connection *connection, struct closing why);

#endif
