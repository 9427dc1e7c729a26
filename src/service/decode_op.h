/* The operations that others are made of. */
#ifndef KEYSTORE_SERVICE_DECODE_OP_H
#define KEYSTORE_SERVICE_DECODE_OP_H

#include "service/decode.h"

#include <mini_redis.pb-c.h>

/* As a decode_function, but sets `kind` and `id` of `op` as well. */
enum err decode_op(const Keystore__V1__Op *message, struct arena *arena, struct op *op,
                   const char **why);

#endif
