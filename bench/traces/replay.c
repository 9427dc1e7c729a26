/*
 * Reads the keys of a trace and stores the missing ones. Does not know protocols.
 *
 * A batch of requests takes two exchanges with the server: what is asked for, and what has to be
 * stored then.
 */
#include "traces/replay.h"

#include "base/mem.h"

#include <stdlib.h>

struct batch {
    size_t count;
    uint32_t keys[SERVER_MAX_COMMANDS];
    struct server_command commands[SERVER_MAX_COMMANDS];
    bool found[SERVER_MAX_COMMANDS];
};

static struct server_command command_for(const struct trace *trace, enum server_verb verb,
                                         uint32_t key)
{
    return (struct server_command){
        .verb = verb, .key = key, .db = trace->keys[key].db, .size = trace->keys[key].size};
}

/* Puts requests from `at` on into the batch until it is full or has a key already; returns the
 * first that is left. batch_of[] has the number of the last batch of each key. */
static size_t fill_batch(struct batch *batch, const struct trace *trace, size_t at, size_t end,
                         uint32_t *batch_of, uint32_t number)
{
    batch->count = 0;
    for (; at < end && batch->count < SERVER_MAX_COMMANDS; at++) {
        uint32_t key = trace->requests[at];
        if (batch_of[key] == number)
            break;
        batch_of[key] = number;
        batch->keys[batch->count++] = key;
    }
    return at;
}

/* Returns how many of the keys were there. */
static size_t ask(struct batch *batch, struct server *server, const struct trace *trace)
{
    static const enum server_verb verbs[] = {
        [TRACE_CACHE] = SERVER_GET, [TRACE_COUNTER] = SERVER_INCR, [TRACE_QUEUE] = SERVER_POP};
    size_t hits = 0;
    for (size_t i = 0; i < batch->count; i++)
        batch->commands[i] =
            command_for(trace, verbs[trace->keys[batch->keys[i]].access], batch->keys[i]);
    server->run(server, batch->commands, batch->count, batch->found);
    for (size_t i = 0; i < batch->count; i++)
        hits += batch->found[i];
    return hits;
}

/* Stores what was not there, and puts back what was popped. */
static void store(struct batch *batch, struct server *server, const struct trace *trace)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        enum trace_access access = (enum trace_access)trace->keys[batch->keys[i]].access;
        if (access == TRACE_CACHE && !batch->found[i])
            batch->commands[count++] = command_for(trace, SERVER_SET, batch->keys[i]);
        if (access == TRACE_QUEUE) {
            struct server_command *push = &batch->commands[count++];
            *push = command_for(trace, SERVER_PUSH, batch->keys[i]);
            push->size /= TRACE_QUEUE_LENGTH;
            push->count = batch->found[i] ? 1 : TRACE_QUEUE_LENGTH;
        }
    }
    if (count > 0)
        server->run(server, batch->commands, count, batch->found);
}

size_t replay_run(struct server *server, const struct trace *trace, size_t begin, size_t end)
{
    struct batch batch;
    uint32_t *batch_of = mem_alloc_zero(trace->key_count * sizeof *batch_of);
    size_t hits = 0;
    for (uint32_t number = 1; begin < end; number++) {
        begin = fill_batch(&batch, trace, begin, end, batch_of, number);
        hits += ask(&batch, server, trace);
        store(&batch, server, trace);
    }
    free(batch_of);
    return hits;
}

uint64_t replay_held(struct server *server, const struct trace *trace)
{
    struct batch batch = {.count = 0};
    uint64_t held = 0;
    for (uint32_t key = 0; key < trace->key_count; key++) {
        if (trace->keys[key].is_requested)
            batch.commands[batch.count++] = command_for(trace, SERVER_EXISTS, key);
        if (batch.count < SERVER_MAX_COMMANDS && key + 1 < trace->key_count)
            continue;
        if (batch.count > 0)
            server->run(server, batch.commands, batch.count, batch.found);
        for (size_t i = 0; i < batch.count; i++)
            held += batch.found[i] ? trace_weight(trace, batch.commands[i].key) : 0;
        batch.count = 0;
    }
    return held;
}
