/*
 * The scheduled start of each call at a fixed rate. The schedule never adapts: a call that could
 * not start in time keeps its scheduled time, and its latency is measured from there.
 */
#ifndef KEYSTORE_BENCH_SCHEDULE_H
#define KEYSTORE_BENCH_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct schedule {
    uint64_t start_ns;
    uint64_t rate; /* calls per second of all threads together */
    uint64_t step; /* number of threads; each has every step-th call of the whole schedule */
    uint64_t next; /* number of this thread's next call in the whole schedule */
};

/* The calls of thread `thread`, counted from 0, of `threads`. */
void schedule_init(struct schedule *schedule, uint64_t start_ns, uint64_t rate, uint32_t thread,
                   uint32_t threads);

/* The scheduled start of the next call. */
uint64_t schedule_peek_ns(const struct schedule *schedule);

/* To be called when the next call was started or abandoned. */
void schedule_advance(struct schedule *schedule);

/*
 * How long to wait for events until the next call is due, at most `limit_ns`. Zero if it is due
 * already, unless `blocked`: then only an event can free a connection for it.
 */
uint64_t schedule_wait_ns(const struct schedule *schedule, uint64_t now_ns, bool blocked,
                          uint64_t limit_ns);

/* The number of calls, from the next one on, that are scheduled before `time_ns`. */
uint64_t schedule_count_before(const struct schedule *schedule, uint64_t time_ns);

#endif
