/* The interactive prompt. */
#ifndef KEYSTORE_CLI_PROMPT_H
#define KEYSTORE_CLI_PROMPT_H

#include "cli/session.h"

/* Reads and runs commands until QUIT or Ctrl-D. False if the terminal cannot be used. */
bool prompt_run(struct session *session);

#endif
