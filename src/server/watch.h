/*
 * Logs in summary what clients learn call by call: refused writes, evicted keys, a slow disk. It
 * compares counters; the rate of each line is limited (base/log_limit.h).
 */
#ifndef KEYSTORE_SERVER_WATCH_H
#define KEYSTORE_SERVER_WATCH_H

#include "base/err.h"
#include "base/log_limit.h"

/* The counters, since the start of the server. */
struct watch_numbers {
    uint64_t refused[ERR_COUNT]; /* calls, by their error */
    uint64_t evicted_keys;
    uint64_t slow_requests; /* ended for being so */
    uint64_t turned_away;   /* streams */
    uint64_t slow_waits;    /* writes and syncs of the log that took a second or longer */
    int64_t waits_since_us; /* monotonic start of the one in progress; 0 = there is none */
};

/* Initially all zero. */
struct watch {
    struct watch_numbers seen;
    struct log_limit refused[ERR_COUNT], evicted, slow, clients[2];
    int64_t logged_since_us; /* waits_since_us of the wait that was logged last */
};

/* To be called about once a second, by one thread, with monotonic time. */
void watch_look(struct watch *watch, const struct watch_numbers *numbers, int64_t now_ms);

/* The last call, which logs the rest regardless of limits. */
void watch_end(struct watch *watch, const struct watch_numbers *numbers, int64_t now_ms);

#endif
