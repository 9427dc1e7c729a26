/* Resolves host names in bounded time. */
#ifndef KEYSTORE_CLIENT_RESOLVE_H
#define KEYSTORE_CLIENT_RESOLVE_H

#include <stdint.h>

#include "keystore/client.h"

struct addrinfo;

/* Maximum unfinished lookups of a process. */
#define RESOLVE_LIMIT 64

/*
 * The addresses of a TCP server; free with freeaddrinfo(). NULL with *error set:
 * KEYSTORE_UNAVAILABLE if the host is unknown, KEYSTORE_DEADLINE_EXCEEDED at the deadline (as in
 * client/socket.h), KEYSTORE_RESOURCE_EXHAUSTED if memory or threads are short.
 *
 * The system's resolver has no timeout, so it runs in a thread of its own, which may outlive the
 * call and then frees its result; a numeric address needs no thread.
 */
struct addrinfo *resolve(const char *host, const char *port, int64_t deadline_ms,
                         struct keystore_error *error);

/* To be called in the child of a fork, which does not have the parent's threads. */
void resolve_after_fork(void);

#endif
