/* Commands from a file or a pipe: lines, or RESP as redis-cli --pipe takes it. */
#ifndef KEYSTORE_CLI_BATCH_H
#define KEYSTORE_CLI_BATCH_H

#include "cli/session.h"

struct batch_counts {
    uint64_t commands; /* that were run, or refused */
    uint64_t errors;
};

/*
 * Runs each command that the descriptor gives (cli/input.h) until its end or QUIT, in order and
 * each as if it came alone; whatever can be answered is, before it waits for more. Failed commands
 * are counted and complained of with their number. So is a transaction that is still open at the
 * end. Stops, and counts that as an error, where there is no connection to the server, where the
 * input cannot be read or is no command, and when answers cannot be written; standard error then
 * says how many commands were run.
 */
struct batch_counts batch_run(struct session *session, int in);

#endif
