/* The unary calls of the client library, by the kind of operation. */
#include "ours.h"

/* Request and answer are members of unions: each call is given those of its kind. */
static enum keystore_code call(struct keystore_client *client, const struct keystore_op *op,
                               struct keystore_reply *reply)
{
    switch (op->kind) {
    case KEYSTORE_OP_NONE:
        break;
#define CALL(kind_, call, request_, answer_, reply_)                                               \
    case KEYSTORE_OP_##kind_:                                                                      \
        reply->kind = KEYSTORE_REPLY_##reply_;                                                     \
        return keystore_##call(client, &op->request.request_, &reply->answer.answer_);
        CALL(SET, set, key_value, status, STATUS)
        CALL(GET, get, key, value, VALUE)
        CALL(DELETE, delete, key, status, STATUS)
        CALL(LPUSH, lpush, list_insert, status, STATUS)
        CALL(LRANGE, lrange, list_range, list, LIST)
        CALL(LPOP, lpop, key, value, VALUE)
        CALL(RPUSH, rpush, list_insert, status, STATUS)
        CALL(RPOP, rpop, key, value, VALUE)
        CALL(INCR, incr, increment, number, NUMBER)
        CALL(EXPIRE, expire, expire, status, STATUS)
        CALL(MGET, mget, keys, values, VALUES)
        CALL(MSET, mset, key_values, status, STATUS)
        CALL(EXISTS, exists, keys, status, STATUS)
        CALL(DESCRIBE, describe, key, info, INFO)
        CALL(APPEND, append, key_value, status, STATUS)
        CALL(GET_RANGE, get_range, byte_range, value, VALUE)
        CALL(SET_RANGE, set_range, byte_range, status, STATUS)
        CALL(GET_DEL, get_del, key, value, VALUE)
        CALL(GET_EX, get_ex, expire, value, VALUE)
        CALL(DELETE_MANY, delete_many, keys, status, STATUS)
        CALL(TOUCH, touch, keys, status, STATUS)
        CALL(RENAME, rename, copy, status, STATUS)
        CALL(COPY, copy, copy, status, STATUS)
        CALL(LIST_POP, list_pop, pop, popped, POPPED)
        CALL(LMOVE, lmove, move, value, VALUE)
        CALL(LINDEX, lindex, list_item, value, VALUE)
        CALL(LSET, lset, list_item, status, STATUS)
        CALL(LINSERT, linsert, list_item, status, STATUS)
        CALL(LREM, lrem, list_find, status, STATUS)
        CALL(LPOS, lpos, list_find, positions, POSITIONS)
        CALL(LTRIM, ltrim, list_range, status, STATUS)
#undef CALL
    }
    return KEYSTORE_UNKNOWN;
}

struct keystore_reply ours_error(struct keystore_client *client)
{
    const struct keystore_error *error = keystore_last_error(client);
    struct keystore_reply reply = {.kind = KEYSTORE_REPLY_ERROR};
    reply.answer.error = (struct keystore_op_error){error->code, error->reason, error->message};
    return reply;
}

void ours_call(struct keystore_client *client, const struct keystore_op *op,
               struct keystore_reply *reply)
{
    if (call(client, op, reply) != KEYSTORE_OK)
        *reply = ours_error(client);
}
