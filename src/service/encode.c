/* From struct op_result to protobuf-c's messages, packed where they leave. */
#include "service/encode.h"

#include "grpc/server.h"

#include <mini_redis.pb-c.h>

static void reply(struct grpc_call *call, const ProtobufCMessage *message)
{
    uint8_t *out = grpc_call_reply_begin(call, protobuf_c_message_get_packed_size(message));
    protobuf_c_message_pack(message, out);
    grpc_call_reply_end(call);
}

static ProtobufCBinaryData to_binary(struct slice bytes)
{
    /* protobuf-c has no const: packing only reads. */
    return (ProtobufCBinaryData){.len = bytes.len, .data = (uint8_t *)bytes.data};
}

static void fill_value(Keystore__V1__Value *message, const struct op_value *value)
{
    keystore__v1__value__init(message);
    message->value = to_binary(value->bytes);
    message->found = value->found;
    message->version = value->version;
}

void encode_value(const struct op_result *result, struct arena *arena, struct grpc_call *call)
{
    (void)arena;
    Keystore__V1__Value message;
    fill_value(&message, &result->value);
    reply(call, &message.base);
}

void encode_status(const struct op_result *result, struct arena *arena, struct grpc_call *call)
{
    (void)arena;
    Keystore__V1__Value previous;
    Keystore__V1__Status message = KEYSTORE__V1__STATUS__INIT;
    message.ok = result->ok;
    message.count = result->count;
    message.version = result->version;
    if (result->has_previous) {
        fill_value(&previous, &result->value);
        message.previous = &previous;
    }
    reply(call, &message.base);
}

void encode_list_values(const struct op_result *result, struct arena *arena, struct grpc_call *call)
{
    Keystore__V1__ListValues message = KEYSTORE__V1__LIST_VALUES__INIT;
    message.n_values = result->value_count;
    message.values = arena_alloc(arena, result->value_count * sizeof *message.values);
    for (size_t i = 0; i < result->value_count; i++)
        message.values[i] = to_binary(result->values[i]);
    message.found = result->ok;
    message.length = result->length;
    message.offset = result->offset;
    message.version = result->version;
    reply(call, &message.base);
}
