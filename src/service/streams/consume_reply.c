/* Encodes ConsumeReply; large values are passed by reference. */
#include "service/streams/consume_reply.h"

#include "base/blob.h"
#include "base/chain.h"
#include "base/mem.h"
#include "service/wire.h"

enum { REPLY_DELIVERIES = 1, REPLY_DONE = 2, REPLY_RETURNED = 3 };
enum { DELIVERY_ID = 1, DELIVERY_KEY = 2, DELIVERY_VALUE = 3 };

void consume_reply_add_id(struct consume_ids *ids, uint64_t id)
{
    if (ids->count == ids->capacity) {
        ids->capacity = ids->capacity == 0 ? 8 : 2 * ids->capacity;
        ids->ids = mem_realloc(ids->ids, ids->capacity * sizeof *ids->ids);
    }
    ids->ids[ids->count++] = id;
}

static struct slice consume_reply_key(const struct consume_reply *reply,
                                      const struct delivery *delivery)
{
    return reply->start->keys[delivery->key];
}

static size_t consume_reply_delivery_size(const struct consume_reply *reply,
                                          const struct delivery *delivery)
{
    size_t key = consume_reply_key(reply, delivery).len, value = delivery->value.len;
    return wire_number_size(delivery->id) + wire_head_size(key) + key + wire_head_size(value) +
           value;
}

static size_t consume_reply_ids_size(const struct consume_ids *ids)
{
    size_t size = 0;
    for (size_t i = 0; i < ids->count; i++)
        size += wire_varint_size(ids->ids[i]);
    return size;
}

/* Of a field with that many bytes; an empty one is left out. */
static size_t consume_reply_field_size(size_t size)
{
    return size > 0 ? wire_head_size(size) + size : 0;
}

size_t consume_reply_measure(struct consume_reply *reply, size_t room)
{
    size_t size = consume_reply_field_size(consume_reply_ids_size(reply->done)) +
                  consume_reply_field_size(consume_reply_ids_size(reply->returned));
    const struct delivery *at = reply->first;
    reply->count = 0;
    for (; at != NULL && (size < room || reply->count == 0); at = at->next, reply->count++)
        size += consume_reply_field_size(consume_reply_delivery_size(reply, at));
    return size;
}

static void consume_reply_write_delivery(const struct consume_reply *reply,
                                         const struct delivery *delivery, struct chain *to)
{
    size_t size = consume_reply_delivery_size(reply, delivery);
    size_t shared = delivery->blob != NULL ? delivery->value.len : 0;
    uint8_t *out = chain_append(to, wire_head_size(size) + size - shared);
    out = wire_write_head(out, REPLY_DELIVERIES, size);
    out = wire_write_number(out, DELIVERY_ID, delivery->id);
    out = wire_write_bytes(out, DELIVERY_KEY, consume_reply_key(reply, delivery));
    out = wire_write_head(out, DELIVERY_VALUE, delivery->value.len);
    if (delivery->blob != NULL)
        chain_append_blob(to, blob_retain(delivery->blob), delivery->value);
    else
        slice_write(out, delivery->value);
}

static void consume_reply_write_ids(struct consume_ids *ids, unsigned field, struct chain *to)
{
    size_t size = consume_reply_ids_size(ids);
    if (size == 0)
        return;
    uint8_t *out = chain_append(to, consume_reply_field_size(size));
    out = wire_write_head(out, field, size);
    for (size_t i = 0; i < ids->count; i++)
        out = wire_write_varint(out, ids->ids[i]);
    ids->count = 0;
}

void consume_reply_write(struct consume_reply *reply, struct chain *to)
{
    const struct delivery *at = reply->first;
    for (size_t i = 0; i < reply->count; i++, at = at->next)
        consume_reply_write_delivery(reply, at, to);
    consume_reply_write_ids(reply->done, REPLY_DONE, to);
    consume_reply_write_ids(reply->returned, REPLY_RETURNED, to);
}
