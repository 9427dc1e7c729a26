/* A command that was understood, ready to be sent. */
#ifndef KEYSTORE_CLI_REQUEST_H
#define KEYSTORE_CLI_REQUEST_H

#include "base/arena.h"
#include "cli/format.h"
#include "keystore/client.h"

struct command;

enum request_type {
    REQUEST_OP,     /* one operation; a transaction may have it */
    REQUEST_SELECT, /* the same; it only looks whether the server has the database */
    /* These are calls of their own, which no transaction can have. */
    REQUEST_RANDOM_KEY,
    REQUEST_FLUSH_DB,
    REQUEST_DB_SIZE,
    REQUEST_INFO,
    REQUEST_SAVE,
    REQUEST_BGSAVE,
    /* Those below are the session's to do. */
    REQUEST_WATCH,
    REQUEST_UNWATCH,
    REQUEST_MULTI,
    REQUEST_EXEC,
    REQUEST_DISCARD,
    REQUEST_HELP,
    REQUEST_CLEAR,
    REQUEST_QUIT,
};

/* Slices and pointers lead to the words of the command line, or to the arena of the request. */
struct request {
    enum request_type type;
    uint32_t db; /* the chosen one; SELECT: the wanted one */
    struct keystore_op op;
    struct reply (*answer)(const struct request *request, const struct keystore_reply *from,
                           struct arena *arena);
    struct keystore_slice text;         /* PING, ECHO: what they answer */
    const struct keystore_slice *words; /* WATCH: keys; INFO: sections */
    size_t count;                       /* of words */
    const struct command *topic;        /* HELP; NULL = all commands */
};

#endif
