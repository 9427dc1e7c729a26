/*
 * Consume: elements of lists out, acknowledgements in, on one call.
 *
 * Invariants:
 *  1. An element moves from its list to the pending list by one commit, and is delivered when that
 *     is durable. Another commit removes it from there when it is acknowledged, or returns it. So
 *     at any time it is in one of the lists, or was acknowledged.
 *  2. However the stream ends, what was not acknowledged returns, all by one commit, to the
 *     end of the list that it comes from, the oldest outermost.
 *  3. What is in a pending list of which no stream of this process has any (leases.h) was left
 *     there by a crash. The next stream that names the list returns it before it takes any.
 *  4. Each delivery's number is reported once, as done or as returned.
 *  5. At most max_in_flight elements are taken, and no more while as many, or about a page, wait
 *     for a client that does not read.
 */
#ifndef KEYSTORE_SERVICE_STREAMS_CONSUME_H
#define KEYSTORE_SERVICE_STREAMS_CONSUME_H

#include "grpc/stream.h"

extern const struct grpc_stream_method consume_method;

#endif
