/* What the streams of a worker have done so far. Its thread alone writes the counts, any thread
 * reads them, and neither waits. */
#ifndef KEYSTORE_SERVICE_STREAMS_STREAM_COUNTS_H
#define KEYSTORE_SERVICE_STREAMS_STREAM_COUNTS_H

#include <stdatomic.h>
#include <stdint.h>

/* Why a watch has ended with ERR_HISTORY_LOST. */
enum watch_loss {
    WATCH_LOSS_BEHIND,      /* what comes next has left the history, and is not in a log either */
    WATCH_LOSS_TRANSACTION, /* it has had a part of a transaction whose rest is gone */
    WATCH_LOSS_TOO_OLD,     /* the log does not reach back to its start_version */
    WATCH_LOSS_TOO_NEW,     /* the server has not reached its start_version */
    WATCH_LOSSES,
};

/* Why a subscriber has missed a message. */
enum subscribe_loss {
    SUBSCRIBE_LOSS_UNREAD, /* it reads too slowly */
    SUBSCRIBE_LOSS_BUSY,   /* its worker could not keep up */
    SUBSCRIBE_LOSSES,
};

struct stream_counters {
    atomic_uint_fast64_t watch_events; /* sent to watchers */
    atomic_uint_fast64_t watch_losses[WATCH_LOSSES];
    atomic_uint_fast64_t subscribe_losses[SUBSCRIBE_LOSSES];
    atomic_uint_fast64_t watch_lag; /* revisions by which a watcher is behind the newest, the most
                                       of all; 0 without watchers */
};

/* The same, as they are read. */
struct stream_counts {
    uint64_t watch_events, watch_losses[WATCH_LOSSES];
    uint64_t subscribe_losses[SUBSCRIBE_LOSSES];
    uint64_t watch_lag;
};

/* By the worker's thread. */
static inline void stream_count(atomic_uint_fast64_t *counter, uint64_t more)
{
    uint64_t count = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, count + more, memory_order_relaxed);
}

/* Adds the counts of a worker to *sum, whose watch_lag becomes the larger one. */
static inline void stream_counts_add(struct stream_counts *sum,
                                     const struct stream_counters *counters)
{
    uint64_t lag = atomic_load_explicit(&counters->watch_lag, memory_order_relaxed);
    sum->watch_events += atomic_load_explicit(&counters->watch_events, memory_order_relaxed);
    for (unsigned i = 0; i < WATCH_LOSSES; i++)
        sum->watch_losses[i] +=
            atomic_load_explicit(&counters->watch_losses[i], memory_order_relaxed);
    for (unsigned i = 0; i < SUBSCRIBE_LOSSES; i++)
        sum->subscribe_losses[i] +=
            atomic_load_explicit(&counters->subscribe_losses[i], memory_order_relaxed);
    if (lag > sum->watch_lag)
        sum->watch_lag = lag;
}

#endif
