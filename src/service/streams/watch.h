/*
 * Watch: the changes of selected keys, on a stream.
 *
 * Invariants:
 *  1. Every selected event after the start is sent once, in the order of versions, or the stream
 *     ends with an error; none is skipped silently.
 *  2. Nothing is shown that is not durable.
 *  3. About a page waits for a caller that does not read; what else it has not taken is in the
 *     history, which is bounded for all together.
 */
#ifndef KEYSTORE_SERVICE_STREAMS_WATCH_H
#define KEYSTORE_SERVICE_STREAMS_WATCH_H

#include "grpc/stream.h"

extern const struct grpc_stream_method watch_method;

#endif
