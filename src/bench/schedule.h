/*
 * The intended begin of each call at a fixed rate. The schedule never waits for anybody: a call
 * that could not begin in time keeps its intended time, and its latency counts from there.
 */
#ifndef KEYSTORE_BENCH_SCHEDULE_H
#define KEYSTORE_BENCH_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct schedule {
    uint64_t start_ns;
    uint64_t rate; /* calls per second of all threads together */
    uint64_t step; /* threads; each has every step-th call of the whole schedule */
    uint64_t next; /* number of this thread's next call in the whole schedule */
};

/* The calls of thread `thread`, counted from 0, of `threads`. */
void schedule_init(struct schedule *schedule, uint64_t start_ns, uint64_t rate, uint32_t thread,
                   uint32_t threads);

/* When the next call is to begin. */
uint64_t schedule_peek_ns(const struct schedule *schedule);

/* The next call has begun, or was given up. */
void schedule_advance(struct schedule *schedule);

/*
 * How long to wait for events until the next call is due, `limit_ns` at most. Zero if it is due
 * already, unless `blocked`: then only an event makes room for it.
 */
uint64_t schedule_wait_ns(const struct schedule *schedule, uint64_t now_ns, bool blocked,
                          uint64_t limit_ns);

/* Calls from the next one on that are to begin before `time_ns`. */
uint64_t schedule_count_before(const struct schedule *schedule, uint64_t time_ns);

#endif
