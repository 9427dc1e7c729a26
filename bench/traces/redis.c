/* Commands to a Redis server, pipelined. Does not know traces. */
#include "traces/server.h"

#include "base/mem.h"
#include "traces/trace.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#define NAME "redis"

struct redis {
    struct server server;
    redisContext *context;
    uint32_t db; /* that is selected */
};

static redisReply *take_reply(struct redis *redis)
{
    void *reply;
    if (redisGetReply(redis->context, &reply) != REDIS_OK)
        server_fail(NAME, redis->context->errstr);
    if (((redisReply *)reply)->type == REDIS_REPLY_ERROR)
        server_fail(NAME, ((redisReply *)reply)->str);
    return reply;
}

static void append_push(struct redis *redis, const struct server_command *command, const char *key)
{
    const char *words[2 + TRACE_QUEUE_LENGTH] = {"RPUSH", key};
    size_t sizes[2 + TRACE_QUEUE_LENGTH] = {5, TRACE_KEY_SIZE};
    for (uint32_t i = 0; i < command->count; i++) {
        words[2 + i] = server_value();
        sizes[2 + i] = command->size;
    }
    redisAppendCommandArgv(redis->context, 2 + (int)command->count, words, sizes);
}

static void append(struct redis *redis, const struct server_command *command)
{
    char key[TRACE_KEY_SIZE + 1];
    server_put_key(key, command->key);
    switch (command->verb) {
    case SERVER_GET:
        redisAppendCommand(redis->context, "GET %s", key);
        break;
    case SERVER_SET:
        redisAppendCommand(redis->context, "SET %s %b", key, server_value(), (size_t)command->size);
        break;
    case SERVER_INCR:
        redisAppendCommand(redis->context, "INCR %s", key);
        break;
    case SERVER_POP:
        redisAppendCommand(redis->context, "LPOP %s", key);
        break;
    case SERVER_PUSH:
        append_push(redis, command, key);
        break;
    case SERVER_EXISTS:
        redisAppendCommand(redis->context, "EXISTS %s", key);
        break;
    }
}

static bool was_found(enum server_verb verb, const redisReply *reply)
{
    switch (verb) {
    case SERVER_INCR: /* a new counter is 1 */
        return reply->integer > 1;
    case SERVER_EXISTS:
        return reply->integer > 0;
    default:
        return reply->type != REDIS_REPLY_NIL;
    }
}

static void run(struct server *server, const struct server_command *commands, size_t count,
                bool *found)
{
    struct redis *redis = (struct redis *)server;
    bool selects[SERVER_MAX_COMMANDS];
    for (size_t i = 0; i < count; i++) {
        selects[i] = commands[i].db != redis->db;
        redis->db = commands[i].db;
        if (selects[i])
            redisAppendCommand(redis->context, "SELECT %u", redis->db);
        append(redis, &commands[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (selects[i])
            freeReplyObject(take_reply(redis));
        redisReply *reply = take_reply(redis);
        found[i] = was_found(commands[i].verb, reply);
        freeReplyObject(reply);
    }
}

static void close_redis(struct server *server)
{
    struct redis *redis = (struct redis *)server;
    redisFree(redis->context);
    free(redis);
}

struct server *server_open_redis(const char *port)
{
    struct redis *redis = mem_alloc_zero(sizeof *redis);
    redis->server = (struct server){.run = run, .close = close_redis};
    redis->context = redisConnect("127.0.0.1", atoi(port));
    if (redis->context == NULL || redis->context->err != 0)
        server_fail(NAME, redis->context == NULL ? "out of memory" : redis->context->errstr);
    return &redis->server;
}
