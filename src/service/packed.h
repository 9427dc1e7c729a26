/* Replies that protobuf-c encodes, for methods whose speed does not matter. */
#ifndef KEYSTORE_SERVICE_PACKED_H
#define KEYSTORE_SERVICE_PACKED_H

#include "base/chain.h"
#include "grpc/server.h"

#include <protobuf-c/protobuf-c.h>

/* Puts the message into the empty chain, as grpc_call_reply_chain() takes it. */
static inline void packed_reply(const ProtobufCMessage *message, struct chain *reply)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    grpc_reply_begin(reply, size);
    if (size > 0)
        protobuf_c_message_pack(message, chain_append(reply, size));
}

#endif
