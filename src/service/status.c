/* Errors as gRPC statuses: see the table of enum ErrorReason in proto/mini_redis.proto. */
#include "service/status.h"

#include <stdatomic.h>

static const struct {
    enum grpc_code code;
    const char *reason; /* a name of enum ErrorReason */
} table[ERR_COUNT] = {
    [ERR_NONE] = {GRPC_OK, ""},
    [ERR_WRONG_TYPE] = {GRPC_FAILED_PRECONDITION, "ERROR_REASON_WRONG_TYPE"},
    [ERR_BAD_ARGUMENT] = {GRPC_INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT"},
    [ERR_NOT_A_NUMBER] = {GRPC_FAILED_PRECONDITION, "ERROR_REASON_NOT_A_NUMBER"},
    [ERR_OUT_OF_RANGE] = {GRPC_OUT_OF_RANGE, "ERROR_REASON_OUT_OF_RANGE"},
    [ERR_OUT_OF_MEMORY] = {GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_OUT_OF_MEMORY"},
    [ERR_TOO_LARGE] = {GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_TOO_LARGE"},
    [ERR_BAD_MESSAGE] = {GRPC_INTERNAL, "ERROR_REASON_BAD_MESSAGE"},
    [ERR_NOT_SERVED] = {GRPC_UNIMPLEMENTED, "ERROR_REASON_NOT_SERVED"},
    [ERR_LOADING] = {GRPC_UNAVAILABLE, "ERROR_REASON_LOADING"},
    [ERR_READ_ONLY] = {GRPC_FAILED_PRECONDITION, "ERROR_REASON_READ_ONLY"},
    [ERR_NOT_DURABLE] = {GRPC_UNAVAILABLE, "ERROR_REASON_NOT_DURABLE"},
    [ERR_STOPPING] = {GRPC_UNAVAILABLE, "ERROR_REASON_STOPPING"},
    [ERR_HISTORY_LOST] = {GRPC_OUT_OF_RANGE, "ERROR_REASON_HISTORY_LOST"},
    [ERR_NOT_READ] = {GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_NOT_READ"},
    [ERR_ID_REUSED] = {GRPC_ALREADY_EXISTS, "ERROR_REASON_REQUEST_ID_REUSED"},
    [ERR_ALREADY_DONE] = {GRPC_ALREADY_EXISTS, "ERROR_REASON_ALREADY_DONE"},
    [ERR_DEADLINE] = {GRPC_DEADLINE_EXCEEDED, "ERROR_REASON_DEADLINE"},
};

/* Of the process: every refused call, on whatever thread, gets its status here. */
static atomic_uint_fast64_t counts[ERR_COUNT];

struct grpc_status status_of(enum err err, const char *why)
{
    atomic_fetch_add_explicit(&counts[err], 1, memory_order_relaxed);
    return (struct grpc_status){
        .code = table[err].code, .reason = table[err].reason, .message = slice_from_string(why)};
}

uint64_t status_count(enum err err)
{
    return atomic_load_explicit(&counts[err], memory_order_relaxed);
}

enum grpc_code status_code(enum err err)
{
    return table[err].code;
}

const char *status_reason(enum err err)
{
    return table[err].reason;
}
