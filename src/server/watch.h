/*
 * Tells the log of what clients are told one by one: writes refused, keys evicted, a disk that is
 * slow. It looks at counters that go up; how often one line comes is bounded (base/log_limit.h).
 */
#ifndef KEYSTORE_SERVER_WATCH_H
#define KEYSTORE_SERVER_WATCH_H

#include "base/err.h"
#include "base/log_limit.h"

/* What it looks at; counters since the start. */
struct watch_numbers {
    uint64_t refused[ERR_COUNT]; /* calls, by their error */
    uint64_t evicted_keys;
    uint64_t slow_requests, idle_connections; /* ended for that */
    uint64_t turned_away;                     /* streams */
    uint64_t slow_waits;    /* writes and syncs of the log that took a second or longer */
    int64_t waits_since_us; /* monotonic: the one that is under way; 0 = there is none */
};

/* All zero to begin with. */
struct watch {
    struct watch_numbers seen;
    struct log_limit refused[ERR_COUNT], evicted, slow, clients[3];
    int64_t waited_since_us; /* of the wait that was told while it lasted */
};

/* To be called about once a second, by one thread; monotonic time. */
void watch_look(struct watch *watch, const struct watch_numbers *numbers, int64_t now_ms);

/* The last look, which tells the rest however soon it comes. */
void watch_end(struct watch *watch, const struct watch_numbers *numbers, int64_t now_ms);

#endif
