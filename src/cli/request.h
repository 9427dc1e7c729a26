/* A command that was understood, ready to be sent. */
#ifndef KEYSTORE_CLI_REQUEST_H
#define KEYSTORE_CLI_REQUEST_H

#include "cli/format.h"
#include "keystore/client.h"

struct command;

enum request_type {
    REQUEST_SET,
    REQUEST_GET,
    REQUEST_DELETE,
    REQUEST_LPUSH,
    REQUEST_LRANGE,
    REQUEST_LPOP,
    /* Those below concern the program alone; no server is asked. */
    REQUEST_HELP,
    REQUEST_SELECT,
    REQUEST_CLEAR,
    REQUEST_QUIT,
};

/* Slices point into the words of the command line. */
struct request {
    enum request_type type;
    struct keystore_slice key;
    struct keystore_slice value; /* SET */
    enum keystore_existence existence;
    bool return_previous;                /* SET ... GET */
    const struct keystore_slice *values; /* LPUSH */
    size_t count;
    int64_t start; /* LRANGE */
    int64_t stop;
    uint32_t db;                 /* SELECT */
    const struct command *topic; /* HELP; NULL = all commands */
};

/*
 * Sends one of the first six types to the database `db` and fills *reply on KEYSTORE_OK; otherwise
 * keystore_last_error() says why.
 */
enum keystore_code request_send(struct keystore_client *client, const struct request *request,
                                uint32_t db, struct reply *reply);

#endif
