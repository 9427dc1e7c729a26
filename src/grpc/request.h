/* The request headers of gRPC (PROTOCOL-HTTP2.md of gRPC). */
#ifndef KEYSTORE_GRPC_REQUEST_H
#define KEYSTORE_GRPC_REQUEST_H

#include "base/slice.h"
#include "grpc/metadata.h"

struct http2_field;

#define GRPC_NO_TIMEOUT INT64_MAX
/* The largest reply that a client accepts unless it says otherwise: the default of all gRPC
 * implementations. */
#define GRPC_DEFAULT_MAX_REPLY ((uint64_t)4 * 1024 * 1024)

/* keystore-compress: what the caller wants of replies. */
enum grpc_wish {
    GRPC_WISH_NONE, /* it does not say */
    GRPC_WISH_GZIP,
    GRPC_WISH_IDENTITY,
    GRPC_WISH_MALFORMED,
};

/* The parsed fields; slices are borrowed from them. */
struct grpc_request {
    struct slice method; /* of HTTP: POST */
    struct slice path;
    struct slice content_type;
    struct slice encoding; /* grpc-encoding; empty = identity */
    bool accepts_gzip;     /* grpc-accept-encoding lists it */
    enum grpc_wish wish;
    struct slice authorization; /* whom the caller says to be; empty: it does not say */
    unsigned authorizations;    /* how often it says so */
    int64_t timeout_ms;         /* rounded up; GRPC_NO_TIMEOUT if there is none */
    bool timeout_valid;         /* false if grpc-timeout is malformed */
    uint64_t max_reply;         /* the largest reply message that the client accepts, in bytes */
    bool max_reply_valid;       /* false if keystore-max-reply-bytes is malformed */
    bool expects_continue;      /* it waits for 100 Continue before it sends its body */
    struct grpc_rare_fields rare;
};

/* Parses the fields that gRPC defines, keystore-max-reply-bytes and keystore-compress, and finds
 * those of grpc/metadata.h; other custom metadata is ignored. */
void grpc_request_parse(const struct http2_field *fields, size_t count,
                        struct grpc_request *request);

/* True for "application/grpc", ignoring case, alone or followed by "+proto" (the only supported
 * format) or parameters. */
bool grpc_request_content_type_valid(struct slice content_type);

#endif
