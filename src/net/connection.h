/* One connection of a loop; private to net. */
#ifndef KEYSTORE_NET_CONNECTION_H
#define KEYSTORE_NET_CONNECTION_H

#include "net/admission.h"
#include "net/protocol.h"

#include <uv.h>

/* Bytes that are read at once. */
#define READ_CHUNK ((size_t)256 * 1024)

struct acceptor;

/* What the connections of a loop share. */
struct net_shared {
    uv_loop_t uv;
    const struct net_protocol *protocol;
    struct net_admission *admission;
    struct net_limits limits;
    struct acceptor *acceptors;
    bool accepting_paused;                               /* one of them waits for descriptors: */
    void (*resume_accepting)(struct net_shared *shared); /* has it try again */
    struct net_connection *first;                        /* of the open ones */
    uv_handle_t *anchor; /* keeps the loop going while there are any, for one that neither
                                     reads nor writes, as it waits for an answer, does not */
    size_t queued_total; /* bytes that wait in their protocols */
    struct chain output; /* filled and written within one callback */
    bool feeding;        /* a connection is being fed: the output is its own */
    bool gathering;      /* connections with output wait in `waiting` to be flushed */
    struct net_connection *waiting;
    uint8_t input[READ_CHUNK];
};

/* Serves the accepted socket, whose descriptor it takes over. The peer has entered the admission,
 * and leaves it with the connection's end, also if that is at once. */
void connection_open(struct net_shared *shared, int descriptor, bool is_unix,
                     const struct net_peer *peer);

/* Flushes the connections that wait for it. */
void connection_flush_waiting(struct net_shared *shared);

/* Asks the protocol to finish what is under way. */
void connection_drain(struct net_connection *connection);

/* Closes the connection if one of its timeouts has passed. To be called every second or so. */
void connection_check_timeouts(struct net_connection *connection);

/* Closes connections that hold much and do not read it, if clients together hold too much memory:
 * more than half of the account's limit (base/account.h); above the limit, the one that holds most
 * in any case. */
void connection_relieve(struct net_shared *shared);

/* Closes at once. */
void connection_close(struct net_connection *connection);

/* The same for that reason, which is told; the peer hears of it if its socket takes the words. */
void connection_close_because(struct net_connection *connection, struct closing why);

/* The next in the list that `net_shared.first` begins; NULL at its end. */
struct net_connection *connection_next(const struct net_connection *connection);

#endif
