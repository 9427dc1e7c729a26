/* TxnReply: replies within a reply. */
#include "base/chain.h"
#include "service/encode_reply.h"
#include "service/wire.h"

enum { TXN_SUCCEEDED = 1, TXN_REPLIES = 2, TXN_VERSION = 3 };
static size_t encode_txn_size_txn_reply(const struct op_result *result)
{
    size_t size = wire_number_size(result->ok) + wire_number_size(result->version);
    for (size_t i = 0; i < result->result_count; i++) {
        size_t reply = encode_reply_size(&result->done[i], &result->results[i]);
        size += wire_head_size(reply) + reply;
    }
    return size;
}

static void encode_txn_put_txn_reply(const struct op_result *result, struct chain *to)
{
    uint8_t *out = chain_append(to, wire_number_size(result->ok));
    wire_write_number(out, TXN_SUCCEEDED, result->ok);
    for (size_t i = 0; i < result->result_count; i++)
        encode_reply_write(TXN_REPLIES, &result->done[i], &result->results[i], to);
    out = chain_append(to, wire_number_size(result->version));
    wire_write_number(out, TXN_VERSION, result->version);
}

const struct encoder encode_txn_reply = {encode_txn_size_txn_reply, encode_txn_put_txn_reply, 0};
