/* The status of a call: the gRPC status codes and their encoding in trailers. */
#ifndef KEYSTORE_GRPC_STATUS_H
#define KEYSTORE_GRPC_STATUS_H

#include "base/buf.h"
#include "base/slice.h"

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

struct grpc_status {
    enum grpc_code code;
    const char *reason;   /* for programs: ErrorInfo.reason and the trailer keystore-reason */
    struct slice message; /* for people: an error message in UTF-8 */
    struct slice trailer_name, trailer_value; /* a further trailer of the method; empty: none */
};

/* Appends `message` percent-encoded for grpc-message (printable ASCII except '%' as is). */
void grpc_status_encode_message(struct slice message, struct buf *out);

/* Appends the base64 (unpadded) google.rpc.Status with one google.rpc.ErrorInfo {reason, domain}:
 * the value of grpc-status-details-bin. */
void grpc_status_encode_details(const struct grpc_status *status, struct buf *out);

#endif
