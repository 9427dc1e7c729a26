/* Random steps. The same seed and round give the same ones, but for the wall clock's part. */
#ifndef KEYSTORE_TESTS_MODEL_GENERATE_H
#define KEYSTORE_TESTS_MODEL_GENERATE_H

#include "step.h"

#include "base/arena.h"
#include "differential/dice.h"

/* Steps that a generator knows the weight of: the operations, and the steps' kinds. */
#define GENERATE_KINDS (STEP_OP_KINDS + 7)

struct generator {
    struct arena *arena; /* for what steps point to */
    struct dice dice;
    uint32_t first_db;
    int64_t base_ms;  /* the wall clock when the round began */
    unsigned big;     /* how many long values, 0 to 3 */
    unsigned long_in; /* a long list's push once in so many; 0 = never */
    unsigned weights[GENERATE_KINDS];
    unsigned total;
    int favourite; /* the key that the next step likes best; -1 = none */
    uint32_t favourite_db;
    bool after_ttl; /* the next step describes the favourite */
};

/* Of the databases, ROUND_DBS from first_db on. Every round likes other steps. */
void generate_begin(struct generator *generator, struct arena *arena, uint64_t seed, uint64_t round,
                    uint32_t first_db, int64_t base_ms);

void generate_step(struct generator *generator, struct step *step);

#endif
