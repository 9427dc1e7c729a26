/* Requests as calls of the client library. */
#ifndef KEYSTORE_CLI_SEND_H
#define KEYSTORE_CLI_SEND_H

#include "cli/request.h"

/*
 * Sends a request of a type above REQUEST_WATCH, and fills *reply on KEYSTORE_OK; otherwise
 * keystore_last_error() says why. The reply is made of memory of the client, valid until its next
 * call, and of the arena.
 */
enum keystore_code send_request(struct keystore_client *client, const struct request *request,
                                struct arena *arena, struct reply *reply);

/* The reply of an operation that was part of a transaction, `from` what the server said to it. */
struct reply send_reply(const struct request *request, const struct keystore_reply *from,
                        struct arena *arena);

#endif
