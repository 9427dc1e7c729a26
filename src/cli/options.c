/* Reads the command line of the program with getopt_long. Refuses to know what is done with it. */
#include "cli/options.h"

#include "base/bad_option.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_TIMEOUT = 256, OPTION_RAW, OPTION_NO_RAW, OPTION_PIPE, OPTION_HELP, OPTION_VERSION };

static const struct option long_options[] = {
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"raw", no_argument, NULL, OPTION_RAW},
    {"no-raw", no_argument, NULL, OPTION_NO_RAW},
    {"pipe", no_argument, NULL, OPTION_PIPE},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

/* What -h, -p and -s said; NULL if they were not given. */
struct place {
    const char *host;
    const char *port;
    const char *path;
};

static bool parse_number(const char *text, int64_t min, int64_t max, int64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *out >= min && *out <= max;
}

/* The words after `problem` are those of printf; always false. */
#define refuse(problem, ...) (snprintf(problem, OPTIONS_PROBLEM_SIZE, __VA_ARGS__), false)

static bool set_db(struct options *options, const char *text,
                   char problem[static OPTIONS_PROBLEM_SIZE])
{
    int64_t db;
    if (!parse_number(text, 0, UINT32_MAX, &db))
        return refuse(problem, "-n takes the number of a database, 0 or more, not '%.100s'", text);
    options->db = (uint32_t)db;
    return true;
}

static bool set_timeout(struct options *options, const char *text,
                        char problem[static OPTIONS_PROBLEM_SIZE])
{
    if (parse_number(text, 1, INT64_C(1) << 40, &options->timeout_ms))
        return true;
    return refuse(problem, "--timeout takes milliseconds, 1 or more, not '%.100s'", text);
}

static bool take_option(int option, struct options *options, struct place *place, char *const *argv,
                        char problem[static OPTIONS_PROBLEM_SIZE])
{
    switch (option) {
    case 'h':
        place->host = optarg;
        return true;
    case 'p':
        place->port = optarg;
        return true;
    case 's':
        place->path = optarg;
        return true;
    case 'n':
        return set_db(options, optarg, problem);
    case OPTION_TIMEOUT:
        return set_timeout(options, optarg, problem);
    case OPTION_RAW:
        options->form = OPTIONS_FORM_RAW;
        return true;
    case OPTION_NO_RAW:
        options->form = OPTIONS_FORM_QUOTED;
        return true;
    case OPTION_PIPE:
        options->pipe = true;
        return true;
    case OPTION_HELP:
        options->help = true;
        return true;
    case OPTION_VERSION:
        options->version = true;
        return true;
    default:
        bad_option_describe(problem, OPTIONS_PROBLEM_SIZE, option, argv, OPTION_TIMEOUT);
        return false;
    }
}

static bool is_ipv6(const char *host)
{
    struct in6_addr address;
    /* A zone, as in fe80::1%eth0, is the resolver's to judge. */
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)strcspn(host, "%"), host);
    return inet_pton(AF_INET6, text, &address) == 1;
}

static bool set_unix_target(struct options *options, const struct place *place,
                            char problem[static OPTIONS_PROBLEM_SIZE])
{
    if (place->host != NULL || place->port != NULL)
        return refuse(problem, "-s names a unix socket, so -h and -p cannot be given as well");
    if (place->path[0] == '\0' || strlen(place->path) > 107)
        return refuse(problem, "-s takes the path of a unix socket, 1 to 107 bytes long");
    snprintf(options->target, sizeof options->target, "unix:%s", place->path);
    return true;
}

static bool set_target(struct options *options, const struct place *place,
                       char problem[static OPTIONS_PROBLEM_SIZE])
{
    if (place->path != NULL)
        return set_unix_target(options, place, problem);
    const char *host = place->host != NULL ? place->host : "127.0.0.1";
    const char *port = place->port != NULL ? place->port : "50051";
    int64_t number;
    if (!parse_number(port, 1, 65535, &number))
        return refuse(problem, "-p takes a port from 1 to 65535, not '%.100s'", port);
    if (host[0] == '\0' || strlen(host) > 255)
        return refuse(problem, "-h takes a host name or an address, 1 to 255 bytes long");
    bool ipv6 = is_ipv6(host);
    if (!ipv6 && strpbrk(host, ":[]/") != NULL)
        return refuse(
            problem,
            "-h takes a host name or an address without port, not '%.100s'; the port goes "
            "behind -p",
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
    optind = 0; /* start over, so that a test may parse twice */
    opterr = 0;
    int option;
    while ((option = getopt_long(argc, argv, "+:h:p:s:n:", long_options, NULL)) != -1)
        if (!take_option(option, options, &place, argv, problem))
            return false;
    options->command = argv + optind;
    options->command_count = argc - optind;
    if (options->pipe && options->command_count > 0)
        return refuse(problem,
                      "--pipe reads commands from standard input, so none can stand behind it");
    if ((options->help || options->version) && options->command_count > 0)
        return refuse(
            problem,
            "--help and --version take no command; HELP SET, without dashes, says what SET "
            "takes");
    return set_target(options, &place, problem);
}

void options_print_help(FILE *out)
{
    fputs(
        "Usage: keystore-cli [OPTION]... [COMMAND [ARGUMENT]...]\n"
        "\n"
        "Runs one command on a KeyStore server. Without a command: a prompt on a terminal, else\n"
        "the commands on standard input, one a line, or in RESP, the protocol of Redis.\n"
        "\n"
        "Options:\n"
        "  -h HOST         the server's host name or address (127.0.0.1)\n"
        "  -p PORT         the server's port (50051)\n"
        "  -s PATH         the server's unix socket, instead of host and port\n"
        "  -n DB           the number of the database (0)\n"
        "  --timeout MS    how long to wait for the server, in milliseconds (30000)\n"
        "  --raw           print bare values, the default when the output is no terminal\n"
        "  --no-raw        print quoted values, the default on a terminal\n"
        "  --pipe          read commands from standard input and count them at the end; lines, or\n"
        "                  RESP as redis-cli --pipe takes it\n"
        "  --help          print this and leave\n"
        "  --version       print the version and leave\n"
        "\n"
        "The prompt keeps its history in ~/.keystore_cli_history, or in the file that\n"
        "KEYSTORE_CLI_HISTORY names (empty: none).\n"
        "\n"
        "Commands:\n",
        out);
}
