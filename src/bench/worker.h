/*
 * A thread of the generator, with its connections, its share of the calls, and an epoll loop.
 *
 * worker_connect() and then worker_run() are called on the worker's own thread; the results are
 * read after that thread has ended.
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
    struct connection **dirty; /* those with the flag; as large as `connections` */
    uint32_t dirty_count;
    uint32_t count;  /* connections */
    uint32_t cursor; /* the connection to try next for a scheduled call */
    int epoll;       /* -1: none */
    uint8_t *input;  /* the buffer of reads */
    uint64_t left;   /* calls still to start, without those of the warmup */
    uint64_t started;
    uint64_t stop_ns;    /* no call is scheduled from then on */
    uint64_t changed_ns; /* when the number of calls and receipts that ended last changed... */
    uint64_t finished;   /* ...to this value */
    bool measuring;
    bool blocked; /* a call is due but no connection can start it */
    bool writing; /* with a ledger: calls are still to be made, or in flight */
    bool held;    /* the ledger had no room for a call */

    /* Results. */
    struct tally tally;
    uint64_t unsent; /* scheduled calls that were not made in time */
    uint64_t reconnects;
    struct cpu_time cpu;               /* from the end of the warmup to the end of the last call */
    uint64_t run_ns;                   /* the duration of that */
    char problem[WORKER_PROBLEM_SIZE]; /* the error message if the run ended early, else empty */

    /* Written during the run and read by the main thread, which sets *stop. */
    atomic_bool *stop;
    _Atomic uint64_t shown_finished;
    _Atomic uint64_t shown_errors;
};

/* `number` from 0; plan and stop flag are borrowed for the worker's life. */
void worker_init(struct worker *worker, const struct plan *plan, uint32_t number,
                 atomic_bool *stop);

void worker_deinit(struct worker *worker);

/* Opens all connections and waits for the server's SETTINGS on each; false with `problem` set. */
bool worker_connect(struct worker *worker) __attribute__((warn_unused_result));

/* Makes the calls; `start_ns` is when all threads start. */
void worker_run(struct worker *worker, uint64_t start_ns);

#endif
