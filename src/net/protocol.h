/* The interface between a loop (loop.h) and the protocol of its connections, and the loop's limits.
 */
#ifndef KEYSTORE_NET_PROTOCOL_H
#define KEYSTORE_NET_PROTOCOL_H

#include "base/activity.h"
#include "base/chain.h"
#include "base/closing.h"
#include "net/certificate.h"
#include "net/peer.h"

/* The most pieces that a protocol may scatter a read into. */
#define NET_MAX_PIECES 34
/* The least read, in bytes, after which that is worth while. */
#define NET_PLACE_FROM ((size_t)4096)

struct net_connection;

/* What the connections of a listening socket are for. */
enum net_purpose {
    NET_CALLS,
    NET_PROBES, /* a few short ones that look whether the server is well: limited apart from the
                   others (net_admission_enter_probe()) */
};

struct net_tls;

/* A bound socket to be served. */
struct net_socket {
    int descriptor; /* owned by the loop from then on */
    bool is_unix;
    enum net_purpose purpose;
    bool is_shared;      /* another process has it open, too: connections that are pending when the
                            loop stops are left to that */
    struct net_tls *tls; /* its connections speak TLS (net/tls.h); borrowed; NULL: they do not */
};

/* The callbacks of a protocol. `session` is what on_open returned; `now_ms` is the loop's monotonic
 * time. */
struct net_protocol {
    void *user;
    void *(*on_open)(void *user, struct net_connection *connection, int64_t now_ms);
    /* The connection is closed; frees the session. */
    void (*on_close)(void *session);
    /* Processes input and appends output to `out`; with NULL the output is kept to be pulled. False
     * if the connection is to be closed once all pending output is pulled and written. */
    bool (*feed)(void *user, void *session, struct slice bytes, struct chain *out, int64_t now_ms);
    /* Suggests where to read the next bytes to, in at most NET_MAX_PIECES pieces; returns their
     * number, 0 for no preference. Called after reads of NET_PLACE_FROM bytes or more. If `size`
     * bytes are read there, feed_placed() is called next, as feed() for these. Both may be NULL. */
    size_t (*place)(void *session, struct iovec *pieces);
    bool (*feed_placed)(void *user, void *session, size_t size, struct chain *out, int64_t now_ms);
    /* Appends a bounded amount of pending output, or nothing if flow control blocks it. */
    void (*pull)(void *session, struct chain *out, int64_t now_ms);
    size_t (*queued)(const void *session); /* bytes of pending output */
    /* Of these, what the peer as a whole is to take in time. NULL: all of it. */
    size_t (*owed)(const void *session);
    /* Bytes of answers output so far, without what a peer can cause at no cost. NULL: all output
     * counts. */
    uint64_t (*sent)(const void *session);
    bool (*finished)(const void *session); /* nothing is left to be read or sent: close */
    /* True while complete requests have not been answered: a peer that has shut down its side still
     * gets these answers. NULL: feed() always answers before it returns. */
    bool (*has_unanswered)(const void *session);
    /* The peer has shut down its side, and may be gone. Output is pulled then. May be NULL. */
    void (*on_hang_up)(void *session);
    /* The timeout because of which the connection is to be closed, or CLOSING_NONE. Called once a
     * second. */
    struct closing (*expired)(const void *session, int64_t now_ms);
    /* The connection is to be closed for that reason once all pending output is pulled and written;
     * the protocol may inform the peer. */
    void (*end)(void *session, struct closing why);
    /* Why the connection has ended or is about to; CLOSING_NONE if the peer ended it. */
    struct closing (*closing)(const void *session);
    /* Called once a second, unless the connection is to be closed: for timeouts that do not close
     * the connection. May be NULL. */
    void (*check)(void *session, int64_t now_ms);
    /* Periodic work, first called when the loop starts; returns the delay until the next call in
     * milliseconds, at least 1. The output that it causes is written when it returns. May be NULL.
     */
    int64_t (*tick)(void *user);
    /* Called after net_loop_wake(), once for any number of calls of it. The output that it causes
     * is written when it returns, once per connection. NULL if net_loop_wake() is not used. */
    void (*on_wake)(void *user);
    /* The loop stops: the last opportunity for output that is written before drain(). May be NULL.
     */
    void (*on_stop)(void *user);
    /* Marked idle before the loop waits because nothing is ready. NULL: nobody wants to know. */
    struct activity_worker *activity;
    /* Starts a graceful shutdown: finish what is in flight, accept nothing new. A second call does
     * not wait for the peer any longer. */
    void (*drain)(void *session);
};

struct net_limits {
    int64_t drain_timeout_ms; /* connections that do not close during a drain */
    int64_t write_timeout_ms; /* for a peer to take its pending answers, or min_progress bytes of
                                 them: slow readers. At most 5 seconds once feed() has returned
                                 false */
    size_t min_progress;
    size_t max_queued;       /* pending output of a connection in bytes; above it, and while the
                                socket takes nothing, no input is read (backpressure): answers
                                without a reader */
    size_t max_queued_total; /* the same for all connections of a loop; above it no connection with
                                pending output is read */
};

extern const struct net_limits net_default_limits;

/* That of the listening socket. */
enum net_purpose net_connection_purpose(const struct net_connection *connection);

/* To be called on the loop's thread when a session has output outside feed(); also allowed while
 * another one is being fed. */
void net_connection_flush(struct net_connection *connection);

/* The names in the certificate of the client, which was verified (--tls-client-ca); false if it has
 * shown none, or without TLS. On the loop's thread. */
bool net_connection_certificate(const struct net_connection *connection, net_name_function *each,
                                void *user);

/* Who the peer is, as net_peer_print(). */
void net_connection_print_peer(const struct net_connection *connection, char text[NET_PEER_TEXT]);

#endif
