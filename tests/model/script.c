/* Redis' commands and replies through hiredis. Knows no operation. */
#include "script.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What the reply to a command is. */
enum sent { SENT_PLAIN, SENT_SELECT, SENT_MULTI, SENT_QUEUED, SENT_QUEUED_SELECT, SENT_EXEC };

bool script_init(struct script *script, const char *socket_path)
{
    *script = (struct script){.redis = redisConnectUnix(socket_path)};
    return script->redis != NULL && script->redis->err == 0;
}

void script_deinit(struct script *script)
{
    script_clear(script);
    if (script->redis != NULL)
        redisFree(script->redis);
    free(script->words);
    free(script->lengths);
    free(script->sent);
    free(script->replies);
    free(script->owned);
}

/* ---- building ---- */

static void *grow(void *items, size_t *capacity, size_t size)
{
    *capacity = *capacity == 0 ? 64 : 2 * *capacity;
    items = realloc(items, *capacity * size);
    if (items == NULL)
        abort();
    return items;
}

static void note(struct script *script, enum sent sent)
{
    if (script->sent_count == script->sent_capacity)
        script->sent = grow(script->sent, &script->sent_capacity, 1);
    script->sent[script->sent_count++] = (uint8_t)sent;
}

static void add_word(struct script *script, const void *bytes, size_t len)
{
    if (script->word_count == script->word_capacity) {
        size_t capacity = script->word_capacity;
        script->words = grow(script->words, &capacity, sizeof *script->words);
        script->lengths = grow(script->lengths, &script->word_capacity, sizeof *script->lengths);
    }
    script->words[script->word_count] = bytes;
    script->lengths[script->word_count++] = len;
}

void script_text(struct script *script, const char *text)
{
    add_word(script, text, strlen(text));
}

void script_bytes(struct script *script, struct keystore_slice bytes)
{
    add_word(script, bytes.data != NULL ? bytes.data : "", bytes.len);
}

void script_number(struct script *script, int64_t number)
{
    if (script->number_count == SCRIPT_NUMBERS)
        abort();
    char *text = script->numbers[script->number_count++];
    snprintf(text, sizeof script->numbers[0], "%" PRId64, number);
    script_text(script, text);
}

static void append(struct script *script, enum sent sent)
{
    redisAppendCommandArgv(script->redis, (int)script->word_count, script->words, script->lengths);
    script->word_count = script->number_count = 0;
    note(script, sent);
}

void script_begin(struct script *script, uint32_t db, const char *name)
{
    if (script->db != db) {
        script_text(script, "SELECT");
        script_number(script, db);
        append(script, script->in_multi ? SENT_QUEUED_SELECT : SENT_SELECT);
        script->db = db;
    }
    script_text(script, name);
}

void script_end(struct script *script)
{
    append(script, script->in_multi ? SENT_QUEUED : SENT_PLAIN);
}

void script_key_command(struct script *script, uint32_t db, const char *name,
                        struct keystore_slice key)
{
    script_begin(script, db, name);
    script_bytes(script, key);
    script_end(script);
}

void script_multi(struct script *script)
{
    script_text(script, "MULTI");
    append(script, SENT_MULTI);
    script->in_multi = true;
}

void script_exec(struct script *script)
{
    script_text(script, "EXEC");
    append(script, SENT_EXEC);
    script->in_multi = false;
}

size_t script_sent(const struct script *script)
{
    size_t count = 0;
    for (size_t i = 0; i < script->sent_count; i++)
        count += script->sent[i] == SENT_PLAIN || script->sent[i] == SENT_QUEUED;
    return count;
}

/* ---- reading ---- */

static bool is_status(const redisReply *reply, const char *text)
{
    return reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, text) == 0;
}

/* The replies of the EXEC go to those of the commands that it carried out. */
static bool deal_out(struct script *script, size_t exec, redisReply *reply)
{
    size_t first = exec;
    while (first > 0 && script->sent[first - 1] != SENT_MULTI)
        first--;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != exec - first)
        return false;
    for (size_t i = first; i < exec; i++) {
        redisReply *element = reply->element[i - first];
        if (script->sent[i] == SENT_QUEUED)
            script->replies[script->reply_count++] = element;
        else if (!is_status(element, "OK"))
            return false;
    }
    return true;
}

static bool take(struct script *script, size_t number, redisReply *reply)
{
    script->owned[script->owned_count++] = reply;
    switch ((enum sent)script->sent[number]) {
    case SENT_PLAIN:
        script->replies[script->reply_count++] = reply;
        return true;
    case SENT_SELECT:
    case SENT_MULTI:
        return is_status(reply, "OK");
    case SENT_QUEUED:
    case SENT_QUEUED_SELECT:
        return is_status(reply, "QUEUED");
    case SENT_EXEC:
        return deal_out(script, number, reply);
    }
    return false;
}

bool script_run(struct script *script)
{
    size_t size = (script->sent_count + 1) * sizeof(redisReply *);
    free(script->replies);
    free(script->owned);
    script->replies = malloc(size);
    script->owned = malloc(size);
    if (script->replies == NULL || script->owned == NULL)
        abort();
    for (size_t i = 0; i < script->sent_count; i++) {
        void *reply;
        if (redisGetReply(script->redis, &reply) != REDIS_OK)
            return false;
        if (!take(script, i, reply)) {
            fprintf(stderr, "redis: %s\n", ((redisReply *)reply)->str);
            return false;
        }
    }
    return true;
}

void script_clear(struct script *script)
{
    for (size_t i = 0; i < script->owned_count; i++)
        freeReplyObject(script->owned[i]);
    script->owned_count = script->reply_count = script->sent_count = 0;
}
