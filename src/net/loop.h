/*
 * One worker's event loop: its listening sockets, its connections, and their input and output. The
 * protocol gives the bytes a meaning.
 *
 * Each read is fed to the protocol as a whole, and all answers leave in one write. What the socket
 * does not take immediately is kept here; meanwhile the protocol keeps its further output, and when
 * that exceeds a limit, the peer is not read any more (backpressure). A peer that shuts down its
 * side still gets the output that can be pulled then.
 */
#ifndef KEYSTORE_NET_LOOP_H
#define KEYSTORE_NET_LOOP_H

#include "net/protocol.h"

/* How long a peer may take to acknowledge the shutdown, in milliseconds, before drain() is called
 * again. */
#define NET_DRAIN_GRACE_MS 500

struct net_admission;
struct net_loop;

/* To be called before the first loop: makes libuv, which aborts when it gets no memory, fall back
 * on the reserve (base/reserve.h). */
void net_loop_use_reserve(void);

/*
 * `protocol` and `admission` are borrowed for the life of the loop, `limits` is copied; several
 * loops may share an admission. Free with net_loop_free() after it has run. NULL with errno if the
 * system has no descriptors for it.
 */
struct net_loop *net_loop_new(const struct net_protocol *protocol, struct net_admission *admission,
                              const struct net_limits *limits);
void net_loop_free(struct net_loop *loop);

/* Replaces the limits, for what is open, too. On the loop's thread. */
void net_loop_set_limits(struct net_loop *loop, const struct net_limits *limits);

/* Serves a bound socket, whose descriptor the loop owns from now on, even on failure. Returns 0 or
 * a negative errno. */
int net_loop_listen(struct net_loop *loop, const struct net_socket *socket)
    __attribute__((warn_unused_result));

/* Runs until net_loop_stop() has been called and all connections are closed. */
void net_loop_run(struct net_loop *loop);

/*
 * Stops the loop, from any thread: it stops accepting, calls the protocol's on_stop() and writes
 * the output of that, drains every connection, does so again after NET_DRAIN_GRACE_MS (a peer
 * without calls may not be reading), and closes the remaining ones after the drain timeout.
 */
void net_loop_stop(struct net_loop *loop);

/* Schedules a call of the protocol's on_wake() on the loop's thread; from any thread, until
 * net_loop_free(). */
void net_loop_wake(struct net_loop *loop);

/* Has the protocol's tick() called within that many milliseconds. On the loop's thread, and not
 * within tick(). */
void net_loop_tick_within(struct net_loop *loop, int64_t delay_ms);

#endif
