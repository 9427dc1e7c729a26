/* Runs commands, one after the other, and prints their replies. */
#include "cli/session.h"

#include "base/standard.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/send.h"
#include "cli/streams.h"

#include <signal.h>
#include <unistd.h>

/* The library's timeout of calls. */
#define RETRY_CONNECT_MS 30000

void session_init(struct session *session, const struct options *options)
{
    *session = (struct session){.options = options, .db = options->db};
    session->raw = options->form == OPTIONS_FORM_RAW ||
                   (options->form == OPTIONS_FORM_AUTO && !isatty(STDOUT_FILENO));
    login_init(&session->login, options);
    arena_init(&session->arena);
    transaction_init(&session->transaction);
}

static void session_disconnect(struct session *session)
{
    keystore_close(session->client);
    session->client = NULL;
}

void session_deinit(struct session *session)
{
    session_disconnect(session);
    login_deinit(&session->login);
    transaction_deinit(&session->transaction);
    arena_deinit(&session->arena);
}

uint32_t session_db(const struct session *session)
{
    return session->transaction.open ? session->transaction.db : session->db;
}

/* ---- connecting ---- */

/* Who has commands repeated waits for a server that is starting as long as for an answer. */
static int64_t session_connect_timeout_ms(const struct options *options)
{
    bool waits = options->timeout_ms == 0 && options->max_retries > 0;
    return waits ? RETRY_CONNECT_MS : options->timeout_ms;
}

static enum session_result session_open(struct session *session, const char *label)
{
    struct keystore_options client_options = {
        .connect_timeout_ms = session_connect_timeout_ms(session->options),
        .timeout_ms = session->options->timeout_ms,
        .max_retries = session->options->max_retries,
        .cancel_fd = interrupt_descriptor(),
        .tls = options_tls(session->options),
        .token = login_token(&session->login),
    };
    struct keystore_error error;
    session->client = keystore_connect(session->options->target, &client_options, &error);
    if (session->client != NULL)
        return SESSION_OK;
    fputs(label, stderr);
    format_error(stderr, &error);
    if (session->options->has_tls)
        fputs("For TLS see --ca, --cert, --key and --server-name in --help.\n", stderr);
    else
        fputs("Start keystore-server there, or specify another server with -h, -p or -s.\n",
              stderr);
    return SESSION_UNREACHABLE;
}

static enum session_result session_print_error(const char *label, const char *message)
{
    standard_push();
    fputs(label, stderr);
    format_problem(stderr, message);
    return SESSION_FAILED;
}

/* Gets a token for the password. */
static enum session_result session_log_in(struct session *session, const char *label)
{
    const char *why;
    switch (login_renew(&session->login, session->client, &why)) {
    case LOGIN_DONE:
        return SESSION_OK;
    case LOGIN_REFUSED:
        (void)session_print_failure(session, label);
        break;
    case LOGIN_NO_PASSWORD:
        (void)session_print_error(label, why);
        break;
    }
    return SESSION_UNREACHABLE;
}

enum session_result session_connect(struct session *session, const char *label)
{
    enum session_result result = SESSION_OK;
    if (session->client == NULL)
        result = session_open(session, label);
    if (result == SESSION_OK && login_is_due(&session->login))
        result = session_log_in(session, label);
    return result;
}

/* After a call that has failed: whether it is worth repeating, because the token had ended before
 * its time, as when the server has restarted, and there is another one now. */
static bool session_has_new_token(struct session *session)
{
    const char *why;
    return keystore_last_error(session->client)->code == KEYSTORE_UNAUTHENTICATED &&
           login_can_renew(&session->login) &&
           login_renew(&session->login, session->client, &why) == LOGIN_DONE;
}

/* ---- answers ---- */

enum session_result session_print(const struct session *session, const struct reply *reply,
                                  const char *label)
{
    if (reply->type == REPLY_ERROR) {
        standard_push();
        fputs(label, stderr);
        format_reply(stderr, reply);
        return SESSION_FAILED;
    }
    if (session->raw)
        format_reply_raw(stdout, reply);
    else
        format_reply(stdout, reply);
    return SESSION_OK;
}

static enum session_result session_print_status(const struct session *session, const char *word)
{
    struct reply reply = format_status(word);
    return session_print(session, &reply, "");
}

enum session_result session_print_failure(struct session *session, const char *label)
{
    return session_print_error_of(session, keystore_last_error(session->client), label);
}

enum session_result session_print_error_of(struct session *session,
                                           const struct keystore_error *error, const char *label)
{
    standard_push();
    fputs(label, stderr);
    format_error(stderr, error);
    /* The next command reconnects, if the server is back. */
    if (error->code == KEYSTORE_UNAVAILABLE)
        session_disconnect(session);
    return SESSION_FAILED;
}

