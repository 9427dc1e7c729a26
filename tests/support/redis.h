/*
 * A redis-server (redis_process.h) with a connection to it: commands and their replies. An error
 * fails the cmocka test, so only the test's own thread may call these.
 */
#ifndef KEYSTORE_TESTS_SUPPORT_REDIS_H
#define KEYSTORE_TESTS_SUPPORT_REDIS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Bytes of a command, or of received replies, at most. */
#define REDIS_LIMIT ((size_t)64 * 1024 * 1024)

struct redis {
    pid_t pid; /* 0: not running */
    int connection;
    struct buf in;
    size_t used; /* bytes of `in` that are read */
};

/* The caller releases it by redis_reply_free(). */
struct redis_reply {
    char type;      /* as in RESP: + - : $ * */
    int64_t number; /* of ':'; the length of '$' and '*', -1 = none */
    struct slice bytes;
    struct redis_reply *items;
    size_t count;
};

/* Starts it in the directory, with an append-only file, `option` with `value` besides (NULL: none),
 * and waits until it has loaded its data. */
void redis_start(struct redis *redis, const char *directory, const char *option, const char *value);

/* Shuts it down, or kills it. A no-op if it is not running. */
void redis_stop(struct redis *redis);
void redis_kill(struct redis *redis);

/* Sends bytes, which may be several commands, or one command; words.h says what words are. */
void redis_send(struct redis *redis, struct slice bytes);
void redis_send_args(struct redis *redis, const struct slice *args, size_t count);
void redis_send_words(struct redis *redis, const char *words);

/* Waits for the next reply. */
void redis_receive(struct redis *redis, struct redis_reply *reply);
void redis_reply_free(struct redis_reply *reply);

/* Waits for the next reply and discards it. False, with the message printed, if it is or contains
 * an error. */
bool redis_skip_reply(struct redis *redis);

/* Sends a command and waits for its reply. */
void redis_ask(struct redis *redis, struct redis_reply *reply, const char *words);
void redis_ask_args(struct redis *redis, struct redis_reply *reply, const struct slice *args,
                    size_t count);

/* The integer reply of a command. */
int64_t redis_ask_number(struct redis *redis, const char *words);

/* A command that must not fail. */
void redis_do(struct redis *redis, const char *words);
void redis_do_args(struct redis *redis, const struct slice *args, size_t count);

#endif
