/*
 * One worker's event loop: its listening sockets, its connections, and the bytes that go in and out
 * of them. What the bytes mean is the protocol's business.
 *
 * One read is fed whole to the protocol, and all that it answers leaves in one write. What the
 * socket does not take at once waits here; meanwhile the protocol keeps its output to itself, and
 * when that becomes too much, nothing more is read from the peer. A peer that ends its side still
 * gets what can be pulled then.
 */
#ifndef KEYSTORE_NET_LOOP_H
#define KEYSTORE_NET_LOOP_H

#include "net/protocol.h"

/* How long a peer may take to notice that the server shuts down, before drain() is called again. */
#define NET_DRAIN_GRACE_MS 500

struct net_admission;
struct net_loop;

/* To be called before the first loop: from now on libuv, which ends the process when it gets no
 * memory, gets what is kept for that (base/reserve.h). */
void net_loop_use_reserve(void);

/*
 * `protocol` and `admission` are borrowed for the loop's life, `limits` is copied; several loops
 * share an admission. Free with net_loop_free() after it has run. NULL, with errno, if the system
 * has no descriptors for it.
 */
struct net_loop *net_loop_new(const struct net_protocol *protocol, struct net_admission *admission,
                              const struct net_limits *limits);
void net_loop_free(struct net_loop *loop);

/* Serves a bound socket, whose descriptor the loop takes over. 0, or a negative errno. */
int net_loop_listen(struct net_loop *loop, int descriptor, bool is_unix)
    __attribute__((warn_unused_result));

/* Runs until net_loop_stop() was called and the connections are gone. */
void net_loop_run(struct net_loop *loop);

/*
 * Ends the loop, from any thread: it accepts no more, drains every connection, does so again after
 * NET_DRAIN_GRACE_MS (a peer without calls may not be reading), and closes what is left after
 * the drain timeout.
 */
void net_loop_stop(struct net_loop *loop);

/* Has the protocol's on_wake() called on the loop's thread soon; from any thread, until
 * net_loop_free(). */
void net_loop_wake(struct net_loop *loop);

#endif
