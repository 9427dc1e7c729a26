/*
 * A stream socket to a server. Deadlines are instants of clock_monotonic_ms();
 * INT64_MAX means none.
 */
#ifndef KEYSTORE_CLIENT_SOCKET_H
#define KEYSTORE_CLIENT_SOCKET_H

#include "base/slice.h"
#include "client/target.h"

#include <sys/types.h>

/*
 * Connects to the first address of the target that accepts; each gets a fair share of the time.
 * Returns the descriptor, or -1 with *error set (KEYSTORE_UNAVAILABLE, or
 * KEYSTORE_DEADLINE_EXCEEDED at the deadline). The time includes resolving a host name, and waiting
 * for a unix socket with a full backlog.
 */
int socket_connect(const struct target *target, int64_t deadline_ms, struct keystore_error *error);

/*
 * Waits for one of the poll(2) `events` or a hang-up. Returns the events, or 0 at the deadline. A
 * signal does not end the wait.
 */
short socket_wait(int fd, short events, int64_t deadline_ms);

/* The same; SOCKET_CANCELLED as soon as `cancel_fd` is readable. -1: there is none. */
#define SOCKET_CANCELLED ((short)-1)
short socket_wait_or_cancel(int fd, short events, int cancel_fd, int64_t deadline_ms);

/* Like send(2) and recv(2), but never block, raise SIGPIPE or fail because of a signal. */
ssize_t socket_send(int fd, struct slice bytes);
ssize_t socket_receive(int fd, void *out, size_t size);

/*
 * Like socket_receive(), but blocks until the first byte arrives, in the same system call: at most
 * for the socket's receive timeout (INT64_MAX: none), and a signal may end the wait.
 */
ssize_t socket_receive_waiting(int fd, void *out, size_t size);
bool socket_set_receive_timeout(int fd, int64_t timeout_ms);

/* Whether errno of a send or receive means that it would have blocked or was interrupted. */
bool socket_would_block(void);

#endif
