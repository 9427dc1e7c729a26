/*
 * A published message, encoded once and shared by all that wait for it: the publisher and the
 * workers share the message, and the subscriptions of a worker share its delivery there.
 */
#ifndef KEYSTORE_SERVICE_STREAMS_PUBLISHED_H
#define KEYSTORE_SERVICE_STREAMS_PUBLISHED_H

#include "base/blob.h"

#include <stdbool.h>

struct chain;
struct selector;

/* The fields of Message. */
enum { MESSAGE_CHANNEL = 1, MESSAGE_PAYLOAD = 2, MESSAGE_SEQUENCE = 3, MESSAGE_MISSED = 4 };

/* A worker's share in a message; the worker's own once it has taken it. */
struct published_delivery {
    struct published *message;
    struct published_delivery *next; /* in the worker's queue */
    uint64_t number;                 /* of those queued for that worker, ascending */
    size_t holders;                  /* subscriptions for which it waits; only that worker counts */
    bool wakes;                      /* the publisher's: the worker is to be woken */
};

struct published {
    atomic_size_t holders;       /* the publisher, and each worker that it is for */
    size_t memory;               /* bytes, as counted in the clients' account */
    uint64_t sequence;           /* in the channel; set by channels_publish(), which also sets */
    struct selector **selectors; /* what selects it, each retained */
    size_t selector_count;
    struct slice channel;
    struct slice payload; /* of `encoded` or, if it is large, of */
    struct blob *blob;    /* this; else NULL */
    struct slice encoded; /* channel and payload as fields of Message, without a large payload */
    size_t worker_count;
    struct published_delivery deliveries[]; /* one for each worker */
};

/*
 * A message with a copy of both, but for a large payload that lies in `holder`, a blob or NULL,
 * which is retained instead. The caller, who has one hold of it, has made sure that the clients'
 * account allows `memory` bytes, as published_memory() says, and has counted them there. NULL if
 * the system has no memory.
 */
struct published *published_new(struct slice channel, struct slice payload, struct blob *holder,
                                size_t workers);

/* The memory of such a message in bytes. */
size_t published_memory(struct slice channel, struct slice payload, const struct blob *holder,
                        size_t workers);

static inline void published_retain(struct published *message)
{
    atomic_fetch_add_explicit(&message->holders, 1, memory_order_relaxed);
}

/* The last one frees it. */
void published_release(struct published *message);

/* Ends a subscription's hold. To be called by the delivery's worker. */
static inline void published_leave(struct published_delivery *delivery)
{
    if (--delivery->holders == 0)
        published_release(delivery->message);
}

/* Bytes of the message on the wire for a subscription that has missed that many before it, and the
 * message, appended to the chain. */
size_t published_size(const struct published *message, uint64_t missed);
void published_write(const struct published *message, uint64_t missed, struct chain *to);

#endif
