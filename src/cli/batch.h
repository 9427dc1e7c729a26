/* Commands from a file or a pipe: lines, or RESP as for redis-cli --pipe. */
#ifndef KEYSTORE_CLI_BATCH_H
#define KEYSTORE_CLI_BATCH_H

#include "cli/session.h"

struct batch_counts {
    uint64_t commands; /* run or refused */
    uint64_t errors;
};

/*
 * Runs all commands from the descriptor (cli/input.h), in order and as if each came alone, until
 * end of file or QUIT. Before it waits for input, it prints all answers that are available. Failed
 * commands are counted and reported with their number, and so is a transaction that is still open
 * at the end. It stops and counts an error if the server is unreachable, if the input cannot be
 * read or is malformed, or if answers cannot be written; standard error then says how many commands
 * were run.
 */
struct batch_counts batch_run(struct session *session, int in);

#endif
