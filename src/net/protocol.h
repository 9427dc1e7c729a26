/* What a loop (loop.h) asks of the protocol that is spoken on its connections, and its limits. */
#ifndef KEYSTORE_NET_PROTOCOL_H
#define KEYSTORE_NET_PROTOCOL_H

#include "base/activity.h"
#include "base/chain.h"
#include "base/closing.h"

/* Pieces that a protocol may have a read cut into. */
#define NET_MAX_PIECES 33
/* With less at once nothing is saved by that. */
#define NET_PLACE_FROM ((size_t)4096)

struct net_connection;
/* What is spoken on the connections of a loop. `session` is what on_open returned; `now_ms` is the
 * loop's monotonic time. */
struct net_protocol {
    void *user;
    void *(*on_open)(void *user, struct net_connection *connection, int64_t now_ms);
    /* The connection is closed; frees the session. */
    void (*on_close)(void *session);
    /* Appends answers to `out`; with NULL they wait to be pulled. False if the connection is to end
     * after what can be pulled is written. */
    bool (*feed)(void *user, void *session, struct slice bytes, struct chain *out, int64_t now_ms);
    /* Where the next bytes are best read to, in at most NET_MAX_PIECES pieces; returns how many, 0
     * = anywhere. NULL: anywhere always. Asked after reads of NET_PLACE_FROM bytes or more. If some
     * were read to there, feed_placed() is next, which is as feed() with that many of them. */
    size_t (*place)(void *session, struct iovec *pieces);
    bool (*feed_placed)(void *user, void *session, size_t size, struct chain *out, int64_t now_ms);
    /* Appends a bounded amount of what waits; nothing if nothing can go now. */
    void (*pull)(void *session, struct chain *out, int64_t now_ms);
    size_t (*queued)(const void *session); /* bytes of output that wait to be pulled */
    /* Bytes of answers that it has given to be written, but for what a peer can ask for at no cost;
     * NULL: all that it has. */
    uint64_t (*sent)(const void *session);
    bool (*finished)(const void *session); /* nothing left to do: close */
    /* True as long as answers will come for which nothing more is needed from the peer: one that
     * has ended its side gets them. NULL: all are there when feed() returns. */
    bool (*owes)(const void *session);
    /* Why the connection is to end because of a timeout, or CLOSING_NONE. Asked once a second. */
    struct closing (*expired)(const void *session, int64_t now_ms);
    /* The connection is to end for that reason after what can be pulled is written, which may tell
     * the peer. */
    void (*end)(void *session, struct closing why);
    /* Why the connection has ended, or is about to; CLOSING_NONE if it was the peer who did that.
     */
    struct closing (*closing)(const void *session);
    /* Called once a second, unless the connection is to end: for what is bounded in time but does
     * not cost the connection. NULL: nothing is. */
    void (*check)(void *session, int64_t now_ms);
    /* Work beside the connections, once from the loop's start on; returns in how many milliseconds
     * it wants to be called again, at least 1. NULL: there is none. */
    int64_t (*tick)(void *user);
    /* After net_loop_wake(), once for any number of calls. What the sessions have to say then is
     * written when it returns, once per connection. NULL: it will not be called. */
    void (*on_wake)(void *user);
    /* Marked idle before the loop waits because nothing is ready. NULL: nobody wants to know. */
    struct activity_worker *activity;
    /* Finish what is under way, take nothing new. Called again later: do not wait for the peer. */
    void (*drain)(void *session);
};

struct net_limits {
    int64_t drain_timeout_ms; /* connections that do not end */
    int64_t write_timeout_ms; /* in which a peer must take what it is owed, or min_progress bytes of
                                 that: slow readers. At most 5 seconds once feed() has ended the
                                 connection */
    size_t min_progress;
    size_t max_queued;       /* bytes a connection may have waiting; above it, and while the socket
                                takes nothing, it is not read: answers without a reader */
    size_t max_queued_total; /* of a loop's connections together, above which any with bytes waiting
                                is treated so */
};

extern const struct net_limits net_default_limits;

/* To be called on the loop's thread when a session has output though it was not fed; also while
 * another one is. */
void net_connection_flush(struct net_connection *connection);

#endif
