/* The standard descriptors: input, output and errors, as a program finds and leaves them. */
#ifndef KEYSTORE_BASE_STANDARD_H
#define KEYSTORE_BASE_STANDARD_H

#include <stdbool.h>

/*
 * The first line of main(). Whoever starts a program may have closed some of the descriptors 0 to
 * 2; the next socket or file would take the number, and an answer be written into it. They become
 * ones on which reading and writing fail. A pipe without reader is an error of write(2) from here
 * on, not a signal that ends the program without a word. False if there are no descriptors to be
 * had; errno says why.
 */
bool standard_open(void) __attribute__((warn_unused_result));

/* Writes what was printed to standard output so far; why that fails is kept for standard_flush().
 */
void standard_push(void);

/*
 * The last line: false, after a message on standard error that starts with the program's name, if
 * not all that was printed to standard output could be written there.
 */
bool standard_flush(const char *program) __attribute__((warn_unused_result));

#endif
