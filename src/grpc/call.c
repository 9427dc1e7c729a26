/* What unary calls and calls that stream have in common: a message that arrives in parts. */
#include "grpc/call.h"

#include "base/account.h"

enum err call_check_unfinished(const struct grpc_connection *connection, const char **why)
{
    if (connection->unfinished <= connection->server->limits.max_unfinished)
        return ERR_NONE;
    *why = "too many large requests are in flight on this connection; send fewer at once";
    return ERR_TOO_LARGE;
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
    if (grpc_message_is_compressed(message) && !call->sends_gzip) {
        *why = "the message is marked as compressed, but the call has no grpc-encoding: gzip; send "
               "that header, or the message uncompressed";
        return ERR_BAD_MESSAGE;
    }
    err = call_check_unfinished(connection, why);
    if (err != ERR_NONE)
        return err;
    return account_may_grow(memory, grpc_message_memory(message), why) ? ERR_NONE
                                                                       : ERR_OUT_OF_MEMORY;
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
