/*
 * Decides, for code that asks "which of n?": at random, or so that repeated asking goes through
 * every combination of answers.
 */
#ifndef KEYSTORE_TESTS_CRASH_CHOOSER_H
#define KEYSTORE_TESTS_CRASH_CHOOSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decisions in one combination; more is an error of the test. */
#define CHOOSER_MOST 256

struct chooser {
    uint64_t *random; /* state of tests/unit/store/seeded.h; NULL: all combinations */
    uint32_t chosen[CHOOSER_MOST];
    uint32_t bounds[CHOOSER_MOST];
    size_t at;    /* decisions made in this combination */
    size_t count; /* known from this or an earlier one */
};

/* Random answers; `random` is the state of the generator. */
void chooser_init_random(struct chooser *chooser, uint64_t *random);

/* Starts with the first combination; chooser_next() goes on to the next. */
void chooser_init_all(struct chooser *chooser);

/* 0 to bound - 1; bound is at least 1. */
uint32_t chooser_pick(struct chooser *chooser, uint32_t bound);

/* Starts the next combination; false after the last. Not for random ones. */
bool chooser_next(struct chooser *chooser);

#endif
