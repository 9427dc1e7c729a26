/* Decodes just enough protobuf to find the values of an answer. Does not know connections. */
#include "bench/verify.h"

#include "bench/message.h"
#include "bench/wire.h"

enum { FIELD_VALUE = 1, FIELD_FOUND = 2 }; /* of Value; `values` and `found` of ListValues too */
enum { FIELD_REPLY_VALUE = 3, FIELD_REPLY_LIST = 4, FIELD_ERROR = 6 }; /* of Reply */

/* Whether a reply is not an error. */
static bool verify_reply(struct slice reply, uint64_t *misses)
{
    while (reply.len > 0) {
        struct message_field field;
        if (!message_take_field(&reply, &field) || field.id == FIELD_ERROR)
            return false;
        bool reads = field.id == FIELD_REPLY_VALUE || field.id == FIELD_REPLY_LIST;
        *misses += reads && field.bytes.len == 0; /* protobuf omits zeros */
    }
    return true;
}

bool verify_batch(size_t count, struct slice body, uint64_t *misses)
{
    size_t replies = 0;
    while (body.len >= MESSAGE_PREFIX) {
        size_t len = wire_get_u32(body.data + 1);
        if (body.data[0] != 0 || len > body.len - MESSAGE_PREFIX)
            return false;
        struct slice message = slice_make(body.data + MESSAGE_PREFIX, len);
        body = slice_skip(body, MESSAGE_PREFIX + len);
        while (message.len > 0) {
            struct message_field field;
            if (!message_take_field(&message, &field) || !verify_reply(field.bytes, misses))
                return false;
            replies++;
        }
    }
    return body.len == 0 && replies == count;
}

static bool verify_values_match(const struct payload *payload, enum op op, uint64_t key,
                                struct slice message)
{
    bool found = false;
    size_t values = 0;
    while (message.len > 0) {
        struct message_field field;
        if (!message_take_field(&message, &field))
            return false;
        if (field.id == FIELD_FOUND)
            found = field.number != 0;
        if (field.id != FIELD_VALUE)
            continue;
        values++;
        if (!payload_matches(payload, key, field.bytes))
            return false;
    }
    if (op == OP_L_RANGE)
        return found || values == 0;
    if (!found)
        return values == 0;
    return values == 1 || (values == 0 && payload->value_size == 0); /* an empty one is omitted */
}

bool verify_body(const struct payload *payload, enum op op, uint64_t key, struct slice body)
{
    if (body.len < MESSAGE_PREFIX || body.data[0] != 0 ||
        wire_get_u32(body.data + 1) != body.len - MESSAGE_PREFIX)
        return false;
    return !op_row(op)->reads ||
           verify_values_match(payload, op, key, slice_skip(body, MESSAGE_PREFIX));
}
