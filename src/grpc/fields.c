/* What every reply says of itself, and an error in the words of gRPC. */
#include "grpc/fields.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>

/* Bytes of one field of an error. They have limits of their own (grpc_status_cut()). */
#define MAX_STATUS_BYTES ((size_t)8192)

const struct http2_field grpc_reply_fields[GRPC_GZIP_REPLY_FIELDS] = {
    {SLICE_LITERAL(":status"), SLICE_LITERAL("200")},
    {SLICE_LITERAL("content-type"), SLICE_LITERAL("application/grpc")},
    {SLICE_LITERAL("grpc-accept-encoding"), SLICE_LITERAL("identity,gzip")},
    {SLICE_LITERAL("grpc-encoding"), SLICE_LITERAL("gzip")},
};
const struct http2_field grpc_ok_trailers[GRPC_OK_TRAILERS] = {
    {SLICE_LITERAL("grpc-status"), SLICE_LITERAL("0")},
};

void grpc_fields_init(struct grpc_fields *fields, const struct grpc_status *status)
{
    snprintf(fields->code, sizeof fields->code, "%d", (int)status->code);
    snprintf(fields->retry, sizeof fields->retry, "%" PRId64, status->retry_ms);
    buf_init(&fields->message, MAX_STATUS_BYTES);
    buf_init(&fields->details, MAX_STATUS_BYTES);
    buf_init(&fields->trailer, MAX_STATUS_BYTES);
    bool fits = buf_append(&fields->trailer, status->trailer_value);
    CHECK(fits);
    grpc_status_encode_message(grpc_status_cut(status->message), &fields->message);
    grpc_status_encode_details(status, &fields->details);
    const struct http2_field all[GRPC_ERROR_FIELDS] = {
        grpc_reply_fields[0],
        grpc_reply_fields[1],
        grpc_reply_fields[2],
        {SLICE_LITERAL("grpc-status"), slice_from_string(fields->code)},
        {SLICE_LITERAL("grpc-message"), buf_slice(&fields->message)},
        {SLICE_LITERAL("keystore-reason"), slice_from_string(status->reason)},
        {SLICE_LITERAL("grpc-status-details-bin"), buf_slice(&fields->details)},
    };
    memcpy(fields->fields, all, sizeof all);
    fields->count = GRPC_ERROR_FIELDS - 2;
    if (status->trailer_name.len > 0)
        fields->fields[fields->count++] =
            (struct http2_field){status->trailer_name, buf_slice(&fields->trailer)};
    if (status->retry_ms != 0)
        fields->fields[fields->count++] = (struct http2_field){
            SLICE_LITERAL("grpc-retry-pushback-ms"), slice_from_string(fields->retry)};
}

void grpc_fields_deinit(struct grpc_fields *fields)
{
    buf_deinit(&fields->message);
    buf_deinit(&fields->details);
    buf_deinit(&fields->trailer);
}
