/* Commands of words, such as "SET key value". */
#ifndef KEYSTORE_TESTS_SUPPORT_WORDS_H
#define KEYSTORE_TESTS_SUPPORT_WORDS_H

#include "base/buf.h"

#define WORDS_MOST 50 /* of one command */

/* Appends the command in RESP. Its words, none with a space in it, have single spaces between them.
 * It aborts the program past the limit of `out`. */
void words_append(struct buf *out, const char *words);

#endif
