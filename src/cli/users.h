/* `keystore-cli user ...` and `token ...`: the users of a server, in its users file. */
#ifndef KEYSTORE_CLI_USERS_H
#define KEYSTORE_CLI_USERS_H

#include "cli/options.h"

/* Carries out options->command, which starts with `user` or `token`, and prints its result, or an
 * error on standard error. Returns the program's exit code: 0, 1 if it failed (or `user check`
 * denies), 2 if the command is malformed. */
int users_run(const struct options *options);

#endif
