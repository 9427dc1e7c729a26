/* A channel or a pattern that somebody subscribes to, with its subscriptions: of channels.c, and of
 * the messages that it selects, which keep it alive. */
#ifndef KEYSTORE_SERVICE_STREAMS_SELECTOR_H
#define KEYSTORE_SERVICE_STREAMS_SELECTOR_H

#include "base/slice.h"

#include <stdatomic.h>
#include <stdlib.h>

struct channels_subscription;

/* A subscription's place in the list of a selector. */
struct selector_link {
    struct selector_link *next, **link;
    struct selector *selector;
    struct channels_subscription *subscription;
    uint64_t since; /* the number of the worker's newest message when it was added */
};

/* The subscriptions of a worker. */
struct selector_list {
    struct selector_link *first, **last;
    size_t count;
};

struct selector {
    struct selector *next;                         /* in its bucket */
    struct selector *next_pattern, **pattern_link; /* in the list of patterns */
    atomic_size_t holders;                         /* the table, and each message that it selects */
    uint64_t hash;
    uint64_t sequence; /* of a channel: of its newest message */
    size_t count;      /* of all lists */
    struct slice name;
    bool is_pattern;
    struct selector_list lists[]; /* one for each worker */
};

static inline void selector_retain(struct selector *selector)
{
    atomic_fetch_add_explicit(&selector->holders, 1, memory_order_relaxed);
}

/* The last one frees it. */
static inline void selector_release(struct selector *selector)
{
    if (atomic_fetch_sub_explicit(&selector->holders, 1, memory_order_acq_rel) == 1)
        free(selector);
}

#endif
