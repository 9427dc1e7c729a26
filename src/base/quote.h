/* Bytes as a word of a command line, as keystore-cli and redis-cli read it. */
#ifndef KEYSTORE_BASE_QUOTE_H
#define KEYSTORE_BASE_QUOTE_H

#include "base/slice.h"

#include <stdio.h>

/* Room for the word that `len` bytes make, with its end. */
#define QUOTED_SIZE(len) (4 * (len) + 3)

/* As they are if they are letters, digits and "_-.:/" only; else in double quotes, with \n \r \t
 * \a \b \\ \" and \xHH for what does not print. */
void quote_word(FILE *out, struct slice bytes);

/* The same into `out`, which has QUOTED_SIZE(bytes.len); returns `out`. */
const char *quote_text(char *out, struct slice bytes);

#endif
