/*
 * Integers as text in the canonical form, as printf() writes an int64_t: digits without leading
 * zeros, after a '-' if negative. A text in this form can be stored as a number and restored byte
 * by byte; Redis' string2ll() accepts the same texts.
 */
#ifndef KEYSTORE_BASE_DECIMAL_H
#define KEYSTORE_BASE_DECIMAL_H

#include "base/slice.h"

/* Bytes of the longest text: "-9223372036854775808". */
#define DECIMAL_MAX ((size_t)20)

/* A quick test: false for most text that is not canonical. */
static inline bool decimal_may_be(struct slice text)
{
    return text.len > 0 && text.len <= DECIMAL_MAX && text.data[0] <= '9';
}

/* True, with *number set, if the text is canonical; else *number is unchanged. */
bool decimal_parse(struct slice text, int64_t *number);

/* The number as text, at the end of `digits`. */
struct slice decimal_write(int64_t number, uint8_t digits[DECIMAL_MAX]);

/* The length of what decimal_write() returns. */
size_t decimal_size(int64_t number);

#endif
