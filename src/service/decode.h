/*
 * Request messages to operations. One function per request message, named in operations.def. Each
 * refuses what the message cannot mean; what every operation must obey is checked in service.c.
 */
#ifndef KEYSTORE_SERVICE_DECODE_H
#define KEYSTORE_SERVICE_DECODE_H

#include "base/arena.h"
#include "store/op.h"

/* Fills `op`, whose kind is set and which is zeroed otherwise; its slices point into the message
 * and the arena. On error *why is a sentence. */
typedef enum err decode_function(struct slice message, struct arena *arena, struct op *op,
                                 const char **why);

decode_function decode_key;
decode_function decode_key_value;
decode_function decode_list_insert;
decode_function decode_list_range;

#endif
