/*
 * Real numbers as text, exactly as Redis 7.0 reads and writes them: string2ld() and ld2string() in
 * its src/util.c say which texts are numbers, and how a number looks. They are long doubles, whose
 * significand has 64 bits on x86-64. Integers: base/decimal.h.
 */
#ifndef KEYSTORE_BASE_REAL_H
#define KEYSTORE_BASE_REAL_H

#include "base/slice.h"

/* Bytes of the longest text with a zero byte behind it. */
#define REAL_SIZE ((size_t)5 * 1024)

/* Reads whatever strtold() does but for blanks and what is no number: also hexadecimal digits and
 * infinity. Of a number too small for a long double there is nothing left, so that is none. */
bool real_parse(struct slice text, long double *number) __attribute__((warn_unused_result));

/* A finite number's text in `out`, which has REAL_SIZE bytes: 17 decimals, rounded, without the
 * zeros at their end; a zero byte follows. */
struct slice real_write(char *out, long double number);

/*
 * The number that a caller's double stands for. A whole number is itself: 2^56 is
 * 72057594037927936. One with a fraction is what its shortest decimal text says, as if a Redis
 * client had sent that text: 0.1, not 0.1000000000000000055. What is not finite stays as it is.
 */
long double real_from_double(double number);

#endif
