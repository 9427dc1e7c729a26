/* Decodes and encodes fields of protobuf messages. Does not know which messages there are. */
#include "bench/message.h"

#include "base/check.h"
#include "bench/wire.h"

bool message_take_varint(struct slice *in, uint64_t *number)
{
    *number = 0;
    for (unsigned shift = 0; shift < 64 && in->len > 0; shift += 7) {
        uint8_t byte = in->data[0];
        *in = slice_skip(*in, 1);
        *number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 128)
            return true;
    }
    return false;
}

bool message_take_field(struct slice *in, struct message_field *field)
{
    uint64_t tag;
    *field = (struct message_field){.id = 0};
    if (!message_take_varint(in, &tag))
        return false;
    field->id = tag >> 3;
    uint64_t len = 0;
    switch (tag & 7) {
    case MESSAGE_VARINT:
        return message_take_varint(in, &field->number);
    case MESSAGE_BYTES:
        if (!message_take_varint(in, &len))
            return false;
        break;
    case MESSAGE_FIXED64:
        len = 8;
        break;
    case MESSAGE_FIXED32:
        len = 4;
        break;
    default:
        return false;
    }
    if (len > in->len)
        return false;
    field->bytes = slice_make(in->data, (size_t)len);
    *in = slice_skip(*in, (size_t)len);
    return true;
}

void message_put_varint(struct buf *out, uint64_t number)
{
    uint8_t *to = buf_reserve(out, MESSAGE_MAX_VARINT);
    CHECK(to != NULL);
    size_t len = 0;
    for (; number >= 128; number >>= 7)
        to[len++] = (uint8_t)(0x80 | (number & 0x7f));
    to[len++] = (uint8_t)number;
    out->len += len;
}

uint8_t *message_put_bytes(struct buf *out, unsigned field, size_t len)
{
    message_put_varint(out, field << 3 | MESSAGE_BYTES);
    message_put_varint(out, len);
    uint8_t *bytes = buf_reserve(out, len);
    CHECK(bytes != NULL);
    out->len += len;
    return bytes;
}

size_t message_begin(struct buf *out)
{
    size_t begin = out->len;
    uint8_t *prefix = buf_reserve(out, MESSAGE_PREFIX);
    CHECK(prefix != NULL);
    prefix[0] = 0; /* not compressed */
    out->len += MESSAGE_PREFIX;
    return begin;
}

void message_end(struct buf *out, size_t begin)
{
    CHECK(out->len >= begin + MESSAGE_PREFIX);
    wire_put_u32(out->data + begin + 1, (uint32_t)(out->len - begin - MESSAGE_PREFIX));
}
