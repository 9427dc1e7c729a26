/*
 * A real redis-server (redis_process.h) with a dump.rdb in a folder of its own: commands with any
 * replies, and what it holds. Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_JOURNAL_REDIS_SERVER_H
#define KEYSTORE_TESTS_JOURNAL_REDIS_SERVER_H

#include "journal/folder.h"
#include "journal/rdb_recorder.h"
#include "journal/redis_process.h"

#include <sys/stat.h>

struct server {
    struct folder folder;         /* holds dump.rdb */
    struct redis_process process; /* pid 0: not running */
    FILE *replies;
};

struct server_reply {
    char type; /* as in RESP: + - : $ * ; '0' for nil */
    int64_t number;
    struct slice bytes;
    struct server_reply *items;
    size_t count;
};

static inline void server_reply_free(struct server_reply *reply)
{
    for (size_t i = 0; i < reply->count; i++)
        server_reply_free(&reply->items[i]);
    free(reply->items);
    free((void *)(uintptr_t)reply->bytes.data);
}

/* ---- the process ---- */

static inline void server_init(struct server *server)
{
    *server = (struct server){0};
    folder_make(&server->folder);
}

/* Starts it; it loads the folder's dump.rdb if there is one. */
static inline void server_start(struct server *server)
{
    redis_start(&server->process, server->folder.path, "--appendonly", "no");
    server->replies = fdopen(dup(server->process.socket), "r");
    assert_non_null(server->replies);
}

/* Stops it and removes the folder. */
static inline void server_deinit(struct server *server)
{
    if (server->process.pid != 0) {
        fclose(server->replies);
        redis_stop(&server->process);
    }
    folder_remove(&server->folder);
}

/* ---- commands ---- */

static inline int64_t server_read_number(struct server *server)
{
    char line[300];
    assert_non_null(fgets(line, sizeof line, server->replies));
    return strtoll(line, NULL, 10);
}

static inline void server_read_line(struct server *server, struct server_reply *reply)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len = getline(&line, &size, server->replies);
    assert_true(len >= 2);
    reply->bytes = slice_make(line, (size_t)len - 2);
}

static inline void server_read_bytes(struct server *server, struct server_reply *reply)
{
    if (reply->number < 0) {
        reply->type = '0';
        return;
    }
    size_t len = (size_t)reply->number;
    char *bytes = malloc(len + 2);
    assert_int_equal(fread(bytes, 1, len + 2, server->replies), len + 2);
    reply->bytes = slice_make(bytes, len);
}

static inline void server_read(struct server *server, struct server_reply *reply)
{
    *reply = (struct server_reply){.type = (char)fgetc(server->replies)};
    if (reply->type == '+' || reply->type == '-') {
        server_read_line(server, reply);
        return;
    }
    reply->number = server_read_number(server);
    if (reply->type == '$')
        server_read_bytes(server, reply);
    if (reply->type != '*')
        return;
    reply->count = reply->number > 0 ? (size_t)reply->number : 0;
    reply->items = calloc(reply->count + 1, sizeof *reply->items);
    for (size_t i = 0; i < reply->count; i++)
        server_read(server, &reply->items[i]);
}

/* Sends the command and gives its memory back. */
static inline void server_send(struct server *server, struct buf *command)
{
    assert_int_equal(send(server->process.socket, command->data, command->len, MSG_NOSIGNAL),
                     command->len);
    buf_deinit(command);
}

static inline void server_ask(struct server *server, struct server_reply *reply,
                              const struct slice *words, size_t count)
{
    struct buf command;
    buf_init(&command, SIZE_MAX);
    assert_true(resp_append(&command, words, count));
    server_send(server, &command);
    server_read(server, reply);
}

/* Words without spaces in them, and the reply to them. */
static inline void server_call(struct server *server, struct server_reply *reply, const char *words)
{
    struct buf command;
    buf_init(&command, SIZE_MAX);
    words_append(&command, words);
    server_send(server, &command);
    server_read(server, reply);
}

