/* What administrators want to know of a connection. It is found when they ask, except for the name
 * of the client, which only requests have. */
#include "grpc/call.h"
#include "grpc/server.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* The longest name that is kept of a client. */
#define MAX_AGENT ((size_t)100)

void call_note_agent(struct grpc_connection *connection, const struct http2_request *request)
{
    struct slice agent = {0};
    for (size_t i = 0; i < request->count && agent.len == 0; i++)
        if (slice_equal(request->fields[i].name, SLICE_LITERAL("user-agent")))
            agent = request->fields[i].value;
    size_t len = agent.len < MAX_AGENT ? agent.len : MAX_AGENT;
    connection->user_agent = mem_alloc(len + 1);
    for (size_t i = 0; i < len; i++) /* other bytes need not be UTF-8 */
        connection->user_agent[i] = agent.data[i] < 0x80 ? (char)agent.data[i] : '?';
    connection->user_agent[len] = '\0';
}

static bool describe_count_streaming(void *argument, struct http2_stream *stream)
{
    const struct grpc_call *call = http2_stream_user(stream);
    *(uint32_t *)argument += call->state == CALL_STREAMING;
    return true;
}

struct grpc_description grpc_connection_describe(const struct grpc_connection *connection)
{
    uint32_t last_stream;
    struct grpc_description description = {
        .active_ms = connection->now_ms,
        .user_agent = connection->user_agent != NULL ? connection->user_agent : ""};
    description.calls = (uint32_t)http2_session_open_streams(connection->session, &last_stream);
    description.calls_so_far = ((uint64_t)last_stream + 1) / 2;
    (void)http2_session_visit(connection->session, describe_count_streaming, &description.streams);
    return description;
}
