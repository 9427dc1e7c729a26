/*
 * Starts the workers together, samples the server's CPU time before and after the measurement, and
 * merges the results. Does not know how calls are made and how results are printed.
 */
#include "bench/run.h"

#include "base/check.h"
#include "base/mem.h"
#include "bench/now.h"

#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Descriptors other than connections: standard ones, epoll sets, a connection being replaced. */
#define OTHER_DESCRIPTORS 64

/* Shared by the threads of a run. */
struct run {
    const struct plan *plan;
    uint32_t threads;
    struct worker *workers;
    struct member *members;
    pthread_barrier_t connected; /* all have their connections, or have failed */
    pthread_barrier_t go;        /* start_ns and stop are set */
    sem_t ended;                 /* posted by each */
    uint64_t start_ns;
    atomic_bool stop;
};

struct member {
    struct run *run;
    struct worker *worker;
    pthread_t thread;
};

static void *run_member_main(void *argument)
{
    struct member *member = argument;
    struct run *run = member->run;
    if (!worker_connect(member->worker))
        atomic_store(&run->stop, true);
    pthread_barrier_wait(&run->connected);
    pthread_barrier_wait(&run->go);
    if (!atomic_load(&run->stop))
        worker_run(member->worker, run->start_ns);
    /* A thread that failed stops the others; one that has finished must not. */
    if (member->worker->problem[0] != '\0')
        atomic_store(&run->stop, true);
    sem_post(&run->ended);
    return NULL;
}

static void run_init(struct run *run, const struct plan *plan)
{
    uint32_t threads = plan->options->threads;
    *run = (struct run){
        .plan = plan,
        .threads = threads,
        .workers = mem_alloc_zero(threads * sizeof *run->workers),
        .members = mem_alloc_zero(threads * sizeof *run->members),
    };
    pthread_barrier_init(&run->connected, NULL, threads + 1);
    pthread_barrier_init(&run->go, NULL, threads + 1);
    sem_init(&run->ended, 0, 0);
    for (uint32_t i = 0; i < threads; i++) {
        worker_init(&run->workers[i], plan, i, &run->stop);
        run->members[i] = (struct member){.run = run, .worker = &run->workers[i]};
        struct member *member = &run->members[i];
        int error = pthread_create(&member->thread, NULL, run_member_main, member);
        if (error != 0)
            check_system_failed("pthread_create", error); /* the others wait at a barrier */
    }
}

static void run_deinit(struct run *run)
{
    for (uint32_t i = 0; i < run->threads; i++)
        worker_deinit(&run->workers[i]);
    pthread_barrier_destroy(&run->connected);
    pthread_barrier_destroy(&run->go);
    sem_destroy(&run->ended);
    free(run->workers);
    free(run->members);
}

/* The error message of the first thread that has one. */
static void run_take_problem(const struct run *run, char problem[static WORKER_PROBLEM_SIZE])
{
    problem[0] = '\0';
    for (uint32_t i = 0; i < run->threads && problem[0] == '\0'; i++)
        memcpy(problem, run->workers[i].problem, WORKER_PROBLEM_SIZE);
}

/* Zero if it is not requested or the process has ended. */
static struct cpu_time run_server_cpu(const struct plan *plan)
{
    struct cpu_time time = {0};
    if (plan->options->server_pid != 0 && !cpu_of_process(plan->options->server_pid, &time))
        time = (struct cpu_time){0};
    return time;
}

static void run_show(const struct run *run, struct progress *progress)
{
    uint64_t calls = 0;
    uint64_t errors = 0;
    for (uint32_t i = 0; i < run->threads; i++) {
        calls += atomic_load_explicit(&run->workers[i].shown_finished, memory_order_relaxed);
        errors += atomic_load_explicit(&run->workers[i].shown_errors, memory_order_relaxed);
    }
    progress_show(progress, now_ns(), calls, errors);
}

