/*
 * Real numbers as text, exactly as Redis 7.0 reads and writes them: string2ld() and ld2string() in
 * its src/util.c say which texts are numbers, and how a number looks. Integers: base/decimal.h.
 */
#ifndef KEYSTORE_STORE_NUMBER_H
#define KEYSTORE_STORE_NUMBER_H

#include "base/slice.h"

/* Longest text. */
#define NUMBER_REAL_SIZE ((size_t)5 * 1024)

/* Reads whatever strtold() does but for blanks and what is no number: also hexadecimal digits and
 * infinity. Of a number too small for a long double there is nothing left, so that is none. */
bool number_parse_real(struct slice text, long double *number) __attribute__((warn_unused_result));

/* A finite number's text in `out`, which has NUMBER_REAL_SIZE bytes: 17 decimals, rounded, without
 * the zeros at their end; a zero byte follows. */
struct slice number_write_real(char *out, long double number);

/* The number that the shortest decimal text for the double stands for: 0.1, not what a double makes
 * of it. What is not finite stays as it is. */
long double number_widen(double number);

#endif
