/* The pools of keys and values. Knows no operation. */
#include "universe.h"

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

static void fill(uint8_t *bytes, size_t size, uint64_t number)
{
    struct dice dice = dice_of(1, number);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)dice_below(&dice, 256);
}

void universe_init(void)
{
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
    };
    uint32_t count = dice_below(dice, 3) == 0 ? sizeof texts / sizeof texts[0] : 10;
    return keystore_text(texts[dice_below(dice, count)]);
}

struct keystore_slice universe_word(struct dice *dice)
{
    static const char *const words[] = {"a", "b",  "c",   "",           "0",
                                        "1", "-1", "128", "4294967296", "x y"};
    return keystore_text(words[dice_below(dice, sizeof words / sizeof words[0])]);
}
