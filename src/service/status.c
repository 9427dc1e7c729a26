/*
 * Errors as gRPC statuses: see the table of enum ErrorReason in proto/mini_redis.proto. What the
 * details say is known where the error is made; here it is read from the error and its message.
 */
#include "service/status.h"

#include "base/field_path.h"

#include <stdatomic.h>

static const struct {
    enum grpc_code code;
    int retry_ms;       /* how long it takes until it may have passed; below 0: see NEVER; 0: trying
                            again does not help, or nothing is known */
    const char *reason; /* a name of enum ErrorReason */
    const char *subject; /* of the limit that was hit, if the message names none; NULL: no limit */
} table[ERR_ALL] = {
/* The call may have taken effect: executed again, it would do so twice. */
#define NEVER (-1)
    [ERR_NONE] = {GRPC_OK, 0, "", NULL},
    [ERR_WRONG_TYPE] = {GRPC_FAILED_PRECONDITION, 0, "ERROR_REASON_WRONG_TYPE", NULL},
    [ERR_BAD_ARGUMENT] = {GRPC_INVALID_ARGUMENT, 0, "ERROR_REASON_BAD_ARGUMENT", NULL},
    [ERR_NOT_A_NUMBER] = {GRPC_FAILED_PRECONDITION, 0, "ERROR_REASON_NOT_A_NUMBER", NULL},
    [ERR_OUT_OF_RANGE] = {GRPC_OUT_OF_RANGE, 0, "ERROR_REASON_OUT_OF_RANGE", NULL},
    [ERR_OUT_OF_MEMORY] = {GRPC_RESOURCE_EXHAUSTED, 0, "ERROR_REASON_OUT_OF_MEMORY", "memory"},
    [ERR_TOO_LARGE] = {GRPC_RESOURCE_EXHAUSTED, 0, "ERROR_REASON_TOO_LARGE", "message"},
    [ERR_BAD_MESSAGE] = {GRPC_INTERNAL, 0, "ERROR_REASON_BAD_MESSAGE", NULL},
    [ERR_NOT_SERVED] = {GRPC_UNIMPLEMENTED, 0, "ERROR_REASON_NOT_SERVED", NULL},
    [ERR_LOADING] = {GRPC_UNAVAILABLE, 1000, "ERROR_REASON_LOADING", NULL},
    [ERR_READ_ONLY] = {GRPC_FAILED_PRECONDITION, 0, "ERROR_REASON_READ_ONLY", NULL},
    [ERR_NOT_DURABLE] = {GRPC_UNAVAILABLE, NEVER, "ERROR_REASON_NOT_DURABLE", NULL},
    [ERR_STOPPING] = {GRPC_UNAVAILABLE, 200, "ERROR_REASON_STOPPING", NULL},
    [ERR_HISTORY_LOST] = {GRPC_OUT_OF_RANGE, 0, "ERROR_REASON_HISTORY_LOST", NULL},
    [ERR_NOT_READ] = {GRPC_RESOURCE_EXHAUSTED, 0, "ERROR_REASON_NOT_READ", "stream"},
    [ERR_ID_REUSED] = {GRPC_ALREADY_EXISTS, 0, "ERROR_REASON_REQUEST_ID_REUSED", NULL},
    [ERR_ALREADY_DONE] = {GRPC_ALREADY_EXISTS, 0, "ERROR_REASON_ALREADY_DONE", NULL},
    [ERR_UNAUTHENTICATED] = {GRPC_UNAUTHENTICATED, 0, "ERROR_REASON_UNAUTHENTICATED", NULL},
    [ERR_FORBIDDEN] = {GRPC_PERMISSION_DENIED, 0, "ERROR_REASON_FORBIDDEN", NULL},
    [ERR_NOT_FOUND] = {GRPC_NOT_FOUND, 0, "ERROR_REASON_NOT_FOUND", NULL},
    [ERR_THROTTLED] = {GRPC_RESOURCE_EXHAUSTED, 200, "ERROR_REASON_THROTTLED", "attempts"},
    [ERR_NO_USERS] = {GRPC_FAILED_PRECONDITION, 0, "ERROR_REASON_NO_USERS", NULL},
    [ERR_TOO_MANY_CALLS] = {GRPC_RESOURCE_EXHAUSTED, 200, "ERROR_REASON_TOO_MANY_CALLS", "calls"},
    [ERR_DEADLINE] = {GRPC_DEADLINE_EXCEEDED, 0, "ERROR_REASON_DEADLINE", NULL},
    [ERR_NO_CLIENT_MEMORY] = {GRPC_RESOURCE_EXHAUSTED, 200, "ERROR_REASON_OUT_OF_MEMORY", "memory"},
    [ERR_TOO_MANY_AT_ONCE] = {GRPC_RESOURCE_EXHAUSTED, 200, "ERROR_REASON_TOO_LARGE", "connection"},
};

