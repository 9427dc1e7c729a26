/* A parsed command, ready to be sent. */
#ifndef KEYSTORE_CLI_REQUEST_H
#define KEYSTORE_CLI_REQUEST_H

#include "base/arena.h"
#include "cli/format.h"
#include "keystore/admin.h"

struct command;

enum request_type {
    REQUEST_OP,       /* one operation, also within a transaction */
    REQUEST_SELECT,   /* the same; only checks whether the server has the database */
    REQUEST_BLOCKING, /* the same; waits, but not within a transaction */
    /* These are calls that a transaction cannot contain. */
    REQUEST_RANDOM_KEY,
    REQUEST_FLUSH_DB,
    REQUEST_FLUSH_ALL,
    REQUEST_PUBLISH,
    REQUEST_SWAP_DB,
    REQUEST_DB_SIZE,
    REQUEST_INFO,
    REQUEST_SAVE,
    REQUEST_BGSAVE,
    REQUEST_KILL_CLIENTS,
    REQUEST_CONFIG,
    REQUEST_SET_CONFIG,
    REQUEST_SLOW_LOG,
    REQUEST_LATENCY,
    REQUEST_WHO_AM_I,
    /* These are streams (cli/streams.h). */
    REQUEST_SCAN,
    REQUEST_KEYS,
    REQUEST_DELETE_MATCHING,
    REQUEST_SUBSCRIBE,
    REQUEST_CONSUME,
    REQUEST_OBSERVE,
    REQUEST_BACKUP,
    REQUEST_CLIENTS,
    /* These are handled by the session. */
    REQUEST_WATCH,
    REQUEST_UNWATCH,
    REQUEST_MULTI,
    REQUEST_EXEC,
    REQUEST_DISCARD,
    REQUEST_AUTH,
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
    struct keystore_slice text; /* PING, ECHO: the message to return */
    /* WATCH: keys; INFO: sections; SUBSCRIBE: channels or patterns; OBSERVE: patterns; LATENCY:
     * names or patterns of methods; AUTH: a user and perhaps a password, or a token */
    const struct keystore_slice *words;
    size_t count;                      /* of words */
    const struct command *topic;       /* HELP; NULL = all commands */
    struct keystore_scan_request scan; /* SCAN, KEYS, DELMATCH */
    struct keystore_consume_request consume;
    struct keystore_message message; /* PUBLISH */
    bool is_token;                   /* AUTH: the word is one */
    bool only_name;                  /* ACL WHOAMI */
    bool by_pattern;                 /* PSUBSCRIBE */
    bool initial;                    /* OBSERVE */
    bool only_count;                 /* SLOWLOG LEN */
    bool histogram;                  /* LATENCY HISTOGRAM */
    uint64_t from_version;           /* OBSERVE; 0 = from now on */
    uint64_t limit;                  /* CONSUME: ends after so many; 0 = never */
    const char *path;                /* BACKUP: the file, or "-" */
    bool force;                      /* BACKUP: replace the file */
    struct keystore_config_request config;
    struct keystore_set_config_request set_config;
    struct keystore_slow_log_request slow_log;
    struct keystore_clients_request clients;
    bool only_id;                              /* CLIENT ID */
    struct keystore_kill_clients_request kill; /* CLIENT KILL */
    bool by_address;                           /* in the form with one address */
};

/* Has an operation of REQUEST_BLOCKING not wait. */
static inline void request_forget_wait(struct request *request)
{
    if (request->op.kind == KEYSTORE_OP_LIST_POP)
        request->op.request.pop.wait_ms = 0;
    else
        request->op.request.move.wait_ms = 0;
}

#endif
