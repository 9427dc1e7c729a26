/* What an operator may have meant otherwise: settings that have no effect beside the others. */
#ifndef KEYSTORE_SERVER_HINTS_H
#define KEYSTORE_SERVER_HINTS_H

#include "server/config.h"

/* Of a hint, with its terminating zero. */
#define HINTS_SIZE 300

typedef void hints_function(void *user, const char *hint);

/* Says a line for each setting that was given and does nothing, or not what it seems to, and why.
 * The settings are those of config_read(). */
void hints_give(const struct config *config, hints_function *say, void *user);

#endif
