/* The option --health: whether a server takes calls, for scripts and supervisors. */
#ifndef KEYSTORE_CLI_HEALTH_H
#define KEYSTORE_CLI_HEALTH_H

#include "cli/options.h"

/* The exit codes, which are those of grpc_health_probe. */
enum health_code {
    HEALTH_SERVING = 0,
    HEALTH_UNREACHABLE = 2, /* cannot connect in time */
    HEALTH_FAILED = 3,      /* the call failed: the service is unknown, or it was not answered */
    HEALTH_NOT_SERVING = 4,
};

/* Asks for the service that the command names, or for the whole server, prints the status, or an
 * error message on standard error, and returns the exit code. */
enum health_code health_check(const struct options *options);

#endif
