/*
 * The structs of include/keystore/client.h as protobuf messages and back. Packing appends to a
 * buffer and returns false when that would pass its limit. Unpacking copies into the arena and
 * returns false for bytes that are not such a message.
 */
#ifndef KEYSTORE_CLIENT_MESSAGES_H
#define KEYSTORE_CLIENT_MESSAGES_H

#include "base/arena.h"
#include "base/buf.h"
#include "keystore/client.h"

bool messages_pack_key(struct buf *out, const struct keystore_key *key);
bool messages_pack_key_value(struct buf *out, const struct keystore_key_value *key_value);
bool messages_pack_list_range(struct buf *out, const struct keystore_list_range *range);

/* The arena holds what packing needs in between. */
bool messages_pack_list_insert(struct buf *out, struct arena *arena,
                               const struct keystore_list_insert *insert);

bool messages_unpack_value(struct slice bytes, struct arena *arena, struct keystore_value *value);
bool messages_unpack_status(struct slice bytes, struct arena *arena,
                            struct keystore_status *status);
bool messages_unpack_list(struct slice bytes, struct arena *arena, struct keystore_list *list);

#endif
