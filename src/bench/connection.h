/* A session on a socket that an epoll set watches. */
#ifndef KEYSTORE_BENCH_CONNECTION_H
#define KEYSTORE_BENCH_CONNECTION_H

#include "bench/session.h"
#include "bench/target.h"

struct connection {
    struct session session;
    int fd; /* -1: not open */
    int epoll;
    bool writing; /* the socket is full: epoll tells when it is not */
    bool dirty;   /* for the owner: has something to write */
};

/*
 * Connects, joins the epoll set with itself as the event's pointer, and begins a session. False
 * with a sentence in `problem` if that fails.
 */
bool connection_open(struct connection *connection, const struct session_setup *setup,
                     const struct target *target, uint64_t timeout_ns, int epoll,
                     char problem[static TARGET_PROBLEM_SIZE]) __attribute__((warn_unused_result));

/* Calls in flight are forgotten without being counted. Allowed when it is not open. */
void connection_close(struct connection *connection);

/* Reads once, up to `size` bytes into `room`, and feeds the session. False if the connection is
 * gone: session.problem says why, or is NULL if it just ended. */
bool connection_read(struct connection *connection, uint8_t *room, size_t size)
    __attribute__((warn_unused_result));

/* Writes what the session has until it is all out or the socket full. False if the connection is
 * gone. */
bool connection_flush(struct connection *connection) __attribute__((warn_unused_result));

#endif
