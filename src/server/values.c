/* Parses the values of settings. Knows no setting. */
#include "server/values.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Reads digits; the first other character is at *end. False if there are none or too many. */
static bool values_read_digits(const char *text, uint64_t *number, const char **end)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return false;
    }
    *number = value;
    *end = at;
    return at != text;
}

bool values_parse_number(const char *text, uint64_t low, uint64_t high, uint64_t *number)
{
    uint64_t value;
    const char *end;
    if (!values_read_digits(text, &value, &end) || *end != '\0' || value < low || value > high)
        return false;
    *number = value;
    return true;
}

/* The power of two that a unit stands for; -1 if it is unknown. */
static int values_unit_shift(const char *unit)
{
    static const struct {
        const char *name;
        int shift;
    } units[] = {{"", 0},    {"b", 0},    {"k", 10}, {"kb", 10}, {"kib", 10}, {"m", 20},
                 {"mb", 20}, {"mib", 20}, {"g", 30}, {"gb", 30}, {"gib", 30}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcasecmp(unit, units[i].name) == 0)
            return units[i].shift;
    }
    return -1;
}

bool values_parse_size(const char *text, uint64_t low, uint64_t high, uint64_t *bytes)
{
    uint64_t number;
    const char *unit;
    if (!values_read_digits(text, &number, &unit))
        return false;
    int shift = values_unit_shift(unit);
    if (shift < 0 || number > UINT64_MAX >> shift)
        return false;
    uint64_t value = number << shift;
    if (value < low || value > high)
        return false;
    *bytes = value;
    return true;
}

void values_print_size(uint64_t bytes, char *out, size_t size)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB"};
    size_t unit = 0;
    while (unit < 3 && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    snprintf(out, size, "%llu%s", (unsigned long long)bytes, units[unit]);
}
