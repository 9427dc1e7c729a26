/* Replies with the id of their operation. Their messages follow from the operation table. */
#include "service/encode_reply.h"

#include "base/chain.h"
#include "service/status.h"
#include "service/wire.h"

#include <mini_redis.pb-c.h>

enum { REPLY_ID = 1, REPLY_ERROR = 6 };
enum { ERROR_CODE = 1, ERROR_REASON = 2, ERROR_MESSAGE = 3 };

static const struct encoder *const encoders[OP_COUNT] = {
#define OPERATION(kind, method, request, reply, access, category, keys, apply, ...)                \
    [OP_##kind] = &encode_##reply,
#include "store/operations.def"
#undef OPERATION
};

static uint64_t encode_reply_reason(enum err err)
{
    return (uint64_t)protobuf_c_enum_descriptor_get_value_by_name(
               &keystore__v1__error_reason__descriptor, status_reason(err))
        ->value;
}

static size_t encode_reply_error_size(const struct op_result *result)
{
    size_t len = strlen(result->why);
    return wire_number_size(status_code(result->err)) +
           wire_number_size(encode_reply_reason(result->err)) + wire_head_size(len) + len;
}

static void encode_reply_write_error(const struct op_result *result, struct chain *to)
{
    uint8_t *out = chain_append(to, encode_reply_error_size(result));
    out = wire_write_number(out, ERROR_CODE, status_code(result->err));
    out = wire_write_number(out, ERROR_REASON, encode_reply_reason(result->err));
    wire_write_bytes(out, ERROR_MESSAGE, slice_from_string(result->why));
}

static size_t encode_reply_message_size(const struct op *op, const struct op_result *result)
{
    return result->err != ERR_NONE ? encode_reply_error_size(result)
                                   : encoders[op->kind]->size(result);
}

/* The size of the Reply around a message of that size. */
static size_t encode_reply_around(const struct op *op, size_t message)
{
    return wire_number_size(op->id) + wire_head_size(message) + message;
}

size_t encode_reply_size(const struct op *op, const struct op_result *result)
{
    return encode_reply_around(op, encode_reply_message_size(op, result));
}

void encode_reply_write(unsigned field, const struct op *op, const struct op_result *result,
                        struct chain *to)
{
    size_t message = encode_reply_message_size(op, result);
    size_t reply = encode_reply_around(op, message);
    unsigned number = result->err != ERR_NONE ? REPLY_ERROR : encoders[op->kind]->reply_field;
    uint8_t *out = chain_append(to, wire_head_size(reply) + reply - message);
    out = wire_write_head(out, field, reply);
    out = wire_write_number(out, REPLY_ID, op->id);
    wire_write_head(out, number, message);
    if (result->err != ERR_NONE)
        encode_reply_write_error(result, to);
    else
        encoders[op->kind]->write(result, to);
}
