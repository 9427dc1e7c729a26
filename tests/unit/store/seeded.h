/*
 * Random numbers for tests that replay: the seed is printed, and the environment variable
 * KEYSTORE_SEED gives it again. Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_SEEDED_H
#define KEYSTORE_TESTS_SEEDED_H

#include <stdlib.h>
#include <time.h>

/* The state of a new sequence. */
static inline uint64_t seeded_start(void)
{
    const char *given = getenv("KEYSTORE_SEED");
    uint32_t seed = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : (uint32_t)time(NULL);
    print_message("KEYSTORE_SEED=%u\n", seed);
    return seed;
}

/* The next number of 32 bits. */
static inline uint32_t seeded_next(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*random >> 32);
}

/* The next number, 0 to bound - 1. */
static inline uint32_t seeded_below(uint64_t *random, uint32_t bound)
{
    return (seeded_next(random) >> 1) % bound;
}

/* Fills `size` bytes. */
static inline void seeded_fill(uint64_t *random, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)seeded_below(random, 256);
}

#endif
