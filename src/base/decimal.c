/* Parses and formats canonical decimal numbers; rejects every other notation. */
#include "base/decimal.h"

/* Digits that never overflow 64 bits. */
#define MAX_DIGITS 19

static bool decimal_is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* The absolute value, also of INT64_MIN. */
static uint64_t decimal_magnitude(int64_t number)
{
    return number < 0 ? -(uint64_t)number : (uint64_t)number;
}

/* Parses digits without a sign; the caller handles "0". */
static bool decimal_parse_magnitude(struct slice text, uint64_t *magnitude)
{
    if (text.len == 0 || text.len > MAX_DIGITS || text.data[0] == '0')
        return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!decimal_is_digit(text.data[i]))
            return false;
        sum = sum * 10 + (uint64_t)(text.data[i] - '0');
    }
    *magnitude = sum;
    return true;
}

bool decimal_parse(struct slice text, int64_t *number)
{
    uint64_t magnitude;
    if (text.len == 1 && text.data[0] == '0') {
        *number = 0;
        return true;
    }
    bool is_negative = text.len > 0 && text.data[0] == '-';
    if (!decimal_parse_magnitude(slice_skip(text, is_negative), &magnitude) ||
        magnitude > (uint64_t)INT64_MAX + is_negative)
        return false;
    *number = (int64_t)(is_negative ? -magnitude : magnitude);
    return true;
}

/* 00 to 99. */
static const uint8_t pairs[] = "00010203040506070809101112131415161718192021222324"
                               "25262728293031323334353637383940414243444546474849"
                               "50515253545556575859606162636465666768697071727374"
                               "75767778798081828384858687888990919293949596979899";

struct slice decimal_write(int64_t number, uint8_t digits[DECIMAL_MAX])
{
    uint64_t rest = decimal_magnitude(number);
    size_t at = DECIMAL_MAX;
    for (; rest >= 10; rest /= 100)
        memcpy(digits + (at -= 2), pairs + rest % 100 * 2, 2);
    if (rest > 0 || at == DECIMAL_MAX)
        digits[--at] = (uint8_t)('0' + rest);
    if (number < 0)
        digits[--at] = '-';
    return slice_make(digits + at, DECIMAL_MAX - at);
}

size_t decimal_size(int64_t number)
{
    size_t size = number < 0 ? 2 : 1;
    for (uint64_t rest = decimal_magnitude(number); rest >= 10; rest /= 10)
        size++;
    return size;
}
