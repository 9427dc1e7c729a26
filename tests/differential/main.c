/*
 * The differential test: conversations from a seed, fed to our session and to nghttp2's. A case is
 * identified by seed and number, and can be replayed alone.
 */
#include "compare.h"
#include "generate.h"
#include "permitted.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char usage[] =
    "usage: differential [--seconds N] [--cases N] [--seed S] [--case N]\n"
    "\n"
    "  --seconds N  as many cases as fit; 10 by default\n"
    "  --cases N    that many, without a clock\n"
    "  --seed S     as printed; KEYSTORE_SEED does the same; else the time is taken\n"
    "  --case N     only that one, with a dump\n";

/* Bytes of each frame shown in a dump; a replay has all of them. */
#define MOST_DUMPED ((size_t)100)

struct options {
    uint64_t seed;
    double seconds;
    uint64_t cases; /* 0: until the time is up */
    bool only;
    uint64_t number;
};

static void print_dump(const struct conversation *conversation)
{
    struct slice bytes = buf_slice(&conversation->bytes);
    struct frame frame;
    size_t end = PREFACE_SIZE;
    for (size_t at = 0; at < bytes.len; at = end) {
        if (at > 0 && !conversation_frame(conversation, at, &frame, &end))
            end = bytes.len;
        if (end > bytes.len)
            end = bytes.len;
        printf("  %6zu ", at);
        for (size_t i = at; i < end && i < at + MOST_DUMPED; i++)
            printf("%02x%s", bytes.data[i], i - at == FRAME_HEADER_SIZE - 1 ? " " : "");
        printf("%s\n", end - at > MOST_DUMPED ? "..." : "");
    }
    for (size_t i = 0; i < conversation->action_count; i++)
        printf("  at %zu the server %s\n", conversation->actions[i].at,
               conversation->actions[i].kind == ACTION_DRAIN ? "drains" : "answers");
}

/* True if the case found nothing. */
static bool run_case(const struct options *options, uint64_t number, struct comparison *sum)
{
    struct conversation conversation;
    generate(options->seed, number, &conversation);
    struct comparison result = compare(&conversation);
    sum->steps += result.steps;
    sum->requests += result.requests;
    if (result.mismatch != NULL || options->only) {
        printf("case %llu (%s): %s\n", (unsigned long long)number,
               recipe_names[generate_recipe(options->seed, number)],
               result.mismatch != NULL ? result.mismatch : "no mismatch");
        printf("%zu of %zu steps compared, the last one without difference at byte %zu\n",
               result.steps, result.steps_total, result.at);
        print_dump(&conversation);
    }
    if (result.mismatch != NULL)
        printf("MISMATCH at byte %zu: %s\n    %s\nreplay: differential --seed %llu --case %llu\n",
               result.at, result.mismatch, result.detail, (unsigned long long)options->seed,
               (unsigned long long)number);
    conversation_deinit(&conversation);
    return result.mismatch == NULL;
}

static double seconds_since(const struct timespec *begin)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - begin->tv_sec) + 1e-9 * (double)(now.tv_nsec - begin->tv_nsec);
}

static bool parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"seconds", required_argument, NULL, 's'},
        {"cases", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 'S'},
        {"case", required_argument, NULL, 'c'},
        {NULL, 0, NULL, 0},
    };
    const char *seed = getenv("KEYSTORE_SEED");
    *options = (struct options){
        .seed = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL), .seconds = 10};
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case 's':
            options->seconds = strtod(optarg, NULL);
            break;
        case 'n':
            options->cases = strtoull(optarg, NULL, 10);
            break;
        case 'S':
            options->seed = strtoull(optarg, NULL, 10);
            break;
        case 'c':
            options->only = true;
            options->number = strtoull(optarg, NULL, 10);
            break;
        default:
            return false;
        }
    }
    return optind == argc;
}

int main(int argc, char **argv)
{
    struct options options;
    struct comparison sum = {0};
    struct timespec begin;
    if (!parse(argc, argv, &options)) {
        fputs(usage, stderr);
        return 2;
    }
    printf("KEYSTORE_SEED=%llu\n", (unsigned long long)options.seed);
    fflush(stdout);
    if (options.only)
        return run_case(&options, options.number, &sum) ? 0 : 1;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    uint64_t number = 0;
    while (options.cases > 0 ? number < options.cases : seconds_since(&begin) < options.seconds) {
        if (!run_case(&options, number++, &sum))
            return 1;
    }
    printf("%llu conversations, %zu steps and %zu requests compared, no mismatch; differences that "
           "are permitted:\n",
           (unsigned long long)number, sum.steps, sum.requests);
    permitted_print();
    return 0;
}
