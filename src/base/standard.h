/* The standard descriptors at the start and the end of a program. */
#ifndef KEYSTORE_BASE_STANDARD_H
#define KEYSTORE_BASE_STANDARD_H

#include <stdbool.h>

/*
 * To be called first in main(). The parent may have closed some of the descriptors 0 to 2; the next
 * socket or file would get that number, and output would be written to it. They are opened so that
 * reads and writes fail. Ignores SIGPIPE: writing to a pipe without a reader is an error of
 * write(2), not the silent end of the program. False with errno if no descriptors are available.
 */
bool standard_open(void) __attribute__((warn_unused_result));

/* Flushes standard output; an error is kept for standard_flush(). */
void standard_push(void);

/*
 * To be called last in main(): false, after a message on standard error that starts with the
 * program's name, if not everything printed to standard output could be written.
 */
bool standard_flush(const char *program) __attribute__((warn_unused_result));

#endif
