/*
 * Pipeline: batches of operations in, batches of replies out, on one call.
 *
 * Invariants:
 *  1. Operations are carried out one after the other, in the order of the stream; each alone is
 *     atomic. A ReplyBatch answers an OpBatch, in the same order; one whose replies take more than
 *     PIPELINE_REPLY_BYTES is answered by several.
 *  2. An operation that fails has its error in its reply, and the stream goes on. What cannot be
 *     read as an OpBatch ends it.
 *  3. At most PIPELINE_BATCHES batches are in memory: while there are that many, flow control holds
 *     the caller back, who gets replies only as fast as it takes them.
 */
#ifndef KEYSTORE_SERVICE_STREAMS_PIPELINE_H
#define KEYSTORE_SERVICE_STREAMS_PIPELINE_H

#include "grpc/stream.h"

#define PIPELINE_BATCHES     16
#define PIPELINE_REPLY_BYTES ((size_t)1 << 20)

extern const struct grpc_stream_method pipeline_method;

#endif
