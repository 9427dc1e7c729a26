/* CLIENT LIST, INFO and ID: connections as Redis lists them. */
#ifndef KEYSTORE_CLI_CLIENTS_H
#define KEYSTORE_CLI_CLIENTS_H

#include "cli/request.h"

/*
 * Reads the stream of keystore_clients() to its end, or until an interruption, and sets *reply: a
 * line for each connection or, with `only_id`, the id of the last one. False if the stream failed.
 */
bool clients_read(struct keystore_stream *stream, bool only_id, struct arena *arena,
                  struct reply *reply);

#endif
