/*
 * How far the data are durable, and why writes are refused: set by the log's thread, read by all.
 * And whether threads that write have more to do: reported by them, for the log.
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
    /*
     * Set by the log before the first write; NULL: it does not want to know. A thread that is about
     * to write, and has other requests at hand, calls on_work, and on_rest when it has none for
     * now, or has written for long. Until one of those at work rests, no batch begins: so whoever
     * waits for the disk waits for his fellows too, but no processor idles. Who calls neither is
     * not waited for.
     */
    void (*on_work)(void *log);
    void (*on_rest)(void *log);
    void *log;
};

#endif
