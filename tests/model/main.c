/*
 * The model test: random steps on keystore-server and on a real Redis, which must answer alike and
 * hold the same data. Rounds run side by side, each in databases of its own.
 */
#include "coverage.h"
#include "differences.h"
#include "round.h"
#include "servers.h"

#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Rounds between two restarts of keystore-server. */
#define PHASE_ROUNDS 6
/* Steps after which every operation must have been seen in all its ways. */
#define ENOUGH_STEPS 100000

static const char usage[] =
    "usage: model [--steps N] [--seed S] [--round N] [--round-steps N] [--lanes N] [--no-shrink]\n"
    "             [--durability X]\n"
    "\n"
    "  --steps N        in all; KEYSTORE_MODEL_STEPS does the same\n"
    "  --seed S         as printed; KEYSTORE_SEED does the same; else the time is taken\n"
    "  --round N        only that one\n"
    "  --round-steps N  steps of a round (5000)\n"
    "  --lanes N        rounds at a time, 1 to 4 (4)\n"
    "  --durability X   of keystore-server (everysec); with `always` it is killed in the end\n"
    "  --no-shrink      do not look for fewer steps that make the same difference\n"
    "\n"
    "keystore-server is that of the directory KEYSTORE_BIN, redis-server that of the path.\n";

struct options {
    uint64_t seed;
    uint64_t steps;
    uint64_t round;
    bool only_round;
    size_t round_steps;
    unsigned lanes;
    bool shrink;
    const char *durability;
};

/* What the lanes share. */
struct run {
    struct options options;
    struct servers servers;
    atomic_ulong next_round;
    uint64_t rounds_until; /* of this phase */
    atomic_ulong steps_done;
    atomic_bool stop;
    atomic_bool failed;
};

struct lane_thread {
    struct run *run;
    unsigned number;
    pthread_t thread;
};

/* The first that finds a difference reports it; the others stop. */
static void report(struct run *run, struct round *round, struct lane *lane, size_t at)
{
    atomic_store(&run->stop, true);
    if (atomic_exchange(&run->failed, true))
        return;
    round_report(round, lane, at);
    if (!lane_answers(lane))
        printf("a server does not answer any more\n");
    else if (run->options.shrink)
        round_shrink(round, lane, at);
}

static void run_round(struct run *run, struct lane *lane, uint64_t number)
{
    struct round round;
    size_t at;
    round_init(&round, run->options.seed, number, run->options.round_steps);
    if (round_run(&round, lane, &run->stop, &at))
        atomic_fetch_add(&run->steps_done, at);
    else
        report(run, &round, lane, at);
    round_deinit(&round);
}

static void run_rounds(struct run *run, struct lane *lane)
{
    while (!atomic_load(&run->stop)) {
        uint64_t number = atomic_fetch_add(&run->next_round, 1);
        if (number >= run->rounds_until)
            return;
        run_round(run, lane, number);
    }
}

static void *lane_main(void *argument)
{
    struct lane_thread *thread = argument;
    struct run *run = thread->run;
    struct lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL ||
        !lane_init(lane, thread->number, run->servers.target, run->servers.redis_socket)) {
        atomic_store(&run->failed, true);
        atomic_store(&run->stop, true);
    } else if (run->options.only_round) {
        run_round(run, lane, run->options.round);
    } else {
        run_rounds(run, lane);
    }
    if (lane != NULL)
        lane_deinit(lane);
    free(lane);
    return NULL;
}

static void run_lanes(struct run *run)
{
    struct lane_thread threads[MAX_LANES];
    unsigned lanes = run->options.only_round ? 1 : run->options.lanes;
    for (unsigned i = 0; i < lanes; i++) {
        threads[i] = (struct lane_thread){.run = run, .number = i};
        if (pthread_create(&threads[i].thread, NULL, lane_main, &threads[i]) != 0)
            abort();
    }
    for (unsigned i = 0; i < lanes; i++)
        pthread_join(threads[i].thread, NULL);
}