bool session_was_refused(const struct session *session)
{
    const struct keystore_error *error = keystore_last_error(session->client);
    return error->reason[0] != '\0' && error->code != KEYSTORE_UNAVAILABLE;
}

/* ---- transactions ---- */

static enum session_result session_begin(struct session *session, const char *label)
{
    if (session->transaction.open)
        return session_print_error(
            label, "a transaction is open already, and transactions do not nest: EXEC "
                   "executes it, DISCARD drops it");
    transaction_begin(&session->transaction, session->db);
    return session_print_status(session, "OK");
}

static enum session_result session_discard(struct session *session, const char *label)
{
    if (!session->transaction.open)
        return session_print_error(label, "there is no transaction to DISCARD: MULTI starts one");
    transaction_discard(&session->transaction);
    return session_print_status(session, "OK");
}

static enum session_result session_fail_exec(struct session *session, const char *label)
{
    bool refused = session_was_refused(session);
    enum session_result result = session_print_failure(session, label);
    fputs(refused ? "The transaction was not executed.\n"
                  : "The transaction may or may not have been executed: check its keys.\n",
          stderr);
    return result;
}

/* Ends the transaction, whether it succeeds or not, unless the server is unreachable. */
static enum session_result session_exec(struct session *session, const char *label)
{
    struct transaction *transaction = &session->transaction;
    struct reply reply;
    if (!transaction->open)
        return session_print_error(label, "there is no transaction to EXEC: MULTI starts one");
    if (transaction->refused) {
        transaction_discard(transaction);
        return session_print_error(
            label, "the transaction was not executed, since one of its commands was "
                   "refused: start again with MULTI");
    }
    if (session_connect(session, label) != SESSION_OK)
        return SESSION_UNREACHABLE;
    enum keystore_code code =
        transaction_send(transaction, session->client, &session->arena, &reply, &session->db);
    enum session_result result = code == KEYSTORE_OK ? session_print(session, &reply, label)
                                                     : session_fail_exec(session, label);
    transaction_discard(transaction);
    return result;
}

static enum session_result session_watch(struct session *session, const struct request *request,
                                         const char *label)
{
    if (session->transaction.open)
        return session_print_error(
            label, "WATCH must come before MULTI: queued commands execute together");
    if (session_connect(session, label) != SESSION_OK)
        return SESSION_UNREACHABLE;
    if (transaction_watch(&session->transaction, session->client, request) != KEYSTORE_OK)
        return session_print_failure(session, label);
    return session_print_status(session, "OK");
}

static enum session_result session_unwatch(struct session *session)
{
    /* As in Redis, it has no effect within a transaction. */
    if (!session->transaction.open)
        transaction_unwatch(&session->transaction);
    return session_print_status(session, "OK");
}

/* Between MULTI and EXEC. */
static enum session_result session_queue(struct session *session, const struct request *request,
                                         struct words words, const char *label)
{
    if (request->type == REQUEST_OP || request->type == REQUEST_SELECT ||
        request->type == REQUEST_BLOCKING) {
        transaction_add(&session->transaction, words);
        return session_print_status(session, "QUEUED");
    }
    session->transaction.refused = true;
    return session_print_error(
        label, "a transaction takes only operations on keys; use this command before MULTI or "
               "after EXEC");
}

/* ---- commands ---- */

enum session_result session_send(struct session *session, const struct request *request,
                                 const char *label)
{
    if (session_connect(session, label) != SESSION_OK)
        return SESSION_UNREACHABLE;
    struct reply reply;
    if (send_request(session->client, request, &session->arena, &reply) != KEYSTORE_OK &&
        (!session_has_new_token(session) ||
         send_request(session->client, request, &session->arena, &reply) != KEYSTORE_OK))
        return session_print_failure(session, label);
    if (request->type == REQUEST_SELECT)
        session->db = request->db;
    return session_print(session, &reply, label);
}

/* Runs a command whose answer is a stream. */
static enum session_result session_run_stream(struct session *session,
                                              const struct request *request, const char *label)
{
    struct streams streams = {
        .client = session->client,
        .arena = &session->arena,
        .raw = session->raw,
        .yes = session->options->yes,
        .force = session->options->force,
    };
    if (streams_run(&streams, request))
        return SESSION_OK;
    return streams.problem != NULL ? session_print_error(label, streams.problem)
                                   : session_print_error_of(session, &streams.error, label);
}

/* Runs a command that may wait until it is interrupted; that also ends a session without a prompt.
 * With one, every command can be interrupted. */
