/* keystore-cli: parses its options and runs a command, a batch or the prompt. */
#include "base/standard.h"
#include "cli/batch.h"
#include "cli/commands.h"
#include "cli/health.h"
#include "cli/prompt.h"
#include "cli/users.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define EXIT_FAILED 1
#define EXIT_USAGE  2

/* Bytes of the longest token, with what ends it. */
#define CLI_MOST_TOKEN 4096

/* A password among the arguments of a program is visible to all users of the system. */
static bool cli_shows_password(const struct options *options)
{
    bool shows = options->command_count > 2 && strcasecmp(options->command[0], "AUTH") == 0;
    if (shows)
        fputs("keystore-cli: others can see a password on the command line; use --user NAME, which "
              "asks for it, --password-file or KEYSTORE_PASSWORD\n",
              stderr);
    return shows;
}

static int cli_run_one(struct session *session)
{
    if (cli_shows_password(session->options))
        return EXIT_USAGE;
    struct arena arena;
    arena_init(&arena);
    struct words words = {.count = (size_t)session->options->command_count};
    words.items = arena_alloc(&arena, words.count * sizeof *words.items);
    for (size_t i = 0; i < words.count; i++)
        words.items[i] = keystore_text(session->options->command[i]);
    enum session_result result = session_run(session, words, "");
    arena_deinit(&arena);
    return session_finish(session) && result == SESSION_OK ? 0 : EXIT_FAILED;
}

static int cli_run_batch(struct session *session)
{
    struct batch_counts counts = batch_run(session, STDIN_FILENO);
    if (session->options->pipe)
        fprintf(stderr, "%" PRIu64 " command%s, %" PRIu64 " error%s\n", counts.commands,
                counts.commands == 1 ? "" : "s", counts.errors, counts.errors == 1 ? "" : "s");
    return counts.errors == 0 ? 0 : EXIT_FAILED;
}

static int cli_run_prompt(struct session *session)
{
    if (prompt_run(session))
        return 0;
    fputs("This terminal cannot show a prompt: set TERM, or give a command.\n", stderr);
    return EXIT_FAILED;
}

static int cli_run(const struct options *options)
{
    struct session session;
    session_init(&session, options);
    int code;
    if (options->command_count > 0)
        code = cli_run_one(&session);
    else if (options->pipe || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        code = cli_run_batch(&session);
    else
        code = cli_run_prompt(&session);
    session_deinit(&session);
    return code;
}

/* Finds the token that calls are to have; false, after an error message, if there is none where it
 * should be. `text` keeps it. */
static bool cli_find_token(struct options *options, char text[static CLI_MOST_TOKEN])
{
    options->token = options->user == NULL ? getenv("KEYSTORE_TOKEN") : NULL;
    if (options->token_file == NULL)
        return true;
    FILE *file = fopen(options->token_file, "r");
    bool is_read = file != NULL && fgets(text, CLI_MOST_TOKEN, file) != NULL;
    if (!is_read)
        fprintf(stderr, "keystore-cli: cannot read a token from %s: %s\n", options->token_file,
                file == NULL || ferror(file) ? strerror(errno) : "it is empty");
    if (file != NULL)
        fclose(file);
    text[is_read ? strcspn(text, "\r\n") : 0] = '\0';
    options->token = text;
    return is_read;
}

static bool cli_is_about_users(const struct options *options)
{
    return options->command_count > 0 &&
           (strcmp(options->command[0], "user") == 0 || strcmp(options->command[0], "token") == 0);
}

static void cli_print_help(void)
{
    options_print_help(stdout);
    commands_print_help(stdout, NULL);
}

int main(int argc, char **argv)
{
    struct options options;
    char problem[OPTIONS_PROBLEM_SIZE], token[CLI_MOST_TOKEN];
    int code = 0;
    if (!standard_open())
        return EXIT_FAILED;
    if (!options_parse(argc, argv, &options, problem)) {
        fprintf(stderr, "keystore-cli: %s. Try --help.\n", problem);
        return EXIT_USAGE;
    }
    if (options.help)
        cli_print_help();
    else if (options.version)
        puts("keystore-cli " KEYSTORE_VERSION);
    else if (cli_is_about_users(&options))
        code = users_run(&options);
    else if (!cli_find_token(&options, token))
        code = EXIT_USAGE;
    else if (options.health)
        code = (int)health_check(&options);
    else
        code = cli_run(&options);
    return standard_flush("keystore-cli") ? code : EXIT_FAILED;
}