static bool lane_is_the_same(const struct run *run, unsigned number)
{
    struct lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL)
        abort();
    bool same = lane_init(lane, number, run->servers.target, run->servers.redis_socket);
    lane->lapsed = true;
    same = same && lane_compare(lane);
    if (!same)
        printf("\nDIFFERENCE after a restart, in lane %u: %s\n"
               "replay: KEYSTORE_SEED=%" PRIu64
               " model --round N, with N one of those before %" PRIu64 "\n",
               number, lane->judge.difference, run->options.seed, run->rounds_until);
    lane_deinit(lane);
    free(lane);
    return same;
}

/* What each lane did last is still there: also in the server that was stopped, or killed. */
static void compare_after_restart(struct run *run)
{
    unsigned lanes = run->options.only_round ? 1 : run->options.lanes;
    bool kills = strcmp(run->options.durability, "always") == 0;
    if (atomic_load(&run->failed))
        return;
    bool same = servers_restart(&run->servers, kills);
    for (unsigned i = 0; i < lanes && same; i++)
        same = lane_is_the_same(run, i);
    atomic_store(&run->failed, !same);
}

/* Each phase ends with a restart; the next one goes on with the data of the last. */
static void run_phases(struct run *run)
{
    const struct options *options = &run->options;
    uint64_t rounds = options->only_round
                          ? 1
                          : (options->steps + options->round_steps - 1) / options->round_steps;
    while (run->rounds_until < rounds && !atomic_load(&run->failed)) {
        uint64_t first = run->rounds_until, left = rounds - first;
        run->rounds_until += left < PHASE_ROUNDS ? left : PHASE_ROUNDS;
        atomic_store(&run->next_round, first);
        run_lanes(run);
        compare_after_restart(run);
    }
}

static uint64_t number_or(const char *text, uint64_t otherwise)
{
    return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

static bool parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"steps", required_argument, NULL, 'n'},       {"seed", required_argument, NULL, 'S'},
        {"round", required_argument, NULL, 'r'},       {"lanes", required_argument, NULL, 'l'},
        {"round-steps", required_argument, NULL, 'R'}, {"no-shrink", no_argument, NULL, 'k'},
        {"durability", required_argument, NULL, 'd'},  {NULL, 0, NULL, 0},
    };
    *options = (struct options){
        .seed = number_or(getenv("KEYSTORE_SEED"), (uint64_t)time(NULL)),
        .steps = number_or(getenv("KEYSTORE_MODEL_STEPS"), MODEL_STEPS),
        .round_steps = 5000,
        .lanes = MAX_LANES,
        .shrink = true,
        .durability = "everysec",
    };
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        uint64_t number = number_or(optarg, 0);
        switch (option) {
        case 'n':
            options->steps = number;
            break;
        case 'S':
            options->seed = number;
            break;
        case 'r':
            options->only_round = true;
            options->round = number;
            break;
        case 'R':
            options->round_steps = number;
            break;
        case 'l':
            options->lanes = (unsigned)number;
            break;
        case 'd':
            options->durability = optarg;
            break;
        case 'k':
            options->shrink = false;
            break;
        default:
            return false;
        }
    }
    return optind == argc && options->lanes >= 1 && options->lanes <= MAX_LANES &&
           options->round_steps > 0;
}

static void print_sum(struct run *run, time_t began)
{
    printf("%lu steps on both servers in %lld s, %s; where KeyStore means to be other than Redis, "
           "and how often that was met:\n",
           atomic_load(&run->steps_done), (long long)(time(NULL) - began),
           atomic_load(&run->failed) ? "with a DIFFERENCE" : "no difference");
    differences_print();
    coverage_print();
}

/* Few steps cannot meet everything. */
static bool has_seen_enough(const struct run *run)
{
    return atomic_load(&run->steps_done) < ENOUGH_STEPS || coverage_is_full();
}

int main(int argc, char **argv)
{
    static struct run run;
    if (!parse(argc, argv, &run.options)) {
        fputs(usage, stderr);
        return 2;
    }
    printf("KEYSTORE_SEED=%" PRIu64 "\n", run.options.seed);
    time_t began = time(NULL);
    universe_init();
    bool started = servers_start(&run.servers, run.options.durability, true);
    if (started)
        run_phases(&run);
    bool ended_well = servers_stop(&run.servers);
    if (!started)
        return 1;
    print_sum(&run, began);
    return ended_well && !atomic_load(&run.failed) && has_seen_enough(&run) ? 0 : 1;
}
