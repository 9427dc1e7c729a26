/* A conversation with one server: where it is, the chosen database, how answers are printed. */
#ifndef KEYSTORE_CLI_SESSION_H
#define KEYSTORE_CLI_SESSION_H

#include "cli/options.h"
#include "cli/transaction.h"

struct session {
    const struct options *options;
    struct keystore_client *client; /* NULL until connected, or after the connection was lost */
    uint32_t db;
    struct transaction transaction;
    struct arena arena; /* of the command that runs */
    bool raw;           /* bare values */
    bool quit;          /* QUIT or EXIT was given */
};

enum session_result {
    SESSION_OK,
    SESSION_FAILED, /* the command was wrong or the server refused it; standard error says so */
    SESSION_UNREACHABLE, /* there is no connection to the server; standard error says so */
};

/* Not connected yet: the first command that needs the server connects. Borrows the options. */
void session_init(struct session *session, const struct options *options);
void session_deinit(struct session *session);

/* Connects if there is no connection. `label`: as of session_run(). */
enum session_result session_connect(struct session *session, const char *label);

/* The database for the next command: within a transaction what SELECT will have chosen. */
uint32_t session_db(const struct session *session);

/*
 * Runs the command in `words` (at least one) and prints its answer. `label` is put before each line
 * of complaint, such as "line 3: ".
 */
enum session_result session_run(struct session *session, struct words words, const char *label);

/* Sends a request of a type above REQUEST_WATCH and prints its answer, when no transaction is open.
 * Labels are as of session_run(), whose parts these are. */
enum session_result session_send(struct session *session, const struct request *request,
                                 const char *label);

/* Prints the answer, which may be an error. */
enum session_result session_print(const struct session *session, const struct reply *reply,
                                  const char *label);

/* Complains of the call that has just failed, and disconnects if that was for the connection;
 * always SESSION_FAILED. */
enum session_result session_print_failure(struct session *session, const char *label);

/* Whether the server has refused that call, so that nothing was done; else nobody knows. */
bool session_was_refused(const struct session *session);

/* Complains of a line that is no command, for the reason in `sentence`, as of a wrong one: EXEC
 * will not do the rest without it. Always SESSION_FAILED. */
enum session_result session_refuse(struct session *session, const char *sentence,
                                   const char *label);

/* No more commands come: complains if a transaction is open, which would be lost without a word,
 * and is false then. */
bool session_finish(const struct session *session);

#endif
