/* Sends requests as calls of the client library. */
#ifndef KEYSTORE_CLI_SEND_H
#define KEYSTORE_CLI_SEND_H

#include "cli/request.h"

/*
 * Sends a request of a type before REQUEST_SCAN and sets *reply on KEYSTORE_OK; otherwise
 * keystore_last_error() says why. The reply refers to memory of the arena and of the client, which
 * is valid until the client's next call.
 */
enum keystore_code send_request(struct keystore_client *client, const struct request *request,
                                struct arena *arena, struct reply *reply);

/* The reply of an operation of a transaction; `from` is the server's answer to it. */
struct reply send_reply(const struct request *request, const struct keystore_reply *from,
                        struct arena *arena);

#endif
