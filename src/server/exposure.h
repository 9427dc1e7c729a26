/*
 * Which of the addresses that the server listens on are open to others: those that other machines
 * can reach, without TLS or without anything that tells who calls. A server does not start with one
 * unless it is told to (--insecure).
 */
#ifndef KEYSTORE_SERVER_EXPOSURE_H
#define KEYSTORE_SERVER_EXPOSURE_H

#include "server/settings.h"

/* True if only this machine can reach what is bound there: a unix socket, 127.0.0.0/8 or ::1. */
bool exposure_is_local(const struct sockaddr_storage *bound);

/* Bytes of what exposure_find() says, with its terminating zero. */
#define EXPOSURE_TEXT ((size_t)400)

struct exposure {
    char danger[EXPOSURE_TEXT]; /* what others can do; a phrase for a message */
    char remedy[EXPOSURE_TEXT]; /* what to set instead */
};

/*
 * True if the listening socket is open to others; judged by where it is bound, not by how its
 * address was written. Users or, with TLS, certificates that clients must have count as telling who
 * calls: the administrator chose who gets one.
 */
bool exposure_find(const struct config *config, int descriptor, const struct net_address *address,
                   struct exposure *exposure) __attribute__((warn_unused_result));

/* The same; logs an open one. True if the server may serve it all the same: because it is not, or
 * because of --insecure. */
bool exposure_accept(const struct config *config, int descriptor, const struct net_address *address)
    __attribute__((warn_unused_result));

#endif
