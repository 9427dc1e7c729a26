/* Random numbers that are the same for the same seed everywhere (splitmix64). */
#ifndef KEYSTORE_TESTS_DIFFERENTIAL_DICE_H
#define KEYSTORE_TESTS_DIFFERENTIAL_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_mix(uint64_t number)
{
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9u;
    number = (number ^ (number >> 27)) * 0x94d049bb133111ebu;
    return number ^ (number >> 31);
}

/* The dice for a number, derived from a seed. */
static inline struct dice dice_of(uint64_t seed, uint64_t number)
{
    return (struct dice){.state = dice_mix(seed + 0x9e3779b97f4a7c15u) ^ dice_mix(number)};
}

/* 0 to bound - 1. */
static inline uint32_t dice_below(struct dice *dice, uint32_t bound)
{
    dice->state += 0x9e3779b97f4a7c15u;
    return (uint32_t)((dice_mix(dice->state) >> 32) * bound >> 32);
}

/* True once in `times` calls, on average. */
static inline bool dice_once_in(struct dice *dice, uint32_t times)
{
    return dice_below(dice, times) == 0;
}

#endif
