/*
 * Unary gRPC calls of a client in memory (ng_client.h), for tests of what answers them. What must
 * not happen fails the cmocka test. A call is its stream, which the client owns.
 */
#ifndef KEYSTORE_TESTS_SUPPORT_NG_CALL_H
#define KEYSTORE_TESTS_SUPPORT_NG_CALL_H

#include "grpc/status.h"

#include "support/ng_client.h"

/* Begins a call with a copy of the message. */
struct ng_stream *ng_call(struct ng_client *client, const char *path, struct slice message);

/* The grpc-status that has come, a number of enum grpc_code; -1 if none has. */
int ng_call_status(const struct ng_stream *call);

/* A field of the answer's headers or trailers; empty if there is none. Valid until more arrives. */
struct slice ng_call_field(const struct ng_stream *call, const char *name);

/* The message of a call that ended well. Valid as long as the client. */
struct slice ng_call_reply(const struct ng_stream *call);

/* The call ended with that status, that reason and an error message that contains `words`. */
void ng_call_assert_failed(const struct ng_stream *call, enum grpc_code code, const char *reason,
                           const char *words);

#endif
