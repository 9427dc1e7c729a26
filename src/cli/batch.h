/* Commands from a file or a pipe, one a line. */
#ifndef KEYSTORE_CLI_BATCH_H
#define KEYSTORE_CLI_BATCH_H

#include "cli/session.h"

struct batch_counts {
    uint64_t commands;
    uint64_t errors;
};

/*
 * Runs each line of `in` until its end or QUIT; blank lines and lines that start with '#' are
 * skipped, failed commands are counted and complained of with their line number. So is a
 * transaction that is still open at the end. Stops at the first line for which there is no
 * connection to the server.
 */
struct batch_counts batch_run(struct session *session, FILE *in);

#endif
