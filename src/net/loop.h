/*
 * One worker's event loop: its listening sockets, its connections, and the bytes that go in and out
 * of them. What the bytes mean is the protocol's business.
 *
 * One read is fed whole to the protocol, and all that it answers leaves in one write. While the
 * peer does not read, at most OUTPUT_CHUNK bytes wait here; the rest waits in the protocol's own
 * queue, and when that is long too, nothing more is read from the peer.
 */
#ifndef KEYSTORE_NET_LOOP_H
#define KEYSTORE_NET_LOOP_H

#include "base/buf.h"

#define NET_DRAIN_PATIENCE_MS 500

struct net_connection;
struct net_loop;

/* What is spoken on the connections of a loop. `session` is what on_open returned. */
struct net_protocol {
    void *user;
    void *(*on_open)(void *user, struct net_connection *connection);
    /* The connection is closed; frees the session. */
    void (*on_close)(void *session);
    /* False if the connection is to end after what can be pulled is written. */
    bool (*feed)(void *session, struct slice bytes);
    /* Appends output until `out` holds `enough` bytes or `max_frame` more. */
    void (*pull)(void *session, struct buf *out, size_t enough);
    size_t max_frame;
    size_t (*queued)(const void *session); /* bytes of output that wait to be pulled */
    bool (*finished)(const void *session); /* nothing left to do: close */
    /* Finish what is under way, take nothing new. Called again later: do not wait for the peer. */
    void (*drain)(void *session);
};

/* `protocol` is borrowed for the loop's life. Free with net_loop_free() after it has run. */
struct net_loop *net_loop_new(const struct net_protocol *protocol, int64_t drain_timeout_ms);
void net_loop_free(struct net_loop *loop);

/* Serves a bound socket, whose descriptor the loop takes over. 0, or a negative errno. */
int net_loop_listen(struct net_loop *loop, int descriptor, bool is_unix)
    __attribute__((warn_unused_result));

/* Runs until net_loop_stop() was called and the connections are gone. */
void net_loop_run(struct net_loop *loop);

/*
 * Ends the loop, from any thread: it accepts no more, drains every connection, does so again after
 * NET_DRAIN_PATIENCE_MS (a peer without calls may not be reading), and closes what is left after
 * the drain timeout.
 */
void net_loop_stop(struct net_loop *loop);

/* To be called on the loop's thread when a session has output though it was not fed. */
void net_connection_flush(struct net_connection *connection);

#endif
