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
 * Connects to the first address of the target that accepts, each one getting a fair share of the
 * time. Returns the descriptor, or -1 with *error filled (KEYSTORE_UNAVAILABLE, or
 * KEYSTORE_DEADLINE_EXCEEDED when the time was up). A host name is looked up within the same time,
 * and a unix socket with a full backlog waited for.
 */
int socket_connect(const struct target *target, int64_t deadline_ms, struct keystore_error *error);

/*
 * Waits until one of the poll(2) `events` (or a hang-up) is there. Returns the events, 0 when the
 * deadline has passed. A signal does not end the wait.
 */
short socket_wait(int fd, short events, int64_t deadline_ms);

/* As send(2) and recv(2), but never blocks, never raises SIGPIPE, and is not ended by a signal. */
ssize_t socket_send(int fd, struct slice bytes);
ssize_t socket_receive(int fd, void *out, size_t size);

/*
 * As socket_receive(), but waits for the first byte, in the same system call: at most for the
 * socket's receive timeout (INT64_MAX: none), and a signal may end the wait, too.
 */
ssize_t socket_receive_waiting(int fd, void *out, size_t size);
bool socket_set_receive_timeout(int fd, int64_t timeout_ms);

/* Whether errno of a send or receive only says "not now". */
bool socket_would_block(void);

#endif
