/* What requests are made of: keys that meet, values of all kinds, indexes near both ends. */
#ifndef KEYSTORE_TESTS_MODEL_DRAW_H
#define KEYSTORE_TESTS_MODEL_DRAW_H

#include "generate.h"

/* Keys that a request with several has at most. */
#define MOST_KEYS 6

static inline uint32_t below(struct generator *generator, uint32_t bound)
{
    return dice_below(&generator->dice, bound);
}

static inline bool once_in(struct generator *generator, uint32_t times)
{
    return dice_once_in(&generator->dice, times);
}

/* What the key mostly holds. */
enum likely { LIKELY_STRING, LIKELY_LIST };

struct keystore_slice draw_key(struct generator *generator, enum likely type);
uint32_t draw_db(struct generator *generator);

/* One to MOST_KEYS. */
struct keystore_slice *draw_keys(struct generator *generator, enum likely type, size_t *count);

/* Of the characters of numbers, mostly no number. */
struct keystore_slice draw_digits(struct generator *generator);

struct keystore_slice draw_string(struct generator *generator);
struct keystore_slice draw_element(struct generator *generator);

/* An index or offset: mostly a near one, from both ends. */
int64_t draw_index(struct generator *generator);

#endif