static enum session_result session_follow(struct session *session, const struct request *request,
                                          const char *label)
{
    if (session_connect(session, label) != SESSION_OK)
        return SESSION_UNREACHABLE;
    struct reply reply;
    enum session_result result;
    if (!session->interactive)
        interrupt_begin();
    if (request->type != REQUEST_BLOCKING)
        result = session_run_stream(session, request, label);
    else if (send_request(session->client, request, &session->arena, &reply) == KEYSTORE_OK)
        result = session_print(session, &reply, label);
    else if (interrupt_is_pending())
        result = SESSION_FAILED; /* who interrupts it knows why there is no answer */
    else
        result = session_print_failure(session, label);
    if (!session->interactive)
        session->quit = interrupt_end() != 0;
    return result;
}

/* Continues as the user that AUTH names. False, after an error message. */
static bool session_become(struct session *session, const struct request *request,
                           const char *label)
{
    const struct keystore_slice *words = request->words;
    const struct keystore_slice *password = request->count > 1 ? &words[1] : NULL;
    const char *why;
    if (!(request->is_token ? login_set_token(&session->login, words[0], &why)
                            : login_set_user(&session->login, words[0], password, &why))) {
        (void)session_print_error(label, why);
        return false;
    }
    if (session_connect(session, label) != SESSION_OK)
        return false;
    if (!request->is_token || keystore_set_token(session->client, login_token(&session->login)))
        return true;
    (void)session_print_error(label, "there is no memory for the token");
    return false;
}

/* AUTH: the commands that follow are of another user, or of the former one if it fails. */
static enum session_result session_authenticate(struct session *session,
                                                const struct request *request, const char *label)
{
    struct login former = session->login;
    if (session->transaction.open)
        return session_print_error(label, "AUTH must come before MULTI or after EXEC");
    bool is_done = session_become(session, request, label);
    if (!is_done)
        session->login = former;
    login_deinit(&former);
    return is_done ? session_print_status(session, "OK") : SESSION_FAILED;
}

static void session_clear_screen(void)
{
    if (isatty(STDOUT_FILENO))
        fputs("\033[H\033[2J", stdout);
}

static enum session_result session_run_request(struct session *session,
                                               const struct request *request, struct words words,
                                               const char *label)
{
    switch (request->type) {
    case REQUEST_MULTI:
        return session_begin(session, label);
    case REQUEST_EXEC:
        return session_exec(session, label);
    case REQUEST_DISCARD:
        return session_discard(session, label);
    case REQUEST_WATCH:
        return session_watch(session, request, label);
    case REQUEST_UNWATCH:
        return session_unwatch(session);
    case REQUEST_AUTH:
        return session_authenticate(session, request, label);
    case REQUEST_HELP:
        commands_print_help(stdout, request->topic);
        return SESSION_OK;
    case REQUEST_CLEAR:
        session_clear_screen();
        return SESSION_OK;
    case REQUEST_QUIT:
        session->quit = true;
        return SESSION_OK;
    case REQUEST_OP:
    case REQUEST_SELECT:
    case REQUEST_RANDOM_KEY:
    case REQUEST_FLUSH_DB:
    case REQUEST_FLUSH_ALL:
    case REQUEST_PUBLISH:
    case REQUEST_SWAP_DB:
    case REQUEST_DB_SIZE:
    case REQUEST_INFO:
    case REQUEST_SAVE:
    case REQUEST_BGSAVE:
    case REQUEST_KILL_CLIENTS:
    case REQUEST_CONFIG:
    case REQUEST_SET_CONFIG:
    case REQUEST_SLOW_LOG:
    case REQUEST_LATENCY:
    case REQUEST_WHO_AM_I:
        return session->transaction.open ? session_queue(session, request, words, label)
                                         : session_send(session, request, label);
    case REQUEST_BLOCKING:
    case REQUEST_SCAN:
    case REQUEST_KEYS:
    case REQUEST_DELETE_MATCHING:
    case REQUEST_SUBSCRIBE:
    case REQUEST_CONSUME:
    case REQUEST_OBSERVE:
    case REQUEST_BACKUP:
    case REQUEST_CLIENTS:
        break;
    }
    return session->transaction.open ? session_queue(session, request, words, label)
                                     : session_follow(session, request, label);
}

enum session_result session_run(struct session *session, struct words words, const char *label)
{
    struct request request;
    char problem[ARGS_PROBLEM_SIZE];
    enum session_result result;
    if (session->interactive)
        interrupt_begin();
    arena_reset(&session->arena);
    if (commands_parse(words, session_db(session), &session->arena, &request, problem))
        result = session_run_request(session, &request, words, label);
    else
        result = session_refuse(session, problem, label);
    standard_push();
    if (session->interactive) {
        int number = interrupt_end();
        session->quit |= number != 0 && number != SIGINT;
    }
    return result;
}

enum session_result session_refuse(struct session *session, const char *message, const char *label)
{
    session->transaction.refused = session->transaction.open;
    return session_print_error(label, message);
}

bool session_finish(const struct session *session)
{
    if (session->transaction.open)
        session_print_error("", "the last transaction was not executed, since EXEC is missing");
    return !session->transaction.open;
}
