/* The changes that events of Watch carry: operations that the server sends. */
#ifndef KEYSTORE_CLIENT_CHANGES_H
#define KEYSTORE_CLIENT_CHANGES_H

#include "client/pool.h"
#include "keystore/client.h"
#include "mini_redis.pb-c.h"

/*
 * The operation in the pool; its slices refer to the message's memory. NULL for a kind that no
 * change has, or with pool->failed set.
 */
struct keystore_op *changes_from_wire(struct pool *pool, const Keystore__V1__Op *wire);

#endif
