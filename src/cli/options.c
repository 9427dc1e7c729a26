/* Parses the command line of the program. Does not know what the options do. */
#include "cli/options.h"

#include "base/option.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_HOST,
    OPTION_PORT,
    OPTION_PATH,
    OPTION_DB,
    OPTION_TIMEOUT,
    OPTION_RETRY,
    OPTION_TLS,
    OPTION_CA,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_SERVER_NAME,
    OPTION_RAW,
    OPTION_NO_RAW,
    OPTION_PIPE,
    OPTION_YES,
    OPTION_HEALTH,
    OPTION_FORCE,
    OPTION_USER,
    OPTION_PASSWORD_FILE,
    OPTION_TOKEN_FILE,
    OPTION_USERS_FILE,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option_row rows[] = {
    [OPTION_HOST] = {'h', NULL, "HOST", "the server's host name or address (127.0.0.1)"},
    [OPTION_PORT] = {'p', NULL, "PORT", "the server's port (50051)"},
    [OPTION_PATH] = {'s', NULL, "PATH", "the server's unix socket, instead of host and port"},
    [OPTION_DB] = {'n', NULL, "DB", "the database number (0)"},
    [OPTION_TIMEOUT] = {0, "timeout", "MS",
                        "timeout of connecting and of each call, in milliseconds (30000)"},
    [OPTION_RETRY] =
        {0, "retry", "N",
         "repeat a command that fails because the server is unavailable, up to N times\n"
         "within --timeout; a write takes effect once, for it has a request id.\n"
         "Commands from standard input are sent one by one then"},
    [OPTION_TLS] = {0, "tls", NULL, "connect with TLS, as the options for it also do"},
    [OPTION_CA] = {0, "ca", "FILE",
                   "trust servers whose certificates are signed by the CAs in this file (those of\n"
                   "the system)"},
    [OPTION_CERT] = {0, "cert", "FILE", "the certificate to show, if the server wants one"},
    [OPTION_KEY] = {0, "key", "FILE", "its key"},
    [OPTION_SERVER_NAME] = {0, "server-name", "NAME",
                            "the name that the server's certificate must be for (HOST)"},
    [OPTION_RAW] = {0, "raw", NULL,
                    "print raw values, the default if the output is not a terminal"},
    [OPTION_NO_RAW] = {0, "no-raw", NULL, "print quoted values, the default on a terminal"},
    [OPTION_PIPE] = {0, "pipe", NULL,
                     "execute commands from standard input, one per line or in RESP as for\n"
                     "redis-cli --pipe, and report how many there were; errors have the number of\n"
                     "their line or command"},
    [OPTION_YES] = {0, "yes", NULL, "let DELMATCH delete without asking"},
    [OPTION_HEALTH] = {0, "health", NULL,
                       "check the server's health, or that of the service that follows, such as\n"
                       "keystore.write; exit code 0: SERVING, 2: cannot connect, 3: the check\n"
                       "failed, 4: not SERVING"},
    [OPTION_FORCE] = {0, "force", NULL, "let BACKUP replace a file that exists"},
    [OPTION_USER] = {0, "user", "NAME",
                     "authenticate as this user; the password is asked for, or comes from\n"
                     "--password-file or the variable KEYSTORE_PASSWORD"},
    [OPTION_PASSWORD_FILE] = {0, "password-file", "FILE",
                              "a file whose first line is the password"},
    [OPTION_TOKEN_FILE] = {0, "token-file", "FILE",
                           "send the token in FILE with each call (that in KEYSTORE_TOKEN)"},
    [OPTION_USERS_FILE] = {0, "users-file", "FILE",
                           "the server's users file, for the commands `user` and `token`"},
    [OPTION_HELP] = {0, "help", NULL, "print this help and exit"},
    [OPTION_VERSION] = {0, "version", NULL, "print the version and exit"},
};

static const struct option_table table = OPTION_TABLE(rows);

