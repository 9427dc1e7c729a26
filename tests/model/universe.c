/* The pools of keys and values. Knows no operation. */
#include "universe.h"

#include <stdio.h>
#include <stdlib.h>

/* Values of a size differ in which of these they come from. */
#define LETTERS 3

static uint8_t letters[LETTERS][MAX_ELEMENT];
static uint8_t long_keys[KEYS][64 * 1024 + 1]; /* and a byte more than a key may have */

struct name {
    const char *bytes; /* NULL: of `len` bytes that differ from key to key */
    size_t len;
};

#define NAME(text)                                                                                 \
    {                                                                                              \
        text, sizeof text - 1                                                                      \
    }

static const struct name names[KEYS] = {
    NAME("s0"),
    NAME("s1"),
    NAME("s2"),
    NAME("\0"),
    NAME("binary \r\n\0\xff\xfe"),
    {NULL, 63},
    {NULL, 255},
    {NULL, 256},
    {NULL, 4096},
    NAME("0"),
    {NULL, (size_t)64 * 1024},
    NAME("l0"),
    NAME("l1"),
    NAME("l2"),
    NAME("\0\0"),
    NAME("$1\r\n{l}*?[a]"),
    {NULL, 64},
    {NULL, 254},
    {NULL, 257},
    {NULL, 1000},
    NAME("12345678901234567890"),
    {NULL, 65535},
};

#define REAL_TEXTS 4096
static char real_texts[REAL_TEXTS][64];

static void fill(uint8_t *bytes, size_t size, uint64_t number)
{
    struct dice dice = dice_of(1, number);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)dice_below(&dice, 256);
}

/* As a person would type it, or any kind that strtold() knows. */
static void make_real(struct dice *dice, char *text, size_t size)
{
    unsigned long long digits =
        (unsigned long long)dice_below(dice, 1000000) * 1000000 + dice_below(dice, 1000000);
    const char *sign = (const char *[]){"", "", "-", "+"}[dice_below(dice, 4)];
    switch (dice_below(dice, 6)) {
    case 0:
        snprintf(text, size, "%s%u.%02u", sign, dice_below(dice, 100000), dice_below(dice, 100));
        break;
    case 1: /* beyond what a double holds */
        snprintf(text, size, "%s%llu%06u", sign, digits, dice_below(dice, 1000000));
        break;
    case 2:
        snprintf(text, size, "%s%llu.%06u", sign, digits, dice_below(dice, 1000000));
        break;
    case 3:
        snprintf(text, size, "%s%u.%uE%d", sign, dice_below(dice, 10), dice_below(dice, 1000000),
                 (int)dice_below(dice, 60) - 30);
        break;
    case 4:
        snprintf(text, size, "%s0x%llX.%Xp%d", sign, digits, dice_below(dice, 4096),
                 (int)dice_below(dice, 80) - 60);
        break;
    default:
        snprintf(text, size, "%s.%019llu", sign, digits);
    }
}

void universe_init(void)
{
    struct dice dice = dice_of(2, 0);
    for (size_t i = 0; i < REAL_TEXTS; i++)
        make_real(&dice, real_texts[i], sizeof real_texts[i]);
    for (size_t i = 0; i < LETTERS; i++)
        fill(letters[i], sizeof letters[i], i);
    for (size_t i = 0; i < KEYS; i++)
        fill(long_keys[i], sizeof long_keys[i], 100 + i);
}

struct keystore_slice universe_key(size_t number)
{
    const struct name *name = &names[number];
    const void *bytes = name->bytes != NULL ? (const void *)name->bytes : long_keys[number];
    return (struct keystore_slice){bytes, name->len};
}

size_t universe_number(struct keystore_slice key)
{
    size_t number = 0;
    while (universe_key(number).data != key.data)
        number++;
    return number;
}

static size_t draw_size(struct dice *dice, unsigned big)
{
    static const size_t edges[] = {63, 64, 65, 127, 128, 254, 255, 256, 257, 1023, 4096};
    static const size_t steps[] = {16 * 1024, 64 * 1024, 1024 * 1024};
    unsigned kind = dice_below(dice, 3000);
    if (kind < 1 + 4 * big)
        return steps[2] - 1 + dice_below(dice, 3);
    if (kind < 20 + 60 * big)
        return steps[dice_below(dice, 2)] - 1 + dice_below(dice, 3);
    if (kind < 800)
        return edges[dice_below(dice, sizeof edges / sizeof edges[0])];
    if (kind < 1100)
        return dice_below(dice, 2000);
    return kind < 1250 ? 0 : dice_below(dice, 40);
}

struct keystore_slice universe_value(struct dice *dice, unsigned big)
{
    size_t size = draw_size(dice, big);
    return (struct keystore_slice){letters[dice_below(dice, LETTERS)], size};
}

struct keystore_slice universe_number_text(struct dice *dice)
{
    static const char *const texts[] = {
        "0",
        "1",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "17",
        "-5",
        "100",
        "9223372036854775806",
        "-9223372036854775807",
        "10.50",
        "3.0",
        "-0",
        "18446744073709551616",
        "1e3",
        " 1",
        "1 ",
        "+1",
        "01",
        "",
        "0x10",
        "inf",
        "nan",
        "1e4932",
        "-1e-5000",
        "abc",
        "5.0e3",
        "2.5",
        "0.1",
        "12345678901234567890.123",
        "9223372036854775808",
        "-72057594037927936",
        "12345678901234567.5",
        "9007199254740993",
        "0x1p3",
        "-0x1.8p-3",
        "1e-4940",
        "-1e4932",
        "0.99999999999999999",
    };
    uint32_t count = dice_below(dice, 3) == 0 ? sizeof texts / sizeof texts[0] : 10;
    return keystore_text(texts[dice_below(dice, count)]);
}

const char *universe_real_text(struct dice *dice)
{
    static const char *const texts[] = {"0.1",
                                        "-0",
                                        "1e4932",
                                        "-1e4932",
                                        "1.18973149535723176502e4932",
                                        "3.6451995318824746025e-4951",
                                        "1e-4940",
                                        "9007199254740993",
                                        "-9223372036854775808",
                                        "72057594037927936",
                                        "12345678901234567.5",
                                        "18446744073709551617",
                                        "0x1p3",
                                        "0x.8",
                                        "5.",
                                        "0.000000000000000005"};
    if (dice_below(dice, 3) == 0)
        return texts[dice_below(dice, sizeof texts / sizeof texts[0])];
    return real_texts[dice_below(dice, REAL_TEXTS)];
}

struct keystore_slice universe_word(struct dice *dice)
{
    static const char *const words[] = {"a", "b",  "c",   "",           "0",
                                        "1", "-1", "128", "4294967296", "x y"};
    return keystore_text(words[dice_below(dice, sizeof words / sizeof words[0])]);
}
