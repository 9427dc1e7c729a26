/* Bytes as a word of a command line, as keystore-cli and redis-cli read it. */
#ifndef KEYSTORE_BASE_QUOTE_H
#define KEYSTORE_BASE_QUOTE_H

#include "base/slice.h"

#include <stdio.h>

/* The size of the longest word for `len` bytes, with its terminating zero. */
#define QUOTED_SIZE(len) (4 * (len) + 3)

/* As is if all bytes are letters, digits or "_-.:/"; else in double quotes, with \n \r \t \a \b \\
 * \" and \xHH for unprintable bytes. */
void quote_word(FILE *out, struct slice bytes);

/* The same to `out`, which has QUOTED_SIZE(bytes.len) bytes; returns `out`. */
const char *quote_text(char *out, struct slice bytes);

#endif
