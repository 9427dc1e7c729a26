/* The header fields of replies; private to grpc. */
#ifndef KEYSTORE_GRPC_FIELDS_H
#define KEYSTORE_GRPC_FIELDS_H

#include "base/buf.h"
#include "grpc/status.h"
#include "http2/http2.h"

#define GRPC_REPLY_FIELDS      3
#define GRPC_GZIP_REPLY_FIELDS 4
#define GRPC_OK_TRAILERS       1
#define GRPC_ERROR_FIELDS                                                                          \
    9 /* at most, of a reply of header fields alone, GRPC_REPLY_FIELDS first */

/* Static memory. The first GRPC_REPLY_FIELDS are those of every reply; one with compressed messages
 * has all. */
extern const struct http2_field grpc_reply_fields[GRPC_GZIP_REPLY_FIELDS];
extern const struct http2_field grpc_ok_trailers[GRPC_OK_TRAILERS];

/* The fields that say how a call has failed. */
struct grpc_fields {
    char code[4], retry[24];
    struct buf message, details, trailer;
    size_t count;
    struct http2_field fields[GRPC_ERROR_FIELDS]; /* which point into the above */
};

/* The status is copied but for its reason and the name of a trailer, which are static memory. */
void grpc_fields_init(struct grpc_fields *fields, const struct grpc_status *status);
void grpc_fields_deinit(struct grpc_fields *fields);

#endif
