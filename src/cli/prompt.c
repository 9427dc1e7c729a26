/* Reads a line, runs it, reads the next. */
#include "cli/prompt.h"

#include "cli/args.h"
#include "cli/editor.h"

#include <signal.h>
#include <strings.h>

static void prompt_write(const struct session *session, char *out, size_t size)
{
    const char *name = session->options->target;
    if (strncmp(name, "unix:", strlen("unix:")) == 0)
        name += strlen("unix:");
    const char *mark = session->transaction.open ? "(TX)" : "";
    if (session_db(session) == 0)
        snprintf(out, size, "%s%s> ", name, mark);
    else
        snprintf(out, size, "%s[%u]%s> ", name, session_db(session), mark);
}

/* Runs the command; if the connection was lost, says how to continue. */
static void prompt_run_words(struct session *session, struct words words)
{
    bool was_connected = session->client != NULL;
    enum session_result result = session_run(session, words, "");
    if (was_connected && session->client == NULL)
        fputs("The next command reconnects.\n", stderr);
    if (result == SESSION_UNREACHABLE && session->transaction.open)
        fputs("The transaction is kept: EXEC retries it, DISCARD drops it.\n", stderr);
}

/* Whether the line has a password or a token, which the history must not keep: AUTH with more than
 * a user's name, also if it is malformed. */
static bool prompt_is_secret(const char *line, const char *problem, const struct words *words)
{
    if (problem != NULL) {
        line += strspn(line, " \t\"'");
        return strncasecmp(line, "AUTH", 4) == 0;
    }
    return words->count > 1 && args_is_word(words->items[0], "AUTH") &&
           (words->count > 2 ||
            (words->items[1].len > 4 && memcmp(words->items[1].data, "kst_", 4) == 0));
}

static void prompt_run_line(struct session *session, struct lines *lines, const char *line)
{
    struct arena arena;
    arena_init(&arena);
    struct words words;
    const char *problem = split_line(slice_from_string(line), &arena, &words);
    if ((problem != NULL || words.count > 0) && !prompt_is_secret(line, problem, &words))
        lines_add(lines, line);
    if (problem != NULL)
        (void)session_refuse(session, problem, "");
    else if (words.count > 0)
        prompt_run_words(session, words);
    arena_deinit(&arena);
}

bool prompt_run(struct session *session)
{
    struct lines lines;
    session->interactive = true;
    /* For the moments in which neither the editor nor a command minds Ctrl-C. */
    (void)signal(SIGINT, SIG_IGN);
    lines_init(&lines);
    struct editor *editor = editor_new(&lines);
    bool usable = editor != NULL;
    /* An unreachable server is worth reporting before the first command is typed. */
    if (usable)
        (void)session_connect(session, "");
    enum editor_result result = EDITOR_LINE;
    while (usable && !session->quit && result != EDITOR_END) {
        char text[320];
        const char *line;
        prompt_write(session, text, sizeof text);
        result = editor_read(editor, text, &line);
        if (result == EDITOR_LINE)
            prompt_run_line(session, &lines, line);
    }
    if (result == EDITOR_END)
        putchar('\n');
    (void)session_finish(session);
    editor_free(editor);
    lines_deinit(&lines);
    return usable;
}