/* Waits until a thread ends or the time is reached; true if one ended. */
static bool run_wait_for_end(struct run *run, uint64_t until_ns)
{
    struct timespec time = {.tv_sec = (time_t)(until_ns / NS_PER_S),
                            .tv_nsec = (long)(until_ns % NS_PER_S)};
    if (until_ns == UINT64_MAX)
        return sem_wait(&run->ended) == 0;
    return sem_clockwait(&run->ended, CLOCK_MONOTONIC, &time) == 0;
}

/* Waits until all have ended; returns the server's CPU time at the end of the warmup. */
static struct cpu_time run_watch(struct run *run, struct progress *progress)
{
    struct cpu_time server = run_server_cpu(run->plan);
    uint64_t sample_ns = run->start_ns + run->plan->warmup_ns;
    uint32_t left = run->threads;
    bool sampled = run->plan->warmup_ns == 0;
    while (left > 0) {
        uint64_t due_ns = progress_due_ns(progress);
        uint64_t until_ns = !sampled && sample_ns < due_ns ? sample_ns : due_ns;
        if (run_wait_for_end(run, until_ns))
            left--;
        if (!sampled && now_ns() >= sample_ns) {
            server = run_server_cpu(run->plan);
            sampled = true;
        }
        if (now_ns() >= due_ns)
            run_show(run, progress);
    }
    progress_end(progress);
    return server;
}

static void run_add_up(const struct run *run, struct run_result *result)
{
    uint64_t from_ns = run->start_ns + run->plan->warmup_ns;
    for (uint32_t i = 0; i < run->threads; i++) {
        const struct worker *worker = &run->workers[i];
        tally_merge(&result->tally, &worker->tally);
        result->generator.user_ns += worker->cpu.user_ns;
        result->generator.system_ns += worker->cpu.system_ns;
        result->unsent += worker->unsent;
        result->reconnects += worker->reconnects;
        double busy =
            worker->run_ns > 0 ? (double)cpu_sum_ns(worker->cpu) / (double)worker->run_ns : 0;
        if (busy > result->busy)
            result->busy = busy;
    }
    if (result->tally.last_ns > from_ns)
        result->elapsed_ns = result->tally.last_ns - from_ns;
    if (result->tally.last_receipt_ns > from_ns)
        result->received_ns = result->tally.last_receipt_ns - from_ns;
    if (run->plan->ledger != NULL)
        result->tally.ends[TALLY_MISSING] += ledger_missing(run->plan->ledger);
    result->tally.ends[TALLY_UNACKNOWLEDGED] += result->tally.unacknowledged;
}

/* Raises the limit of open files to the hard limit. */
static bool run_allow_sockets(uint32_t connections, char problem[static WORKER_PROBLEM_SIZE])
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true; /* if it is too low, opening connections fails */
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max >= (rlim_t)connections + OTHER_DESCRIPTORS)
        return true;
    snprintf(problem, WORKER_PROBLEM_SIZE,
             "%" PRIu32 " connections need more open files than the limit of %llu (ulimit -Hn)",
             connections, (unsigned long long)limit.rlim_max);
    return false;
}

bool run_plan(const struct plan *plan, struct progress *progress, struct run_result *result)
{
    memset(result, 0, sizeof *result);
    tally_init(&result->tally);
    result->planned = plan->calls;
    if (!run_allow_sockets(plan->options->connections, result->problem))
        return false;
    struct run run;
    run_init(&run, plan);
    pthread_barrier_wait(&run.connected);
    bool began = !atomic_load(&run.stop);
    run.start_ns = now_ns();
    struct cpu_time before = run_server_cpu(plan);
    pthread_barrier_wait(&run.go);
    struct cpu_time sampled = run_watch(&run, progress);
    struct cpu_time after = run_server_cpu(plan);
    for (uint32_t i = 0; i < run.threads; i++)
        pthread_join(run.members[i].thread, NULL);
    if (plan->warmup_ns > 0)
        before = sampled;
    if (cpu_sum_ns(after) >= cpu_sum_ns(before)) /* less: the process ended */
        result->server = cpu_between(before, after);
    run_take_problem(&run, result->problem);
    if (began)
        run_add_up(&run, result);
    run_deinit(&run);
    return began;
}
