/*
 * The commit delay: how long the log waits after a sync for more records (journal/log/wal.h).
 * Clients whose batch has just become durable often write again immediately. If the next sync
 * starts without them, they wait for it and then for their own, and so does everybody else from
 * then on: two groups take turns, and half of what the disk could make durable is lost. So the next
 * batch waits, for a part of a sync's time at most, until as many records have gathered as were
 * waiting before.
 *
 * Where that does not help, because no client is that fast, it is tried less and less often.
 */
#ifndef KEYSTORE_JOURNAL_LOG_COMMIT_DELAY_H
#define KEYSTORE_JOURNAL_LOG_COMMIT_DELAY_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: no delay. */
struct commit_delay {
    uint64_t wanted;   /* records for which it waits; 0: no delay */
    int64_t until_us;  /* but not longer */
    uint64_t enough;   /* records with which the delay was worth it */
    bool most;         /* at least half of the wanted records were in the last batch */
    unsigned failures; /* in a row */
    unsigned skip;     /* so many batches are not delayed */
};

/* The longest delay, however long a sync takes. */
#define COMMIT_DELAY_MOST_US 5000

/* Starts a delay: a sync that took `sync_us` has made `released` records durable, while `gathered`
 * others came. */
void commit_delay_start(struct commit_delay *delay, int64_t now_us, int64_t sync_us,
                        uint64_t released, uint64_t gathered);

/* True if the batch with so many records is to wait: until `until_us`, or until it has `wanted`. */
bool commit_delay_waits(struct commit_delay *delay, int64_t now_us, uint64_t gathered);

#endif
