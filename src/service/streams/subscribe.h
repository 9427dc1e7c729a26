/*
 * Subscribe: the messages of channels, from the moment when the response's headers are sent.
 *
 * Invariants:
 *  1. What waits for a caller who does not read is at most SUBSCRIBE_WAITING bytes, or one message
 *     if that is larger; while clients hold much (base/account.h), one message. The oldest go.
 *  2. The next message that the caller gets says how many are missing before it.
 */
#ifndef KEYSTORE_SERVICE_STREAMS_SUBSCRIBE_H
#define KEYSTORE_SERVICE_STREAMS_SUBSCRIBE_H

#include "grpc/stream.h"

/* In bytes as encoded, and SUBSCRIBE_OVERHEAD for each. */
#define SUBSCRIBE_WAITING  ((size_t)1024 * 1024)
#define SUBSCRIBE_OVERHEAD ((size_t)64)
/* Channels and patterns of one stream, and bytes of a pattern: comparing them takes time. */
#define SUBSCRIBE_SELECTORS   10000
#define SUBSCRIBE_MAX_PATTERN 1024

extern const struct grpc_stream_method subscribe_method;

#endif
