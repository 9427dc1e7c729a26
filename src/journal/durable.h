/*
 * How far the data are durable, and why writes are refused: set by the log's thread, read by all.
 *
 * The log sets `revision` or `read_only_reason`, and then calls on_progress. So a caller that finds
 * its revision not durable yet, and only then registers as a waiter, is notified.
 */
#ifndef KEYSTORE_JOURNAL_DURABLE_H
#define KEYSTORE_JOURNAL_DURABLE_H

#include <stdatomic.h>
#include <stdint.h>

/* The revision where no caller waits for the disk. */
#define DURABLE_AT_ONCE UINT64_MAX

struct durable {
    /* Every commit up to this one may be shown: no crash takes it back. */
    atomic_uint_fast64_t revision;
    /* The read-only reason, an error message in static memory; NULL = writes are accepted. */
    const char *_Atomic read_only_reason;
    /* Called on the log's thread when either has changed. */
    void (*on_progress)(void *user);
    void *user;
};

#endif
