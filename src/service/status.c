/* Errors as gRPC statuses: see the table of enum ErrorReason in proto/mini_redis.proto. */
#include "service/status.h"

static const struct {
    enum grpc_code code;
    const char *reason; /* a name of enum ErrorReason */
} table[ERR_COUNT] = {
    [ERR_NONE] = {GRPC_OK, ""},
    [ERR_WRONG_TYPE] = {GRPC_FAILED_PRECONDITION, "ERROR_REASON_WRONG_TYPE"},
    [ERR_BAD_ARGUMENT] = {GRPC_INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT"},
    [ERR_TOO_LARGE] = {GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_TOO_LARGE"},
    [ERR_BAD_MESSAGE] = {GRPC_INTERNAL, "ERROR_REASON_BAD_MESSAGE"},
    [ERR_NOT_SERVED] = {GRPC_UNIMPLEMENTED, "ERROR_REASON_NOT_SERVED"},
    [ERR_DEADLINE] = {GRPC_DEADLINE_EXCEEDED, "ERROR_REASON_DEADLINE"},
};

struct grpc_status status_of(enum err err, const char *why)
{
    return (struct grpc_status){
        .code = table[err].code, .reason = table[err].reason, .message = slice_from_string(why)};
}