static inline void server_assert_no_error(const struct server_reply *reply)
{
    if (reply->type == '-')
        fail_msg("redis: %.*s", (int)reply->bytes.len, (const char *)reply->bytes.data);
}

/* A command that must not fail. */
static inline void server_do(struct server *server, const char *command)
{
    struct server_reply reply;
    server_call(server, &reply, command);
    server_assert_no_error(&reply);
    server_reply_free(&reply);
}

static inline void server_do_words(struct server *server, const struct slice *words, size_t count)
{
    struct server_reply reply;
    server_ask(server, &reply, words, count);
    server_assert_no_error(&reply);
    server_reply_free(&reply);
}

/* ---- what it holds ---- */

/* The value's part of a recorder's line. */
static inline void server_add_value(struct server *server, struct buf *text, struct slice name,
                                    struct slice type)
{
    struct server_reply value;
    if (slice_equal(type, SLICE_LITERAL("string"))) {
        server_ask(server, &value, (struct slice[]){SLICE_LITERAL("GET"), name}, 2);
        recorder_print(text, "= ");
        recorder_quote(text, value.bytes);
    } else if (slice_equal(type, SLICE_LITERAL("list"))) {
        struct slice words[] = {SLICE_LITERAL("LRANGE"), name, SLICE_LITERAL("0"),
                                SLICE_LITERAL("-1")};
        server_ask(server, &value, words, 4);
        recorder_print(text, "= [");
        for (size_t i = 0; i < value.count; i++) {
            recorder_print(text, " ");
            recorder_quote(text, value.items[i].bytes);
        }
        recorder_print(text, " ]");
    } else {
        recorder_print(text, "! %.*s", (int)type.len, (const char *)type.data);
        value = (struct server_reply){0};
    }
    recorder_print(text, "\n");
    server_reply_free(&value);
}

static inline void server_add_key(struct server *server, struct buf *text, uint64_t db,
                                  struct slice name)
{
    struct server_reply type, expiry;
    server_ask(server, &type, (struct slice[]){SLICE_LITERAL("TYPE"), name}, 2);
    server_ask(server, &expiry, (struct slice[]){SLICE_LITERAL("PEXPIRETIME"), name}, 2);
    struct rdb_key key = {.name = name, .expire_at_ms = expiry.number < 0 ? 0 : expiry.number};
    recorder_key(text, db, &key);
    server_add_value(server, text, name, type.bytes);
    server_reply_free(&type);
    server_reply_free(&expiry);
}

/* The lines that a recorder without versions would have, of 16 databases. */
static inline void server_contents(struct server *server, struct buf *text)
{
    for (uint64_t db = 0; db < 16; db++) {
        char select[16];
        struct server_reply keys;
        snprintf(select, sizeof select, "SELECT %d", (int)db);
        server_do(server, select);
        server_call(server, &keys, "KEYS *");
        for (size_t i = 0; i < keys.count; i++)
            server_add_key(server, text, db, keys.items[i].bytes);
        server_reply_free(&keys);
    }
    server_do(server, "SELECT 0");
}

/* ---- files ---- */

static inline FILE *server_open_dump(const struct server *server, const char *mode)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/dump.rdb", server->folder.path);
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    return file;
}

static inline void server_write_dump(const struct server *server, struct slice bytes)
{
    FILE *file = server_open_dump(server, "w");
    assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

/* Lets it save and reads the file. */
static inline void server_read_dump(struct server *server, struct buf *bytes)
{
    struct stat stat_of;
    server_do(server, "SAVE");
    FILE *file = server_open_dump(server, "r");
    assert_int_equal(fstat(fileno(file), &stat_of), 0);
    size_t size = (size_t)stat_of.st_size;
    assert_int_equal(fread(buf_reserve(bytes, size), 1, size, file), size);
    bytes->len += size;
    fclose(file);
}

/* What redis-check-rdb says of the folder's dump. */
static inline bool server_check_rdb_accepts(const struct server *server)
{
    return redis_run(server->folder.path, "redis-check-rdb", "dump.rdb") == 0;
}

#endif
