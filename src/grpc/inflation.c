/*
 * From compressed messages to those that the service sees. A message that inflates to little is
 * inflated as soon as it is complete; a larger one takes too long for a thread that serves others,
 * and the rest of its call waits until another thread has inflated it.
 */
#include "base/check.h"
#include "base/mem.h"
#include "grpc/call.h"
#include "grpc/gunzip.h"

#include <stdio.h>
#include <stdlib.h>

/* A call whose message another thread inflates. */
struct inflation {
    struct grpc_job job;         /* first: the job is found by it */
    struct grpc_call *call;      /* NULL: gone */
    struct grpc_message message; /* compressed, and after the job inflated; the job's until then */
    size_t size;                 /* that it inflates to */
    size_t counted;              /* bytes of it all in connection->unfinished */
    enum err err;                /* of the job, */
    char why[256];               /* with its message */
    struct buf rest;             /* what has arrived meanwhile: at most the stream's window */
    bool ended;                  /* with it, the request */
    atomic_bool is_abandoned;
};

void compression_count(struct compression_counts *counts, size_t compressed, size_t plain)
{
    atomic_fetch_add_explicit(&counts->messages, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counts->compressed_bytes, compressed, memory_order_relaxed);
    atomic_fetch_add_explicit(&counts->plain_bytes, plain, memory_order_relaxed);
}

/* What is to be counted as unfinished has changed. */
static void inflation_recount(struct inflation *inflation, size_t counted)
{
    struct grpc_connection *connection = inflation->call->connection;
    connection->unfinished += counted - inflation->counted;
    inflation->counted = counted;
    DCHECK(connection->unfinished < SIZE_MAX / 2);
}

static void inflation_free(struct inflation *inflation)
{
    grpc_message_deinit(&inflation->message);
    buf_deinit(&inflation->rest);
    free(inflation);
}

static void inflation_run(struct grpc_job *job)
{
    struct inflation *inflation = (struct inflation *)job;
    const char *why = "";
    if (atomic_load(&inflation->is_abandoned))
        return;
    inflation->err = grpc_message_inflate(&inflation->message, inflation->size, &why);
    snprintf(inflation->why, sizeof inflation->why, "%s", why);
}

static void inflation_finish(struct grpc_job *job, int64_t now_ms)
{
    struct inflation *inflation = (struct inflation *)job;
    struct grpc_call *call = inflation->call;
    if (call != NULL) {
        struct slice rest = buf_slice(&inflation->rest);
        inflation_abandon(call);
        call->connection->now_ms = now_ms;
        if (inflation->err == ERR_NONE) {
            call->message = inflation->message;
            call->connection->unfinished += grpc_message_gathered(&call->message);
            inflation->message = (struct grpc_message){0};
        }
        call_continue(call, inflation->err, inflation->why, rest, inflation->ended);
    }
    inflation_free(inflation);
}

/* Has another thread inflate the message to `size` bytes. */
static enum err inflation_start(struct grpc_call *call, size_t size, const char **why)
{
    struct grpc_connection *connection = call->connection;
    const struct grpc_service *service = connection->server->service;
    connection->unfinished += size;
    enum err err = call_check_unfinished(connection, why);
    connection->unfinished -= size;
    if (err != ERR_NONE)
        return err;
    connection->unfinished += call->message.borrowed.len;
    grpc_message_keep(&call->message);
    struct inflation *inflation = mem_alloc(sizeof *inflation);
    *inflation = (struct inflation){
        .job = {.run = inflation_run, .finish = inflation_finish},
        .call = call,
        .message = call->message,
        .size = size,
        .counted = grpc_message_gathered(&call->message),
        .err = ERR_STOPPING, /* unless it is run */
        .why = "the server is shutting down",
    };
    buf_init(&inflation->rest, SIZE_MAX);
    inflation_recount(inflation, inflation->counted + size);
    call->message = (struct grpc_message){0};
    call->inflation = inflation;
    connection->inflating += call->streaming == NULL;
    service->run_elsewhere(service->user, &inflation->job);
    return ERR_NONE;
}

enum err inflation_begin(struct grpc_call *call, const char **why)
{
    struct grpc_connection *connection = call->connection;
    struct grpc_server *server = connection->server;
    size_t size, before = grpc_message_gathered(&call->message);
    struct slice member = grpc_message_bytes(&call->message);
    enum err err = gunzip_size(member, server->limits.max_message, &size, why);
    if (err != ERR_NONE)
        return err;
    compression_count(&server->inflated, member.len, size);
    if (size > INFLATION_MOST_INLINE && server->service->run_elsewhere != NULL)
        return inflation_start(call, size, why);
    err = grpc_message_inflate(&call->message, size, why);
    connection->unfinished += grpc_message_gathered(&call->message) - before;
    return err;
}

enum err inflation_take_data(struct grpc_call *call, struct slice data, const char **why)
{
    struct inflation *inflation = call->inflation;
    size_t before = inflation->rest.cap;
    bool fits = buf_append(&inflation->rest, data);
    CHECK(fits);
    DCHECK(inflation->rest.len <= call->connection->server->limits.http2.stream_window);
    inflation_recount(inflation, inflation->counted + data.len);
    enum err err = call_check_unfinished(call->connection, why);
    if (err != ERR_NONE)
        return err;
    return account_may_grow(before, inflation->rest.cap, why) ? ERR_NONE : ERR_NO_CLIENT_MEMORY;
}

void inflation_end_request(struct grpc_call *call)
{
    call->inflation->ended = true;
}

void inflation_abandon(struct grpc_call *call)
{
    struct inflation *inflation = call->inflation;
    if (inflation == NULL)
        return;
    inflation_recount(inflation, 0);
    call->connection->inflating -= call->streaming == NULL;
    call->inflation = NULL;
    inflation->call = NULL;
    atomic_store(&inflation->is_abandoned, true);
}
