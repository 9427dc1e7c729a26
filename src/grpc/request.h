/* The header block of a gRPC request, checked against the protocol (PROTOCOL-HTTP2.md of gRPC). */
#ifndef KEYSTORE_GRPC_REQUEST_H
#define KEYSTORE_GRPC_REQUEST_H

#include "base/slice.h"

struct http2_field;

#define GRPC_NO_TIMEOUT INT64_MAX
/* What a client takes that does not say it: the default of all implementations of gRPC. */
#define GRPC_DEFAULT_MAX_REPLY ((uint64_t)4 * 1024 * 1024)

/* What the fields say; slices are borrowed from them. */
struct grpc_request {
    struct slice method; /* of HTTP: POST */
    struct slice path;
    struct slice content_type;
    struct slice encoding; /* grpc-encoding; empty = identity */
    int64_t timeout_ms;    /* rounded up; GRPC_NO_TIMEOUT if there is none */
    bool timeout_valid;    /* false if grpc-timeout is malformed */
    uint64_t max_reply;    /* bytes of the reply's message that the client takes */
    bool max_reply_valid;  /* false if keystore-max-reply-bytes is malformed */
    bool expects_continue; /* it waits for 100 Continue before it sends its body */
};

/* Reads the fields that gRPC knows, and keystore-max-reply-bytes; the rest is custom metadata and
 * not looked at. */
void grpc_request_parse(const struct http2_field *fields, size_t count,
                        struct grpc_request *request);

/* "application/grpc" in any case, alone or followed by "+proto" (the only format here) or
 * parameters. */
bool grpc_request_content_type_valid(struct slice content_type);

#endif
