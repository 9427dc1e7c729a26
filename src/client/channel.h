/*
 * One HTTP/2 connection to one server, opened when a call needs it, with one unary call at a time.
 * Blocking; for one thread at a time.
 */
#ifndef KEYSTORE_CLIENT_CHANNEL_H
#define KEYSTORE_CLIENT_CHANNEL_H

#include "client/buffer.h"
#include "client/target.h"

struct channel;

struct channel_limits {
    int64_t connect_timeout_ms; /* positive */
    int64_t call_timeout_ms;    /* positive, or INT64_MAX for none */
    size_t max_message;         /* bytes of an answer's message */
};

/* A channel that is not connected yet; free with channel_free(). Copies its arguments. NULL if
 * memory is short. */
struct channel *channel_new(const struct target *target, const struct channel_limits *limits);

/* Closes the connection. NULL is allowed. */
void channel_free(struct channel *channel);

/*
 * Ensures that there is a connection on which a call can start: opens one if the last was lost,
 * closed by the server or got a GOAWAY. True, or false with *error set. A connection on which a
 * call was answered a moment ago is not checked.
 */
bool channel_connect(struct channel *channel, struct keystore_error *error);

/*
 * Calls the method `path` with `request` (gRPC prefix and message). On KEYSTORE_OK `answer` holds
 * the message without its prefix; otherwise *error says why. A call that times out is cancelled and
 * leaves the connection usable. One that the server, while shutting down, refuses unprocessed is
 * sent once more over a new connection.
 */
enum keystore_code channel_call(struct channel *channel, const char *path, struct slice request,
                                struct buffer *answer, struct keystore_error *error);

#endif
