/* Executes a plan: starts the threads, watches them, merges their results. */
#ifndef KEYSTORE_BENCH_RUN_H
#define KEYSTORE_BENCH_RUN_H

#include "bench/cpu.h"
#include "bench/plan.h"
#include "bench/progress.h"
#include "bench/tally.h"
#include "bench/worker.h"

struct run_result {
    struct tally tally;
    uint64_t planned;          /* calls to make; UINT64_MAX: limited only by time */
    uint64_t elapsed_ns;       /* from the end of the warmup to the end of the last call */
    uint64_t received_ns;      /* the same to the last receipt of a stream */
    struct cpu_time generator; /* of all threads, in that time */
    double busy;               /* CPU time of the busiest thread as a share of that time, 0 to 1 */
    struct cpu_time server;    /* of the process --server-pid, in that time; else zero */
    uint64_t unsent;           /* scheduled calls that were not made in time */
    uint64_t reconnects;
    char problem[WORKER_PROBLEM_SIZE]; /* the error message if the run ended early, else empty */
};

/*
 * Runs to the end. False if the calls could not start: `problem` says why, and nothing else is set.
 * If the run started but ended early, `problem` is set, too, with the results until then.
 */
bool run_plan(const struct plan *plan, struct progress *progress, struct run_result *result)
    __attribute__((warn_unused_result));

#endif
