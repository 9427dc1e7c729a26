/*
 * gRPC calls of an in-memory client (ng_client.h), for tests of servers. A call is its
 * stream, which the client owns. An error fails the cmocka test that calls it.
 */
#ifndef KEYSTORE_TESTS_SUPPORT_NG_CALL_H
#define KEYSTORE_TESTS_SUPPORT_NG_CALL_H

#include "grpc/status.h"

#include "support/ng_client.h"

/* Starts a call without a message. */
struct ng_stream *ng_call_begin(struct ng_client *client, const char *path);

/* Sends a copy of a message; with `end` it is the last one. */
void ng_call_send(struct ng_client *client, struct ng_stream *call, struct slice message, bool end);

/* Starts a call with a copy of the message, and sends no other. */
struct ng_stream *ng_call(struct ng_client *client, const char *path, struct slice message);

/* The received grpc-status, a value of enum grpc_code; -1 = none yet. */
int ng_call_status(const struct ng_stream *call);

/* A field of the answer's headers or trailers; empty if there is none. Valid until more arrives. */
struct slice ng_call_field(const struct ng_stream *call, const char *name);

/* A message of the answer, at `*at` of its body, which is moved behind it; false if it has not all
 * arrived. Valid until more arrives. */
bool ng_call_next(const struct ng_stream *call, size_t *at, struct slice *message);

/* The message of a successful call; fails the test if it did not succeed. Valid as long as the
 * client. */
struct slice ng_call_reply(const struct ng_stream *call);

/* Fails the test unless the call ended with that status and reason, no message, and an error
 * message that contains `words`. */
void ng_call_assert_failed(const struct ng_stream *call, enum grpc_code code, const char *reason,
                           const char *words);

#endif
