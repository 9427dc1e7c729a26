/*
 * Decodes the replies of Watch and Consume, and matches them with the ledger. Does not know streams
 * of HTTP/2.
 */
#include "bench/feed.h"

#include "base/check.h"
#include "base/mem.h"
#include "bench/message.h"
#include "bench/wire.h"

#include <stdlib.h>
#include <string.h>

#define SERVICE   "/keystore.v1.KeyStore/"
#define MALFORMED "the server's reply on a stream does not decode"

/* The fields of mini_redis.proto that are used. */
enum { FIELD_SELECTORS = 1, FIELD_PREFIX = 2 };                /* of WatchRequest, Selector */
enum { FIELD_EVENTS = 1 };                                     /* of WatchBatch */
enum { FIELD_TYPE = 1, FIELD_KEY = 2, FIELD_VERSION = 3 };     /* of its Event */
enum { FIELD_START = 1, FIELD_ACKNOWLEDGED = 2 };              /* of ConsumeRequest */
enum { FIELD_KEYS = 1, FIELD_MAX_IN_FLIGHT = 3 };              /* of its Start */
enum { FIELD_DELIVERIES = 1, FIELD_DONE = 2, FIELD_RETURNED }; /* of ConsumeReply */
enum { FIELD_ID = 1, FIELD_VALUE = 3 };                        /* of its Delivery */
enum { EVENT_WRITE = 1 };

static const struct feed_row rows[FEED_KINDS] = {
    [FEED_WATCH] = {"watch", "Watch", SERVICE "Watch", "watchers", OP_SET},
    [FEED_CONSUME] = {"consume", "Consume", SERVICE "Consume", "consumers", OP_R_PUSH},
};

const struct feed_row *feed_row(enum feed_kind kind)
{
    CHECK(kind != FEED_NONE);
    return &rows[kind];
}

bool feed_parse(const char *name, enum feed_kind *kind)
{
    for (int i = FEED_NONE + 1; i < FEED_KINDS; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            *kind = (enum feed_kind)i;
            return true;
        }
    }
    return false;
}

/* Appends `inner` as a field. */
static void feed_put_nested(struct buf *out, unsigned field, struct buf *inner)
{
    memcpy(message_put_bytes(out, field, inner->len), inner->data, inner->len);
    buf_deinit(inner);
}

void feed_put_request(struct buf *out, enum feed_kind kind, const struct payload *payload,
                      uint32_t in_flight)
{
    struct buf inner;
    buf_init(&inner, SIZE_MAX);
    size_t begin = message_begin(out);
    size_t prefix_len = payload->key_size - payload->digits;
    bool consumes = kind == FEED_CONSUME;
    size_t len = consumes ? payload->key_size : prefix_len;
    uint8_t *key = mem_alloc(payload->key_size);
    payload_first_key(payload, op_row(rows[kind].write)->is_list, key);
    memcpy(message_put_bytes(&inner, consumes ? FIELD_KEYS : FIELD_PREFIX, len), key, len);
    free(key);
    if (consumes) {
        message_put_varint(&inner, FIELD_MAX_IN_FLIGHT << 3 | MESSAGE_VARINT);
        message_put_varint(&inner, in_flight);
    }
    feed_put_nested(out, consumes ? FIELD_START : FIELD_SELECTORS, &inner);
    message_end(out, begin);
}

void feed_init(struct feed *feed, enum feed_kind kind, int64_t window)
{
    /* Watch says from when on it is in effect; elements of lists wait for their consumers. */
    *feed = (struct feed){.started = kind == FEED_CONSUME, .window = window};
    buf_init(&feed->in, SIZE_MAX);
    buf_init(&feed->ids, SIZE_MAX);
    buf_init(&feed->out, SIZE_MAX);
}

void feed_deinit(struct feed *feed)
{
    buf_deinit(&feed->in);
    buf_deinit(&feed->ids);
    buf_deinit(&feed->out);
}

static void feed_count(const struct feed_setup *setup, bool known, uint64_t number, uint64_t now_ns)
{
    uint64_t start_ns;
    if (known && ledger_receive(setup->ledger, number, &start_ns))
        tally_receive(setup->tally, start_ns, now_ns);
    else
        setup->tally->ends[TALLY_UNEXPECTED]++;
}

static bool feed_take_event(struct feed *feed, const struct feed_setup *setup, struct slice event,
                            uint64_t now_ns)
{
    uint64_t type = 0, version = 0, number = 0;
    struct slice key = slice_make(NULL, 0);
    while (event.len > 0) {
        struct message_field field;
        if (!message_take_field(&event, &field))
            return false;
        if (field.id == FIELD_TYPE)
            type = field.number;
        else if (field.id == FIELD_KEY)
            key = field.bytes;
        else if (field.id == FIELD_VERSION)
            version = field.number;
    }
    /* Each Set has a version of its own, so that an event that comes twice does not ascend. */
    bool known = type == EVENT_WRITE && version > feed->version &&
                 payload_find_key(setup->payload, key, &number);
    feed_count(setup, known, number, now_ns);
    if (version > feed->version)
        feed->version = version;
    return true;
}

