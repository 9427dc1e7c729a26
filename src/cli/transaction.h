/*
 * MULTI, EXEC and WATCH: operations that are queued here and sent as one Txn, and the versions of
 * the keys that must not have changed by then.
 */
#ifndef KEYSTORE_CLI_TRANSACTION_H
#define KEYSTORE_CLI_TRANSACTION_H

#include "cli/args.h"
#include "cli/send.h"

struct transaction {
    bool open;    /* between MULTI and EXEC or DISCARD */
    bool refused; /* a command was refused since MULTI: EXEC will do nothing */
    uint32_t db;  /* while open: the database for what is queued next */
    struct request *requests;
    size_t count;
    size_t capacity;
    struct arena arena; /* what the requests are made of */
    struct keystore_compare *watched;
    size_t watched_count;
    size_t watched_capacity;
    struct arena watched_arena;
};

void transaction_init(struct transaction *transaction);
void transaction_deinit(struct transaction *transaction);

/* MULTI, in the database `db`; there must be none open. */
void transaction_begin(struct transaction *transaction, uint32_t db);

/* Queues the command, of type REQUEST_OP or REQUEST_SELECT, that was understood from these words;
 * copies them. */
void transaction_add(struct transaction *transaction, struct words words);

/* Back to how it was before MULTI and WATCH. */
void transaction_discard(struct transaction *transaction);

/* UNWATCH. */
void transaction_unwatch(struct transaction *transaction);

/* WATCH: asks for the version of each key in the database. On an error none of them is watched. */
enum keystore_code transaction_watch(struct transaction *transaction,
                                     struct keystore_client *client, const struct request *request);

/*
 * EXEC: sends what is queued, and fills *reply on KEYSTORE_OK: nil if a watched key has changed,
 * else a list. *db becomes what the last SELECT wants. The transaction stays as it is. Memory as of
 * send_request().
 */
enum keystore_code transaction_send(struct transaction *transaction, struct keystore_client *client,
                                    struct arena *arena, struct reply *reply, uint32_t *db);

#endif
