/*
 * How far the data are safe, and what stands in the way: told by the log's thread, read by all.
 *
 * The log sets `revision` or `read_only_reason`, and then calls on_progress. So who finds its
 * revision not durable yet, and says then that it waits, hears of it.
 */
#ifndef KEYSTORE_JOURNAL_DURABLE_H
#define KEYSTORE_JOURNAL_DURABLE_H

#include <stdatomic.h>
#include <stdint.h>

/* The revision of a setting under which nobody waits for the disk. */
#define DURABLE_AT_ONCE UINT64_MAX

struct durable {
    /* Every unit up to this one may be shown: a crash does not take it back. */
    atomic_uint_fast64_t revision;
    /* Why no write is taken at present, a sentence in static memory; NULL = writes are taken. */
    const char *_Atomic read_only_reason;
    /* Called on the log's thread when one of the two has changed. */
    void (*on_progress)(void *user);
    void *user;
};

#endif
