/* SLOWLOG: slow calls, as the server remembers them. */
#ifndef KEYSTORE_CLI_SLOWLOG_H
#define KEYSTORE_CLI_SLOWLOG_H

#include "cli/request.h"

/* Sends a request of REQUEST_SLOW_LOG; *reply is set if that succeeds. */
enum keystore_code slowlog_send(struct keystore_client *client, const struct request *request,
                                struct arena *arena, struct reply *reply);

#endif
