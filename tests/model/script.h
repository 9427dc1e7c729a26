/*
 * Commands for the Redis server, sent together, and their replies. A command is built word by word:
 *
 *     script_begin(script, db, "SET"); script_bytes(script, key); ...; script_end(script);
 *
 * SELECT goes before it where it must.
 */
#ifndef KEYSTORE_TESTS_MODEL_SCRIPT_H
#define KEYSTORE_TESTS_MODEL_SCRIPT_H

#include <hiredis/hiredis.h>
#include <keystore/client.h>

#define SCRIPT_NUMBERS 128

struct script {
    redisContext *redis;
    uint32_t db; /* that is selected */
    bool in_multi;

    /* The command that is being built. */
    const char **words;
    size_t *lengths;
    size_t word_count, word_capacity;
    char numbers[SCRIPT_NUMBERS][24];
    size_t number_count;

    /* What was sent since the last script_clear(). */
    uint8_t *sent;
    size_t sent_count, sent_capacity;
    redisReply **replies; /* of the commands that the caller sent, in their order; with those of a
                             MULTI among them as if there were none */
    size_t reply_count;
    redisReply **owned;
    size_t owned_count;
};

/* False if there is no server at the socket. */
bool script_init(struct script *script, const char *socket_path);

void script_deinit(struct script *script);

void script_begin(struct script *script, uint32_t db, const char *name);
void script_text(struct script *script, const char *text); /* borrowed until script_end() */
void script_bytes(struct script *script, struct keystore_slice bytes); /* the same */
void script_number(struct script *script, int64_t number);
void script_end(struct script *script);

/* A command with one key. */
void script_key_command(struct script *script, uint32_t db, const char *name,
                        struct keystore_slice key);

/* What is sent between the two is done as one. */
void script_multi(struct script *script);
void script_exec(struct script *script);

/* Commands so far that have a reply for the caller. */
size_t script_sent(const struct script *script);

/* Sends what was not yet sent and reads all replies. False if the connection has failed. */
bool script_run(struct script *script);

/* Forgets commands and replies. */
void script_clear(struct script *script);

#endif
