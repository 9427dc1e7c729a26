/* A round: steps on empty databases, then a comparison of all data. It replays alone. */
#ifndef KEYSTORE_TESTS_MODEL_ROUND_H
#define KEYSTORE_TESTS_MODEL_ROUND_H

#include "lane.h"

#include "base/arena.h"

#include <stdatomic.h>
#include <stdint.h>

struct round {
    uint64_t seed;
    uint64_t number;
    size_t limit; /* steps */

    struct step *steps;
    struct arena arena; /* what they point to */
    uint8_t *skipped;   /* by step: it is left out */
    uint32_t *dropped;  /* by step: parts of its transaction that are left out, as bits */
};

void round_init(struct round *round, uint64_t seed, uint64_t number, size_t limit);
void round_deinit(struct round *round);

/*
 * Does the steps. True if there is no difference; else lane->judge.difference says what, and *at is
 * the step, `limit` if the data differ after all of them. Ends early, without a difference, when
 * *stop becomes true.
 */
bool round_run(struct round *round, struct lane *lane, const atomic_bool *stop, size_t *at);

/* Prints the difference at that step, the steps before it on the same keys and how to replay it. */
void round_report(const struct round *round, const struct lane *lane, size_t at);

/* Leaves out as many steps, and parts of transactions, as it can while there is still a difference,
 * and prints the others. */
void round_shrink(struct round *round, struct lane *lane, size_t at);

#endif
