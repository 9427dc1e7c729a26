/* Running, reporting and shrinking a round. */
#include "round.h"

#include "generate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Steps of a report. */
#define HISTORY 12
/* How long may be shrunk. */
#define SHRINK_S 120

void round_init(struct round *round, uint64_t seed, uint64_t number, size_t limit)
{
    *round = (struct round){.seed = seed, .number = number, .limit = limit};
    round->steps = calloc(limit + 1, sizeof *round->steps);
    round->skipped = calloc(limit + 1, 1);
    round->dropped = calloc(limit + 1, sizeof *round->dropped);
    if (round->steps == NULL || round->skipped == NULL || round->dropped == NULL)
        abort();
    arena_init(&round->arena);
}

void round_deinit(struct round *round)
{
    arena_deinit(&round->arena);
    free(round->steps);
    free(round->skipped);
    free(round->dropped);
}

/* The parts of a transaction: the bits of success, failure and compares. */
#define FAILURE_BIT 14
#define COMPARE_BIT 28
#define PARTS       32

static size_t drop_ops(const struct keystore_op *ops, size_t count, uint32_t dropped)
{
    struct keystore_op *kept = (struct keystore_op *)ops; /* in the round's arena */
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        if ((dropped >> i & 1) == 0)
            kept[left++] = ops[i];
    return left;
}

static void drop_parts(struct keystore_txn_request *txn, uint32_t dropped)
{
    struct keystore_compare *compares = (struct keystore_compare *)txn->compares;
    size_t left = 0;
    for (size_t i = 0; i < txn->compare_count; i++)
        if ((dropped >> (COMPARE_BIT + i) & 1) == 0)
            compares[left++] = compares[i];
    txn->compare_count = left;
    txn->success_count = drop_ops(txn->success, txn->success_count, dropped);
    txn->failure_count = drop_ops(txn->failure, txn->failure_count, dropped >> FAILURE_BIT);
}

bool round_run(struct round *round, struct lane *lane, const atomic_bool *stop, size_t *at)
{
    struct generator generator;
    arena_reset(&round->arena);
    generate_begin(&generator, &round->arena, round->seed, round->number, lane->first_db,
                   lane_now_ms());
    *at = 0;
    if (!lane_begin(lane))
        return false;
    for (; *at < round->limit; ++*at) {
        if (stop != NULL && *stop)
            return true;
        generate_step(&generator, &round->steps[*at]);
        if (round->dropped[*at] != 0)
            drop_parts(&round->steps[*at].txn, round->dropped[*at]);
        if (!round->skipped[*at] && !lane_do(lane, &round->steps[*at]))
            return false;
    }
    return lane_compare(lane);
}

void round_report(const struct round *round, const struct lane *lane, size_t at)
{
    printf("\nDIFFERENCE at step %zu of round %" PRIu64 ": %s\n", at, round->number,
           lane->judge.difference);
    size_t first = at, met = 0;
    while (first > 0 && met < HISTORY) {
        first--;
        met += at == round->limit || step_meets(&round->steps[first], &round->steps[at]);
    }
    for (size_t i = first; i <= at && i < round->limit; i++) {
        if (at != round->limit && !step_meets(&round->steps[i], &round->steps[at]))
            continue;
        printf("  %5zu ", i);
        step_print(stdout, &round->steps[i], lane->first_db);
    }
    printf("(keys are database/#number, see tests/model/universe.c)\n"
           "replay: KEYSTORE_SEED=%" PRIu64 " model --round %" PRIu64 " --round-steps %zu\n",
           round->seed, round->number, round->limit);
    fflush(stdout);
}

/* ---- shrinking ---- */

struct shrink {
    struct round *round;
    struct lane *lane;
    char difference[sizeof((struct judge *)0)->difference]; /* of the last run that had one */
};

/* True if there is a difference still; then nothing after it counts. */
static bool still_differs(struct shrink *shrink)
{
    size_t at;
    if (round_run(shrink->round, shrink->lane, NULL, &at))
        return false;
    if (at < shrink->round->limit)
        shrink->round->limit = at + 1;
    memcpy(shrink->difference, shrink->lane->judge.difference, sizeof shrink->difference);
    return true;
}

static void mark(uint8_t *skipped, size_t first, size_t count, const uint8_t *from)
{
    for (size_t i = first; i < first + count; i++)
        skipped[i] = from != NULL ? from[i] : 1;
}

/* Leaves out the steps if the difference does not need them. */
static void try_without(struct shrink *shrink, size_t first, size_t count, uint8_t *backup)
{
    uint8_t *skipped = shrink->round->skipped;
    if (memchr(skipped + first, 0, count) == NULL)
        return;
    memcpy(backup, skipped, shrink->round->limit);
    mark(skipped, first, count, NULL);
    if (!still_differs(shrink))
        mark(skipped, first, count, backup);
}

static void try_without_parts(struct shrink *shrink, size_t step)
{
    uint32_t *dropped = &shrink->round->dropped[step];
    if (shrink->round->skipped[step] || shrink->round->steps[step].kind != STEP_TXN)
        return;
    for (size_t i = 0; i < PARTS; i++) {
        *dropped |= (uint32_t)1 << i;
        if (!still_differs(shrink))
            *dropped &= ~((uint32_t)1 << i);
    }
}

void round_shrink(struct round *round, struct lane *lane, size_t at)
{
    struct shrink shrink = {.round = round, .lane = lane};
    time_t until = time(NULL) + SHRINK_S;
    uint8_t *backup = calloc(round->limit + 1, 1);
    if (at < round->limit)
        round->limit = at + 1;
    if (backup == NULL || !still_differs(&shrink)) {
        printf("the difference does not come again on its own: it takes other rounds beside it\n");
        free(backup);
        return;
    }
    for (size_t count = (round->limit + 1) / 2; count > 0 && time(NULL) < until; count /= 2)
        for (size_t first = 0; first < round->limit && time(NULL) < until; first += count)
            try_without(&shrink, first,
                        first + count <= round->limit ? count : round->limit - first, backup);
    for (size_t i = 0; i < round->limit && time(NULL) < until; i++)
        try_without_parts(&shrink, i);
    free(backup);
    printf("with these steps alone: %s\n", shrink.difference);
    for (size_t i = 0; i < round->limit; i++) {
        if (round->skipped[i])
            continue;
        printf("  %5zu ", i);
        step_print(stdout, &round->steps[i], lane->first_db);
    }
}
