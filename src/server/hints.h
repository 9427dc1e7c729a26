/* Warnings about settings that have no effect in combination with others. */
#ifndef KEYSTORE_SERVER_HINTS_H
#define KEYSTORE_SERVER_HINTS_H

#include "server/config.h"

/* Bytes of the longest hint, with its terminating zero. */
#define HINTS_SIZE 300

typedef void hints_function(void *user, const char *hint);

/* Calls say() with a line for each setting that was given and has no effect, or not the one that it
 * seems to have, and why. The settings are those of config_read(). */
void hints_give(const struct config *config, hints_function *say, void *user);

#endif
