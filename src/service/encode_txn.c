/* TxnReply: replies within a reply. The operation table says which message each one is. */
#include "base/chain.h"
#include "service/encode.h"
#include "service/wire.h"

enum { TXN_SUCCEEDED = 1, TXN_REPLIES = 2, TXN_VERSION = 3 };
enum { REPLY_ID = 1 };

static const struct encoder *const encoders[OP_COUNT] = {
#define OPERATION(kind, method, request, reply, access, category, keys, apply, ...)                \
    [OP_##kind] = &encode_##reply,
#include "store/operations.def"
#undef OPERATION
};

/* Bytes of the Reply whose message has `message` bytes. */
static size_t encode_txn_reply_size(const struct op *op, size_t message)
{
    return wire_number_size(op->id) + wire_head_size(message) + message;
}

static size_t encode_txn_size_txn_reply(const struct op_result *result)
{
    size_t size = wire_number_size(result->ok) + wire_number_size(result->version);
    for (size_t i = 0; i < result->result_count; i++) {
        const struct op *op = &result->done[i];
        size_t reply = encode_txn_reply_size(op, encoders[op->kind]->size(&result->results[i]));
        size += wire_head_size(reply) + reply;
    }
    return size;
}

static void encode_txn_put_reply(const struct op *op, const struct op_result *result,
                                 struct chain *to)
{
    const struct encoder *encoder = encoders[op->kind];
    size_t message = encoder->size(result);
    size_t reply = encode_txn_reply_size(op, message);
    uint8_t *out = chain_append(to, wire_head_size(reply) + reply - message);
    out = wire_write_head(out, TXN_REPLIES, reply);
    out = wire_write_number(out, REPLY_ID, op->id);
    wire_write_head(out, encoder->reply_field, message);
    encoder->write(result, to);
}

static void encode_txn_put_txn_reply(const struct op_result *result, struct chain *to)
{
    uint8_t *out = chain_append(to, wire_number_size(result->ok));
    wire_write_number(out, TXN_SUCCEEDED, result->ok);
    for (size_t i = 0; i < result->result_count; i++)
        encode_txn_put_reply(&result->done[i], &result->results[i], to);
    out = chain_append(to, wire_number_size(result->version));
    wire_write_number(out, TXN_VERSION, result->version);
}

const struct encoder encode_txn_reply = {encode_txn_size_txn_reply, encode_txn_put_txn_reply, 0};
