/* Runs commands, one after the other, and prints what they answer. */
#include "cli/session.h"

#include "cli/commands.h"

#include <unistd.h>

void session_init(struct session *session, const struct options *options)
{
    *session = (struct session){.options = options, .db = options->db};
    session->raw = options->form == OPTIONS_FORM_RAW ||
                   (options->form == OPTIONS_FORM_AUTO && !isatty(STDOUT_FILENO));
}

void session_deinit(struct session *session)
{
    keystore_close(session->client);
    session->client = NULL;
}

static enum session_result connect_client(struct session *session, const char *label)
{
    if (session->client != NULL)
        return SESSION_OK;
    struct keystore_options client_options = {
        .connect_timeout_ms = session->options->timeout_ms,
        .timeout_ms = session->options->timeout_ms,
    };
    struct keystore_error error;
    session->client = keystore_connect(session->options->target, &client_options, &error);
    if (session->client != NULL)
        return SESSION_OK;
    fputs(label, stderr);
    format_error(stderr, &error);
    fputs("Start keystore-server there, or name another place with -h HOST, -p PORT or -s PATH.\n",
          stderr);
    return SESSION_UNREACHABLE;
}

enum session_result session_connect(struct session *session)
{
    return connect_client(session, "");
}

static void print_reply(const struct session *session, const struct reply *reply)
{
    if (session->raw)
        format_reply_raw(stdout, reply);
    else
        format_reply(stdout, reply);
}

static enum session_result call_server(struct session *session, const struct request *request,
                                       const char *label)
{
    if (connect_client(session, label) != SESSION_OK)
        return SESSION_UNREACHABLE;
    struct reply reply;
    enum keystore_code code = request_send(session->client, request, session->db, &reply);
    if (code == KEYSTORE_OK) {
        print_reply(session, &reply);
        return SESSION_OK;
    }
    fflush(stdout);
    fputs(label, stderr);
    format_error(stderr, keystore_last_error(session->client));
    if (code != KEYSTORE_UNAVAILABLE)
        return SESSION_FAILED;
    /* Whether the server is back shows when the next command connects. */
    session_deinit(session);
    return SESSION_FAILED;
}

static void clear_screen(void)
{
    if (isatty(STDOUT_FILENO))
        fputs("\033[H\033[2J", stdout);
}

/* What the program does by itself. */
static enum session_result act(struct session *session, const struct request *request)
{
    switch (request->type) {
    case REQUEST_HELP:
        commands_print_help(stdout, request->topic);
        break;
    case REQUEST_SELECT:
        session->db = request->db;
        print_reply(session, &(struct reply){.type = REPLY_OK});
        break;
    case REQUEST_CLEAR:
        clear_screen();
        break;
    default:
        session->quit = true;
        break;
    }
    return SESSION_OK;
}

enum session_result session_run(struct session *session, struct words words, const char *label)
{
    struct request request;
    char problem[COMMANDS_PROBLEM_SIZE];
    enum session_result result;
    if (!commands_parse(words, &request, problem)) {
        fputs(label, stderr);
        format_problem(stderr, problem);
        return SESSION_FAILED;
    }
    if (request.type >= REQUEST_HELP)
        result = act(session, &request);
    else
        result = call_server(session, &request, label);
    fflush(stdout);
    return result;
}
