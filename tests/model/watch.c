/* WATCH through hiredis. Knows no step. */
#include "watch.h"

#include <string.h>

bool watch_init(struct watch *watch, const char *socket_path)
{
    watch->redis = redisConnectUnix(socket_path);
    return watch->redis != NULL && watch->redis->err == 0;
}

void watch_deinit(struct watch *watch)
{
    if (watch->redis != NULL)
        redisFree(watch->redis);
}

/* False if the connection has failed, or the reply is no such status. Frees it. */
static bool is_status(redisReply *reply, const char *text)
{
    bool same = reply != NULL && reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, text) == 0;
    if (reply != NULL)
        freeReplyObject(reply);
    return same;
}

bool watch_begin(struct watch *watch, uint32_t db, struct keystore_slice key)
{
    return is_status(redisCommand(watch->redis, "SELECT %u", db), "OK") &&
           is_status(redisCommand(watch->redis, "WATCH %b", key.data, key.len), "OK");
}

bool watch_end(struct watch *watch, bool *held)
{
    if (!is_status(redisCommand(watch->redis, "MULTI"), "OK") ||
        !is_status(redisCommand(watch->redis, "PING"), "QUEUED"))
        return false;
    redisReply *reply = redisCommand(watch->redis, "EXEC");
    if (reply == NULL)
        return false;
    bool is_answer = reply->type == REDIS_REPLY_NIL || reply->type == REDIS_REPLY_ARRAY;
    *held = reply->type == REDIS_REPLY_ARRAY;
    freeReplyObject(reply);
    return is_answer;
}
