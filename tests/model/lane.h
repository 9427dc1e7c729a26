/* Does steps on both servers, in databases that are its own. */
#ifndef KEYSTORE_TESTS_MODEL_LANE_H
#define KEYSTORE_TESTS_MODEL_LANE_H

#include "judge.h"
#include "script.h"
#include "step.h"
#include "watch.h"

#include "base/arena.h"

struct lane {
    struct keystore_client *client;
    struct keystore_client *aside; /* for questions while an answer of the client is needed */
    struct script script;
    struct watch watch;
    uint32_t first_db;
    struct versions versions;
    struct judge judge;
    struct arena arena; /* for what a step needs */
    bool lapsed;        /* a deadline has come: a key that is not there may still be counted */
};

/* Number 0 to MAX_LANES - 1. False, with a sentence on standard error, if there is no server. */
bool lane_init(struct lane *lane, unsigned number, const char *target, const char *redis_socket);

void lane_deinit(struct lane *lane);

/* Empties the databases on both sides. What is wrong is in lane->judge.difference, as below. */
bool lane_begin(struct lane *lane);

/* True if both servers are there. */
bool lane_answers(struct lane *lane);

/* Does the step; true if the answers are the same. */
bool lane_do(struct lane *lane, const struct step *step);

/* True if both sides hold the same data. */
bool lane_compare(struct lane *lane);

/* The wall clock. */
int64_t lane_now_ms(void);

#endif
