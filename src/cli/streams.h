/* Commands that read streams until they end or are interrupted. */
#ifndef KEYSTORE_CLI_STREAMS_H
#define KEYSTORE_CLI_STREAMS_H

#include "cli/request.h"

struct streams {
    struct keystore_client *client;
    struct arena *arena; /* of the command */
    bool raw;            /* print raw values */
    bool yes;            /* delete without asking */
    bool force;          /* replace the file of a backup */
    /* Of a command that failed: the error, or the error message of one that was not run. */
    struct keystore_error error;
    const char *problem; /* NULL: `error` */
};

/* Runs a command of the types REQUEST_SCAN to REQUEST_CLIENTS and prints what it returns. False if
 * it failed. */
bool streams_run(struct streams *streams, const struct request *request);

#endif
