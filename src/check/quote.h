/* Bytes as a word of a command line, as keystore-cli and redis-cli read it. */
#ifndef KEYSTORE_CHECK_QUOTE_H
#define KEYSTORE_CHECK_QUOTE_H

#include "base/slice.h"

#include <stdio.h>

/* As they are if they are letters, digits and "_-.:/" only; else in double quotes, with \n \r \t
 * \a \b \\ \" and \xHH for what does not print. */
void quote_word(FILE *out, struct slice bytes);

#endif
