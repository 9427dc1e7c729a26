/*
 * Numbers as text in their one canonical form, which is what printing an int64_t gives: digits
 * without leading zeros, behind a '-' if it is below 0. Whoever keeps the number instead of such a
 * text can give the very same bytes back; Redis' string2ll() takes the same texts for integers.
 */
#ifndef KEYSTORE_BASE_DECIMAL_H
#define KEYSTORE_BASE_DECIMAL_H

#include "base/slice.h"

/* Bytes of the longest: "-9223372036854775808". */
#define DECIMAL_MAX ((size_t)20)

/* False for most text that is not canonical, without a closer look. */
static inline bool decimal_may_be(struct slice text)
{
    return text.len > 0 && text.len <= DECIMAL_MAX && text.data[0] <= '9';
}

/* True, with its number, if the text is canonical; else *number is unchanged. */
bool decimal_parse(struct slice text, int64_t *number);

/* The number as text, which lies at the end of `digits`. */
struct slice decimal_write(int64_t number, uint8_t digits[DECIMAL_MAX]);

/* Bytes that decimal_write() would give. */
size_t decimal_size(int64_t number);

#endif