/* The values of -h, -p and -s; NULL if not given. */
struct place {
    const char *host;
    const char *port;
    const char *path;
};

static bool options_parse_number(const char *text, int64_t min, int64_t max, int64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *out >= min && *out <= max;
}

/* The words after `problem` are those of printf; always false. */
#define refuse(problem, ...) (snprintf(problem, OPTIONS_PROBLEM_SIZE, __VA_ARGS__), false)

static bool options_set_db(struct options *options, const char *text,
                           char problem[static OPTIONS_PROBLEM_SIZE])
{
    int64_t db;
    if (!options_parse_number(text, 0, UINT32_MAX, &db))
        return refuse(problem, "-n takes the number of a database, 0 or more, not '%.100s'", text);
    options->db = (uint32_t)db;
    return true;
}

static bool options_set_timeout(struct options *options, const char *text,
                                char problem[static OPTIONS_PROBLEM_SIZE])
{
    if (options_parse_number(text, 1, INT64_C(1) << 40, &options->timeout_ms))
        return true;
    return refuse(problem, "--timeout takes milliseconds, 1 or more, not '%.100s'", text);
}

static bool options_set_retries(struct options *options, const char *text,
                                char problem[static OPTIONS_PROBLEM_SIZE])
{
    int64_t retries;
    if (!options_parse_number(text, 0, UINT32_MAX, &retries))
        return refuse(problem, "--retry takes a number of repetitions, 0 or more, not '%.100s'",
                      text);
    options->max_retries = (uint32_t)retries;
    return true;
}

static bool options_take_option(size_t row, const char *value, struct options *options,
                                struct place *place, char problem[static OPTIONS_PROBLEM_SIZE])
{
    options->has_tls |= row >= OPTION_TLS && row <= OPTION_SERVER_NAME;
    switch (row) {
    case OPTION_TLS:
        return true;
    case OPTION_CA:
        options->tls.ca_file = value;
        return true;
    case OPTION_CERT:
        options->tls.cert_file = value;
        return true;
    case OPTION_KEY:
        options->tls.key_file = value;
        return true;
    case OPTION_SERVER_NAME:
        options->tls.server_name = value;
        return true;
    case OPTION_HOST:
        place->host = value;
        return true;
    case OPTION_PORT:
        place->port = value;
        return true;
    case OPTION_PATH:
        place->path = value;
        return true;
    case OPTION_DB:
        return options_set_db(options, value, problem);
    case OPTION_TIMEOUT:
        return options_set_timeout(options, value, problem);
    case OPTION_RETRY:
        return options_set_retries(options, value, problem);
    case OPTION_RAW:
        options->form = OPTIONS_FORM_RAW;
        return true;
    case OPTION_NO_RAW:
        options->form = OPTIONS_FORM_QUOTED;
        return true;
    case OPTION_PIPE:
        options->pipe = true;
        return true;
    case OPTION_YES:
        options->yes = true;
        return true;
    case OPTION_HEALTH:
        options->health = true;
        return true;
    case OPTION_FORCE:
        options->force = true;
        return true;
    case OPTION_USER:
        options->user = value;
        if (value[0] == '\0' || strlen(value) > 64)
            return refuse(problem, "--user takes the name of a user, 1 to 64 bytes long");
        return true;
    case OPTION_PASSWORD_FILE:
        options->password_file = value;
        return true;
    case OPTION_TOKEN_FILE:
        options->token_file = value;
        return true;
    case OPTION_USERS_FILE:
        options->users_file = value;
        return true;
    case OPTION_HELP:
        options->help = true;
        return true;
    case OPTION_VERSION:
        options->version = true;
        return true;
    }
    return false; /* there are no other rows */
}

static bool options_is_ipv6(const char *host)
{
    struct in6_addr address;
    /* Checking a zone, as in fe80::1%eth0, is left to the resolver. */
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)strcspn(host, "%"), host);
    return inet_pton(AF_INET6, text, &address) == 1;
}

