/* The messages of a Consume to its client. */
#ifndef KEYSTORE_SERVICE_STREAMS_CONSUME_REPLY_H
#define KEYSTORE_SERVICE_STREAMS_CONSUME_REPLY_H

#include "service/streams/consume_start.h"
#include "service/streams/deliveries.h"

struct chain;

/* Numbers to be reported; all zero is none. `ids` is freed with free(). */
struct consume_ids {
    uint64_t *ids;
    size_t count, capacity;
};

void consume_reply_add_id(struct consume_ids *ids, uint64_t id);

struct consume_reply {
    const struct consume_start *start;
    const struct delivery *first; /* of those to be delivered, in order; NULL: none is */
    size_t count;                 /* of deliveries in the message: set by consume_reply_measure() */
    struct consume_ids *done, *returned;
};

/* Decides how many deliveries are in the message, so that it has about `room` bytes; returns how
 * many bytes it has. */
size_t consume_reply_measure(struct consume_reply *reply, size_t room);

/* Appends the message, and empties the numbers. */
void consume_reply_write(struct consume_reply *reply, struct chain *to);

#endif