/* Of the process: every refused call, on whatever thread, gets its status here. */
static atomic_uint_fast64_t counts[ERR_ALL];

/* Spread over half of the time again, evenly from one call to the next, so that clients that were
 * refused together do not return together. */
static int64_t status_spread(int retry_ms, uint64_t number)
{
    uint32_t fraction = (uint32_t)number * 2654435769u; /* of 2^32; the golden ratio's steps */
    return retry_ms <= 0 ? retry_ms : retry_ms + ((int64_t)retry_ms * fraction >> 33);
}

static bool status_is_name(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || byte == '-';
}

/* The name of the first option (--NAME) or metadata (keystore-NAME) in the message. */
static struct slice status_named_limit(struct slice message)
{
    static const struct slice option = SLICE_LITERAL("--"), metadata = SLICE_LITERAL("keystore-");
    for (; message.len > 0; message = slice_skip(message, 1)) {
        struct slice name = message;
        if (slice_starts_with(message, option))
            name = slice_skip(message, option.len);
        else if (!slice_starts_with(message, metadata))
            continue;
        size_t length = 0;
        while (length < name.len && status_is_name(name.data[length]))
            length++;
        return slice_make(name.data, length);
    }
    return message;
}

static struct slice status_subject(enum err err, struct slice message)
{
    if (table[err].subject == NULL)
        return slice_make(NULL, 0);
    struct slice subject = status_named_limit(message);
    if (subject.len == 0)
        subject = field_path_of(message);
    return subject.len > 0 ? subject : slice_from_string(table[err].subject);
}

struct grpc_status status_of(enum err err, const char *why)
{
    uint64_t number = atomic_fetch_add_explicit(&counts[err], 1, memory_order_relaxed);
    struct slice message = slice_from_string(why);
    return (struct grpc_status){.code = table[err].code,
                                .reason = table[err].reason,
                                .message = message,
                                .retry_ms = status_spread(table[err].retry_ms, number),
                                .subject = status_subject(err, message)};
}

struct grpc_status status_of_result(const struct op_result *result)
{
    struct grpc_status status = status_of(result->err, result->why);
    if (result->err == ERR_WRONG_TYPE && result->type != OP_TYPE_NONE) {
        status.resource_type = result->type == OP_TYPE_LIST ? "list" : "string";
        status.resource_name = result->key;
    }
    return status;
}

void status_allow_retry(struct grpc_status *status)
{
    if (status->retry_ms < 0)
        status->retry_ms = 0;
}

static uint64_t status_count_one(enum err err)
{
    return atomic_load_explicit(&counts[err], memory_order_relaxed);
}

uint64_t status_count(enum err err)
{
    uint64_t count = status_count_one(err);
    if (err == ERR_OUT_OF_MEMORY)
        count += status_count_one(ERR_NO_CLIENT_MEMORY);
    if (err == ERR_TOO_LARGE)
        count += status_count_one(ERR_TOO_MANY_AT_ONCE);
    return count;
}

enum grpc_code status_code(enum err err)
{
    return table[err].code;
}

const char *status_reason(enum err err)
{
    return table[err].reason;
}
