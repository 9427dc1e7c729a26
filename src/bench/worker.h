/*
 * A thread of the generator: its connections, its share of the calls, one epoll loop.
 *
 * worker_connect() and worker_run() are called on the worker's own thread, one after the other; the
 * results are read when that thread has ended.
 */
#ifndef KEYSTORE_BENCH_WORKER_H
#define KEYSTORE_BENCH_WORKER_H

#include "bench/connection.h"
#include "bench/cpu.h"
#include "bench/plan.h"
#include "bench/schedule.h"
#include "bench/tally.h"
#include "bench/workload.h"

#include <stdatomic.h>

#define WORKER_PROBLEM_SIZE 600

struct worker {
    const struct plan *plan;
    uint32_t number;
    struct session_setup setup;
    struct workload workload;
    struct schedule schedule;
    struct connection *connections;
    struct connection **dirty; /* those with the flag; room for all */
    uint32_t dirty_count;
    uint32_t count;  /* connections */
    uint32_t cursor; /* connection to be tried next for a scheduled call */
    int epoll;       /* -1: none */
    uint8_t *input;  /* what one read brings */
    uint64_t left;   /* calls to be begun that will count */
    uint64_t begun;
    uint64_t stop_ns;    /* no call is meant to begin from then on */
    uint64_t changed_ns; /* when a call ended last... */
    uint64_t finished;   /* ...which was this one */
    bool measuring;
    bool blocked; /* a call is due and no connection has room for it */

    /* Results. */
    struct tally tally;
    uint64_t unsent; /* calls of the schedule for which there was no time */
    uint64_t reconnects;
    struct cpu_time cpu;               /* from the end of the warmup to the end of the last call */
    uint64_t run_ns;                   /* the same span of the clock */
    char problem[WORKER_PROBLEM_SIZE]; /* a sentence if the run had to end early, else empty */

    /* Written as it runs, for others to look at; *stop is set by others. */
    atomic_bool *stop;
    _Atomic uint64_t shown_finished;
    _Atomic uint64_t shown_errors;
};

/* `number` from 0; plan and stop flag are borrowed for the worker's life. */
void worker_init(struct worker *worker, const struct plan *plan, uint32_t number,
                 atomic_bool *stop);

void worker_deinit(struct worker *worker);

/* Opens all connections and waits until the server has greeted on each; false with `problem` set.
 */
bool worker_connect(struct worker *worker) __attribute__((warn_unused_result));

/* Makes the calls; `start_ns` is when all threads begin. */
void worker_run(struct worker *worker, uint64_t start_ns);

#endif
