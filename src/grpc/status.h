/*
 * The status of a call: the gRPC status codes and their encoding in trailers, with the details of
 * google/rpc/error_details.proto.
 */
#ifndef KEYSTORE_GRPC_STATUS_H
#define KEYSTORE_GRPC_STATUS_H

#include "base/buf.h"
#include "base/slice.h"

#include <stdint.h>

/* https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
enum grpc_code {
    GRPC_OK = 0,
    GRPC_CANCELLED = 1,
    GRPC_UNKNOWN = 2,
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_NOT_FOUND = 5,
    GRPC_ALREADY_EXISTS = 6,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_FAILED_PRECONDITION = 9,
    GRPC_ABORTED = 10,
    GRPC_OUT_OF_RANGE = 11,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_INTERNAL = 13,
    GRPC_UNAVAILABLE = 14,
    GRPC_DATA_LOSS = 15,
    GRPC_UNAUTHENTICATED = 16,
    GRPC_CODES, /* how many there are */
};

/* Bytes of the message that are sent, at most: with percent-encoding and in the details, all fields
 * of an error stay below the 8 KiB of metadata that clients accept. */
#define GRPC_STATUS_MESSAGE ((size_t)512)
/* The same for the name of a resource. */
#define GRPC_STATUS_NAME ((size_t)768)

struct grpc_status {
    enum grpc_code code;
    const char *reason;   /* for programs: ErrorInfo.reason and the trailer keystore-reason */
    struct slice message; /* for people: an error message, which may begin with the path of a field
                             (base/field_path.h): BadRequest */
    struct slice trailer_name, trailer_value; /* a further trailer of the method, also in
                                                 ErrorInfo.metadata; empty: none */
    int64_t retry_ms;     /* above 0: it helps to wait that long and try again: RetryInfo; below 0:
                             it must not be tried again. Not 0: trailer grpc-retry-pushback-ms */
    struct slice subject; /* of the limit that was hit: QuotaFailure; empty: none */
    const char *resource_type;  /* ResourceInfo; NULL: none */
    struct slice resource_name; /* any bytes; see grpc_status_encode_name() */
};

/* The part of the message that is sent: at most GRPC_STATUS_MESSAGE bytes, without a part of a
 * character. */
struct slice grpc_status_cut(struct slice message);

/* Appends `message` percent-encoded for grpc-message (printable ASCII except '%' as is). */
void grpc_status_encode_message(struct slice message, struct buf *out);

/* Appends bytes as a string in UTF-8: '%', control characters and what is not UTF-8 are
 * percent-encoded, so that decoding that gives the same bytes. */
void grpc_status_encode_name(struct slice name, struct buf *out);

/*
 * Appends the base64 (unpadded) google.rpc.Status with its details: the value of
 * grpc-status-details-bin. First ErrorInfo {reason, domain}; then those that the status has. A name
 * that needs more than GRPC_STATUS_NAME bytes is left out of ResourceInfo.
 */
void grpc_status_encode_details(const struct grpc_status *status, struct buf *out);

#endif
