/* Changes of the change stream as operations of the API. */
#ifndef KEYSTORE_SERVICE_ENCODE_CHANGE_H
#define KEYSTORE_SERVICE_ENCODE_CHANGE_H

#include "store/op.h"

#include <mini_redis.pb-c.h>

struct arena;

/*
 * The operation that does to its key what the change did; it points to the change and the arena.
 * NULL if there is none, because the effect depends on another key or the change removed the key.
 */
const Keystore__V1__Op *encode_change(const struct op *change, struct arena *arena);

#endif
