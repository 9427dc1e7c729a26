/* LATENCY: how many calls of each method there were, and how long they took. */
#ifndef KEYSTORE_CLI_LATENCY_H
#define KEYSTORE_CLI_LATENCY_H

#include "cli/request.h"

/* Sends a request of REQUEST_LATENCY; *reply is set if that succeeds. */
enum keystore_code latency_send(struct keystore_client *client, const struct request *request,
                                struct arena *arena, struct reply *reply);

#endif
