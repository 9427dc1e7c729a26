/* Ctrl-C while a command waits: it ends the command, not the program. */
#ifndef KEYSTORE_CLI_INTERRUPT_H
#define KEYSTORE_CLI_INTERRUPT_H

#include <stdbool.h>

/* A descriptor that is readable from the interruption to interrupt_end(), for the client library's
 * cancel_fd. The same each time; 0 if the system refuses it, and then Ctrl-C ends the program. */
int interrupt_descriptor(void);

/* From now on SIGINT, SIGTERM and SIGHUP interrupt. */
void interrupt_begin(void);

/* They end the program again, or do what they did before; returns the one that has come, or 0. */
int interrupt_end(void);

/* Whether one has come since interrupt_begin(). */
bool interrupt_is_pending(void);

#endif
