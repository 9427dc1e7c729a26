/* What unary calls and calls that stream have in common: a message that arrives in parts. */
#include "grpc/call.h"

#include "base/account.h"

enum err call_check_unfinished(const struct grpc_connection *connection, const char **why)
{
    if (connection->unfinished <= connection->server->limits.max_unfinished)
        return ERR_NONE;
    *why = "too many large requests are in flight on this connection; send fewer at once";
    return ERR_TOO_MANY_AT_ONCE;
}

enum err call_gather(struct grpc_call *call, struct slice part, const char **why)
{
    struct grpc_connection *connection = call->connection;
    const struct grpc_limits *limits = &connection->server->limits;
    struct grpc_message *message = &call->message;
    size_t before = grpc_message_gathered(message), memory = grpc_message_memory(message);
    enum err err = grpc_message_take(message, part, limits->max_message, why);
    connection->unfinished += grpc_message_gathered(message) - before;
    if (err != ERR_NONE)
        return err;
    if (grpc_message_is_compressed(message) && (call->gzip & CALL_SENDS_GZIP) == 0) {
        *why = "the message is marked as compressed, but the call has no grpc-encoding: gzip; send "
               "that header, or the message uncompressed";
        return ERR_BAD_MESSAGE;
    }
    err = call_check_unfinished(connection, why);
    if (err != ERR_NONE)
        return err;
    return account_may_grow(memory, grpc_message_memory(message), why) ? ERR_NONE
                                                                       : ERR_NO_CLIENT_MEMORY;
}

bool call_stalls(struct grpc_call *call, int64_t now_ms)
{
    struct grpc_server *server = call->connection->server;
    size_t bytes = grpc_message_gathered(&call->message);
    if (now_ms - call->period_ms <= server->limits.request_timeout_ms)
        return false;
    if (bytes - call->period_bytes < server->limits.min_progress) {
        atomic_fetch_add(&server->slow_requests, 1);
        return true;
    }
    call->period_ms = now_ms;
    call->period_bytes = bytes;
    return false;
}

void call_report(struct grpc_call *call, int64_t duration_ns, enum grpc_code code,
                 const struct grpc_status *status)
{
    const struct grpc_server *server = call->connection->server;
    const struct grpc_service *service = server->service;
    if (service->on_outcome == NULL)
        return;
    bool may_be_slow = call->streaming == NULL && call->state != CALL_WAITING && call->complete;
    struct grpc_outcome outcome = {
        .method = call->method, .code = code, .duration_ns = duration_ns};
    if (call->work_ns > call->start_ns)
        outcome.duration_ns -= call->work_ns - call->start_ns;
    if (outcome.duration_ns < 0) /* the turn began before the work */
        outcome.duration_ns = 0;
    outcome.is_slow = may_be_slow && outcome.duration_ns >= server->limits.slow_ns;
    if (status != NULL) {
        outcome.reason = status->reason;
        outcome.message = status->message;
    }
    if (outcome.is_slow || status != NULL || call_is_told(call))
        service->on_outcome(service->user, call, &outcome);
}
