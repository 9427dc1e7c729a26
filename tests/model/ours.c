/* The unary calls of the client library, by the kind of operation. */
#include "ours.h"

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
    if (keystore_call(client, op, reply) != KEYSTORE_OK)
        *reply = ours_error(client);
}
