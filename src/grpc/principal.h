/*
 * Who makes a call, as its service knows it: the service's own struct begins with this one. Shared
 * by the calls whose header blocks are the same, and counted; of one thread.
 */
#ifndef KEYSTORE_GRPC_PRINCIPAL_H
#define KEYSTORE_GRPC_PRINCIPAL_H

#include <stddef.h>

struct grpc_principal {
    size_t holders; /* at least one */
    void (*free)(struct grpc_principal *principal);
};

/* NULL, of a service that asks nobody, is allowed. Returns the principal. */
static inline struct grpc_principal *grpc_principal_retain(struct grpc_principal *principal)
{
    if (principal != NULL)
        principal->holders++;
    return principal;
}

static inline void grpc_principal_release(struct grpc_principal *principal)
{
    if (principal != NULL && --principal->holders == 0)
        principal->free(principal);
}

#endif
