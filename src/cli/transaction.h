/*
 * MULTI, EXEC and WATCH: operations that are queued here and sent as one Txn, and the versions of
 * watched keys, which must not change until then.
 */
#ifndef KEYSTORE_CLI_TRANSACTION_H
#define KEYSTORE_CLI_TRANSACTION_H

#include "cli/args.h"
#include "cli/send.h"

struct transaction {
    bool open;    /* between MULTI and EXEC or DISCARD */
    bool refused; /* a command was refused since MULTI, so EXEC will fail */
    uint32_t db;  /* while open: the database for the next queued command */
    struct request *requests;
    size_t count;
    size_t capacity;
    struct arena arena; /* of the requests */
    struct keystore_compare *watched;
    size_t watched_count;
    size_t watched_capacity;
    struct arena watched_arena;
};

void transaction_init(struct transaction *transaction);
void transaction_deinit(struct transaction *transaction);

/* MULTI, in the database `db`; no transaction may be open. */
void transaction_begin(struct transaction *transaction, uint32_t db);

/* Queues a command of type REQUEST_OP, REQUEST_SELECT or REQUEST_BLOCKING; copies its words, which
 * were parsed before without error. */
void transaction_add(struct transaction *transaction, struct words words);

/* Resets to the state before MULTI and WATCH. */
void transaction_discard(struct transaction *transaction);

/* UNWATCH. */
void transaction_unwatch(struct transaction *transaction);

/* WATCH: fetches the version of each key from the server. On an error none of them is watched. */
enum keystore_code transaction_watch(struct transaction *transaction,
                                     struct keystore_client *client, const struct request *request);

/*
 * EXEC: sends the queued operations and sets *reply on KEYSTORE_OK: nil if a watched key has
 * changed, else a list; then *db becomes the database of the last SELECT. The transaction is not
 * modified. Memory as for send_request().
 */
enum keystore_code transaction_send(struct transaction *transaction, struct keystore_client *client,
                                    struct arena *arena, struct reply *reply, uint32_t *db);

#endif