static bool options_set_unix_target(struct options *options, const struct place *place,
                                    char problem[static OPTIONS_PROBLEM_SIZE])
{
    if (place->host != NULL || place->port != NULL)
        return refuse(problem, "-s names a unix socket and excludes -h and -p");
    if (place->path[0] == '\0' || strlen(place->path) > 107)
        return refuse(problem, "-s takes the path of a unix socket, 1 to 107 bytes long");
    snprintf(options->target, sizeof options->target, "unix:%s", place->path);
    return true;
}

static bool options_set_target(struct options *options, const struct place *place,
                               char problem[static OPTIONS_PROBLEM_SIZE])
{
    if (place->path != NULL)
        return options_set_unix_target(options, place, problem);
    const char *host = place->host != NULL ? place->host : "127.0.0.1";
    const char *port = place->port != NULL ? place->port : "50051";
    int64_t number;
    if (!options_parse_number(port, 1, 65535, &number))
        return refuse(problem, "-p takes a port from 1 to 65535, not '%.100s'", port);
    if (host[0] == '\0' || strlen(host) > 255)
        return refuse(problem, "-h takes a host name or an address, 1 to 255 bytes long");
    bool ipv6 = options_is_ipv6(host);
    if (!ipv6 && strpbrk(host, ":[]/") != NULL)
        return refuse(
            problem,
            "-h takes a host name or an address without a port, not '%.100s'; use -p for the port",
            host);
    snprintf(options->target, sizeof options->target, ipv6 ? "[%s]:%d" : "%s:%d", host,
             (int)number);
    return true;
}

bool options_parse(int argc, char **argv, struct options *options,
                   char problem[static OPTIONS_PROBLEM_SIZE])
{
    *options = (struct options){0};
    struct place place = {0};
    struct option_reader reader;
    enum option_verdict verdict;
    option_begin(&reader, table, argc, argv, false);
    while ((verdict = option_next(&reader)) == OPTION_GIVEN)
        if (!options_take_option(reader.row, reader.value, options, &place, problem))
            return false;
    if (verdict == OPTION_BAD)
        return refuse(problem, "%s", reader.problem);
    options->command = argv + reader.first_word;
    options->command_count = argc - reader.first_word;
    if (options->pipe && options->command_count > 0)
        return refuse(problem,
                      "--pipe reads commands from standard input and takes none as argument");
    if (options->health && (options->pipe || options->command_count > 1))
        return refuse(problem, "--health takes at most the name of a service, and other options "
                               "come before it");
    if (options->password_file != NULL && options->user == NULL)
        return refuse(problem, "--password-file has the password of a user: say whose with --user");
    if (options->user != NULL && options->token_file != NULL)
        return refuse(problem, "--user and --token-file exclude each other");
    if ((options->help || options->version) && options->command_count > 0)
        return refuse(
            problem,
            "--help and --version take no command; the command HELP SET shows what SET takes");
    return options_set_target(options, &place, problem);
}

void options_print_help(FILE *out)
{
    fputs("Usage: keystore-cli [OPTION]... [COMMAND [ARGUMENT]...]\n"
          "\n"
          "Executes a command on a KeyStore server. Without a command, shows a prompt on a "
          "terminal,\n"
          "or else executes the commands on standard input, one per line or in RESP, Redis' "
          "protocol.\n"
          "\n"
          "Options:\n",
          out);
    option_print(out, table, 20);
    fputs(
        "\n"
        "The prompt saves its history in ~/.keystore_cli_history, or in the file that\n"
        "KEYSTORE_CLI_HISTORY names (empty: nowhere).\n"
        "\n"
        "The commands `user` and `token` manage the users of a server in its users file, and need "
        "no\n"
        "server: `keystore-cli user` lists them.\n"
        "\n"
        "Commands:\n",
        out);
}
