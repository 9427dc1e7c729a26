/* Carries out a plan: starts the threads, watches them, adds up what they found. */
#ifndef KEYSTORE_BENCH_RUN_H
#define KEYSTORE_BENCH_RUN_H

#include "bench/cpu.h"
#include "bench/plan.h"
#include "bench/progress.h"
#include "bench/tally.h"
#include "bench/worker.h"

struct run_result {
    struct tally tally;
    uint64_t planned;    /* calls that were to be made; UINT64_MAX: as many as there is time */
    uint64_t elapsed_ns; /* from the end of the warmup to the end of the last call */
    struct cpu_time generator; /* of all threads, in that time */
    double busy;               /* share of the time that the busiest thread computed, 0 to 1 */
    struct cpu_time server;    /* of the process --server-pid, in that time; else zero */
    uint64_t unsent;           /* calls of the schedule for which there was no time */
    uint64_t reconnects;
    char problem[WORKER_PROBLEM_SIZE]; /* a sentence if the run ended early, else empty */
};

/*
 * Runs to the end. False if the calls could not begin: `problem` says why, and nothing else is set.
 * It also says something when the run began and ended early, with what was counted until then.
 */
bool run_plan(const struct plan *plan, struct progress *progress, struct run_result *result)
    __attribute__((warn_unused_result));

#endif
