/*
 * Who subscribes to which channels and patterns, of all workers, and the way of a message from its
 * publisher to them. A message is queued once for each worker that has subscriptions to it; the
 * worker is woken, and passes it on to each of them.
 *
 * Invariants:
 *  1. All subscriptions get the messages of a channel in the order of their sequence numbers, and
 *     those of one publisher in its order.
 *  2. A subscription gets a message once, however many of its channels and patterns select it, and
 *     no message that was published before it or after its end.
 *  3. A publisher never waits for a subscriber: a worker that cannot keep up loses its oldest
 *     messages (CHANNELS_QUEUE), of which its subscriptions are notified.
 */
#ifndef KEYSTORE_SERVICE_STREAMS_CHANNELS_H
#define KEYSTORE_SERVICE_STREAMS_CHANNELS_H

#include "base/slice.h"
#include "base/waker.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The most messages that wait for a worker to take them. */
#define CHANNELS_QUEUE ((size_t)4096)

/* The most patterns, each counted once: every message is compared with all of them. */
#define CHANNELS_PATTERNS ((size_t)10000)

struct channels;
struct published;
struct published_delivery;
struct selector_link;

/* A subscription, owned by a worker. */
struct channels_subscription {
    /* A message has come: keeps it, adding to delivery->holders, or not. True if flush() is to be
     * called, because there was nothing to write before. Must not subscribe or unsubscribe. */
    bool (*receive)(struct channels_subscription *subscription,
                    struct published_delivery *delivery);
    /* Writes what has come since. The same restriction. */
    void (*flush)(struct channels_subscription *subscription);
    const void *connection;    /* what its messages are written to, together with those of others */
    atomic_uint_fast64_t lost; /* messages that did not reach the worker */
    unsigned worker;           /* set by the owner, like receive */
    uint64_t seen;             /* the number of the worker's newest message that it got */
    uint64_t counted;          /* the number of the operation that counted it last */
    struct selector_link *links; /* NULL: it has not begun */
    size_t link_count;
    struct channels_subscription *next, **link; /* to be flushed; `link` is NULL if it is not */
};

/* For workers with the numbers from 0 to workers - 1. */
struct channels *channels_new(unsigned workers);

/* All subscriptions must have ended; what waits for a worker is dropped. NULL is allowed. */
void channels_free(struct channels *channels);

/* How a worker is woken, so that it calls channels_deliver(). To be set before its first
 * subscription. */
void channels_set_waker(struct channels *channels, unsigned worker, struct waker waker);

size_t channels_workers(const struct channels *channels);

/* True if somebody subscribes to something: else a message need not be made. Any thread may ask. */
bool channels_has_subscriptions(const struct channels *channels);

/* Subscribes to the channels and patterns, which are copied; duplicates count once. On the worker's
 * thread, as all that follows. False, with nothing done, if there would be too many patterns. */
bool channels_subscribe(struct channels *channels, struct channels_subscription *subscription,
                        const struct slice *names, size_t name_count, const struct slice *patterns,
                        size_t pattern_count);

/* The most memory that the subscription takes, in bytes. */
size_t channels_memory(const struct channels *channels, const struct slice *names, size_t count);

/* Ends it, if it has begun. */
void channels_unsubscribe(struct channels *channels, struct channels_subscription *subscription);

/* Publishes the message, which the caller still holds. Returns how many subscriptions select it.
 * Any thread. */
uint64_t channels_publish(struct channels *channels, struct published *message);

/* Passes on what waits for the worker, for about a millisecond; if more is left, wakes the worker.
 * To be called whenever it was woken. */
void channels_deliver(struct channels *channels, unsigned worker);

struct channels_counts {
    size_t channels, patterns, subscriptions;
};
struct channels_counts channels_count(struct channels *channels);

#endif
