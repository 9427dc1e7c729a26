/* The address of a server, as users write it. */
#ifndef KEYSTORE_CLIENT_TARGET_H
#define KEYSTORE_CLIENT_TARGET_H

#include <stdbool.h>

#include "keystore/client.h"

#define TARGET_DEFAULT_PORT "50051"

struct target {
    bool is_unix;
    char host[256];      /* a name or an address without brackets; empty for a unix socket */
    char port[6];        /* decimal */
    char path[108];      /* of the unix socket, as in sockaddr_un */
    char authority[270]; /* for the :authority header: "HOST:PORT", or "localhost" */
    char name[270];      /* for error messages: "HOST:PORT" or "unix:PATH" */
};

/*
 * Parses "HOST:PORT", "HOST", "[IPV6]:PORT", "[IPV6]" or "unix:PATH". False, with *error filled
 * (KEYSTORE_INVALID_ARGUMENT), for anything else. Does not resolve names.
 */
bool target_parse(const char *text, struct target *target, struct keystore_error *error);

#endif
