/* Draws the parts of requests from dice. */
#include "draw.h"

#include "universe.h"

/* The first of each half are drawn more often, the longest ones rarely. */
static size_t draw_number(struct generator *generator, enum likely type)
{
    uint32_t half = KEYS / 2;
    uint32_t one = below(generator, half), two = below(generator, half);
    uint32_t number = one < two ? one : two;
    if (number == half - 1 && !once_in(generator, 8))
        number = 0;
    if (once_in(generator, 50))
        type = type == LIKELY_LIST ? LIKELY_STRING : LIKELY_LIST;
    return type == LIKELY_LIST ? half + number : number;
}

struct keystore_slice draw_key(struct generator *generator, enum likely type)
{
    size_t number = draw_number(generator, type);
    if (generator->favourite >= 0 && once_in(generator, 2))
        number = (size_t)generator->favourite;
    return universe_key(number);
}

uint32_t draw_db(struct generator *generator)
{
    if (generator->favourite >= 0)
        return generator->favourite_db;
    return generator->first_db + (once_in(generator, 3) ? below(generator, ROUND_DBS) : 0);
}

struct keystore_slice *draw_keys(struct generator *generator, enum likely type, size_t *count)
{
    *count = 1 + below(generator, MOST_KEYS);
    struct keystore_slice *keys = arena_alloc(generator->arena, *count * sizeof *keys);
    for (size_t i = 0; i < *count; i++)
        keys[i] = draw_key(generator, type);
    return keys;
}

/* Of the characters of numbers, mostly no number. */
struct keystore_slice draw_digits(struct generator *generator)
{
    static const char characters[] = "00123456789.-+eExXpinfaN _";
    size_t len = 1 + below(generator, once_in(generator, 8) ? 40 : 6);
    char *text = arena_alloc(generator->arena, len);
    for (size_t i = 0; i < len; i++)
        text[i] = characters[below(generator, once_in(generator, 3) ? sizeof characters : 11)];
    return (struct keystore_slice){text, len};
}

struct keystore_slice draw_string(struct generator *generator)
{
    if (once_in(generator, 6))
        return draw_digits(generator);
    if (once_in(generator, 3))
        return universe_number_text(&generator->dice);
    return universe_value(&generator->dice, generator->big);
}

struct keystore_slice draw_element(struct generator *generator)
{
    if (once_in(generator, 30))
        return draw_digits(generator);
    if (!once_in(generator, 4))
        return universe_word(&generator->dice);
    return universe_value(&generator->dice, generator->big);
}

/* An index or offset: mostly a near one, from both ends. */
int64_t draw_index(struct generator *generator)
{
    static const int64_t far[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX,       INT64_MAX - 1,
                                  INT32_MIN, INT32_MAX,     (int64_t)1 << 32};
    switch (below(generator, 8)) {
    case 0:
        return (int64_t)below(generator, 2000) - 1000;
    case 1:
        return once_in(generator, 8) ? far[below(generator, 7)] : 0;
    case 2:
        return -1 - (int64_t)below(generator, 4);
    case 3:
        return (int64_t)below(generator, 80) - 40;
    default:
        return below(generator, 5);
    }
}
