/*
 * Real numbers as text, exactly as Redis 7.0 parses and formats them with string2ld() and
 * ld2string() of its src/util.c. They are long doubles, whose significand has 64 bits on x86-64.
 * Integers: base/decimal.h.
 */
#ifndef KEYSTORE_BASE_REAL_H
#define KEYSTORE_BASE_REAL_H

#include "base/slice.h"

/* Bytes of the longest text with its terminating zero. */
#define REAL_SIZE ((size_t)5 * 1024)

/* Accepts what strtold() does, hexadecimal numbers and infinity included, except surrounding white
 * space and NaN. False also if the number overflows, or underflows to 0. */
bool real_parse(struct slice text, long double *number) __attribute__((warn_unused_result));

/* Formats a finite number to `out`, which has REAL_SIZE bytes: rounded to 17 decimals, without
 * trailing zeros; a zero byte follows. */
struct slice real_write(char *out, long double number);

/*
 * The number that a caller means by a double. An integer is exact: 2^56 is 72057594037927936. A
 * number with a fraction is the value of its shortest decimal text, as if a Redis client had sent
 * that text: 0.1, not 0.1000000000000000055. Infinity and NaN stay as they are.
 */
long double real_from_double(double number);

#endif
