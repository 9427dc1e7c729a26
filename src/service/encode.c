/*
 * From struct op_result to messages on the wire, written where they leave. Knows the field numbers
 * of the replies in proto/mini_redis.proto; large values are passed on by reference.
 */
#include "service/encode.h"

#include "base/blob.h"
#include "grpc/server.h"
#include "service/wire.h"

enum { VALUE_VALUE = 1, VALUE_FOUND = 2, VALUE_VERSION = 3 };
enum { STATUS_OK = 1, STATUS_COUNT = 2, STATUS_VERSION = 3, STATUS_PREVIOUS = 4 };
enum { LIST_VALUES = 1, LIST_FOUND = 2, LIST_LENGTH = 3, LIST_OFFSET = 4, LIST_VERSION = 5 };

/* A bytes field; `blob`, if not NULL, holds its bytes. */
static void reply_bytes(struct grpc_call *call, unsigned field, struct slice bytes,
                        struct blob *blob)
{
    size_t head = wire_head_size(bytes.len);
    if (blob != NULL) {
        wire_write_head(grpc_call_reply_bytes(call, head), field, bytes.len);
        grpc_call_reply_blob(call, blob_retain(blob), bytes);
        return;
    }
    uint8_t *out = grpc_call_reply_bytes(call, head + bytes.len);
    out = wire_write_head(out, field, bytes.len);
    if (bytes.len > 0)
        memcpy(out, bytes.data, bytes.len);
}

static size_t bytes_size(struct slice bytes)
{
    return wire_head_size(bytes.len) + bytes.len;
}

/* The numbers behind a Value's bytes. */
static size_t value_rest_size(const struct op_value *value)
{
    return wire_number_size(value->found) + wire_number_size(value->version);
}

static size_t value_size(const struct op_value *value)
{
    return (value->bytes.len > 0 ? bytes_size(value->bytes) : 0) + value_rest_size(value);
}

static void reply_value(struct grpc_call *call, const struct op_value *value)
{
    if (value->bytes.len > 0)
        reply_bytes(call, VALUE_VALUE, value->bytes, value->blob);
    uint8_t *out = grpc_call_reply_bytes(call, value_rest_size(value));
    out = wire_write_number(out, VALUE_FOUND, value->found);
    wire_write_number(out, VALUE_VERSION, value->version);
}

void encode_value(const struct op_result *result, struct grpc_call *call)
{
    grpc_call_reply_begin(call, value_size(&result->value));
    reply_value(call, &result->value);
    grpc_call_reply_end(call);
}

void encode_status(const struct op_result *result, struct grpc_call *call)
{
    uint64_t count = (uint64_t)result->count;
    size_t numbers =
        wire_number_size(result->ok) + wire_number_size(count) + wire_number_size(result->version);
    size_t previous = result->has_previous ? value_size(&result->value) : 0;
    size_t previous_head = result->has_previous ? wire_head_size(previous) : 0;

    grpc_call_reply_begin(call, numbers + previous_head + previous);
    uint8_t *out = grpc_call_reply_bytes(call, numbers + previous_head);
    out = wire_write_number(out, STATUS_OK, result->ok);
    out = wire_write_number(out, STATUS_COUNT, count);
    out = wire_write_number(out, STATUS_VERSION, result->version);
    if (result->has_previous) {
        wire_write_head(out, STATUS_PREVIOUS, previous);
        reply_value(call, &result->value);
    }
    grpc_call_reply_end(call);
}

void encode_list_values(const struct op_result *result, struct grpc_call *call)
{
    uint64_t length = (uint64_t)result->length, offset = (uint64_t)result->offset;
    size_t numbers = wire_number_size(result->ok) + wire_number_size(length) +
                     wire_number_size(offset) + wire_number_size(result->version);
    size_t elements = 0;
    for (size_t i = 0; i < result->value_count; i++)
        elements += bytes_size(result->values[i]);

    grpc_call_reply_begin(call, elements + numbers);
    for (size_t i = 0; i < result->value_count; i++)
        reply_bytes(call, LIST_VALUES, result->values[i],
                    result->blobs != NULL ? result->blobs[i] : NULL);
    uint8_t *out = grpc_call_reply_bytes(call, numbers);
    out = wire_write_number(out, LIST_FOUND, result->ok);
    out = wire_write_number(out, LIST_LENGTH, length);
    out = wire_write_number(out, LIST_OFFSET, offset);
    wire_write_number(out, LIST_VERSION, result->version);
    grpc_call_reply_end(call);
}
