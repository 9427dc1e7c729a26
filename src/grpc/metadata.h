/*
 * Metadata that few calls have: a request id, the trace that the call belongs to, and how often it
 * has been sent before. A copy in memory of its own, which a call without any of it does not have.
 */
#ifndef KEYSTORE_GRPC_METADATA_H
#define KEYSTORE_GRPC_METADATA_H

#include "base/slice.h"

struct grpc_call;

/* Bytes of the longest request id. */
#define GRPC_MAX_REQUEST_ID 64
#define GRPC_TRACE_ID_BYTES 16
#define GRPC_SPAN_ID_BYTES  8

/* The fields of a request as they were sent, borrowed; empty = not sent. */
struct grpc_rare_fields {
    struct slice request_id;        /* keystore-request-id */
    struct slice request_id_bin;    /* keystore-request-id-bin */
    struct slice traceparent;       /* of W3C Trace Context */
    struct slice trace_bin;         /* grpc-trace-bin, of OpenCensus */
    struct slice previous_attempts; /* grpc-previous-rpc-attempts */
    unsigned request_ids;           /* how many fields name a request id */
    unsigned count;                 /* of all these fields */
};

struct grpc_metadata {
    uint8_t request_id[GRPC_MAX_REQUEST_ID];
    size_t request_id_size; /* bytes; 0 = the call has none */
    bool has_trace;         /* what follows was sent */
    uint8_t trace_id[GRPC_TRACE_ID_BYTES];
    uint8_t span_id[GRPC_SPAN_ID_BYTES]; /* the caller's */
    uint8_t trace_flags;                 /* 1 = sampled */
    uint32_t previous_attempts;          /* of the same call by its client; 0 = none, or not said */
};

/*
 * Allocates what the fields say; free with free(). A malformed trace or number of attempts counts
 * as not sent. NULL if nothing was sent, or if the request id is malformed, with an error message
 * in *why, which is NULL otherwise.
 */
struct grpc_metadata *grpc_metadata_new(const struct grpc_rare_fields *fields, const char **why);

/* The metadata of a call, borrowed while the call exists; NULL: it has none of these. */
const struct grpc_metadata *grpc_call_metadata(const struct grpc_call *call);

#endif
