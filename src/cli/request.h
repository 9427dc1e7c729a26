/* A parsed command, ready to be sent. */
#ifndef KEYSTORE_CLI_REQUEST_H
#define KEYSTORE_CLI_REQUEST_H

#include "base/arena.h"
#include "cli/format.h"
#include "keystore/client.h"

struct command;

enum request_type {
    REQUEST_OP,     /* one operation, also within a transaction */
    REQUEST_SELECT, /* the same; only checks whether the server has the database */
    /* These are calls that a transaction cannot contain. */
    REQUEST_RANDOM_KEY,
    REQUEST_FLUSH_DB,
    REQUEST_SWAP_DB,
    REQUEST_DB_SIZE,
    REQUEST_INFO,
    REQUEST_SAVE,
    REQUEST_BGSAVE,
    /* These are handled by the session. */
    REQUEST_WATCH,
    REQUEST_UNWATCH,
    REQUEST_MULTI,
    REQUEST_EXEC,
    REQUEST_DISCARD,
    REQUEST_HELP,
    REQUEST_CLEAR,
    REQUEST_QUIT,
};

/* Slices and pointers refer to the words of the command line or to the arena of the request. */
struct request {
    enum request_type type;
    uint32_t db;       /* the selected one; SELECT: the new one; SWAPDB: one of the two */
    uint32_t other_db; /* SWAPDB: the other one */
    struct keystore_op op;
    struct reply (*answer)(const struct request *request, const struct keystore_reply *from,
                           struct arena *arena);
    struct keystore_slice text;         /* PING, ECHO: the message to return */
    const struct keystore_slice *words; /* WATCH: keys; INFO: sections */
    size_t count;                       /* of words */
    const struct command *topic;        /* HELP; NULL = all commands */
};

#endif
