/* What is wrong with an option that getopt_long() did not take, for the one who gave it. */
#ifndef KEYSTORE_BASE_BAD_OPTION_H
#define KEYSTORE_BASE_BAD_OPTION_H

#include <stddef.h>

/*
 * Writes a sentence without its end, cut to `size` bytes with the terminating zero. `answer` is
 * what getopt_long() has just given, with `opterr` 0 and short options that begin with ':' (so that
 * it is
 * ':' if a value is missing); it gives `first_code` or more for long options, and less for short.
 */
void bad_option_describe(char *out, size_t size, int answer, char *const *argv, int first_code);

#endif
