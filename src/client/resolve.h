/* From a host's name to its addresses, in bounded time. */
#ifndef KEYSTORE_CLIENT_RESOLVE_H
#define KEYSTORE_CLIENT_RESOLVE_H

#include <stdint.h>

#include "keystore/client.h"

struct addrinfo;

/* Lookups of a process that may be unfinished at once. */
#define RESOLVE_LIMIT 64

/*
 * The addresses of a TCP server; free with freeaddrinfo(). NULL with *error filled:
 * KEYSTORE_UNAVAILABLE if there is no such host, KEYSTORE_DEADLINE_EXCEEDED at the deadline (as in
 * client/socket.h), KEYSTORE_RESOURCE_EXHAUSTED without memory.
 *
 * The system's resolver knows no deadline. It runs in a thread of its own, which may outlive the
 * call and then frees what it found; a host that is an address needs no thread.
 */
struct addrinfo *resolve(const char *host, const char *port, int64_t deadline_ms,
                         struct keystore_error *error);

/* In the child of a fork: the threads are the parent's. */
void resolve_after_fork(void);

#endif
