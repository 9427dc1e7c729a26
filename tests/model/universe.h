/*
 * The keys and values that the steps draw from: few, so that steps meet, and of the sizes at which
 * the store changes its ways. They are constant, so a slice's address says which key it is.
 */
#ifndef KEYSTORE_TESTS_MODEL_UNIVERSE_H
#define KEYSTORE_TESTS_MODEL_UNIVERSE_H

#include "differential/dice.h"

#include <keystore/client.h>

/* Keys of a database; the first half mostly holds strings, the second lists. */
#define KEYS ((size_t)22)
/* Databases that a round uses. */
#define ROUND_DBS 4
/* Databases of the servers, by the rounds that can run side by side. */
#define MAX_LANES   4
#define ALL_DBS     (MAX_LANES * ROUND_DBS)
#define MAX_ELEMENT ((size_t)1024 * 1024 + 1)

/* Makes the values; once, before everything else. */
void universe_init(void);

struct keystore_slice universe_key(size_t number);

/* The one whose bytes go on: it is as long as a key may be. */
#define LONGEST_KEY ((size_t)10)

/* The number of the key whose bytes the slice points to. */
size_t universe_number(struct keystore_slice key);

/* A value of some size up to MAX_ELEMENT; the more `big` (0 to 3), the more long ones. */
struct keystore_slice universe_value(struct dice *dice, unsigned big);

/* A text that is a number, or just not. */
struct keystore_slice universe_number_text(struct dice *dice);

/* A finite real number; static memory, zero-terminated. */
const char *universe_real_text(struct dice *dice);

/* One of a few short values: likely to equal another one. */
struct keystore_slice universe_word(struct dice *dice);

#endif
