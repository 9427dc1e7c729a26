/* Mutations of an input. Knows no format: what is sound comes from the corpus. */
#include "common/mutate.h"

#include <string.h>

#define MOST_CHANGES 6

static size_t mutate_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* A position in `len` bytes. */
static size_t mutate_place(struct dice *dice, size_t len)
{
    return dice_below(dice, (uint32_t)len);
}

/* Numbers at which lengths and counts go wrong. */
static uint8_t mutate_byte(struct dice *dice)
{
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff, 5, 8, '*', '$', '\n', ' '};
    return dice_once_in(dice, 2) ? edges[dice_below(dice, sizeof edges)]
                                 : (uint8_t)dice_below(dice, 256);
}

static size_t mutate_insert(struct dice *dice, uint8_t *data, size_t len, size_t most,
                            struct slice other)
{
    size_t size = mutate_min(1 + dice_below(dice, 32), mutate_min(other.len, most - len));
    if (size == 0)
        return len;
    size_t at = dice_below(dice, (uint32_t)len + 1);
    size_t from = dice_below(dice, (uint32_t)(other.len - size) + 1);
    memmove(data + at + size, data + at, len - at);
    memcpy(data + at, other.data + from, size);
    return len + size;
}

static size_t mutate_remove(struct dice *dice, uint8_t *data, size_t len)
{
    size_t at = mutate_place(dice, len);
    size_t size = mutate_min(1 + dice_below(dice, 16), len - at);
    memmove(data + at, data + at + size, len - at - size);
    return len - size;
}

/* Repeats a part of the input where it ends. */
static size_t mutate_repeat(struct dice *dice, uint8_t *data, size_t len, size_t most)
{
    size_t at = mutate_place(dice, len);
    size_t size = mutate_min(mutate_min(1 + dice_below(dice, 64), len - at), most - len);
    memmove(data + at + size, data + at, len - at);
    return len + size;
}

static size_t mutate_once(struct dice *dice, uint8_t *data, size_t len, size_t most,
                          struct slice other)
{
    if (len == 0)
        return mutate_insert(dice, data, len, most, other);
    switch (dice_below(dice, 8)) {
    case 0:
        data[mutate_place(dice, len)] ^= (uint8_t)(1u << dice_below(dice, 8));
        return len;
    case 1:
    case 2:
        data[mutate_place(dice, len)] = mutate_byte(dice);
        return len;
    case 3:
        data[mutate_place(dice, len)] ^= 1; /* of numbers, the neighbour */
        return len;
    case 4:
        return mutate_insert(dice, data, len, most, other);
    case 5:
        return mutate_remove(dice, data, len);
    case 6:
        return mutate_repeat(dice, data, len, most);
    default:
        return dice_once_in(dice, 4) ? mutate_place(dice, len) : len; /* truncated */
    }
}

size_t mutate(struct dice *dice, uint8_t *data, size_t len, size_t most, struct slice other)
{
    for (uint32_t left = 1 + dice_below(dice, MOST_CHANGES); left > 0; left--)
        len = mutate_once(dice, data, len, most, other);
    return len;
}
