/* A session with one server: the connection, the selected database, how replies are printed. */
#ifndef KEYSTORE_CLI_SESSION_H
#define KEYSTORE_CLI_SESSION_H

#include "cli/login.h"
#include "cli/options.h"
#include "cli/transaction.h"

struct session {
    const struct options *options;
    struct keystore_client *client; /* NULL until connected, or after the connection was lost */
    struct login login;
    uint32_t db;
    struct transaction transaction;
    struct arena arena; /* of the current command */
    bool raw;           /* print raw values */
    bool interactive;   /* an interruption ends a command, not the session */
    bool quit;          /* QUIT or EXIT was given */
};

enum session_result {
    SESSION_OK,
    SESSION_FAILED,      /* the command was invalid or failed; reported on standard error */
    SESSION_UNREACHABLE, /* cannot connect to the server, or not as the user; reported on standard
                            error */
};

/* Does not connect: the first command that needs the server does. Borrows the options. */
void session_init(struct session *session, const struct options *options);
void session_deinit(struct session *session);

/* Connects if there is no connection, and authenticates if that is due. `label`: as for
 * session_run(). */
enum session_result session_connect(struct session *session, const char *label);

/* The database for the next command; within a transaction, the one that a queued SELECT selects. */
uint32_t session_db(const struct session *session);

/*
 * Runs the command in `words` (at least one) and prints its reply. `label`, such as "line 3: ", is
 * printed before error messages.
 */
enum session_result session_run(struct session *session, struct words words, const char *label);

/* The parts of session_run(), with the same labels. */

/* Sends a request of a type before REQUEST_SCAN and prints its reply. No transaction may be
 * open. */
enum session_result session_send(struct session *session, const struct request *request,
                                 const char *label);

/* Prints the reply, which may be an error. */
enum session_result session_print(const struct session *session, const struct reply *reply,
                                  const char *label);

/* Prints the error of the call that has just failed, and disconnects if the connection failed;
 * always SESSION_FAILED. */
enum session_result session_print_failure(struct session *session, const char *label);

/* The same for an error of a stream. */
enum session_result session_print_error_of(struct session *session,
                                           const struct keystore_error *error, const char *label);

/* Whether the server refused that call, so that nothing has changed; else the outcome is
 * unknown. */
bool session_was_refused(const struct session *session);

/* Reports a malformed command with this message; within a transaction, EXEC will then refuse to
 * execute the rest. Always SESSION_FAILED. */
enum session_result session_refuse(struct session *session, const char *message, const char *label);

/* To be called after the last command: reports a transaction that is still open, which is lost, and
 * returns false then. */
bool session_finish(const struct session *session);

#endif
