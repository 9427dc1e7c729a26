/* A session on a socket that an epoll set watches. */
#ifndef KEYSTORE_BENCH_CONNECTION_H
#define KEYSTORE_BENCH_CONNECTION_H

#include "bench/session.h"
#include "bench/target.h"

struct ssl_st;

struct connection {
    struct session session;
    int fd;             /* -1: not open */
    struct ssl_st *tls; /* NULL: plaintext */
    int epoll;
    bool writing; /* the socket is full, and epoll reports when it is not */
    bool dirty;   /* for the owner: has bytes to write */
};

/*
 * Connects, joins the epoll set with itself as the event's pointer, and starts a session. False,
 * with an error message in `problem`, if that fails.
 */
bool connection_open(struct connection *connection, const struct session_setup *setup,
                     const struct target *target, uint64_t timeout_ns, int epoll,
                     char problem[static TARGET_PROBLEM_SIZE]) __attribute__((warn_unused_result));

/* Drops calls in flight without counting them. Does nothing if the connection is not open. */
void connection_close(struct connection *connection);

/* Reads once, up to `size` bytes into `buffer`, and feeds the session. False if the connection has
 * failed, when session.problem says why, or was closed, when that is NULL. */
bool connection_read(struct connection *connection, uint8_t *buffer, size_t size)
    __attribute__((warn_unused_result));

/* Writes the session's output until it is empty or the socket is full. False if the connection has
 * failed. */
bool connection_flush(struct connection *connection) __attribute__((warn_unused_result));

#endif
