/* A client of a real redis-server, for tests that compare it with our files and commands. */
#include "support/redis.h"

#include "support/process.h"
#include "support/redis_process.h"
#include "support/resp_append.h"
#include "support/words.h"

#include "base/decimal.h"
#include "base/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define READ_SIZE 65536

void redis_start(struct redis *redis, const char *directory, const char *option, const char *value)
{
    /* hz: how often it checks for a shutdown or the end of a child. */
    const char *const options[] = {
        "--appendonly", "yes",  "--appendfsync", "no", "--enable-debug-command", "yes", "--hz",
        "500",          option, value,           NULL,
    };
    *redis = (struct redis){0};
    assert_true(redis_process_start(directory, options, &redis->pid, &redis->connection));
    buf_init(&redis->in, REDIS_LIMIT);
}

static int end(struct redis *redis, int signal)
{
    int status = process_end(redis->pid, signal);
    close(redis->connection);
    buf_deinit(&redis->in);
    redis->pid = 0;
    return status;
}

void redis_stop(struct redis *redis)
{
    if (redis->pid != 0)
        assert_int_equal(end(redis, SIGTERM), 0);
}

void redis_kill(struct redis *redis)
{
    if (redis->pid != 0)
        end(redis, SIGKILL);
}

/* ---- sending ---- */

void redis_send(struct redis *redis, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(redis->connection, bytes.data, bytes.len, MSG_NOSIGNAL);
        assert_true(sent > 0);
        bytes = slice_skip(bytes, (size_t)sent);
    }
}

void redis_send_args(struct redis *redis, const struct slice *args, size_t count)
{
    struct buf out;
    buf_init(&out, REDIS_LIMIT);
    assert_true(resp_append(&out, args, count));
    redis_send(redis, buf_slice(&out));
    buf_deinit(&out);
}

void redis_send_words(struct redis *redis, const char *words)
{
    struct buf out;
    buf_init(&out, REDIS_LIMIT);
    words_append(&out, words);
    redis_send(redis, buf_slice(&out));
    buf_deinit(&out);
}

/* ---- receiving ---- */

static void receive_more(struct redis *redis)
{
    uint8_t *end_of_in = buf_reserve(&redis->in, READ_SIZE);
    assert_non_null(end_of_in);
    ssize_t got = recv(redis->connection, end_of_in, READ_SIZE, 0);
    assert_true(got > 0);
    redis->in.len += (size_t)got;
}

/* The next line, without its end; valid until more is received. */
static struct slice receive_line(struct redis *redis)
{
    for (;;) {
        struct slice rest = slice_skip(buf_slice(&redis->in), redis->used);
        const uint8_t *found = rest.len > 0 ? memmem(rest.data, rest.len, "\r\n", 2) : NULL;
        if (found != NULL) {
            redis->used += (size_t)(found - rest.data) + 2;
            return slice_make(rest.data, (size_t)(found - rest.data));
        }
        receive_more(redis);
    }
}

static struct slice copy_of(struct slice bytes)
{
    uint8_t *copy = mem_alloc(bytes.len + 1);
    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    return slice_make(copy, bytes.len);
}

static struct slice receive_bytes(struct redis *redis, size_t size)
{
    while (redis->in.len < redis->used + size + 2)
        receive_more(redis);
    struct slice bytes = copy_of(slice_make(redis->in.data + redis->used, size));
    redis->used += size + 2;
    return bytes;
}

static void receive_one(struct redis *redis, struct redis_reply *reply)
{
    struct slice line = receive_line(redis);
    assert_true(line.len > 0);
    *reply = (struct redis_reply){.type = (char)line.data[0]};
    if (reply->type == '+' || reply->type == '-') {
        reply->bytes = copy_of(slice_skip(line, 1));
        return;
    }
    if (!decimal_parse(slice_skip(line, 1), &reply->number))
        fail_msg("a length or number was expected, not %.*s", (int)line.len,
                 (const char *)line.data);
    if (reply->number < 0)
        return;
    if (reply->type == '$')
        reply->bytes = receive_bytes(redis, (size_t)reply->number);
    if (reply->type != '*')
        return;
    reply->count = (size_t)reply->number;
    reply->items = mem_alloc_zero((reply->count + 1) * sizeof *reply->items);
    for (size_t i = 0; i < reply->count; i++)
        receive_one(redis, &reply->items[i]);
}

void redis_receive(struct redis *redis, struct redis_reply *reply)
{
    receive_one(redis, reply);
    buf_consume(&redis->in, redis->used);
    redis->used = 0;
}

void redis_reply_free(struct redis_reply *reply)
{
    for (size_t i = 0; i < reply->count; i++)
        redis_reply_free(&reply->items[i]);
    free(reply->items);
    free((void *)(uintptr_t)reply->bytes.data);
    *reply = (struct redis_reply){0};
}

static bool has_no_error(const struct redis_reply *reply)
{
    bool good = reply->type != '-';
    if (!good)
        print_error("redis: %.*s\n", (int)reply->bytes.len, (const char *)reply->bytes.data);
    for (size_t i = 0; i < reply->count; i++)
        good = has_no_error(&reply->items[i]) && good;
    return good;
}

bool redis_skip_reply(struct redis *redis)
{
    struct redis_reply reply;
    redis_receive(redis, &reply);
    bool good = has_no_error(&reply);
    redis_reply_free(&reply);
    return good;
}

/* ---- both ---- */

void redis_ask(struct redis *redis, struct redis_reply *reply, const char *words)
{
    redis_send_words(redis, words);
    redis_receive(redis, reply);
}

void redis_ask_args(struct redis *redis, struct redis_reply *reply, const struct slice *args,
                    size_t count)
{
    redis_send_args(redis, args, count);
    redis_receive(redis, reply);
}

int64_t redis_ask_number(struct redis *redis, const char *words)
{
    struct redis_reply reply;
    redis_ask(redis, &reply, words);
    if (reply.type != ':')
        fail_msg("redis answers %s with no number", words);
    int64_t number = reply.number;
    redis_reply_free(&reply);
    return number;
}

void redis_do(struct redis *redis, const char *words)
{
    redis_send_words(redis, words);
    if (!redis_skip_reply(redis))
        fail_msg("redis refuses: %s", words);
}

void redis_do_args(struct redis *redis, const struct slice *args, size_t count)
{
    redis_send_args(redis, args, count);
    if (!redis_skip_reply(redis))
        fail_msg("redis refuses %.*s", (int)args[0].len, (const char *)args[0].data);
}