static bool feed_take_watch(struct feed *feed, const struct feed_setup *setup, struct slice message,
                            uint64_t now_ns)
{
    feed->started = true;
    while (message.len > 0) {
        struct message_field field;
        if (!message_take_field(&message, &field))
            return false;
        if (field.id == FIELD_EVENTS && !feed_take_event(feed, setup, field.bytes, now_ns))
            return false;
    }
    return true;
}

static bool feed_take_delivery(struct feed *feed, const struct feed_setup *setup,
                               struct slice delivery, uint64_t now_ns)
{
    uint64_t id = 0, number = 0;
    struct slice value = slice_make(NULL, 0);
    while (delivery.len > 0) {
        struct message_field field;
        if (!message_take_field(&delivery, &field))
            return false;
        if (field.id == FIELD_ID)
            id = field.number;
        else if (field.id == FIELD_VALUE)
            value = field.bytes;
    }
    if (id <= feed->delivered)
        return false;
    feed->delivered = id;
    message_put_varint(&feed->ids, id);
    setup->tally->unacknowledged++;
    bool known = payload_find_value(setup->payload, value, &number);
    feed_count(setup, known, number, now_ns);
    return true;
}

/* Ids of elements that are not in flight any longer: one, or packed. False if they do not decode or
 * are more than were delivered. */
static bool feed_take_ids(struct tally *tally, struct slice packed, uint64_t *count)
{
    *count = packed.data == NULL;
    while (packed.len > 0) {
        uint64_t id;
        if (!message_take_varint(&packed, &id))
            return false;
        (*count)++;
    }
    if (*count > tally->unacknowledged)
        return false;
    tally->unacknowledged -= *count;
    return true;
}

static void feed_acknowledge(struct feed *feed)
{
    if (feed->ids.len == 0)
        return;
    size_t begin = message_begin(&feed->out);
    uint8_t *to = message_put_bytes(&feed->out, FIELD_ACKNOWLEDGED, feed->ids.len);
    memcpy(to, feed->ids.data, feed->ids.len);
    message_end(&feed->out, begin);
    buf_clear(&feed->ids, SIZE_MAX);
}

static bool feed_take_consume(struct feed *feed, const struct feed_setup *setup,
                              struct slice message, uint64_t now_ns)
{
    struct tally *tally = setup->tally;
    while (message.len > 0) {
        struct message_field field;
        uint64_t count;
        if (!message_take_field(&message, &field))
            return false;
        if (field.id == FIELD_DELIVERIES && !feed_take_delivery(feed, setup, field.bytes, now_ns))
            return false;
        if (field.id != FIELD_DONE && field.id != FIELD_RETURNED)
            continue;
        if (!feed_take_ids(tally, field.bytes, &count))
            return false;
        if (field.id == FIELD_DONE)
            tally->last_receipt_ns = now_ns;
        else
            tally->ends[TALLY_UNACKNOWLEDGED] += count;
    }
    feed_acknowledge(feed);
    return true;
}

static bool feed_take_message(struct feed *feed, const struct feed_setup *setup,
                              struct slice message, uint64_t now_ns)
{
    return setup->kind == FEED_WATCH ? feed_take_watch(feed, setup, message, now_ns)
                                     : feed_take_consume(feed, setup, message, now_ns);
}

/* Takes all complete messages. */
static const char *feed_take_messages(struct feed *feed, const struct feed_setup *setup,
                                      struct slice *bytes, uint64_t now_ns)
{
    while (bytes->len >= MESSAGE_PREFIX) {
        size_t len = wire_get_u32(bytes->data + 1);
        if (bytes->data[0] != 0)
            return MALFORMED;
        if (len > bytes->len - MESSAGE_PREFIX)
            break;
        struct slice message = slice_make(bytes->data + MESSAGE_PREFIX, len);
        if (!feed_take_message(feed, setup, message, now_ns))
            return MALFORMED;
        *bytes = slice_skip(*bytes, MESSAGE_PREFIX + len);
    }
    return NULL;
}

const char *feed_take(struct feed *feed, const struct feed_setup *setup, struct slice bytes,
                      uint64_t now_ns)
{
    if (feed->in.len == 0) { /* as a rule DATA starts with a message: then it is not copied */
        const char *problem = feed_take_messages(feed, setup, &bytes, now_ns);
        if (problem != NULL || bytes.len == 0)
            return problem;
    }
    if (!buf_append(&feed->in, bytes))
        return MALFORMED;
    struct slice left = buf_slice(&feed->in);
    const char *problem = feed_take_messages(feed, setup, &left, now_ns);
    buf_consume(&feed->in, feed->in.len - left.len);
    return problem;
}
