/*
 * The bytes that are the same for all subscriptions are encoded when the message is published. What
 * differs, the number of missed messages, is at the end, and a large payload is only referred to.
 */
#include "service/streams/published.h"

#include "base/account.h"
#include "base/chain.h"
#include "base/check.h"
#include "base/mem.h"
#include "service/streams/selector.h"
#include "service/wire.h"

#include <stdlib.h>

static bool published_is_large(struct slice payload)
{
    return payload.len >= BLOB_LEAST;
}

/* Bytes of the encoded part. */
static size_t published_encoded_size(struct slice channel, struct slice payload)
{
    size_t size = wire_head_size(channel.len) + channel.len + wire_head_size(payload.len);
    return published_is_large(payload) ? size : size + payload.len;
}

static size_t published_struct_size(struct slice channel, struct slice payload, size_t workers)
{
    return sizeof(struct published) + workers * sizeof(struct published_delivery) +
           published_encoded_size(channel, payload);
}

size_t published_memory(struct slice channel, struct slice payload, const struct blob *holder,
                        size_t workers)
{
    size_t size = published_struct_size(channel, payload, workers);
    if (!published_is_large(payload))
        return size;
    return size + (holder != NULL ? blob_memory(holder) : blob_memory_for(payload.len));
}

/* The blob that holds the payload; NULL if there is no memory for it. */
static struct blob *published_take_blob(struct slice payload, struct blob *holder)
{
    if (holder != NULL)
        return blob_retain(holder);
    struct blob *blob = blob_try_new(payload.len);
    if (blob != NULL)
        memcpy(blob->data, payload.data, payload.len);
    return blob;
}

struct published *published_new(struct slice channel, struct slice payload, struct blob *holder,
                                size_t workers)
{
    struct blob *blob = NULL;
    if (published_is_large(payload)) {
        blob = published_take_blob(payload, holder);
        if (blob == NULL)
            return NULL;
        if (holder == NULL)
            payload.data = blob->data;
    }
    struct published *message = mem_alloc(published_struct_size(channel, payload, workers));
    *message = (struct published){.holders = 1,
                                  .memory = published_memory(channel, payload, blob, workers),
                                  .payload = payload,
                                  .blob = blob,
                                  .worker_count = workers};
    for (size_t i = 0; i < workers; i++)
        message->deliveries[i] = (struct published_delivery){.message = message};
    uint8_t *encoded = (uint8_t *)&message->deliveries[workers];
    uint8_t *out = wire_write_bytes(encoded, MESSAGE_CHANNEL, channel);
    message->channel = slice_make(out - channel.len, channel.len);
    out = wire_write_head(out, MESSAGE_PAYLOAD, payload.len);
    if (blob == NULL) {
        message->payload.data = out;
        out = slice_write(out, payload);
    }
    message->encoded = slice_make(encoded, (size_t)(out - encoded));
    return message;
}

void published_release(struct published *message)
{
    if (atomic_fetch_sub_explicit(&message->holders, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < message->selector_count; i++)
        selector_release(message->selectors[i]);
    free(message->selectors);
    blob_release(message->blob);
    account_count(ACCOUNT_CLIENTS, -(ptrdiff_t)message->memory);
    free(message);
}

size_t published_size(const struct published *message, uint64_t missed)
{
    size_t size =
        message->encoded.len + wire_number_size(message->sequence) + wire_number_size(missed);
    return message->blob != NULL ? size + message->payload.len : size;
}

void published_write(const struct published *message, uint64_t missed, struct chain *to)
{
    size_t tail = wire_number_size(message->sequence) + wire_number_size(missed);
    uint8_t *out;
    if (message->blob == NULL) {
        out = slice_write(chain_append(to, message->encoded.len + tail), message->encoded);
    } else {
        slice_write(chain_append(to, message->encoded.len), message->encoded);
        chain_append_blob(to, blob_retain(message->blob), message->payload);
        out = chain_append(to, tail);
    }
    out = wire_write_number(out, MESSAGE_SEQUENCE, message->sequence);
    wire_write_number(out, MESSAGE_MISSED, missed);
}
