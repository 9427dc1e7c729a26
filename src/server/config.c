/* Reading settings. Each option is a row with a setter; getopt_long and inih do the parsing. */
#include "server/config.h"

#include "server/values.h"

#include <errno.h>
#include <getopt.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_LISTEN "127.0.0.1:50051"
/* Where getopt_long's numbers for long options begin: above every character. */
#define FIRST_CODE 256

/* Sets one value; false with a sentence in *why (static memory) if it is bad. */
typedef bool set_function(struct config *config, const char *value, const char **why);

struct option_row {
    const char *name;
    const char *argument; /* as --help shows it */
    const char *help;
    set_function *set; /* NULL: handled by config_read() itself, and only on the command line */
};

static bool set_listen(struct config *config, const char *value, const char **why)
{
    if (config->listen_count == CONFIG_MAX_LISTEN) {
        *why = "at most 16 addresses can be listened on";
        return false;
    }
    if (!net_address_parse(value, &config->listen[config->listen_count], why))
        return false;
    config->listen_count++;
    return true;
}

static bool set_threads(struct config *config, const char *value, const char **why)
{
    uint64_t threads;
    *why = "it is a number of threads, 1 to 1024";
    if (!values_parse_number(value, 1, 1024, &threads))
        return false;
    config->threads = (unsigned)threads;
    return true;
}

static bool set_max_value(struct config *config, const char *value, const char **why)
{
    *why = "it is a number of bytes, 1 to 1GiB; KiB, MiB and GiB may follow it";
    uint64_t bytes;
    if (!values_parse_size(value, 1, (uint64_t)1 << 30, &bytes))
        return false;
    config->max_value = (size_t)bytes;
    return true;
}

static bool set_drain_timeout(struct config *config, const char *value, const char **why)
{
    *why = "it is a number of seconds, 0 to 3600";
    uint64_t seconds;
    if (!values_parse_number(value, 0, 3600, &seconds))
        return false;
    config->drain_timeout_ms = (int64_t)seconds * 1000;
    return true;
}

static bool set_log_level(struct config *config, const char *value, const char **why)
{
    *why = "it is error, warning, info or debug";
    return log_level_parse(value, &config->log_level);
}

enum { ROW_CONFIG, ROW_LISTEN, ROW_HELP = 6, ROW_VERSION, ROW_COUNT };

static const struct option_row rows[ROW_COUNT] = {
    [ROW_CONFIG] = {"config", "FILE", "read settings from FILE, lines of `name = value`", NULL},
    [ROW_LISTEN] = {"listen", "ADDRESS",
                    "serve on HOST:PORT or unix:PATH; may be repeated (default " DEFAULT_LISTEN ")",
                    set_listen},
    {"threads", "N", "worker threads (default: one per processor)", set_threads},
    {"max-value", "BYTES", "longest value, such as 512KiB (default 64MiB)", set_max_value},
    {"drain-timeout", "SECONDS", "how long calls may take to finish on shutdown (default 10)",
     set_drain_timeout},
    {"log-level", "LEVEL", "error, warning, info or debug (default info)", set_log_level},
    [ROW_HELP] = {"help", NULL, "print this and exit", NULL},
    [ROW_VERSION] = {"version", NULL, "print the version and exit", NULL},
};

/* What the parsers share while one command line is read. */
struct reading {
    struct config *config;
    const char *file;      /* of --config, or NULL */
    bool given[ROW_COUNT]; /* on the command line, which wins */
    FILE *stream;          /* the file, while it is read */
    char *line;            /* its newest line, from getline() */
    size_t line_size;
    int line_number;
    int read_errno; /* of a failed read, or 0 */
    int bad_line;   /* of the first bad setting, and the sentence on it */
    char bad[512];
};

static void print_help(void)
{
    printf("Usage: keystore-server [OPTION...]\n\nServes a key-value store over gRPC.\n\n");
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s %s", rows[i].name,
                 rows[i].argument != NULL ? rows[i].argument : "");
        printf("  %-26s %s\n", left, rows[i].help);
    }
    printf("\nA configuration file has the same names without the dashes, `listen` once per "
           "address,\nand comments on lines that begin with #. The command line wins over it. "
           "SIGTERM and\nSIGINT finish the calls under way and exit.\n");
}

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "keystore-server: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
}

/* The file. */

static const struct option_row *find_row(const char *name)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].set != NULL && strcmp(rows[i].name, name) == 0)
            return &rows[i];
    }
    return NULL;
}

/* Keeps the sentence on the newest line, if it is the first bad one. */
static void note(struct reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note(struct reading *reading, const char *format, ...)
{
    if (reading->bad_line != 0)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(reading->bad, sizeof reading->bad, format, args);
    va_end(args);
    reading->bad_line = reading->line_number;
}

/*
 * inih's reader. Its own would cut a long line in several, which counts lines wrongly and takes the
 * rest of a long comment for a setting.
 */
static char *on_read(char *out, int size, void *user)
{
    struct reading *reading = user;
    ssize_t len = getline(&reading->line, &reading->line_size, reading->stream);
    if (len < 0) {
        reading->read_errno = ferror(reading->stream) ? errno : 0;
        return NULL;
    }
    reading->line_number++;
    if (len < size) {
        memcpy(out, reading->line, (size_t)len + 1);
        return out;
    }
    char first = reading->line[strspn(reading->line, " \t")];
    bool is_comment = first == '#' || first == ';';
    if (!is_comment)
        note(reading, "the line is longer than any setting; only comments may have %d bytes", size);
    /* A comment becomes an empty line; the other one inih refuses, as it is no setting. */
    snprintf(out, (size_t)size, "%s\n", is_comment ? "" : "!");
    return out;
}

/* inih's handler: 1 = good, 0 = bad, which makes ini_parse_stream() return the line of the first
 * bad one. */
static int on_line(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;
    const struct option_row *row = section[0] == '\0' ? find_row(name) : NULL;
    const char *why = NULL;
    if (row != NULL && reading->given[row - rows])
        return 1;
    if (row != NULL && row->set(reading->config, value, &why))
        return 1;
    if (section[0] != '\0')
        note(reading, "there are no sections here; remove the line [%s]", section);
    else if (row == NULL)
        note(reading, "there is no setting `%s`; see keystore-server --help", name);
    else
        note(reading, "bad value `%s` for %s: %s", value, name, why);
    return 0;
}

static bool read_file(struct reading *reading)
{
    int line = -1;
    reading->stream = fopen(reading->file, "r");
    if (reading->stream == NULL) {
        reading->read_errno = errno;
    } else {
        line = ini_parse_stream(on_read, reading, on_line, reading);
        fclose(reading->stream);
        free(reading->line);
    }
    if (reading->read_errno != 0) {
        complain("cannot read the configuration file %s: %s", reading->file,
                 strerror(reading->read_errno));
        return false;
    }
    if (line == 0)
        return true;
    complain("%s:%d: %s", reading->file, line,
             reading->bad_line == line ? reading->bad : "a line is `name = value` or # a comment");
    return false;
}

/* The command line. */

static bool set_from_command_line(struct reading *reading, size_t index, const char *value)
{
    const char *why = NULL;
    reading->given[index] = true;
    if (rows[index].set(reading->config, value, &why))
        return true;
    complain("bad value `%s` for --%s: %s", value, rows[index].name, why);
    return false;
}

static enum config_answer on_option(struct reading *reading, size_t index)
{
    switch (index) {
    case ROW_HELP:
        print_help();
        return CONFIG_EXIT;
    case ROW_VERSION:
        printf("keystore-server %s\n", KEYSTORE_VERSION);
        return CONFIG_EXIT;
    case ROW_CONFIG:
        reading->file = optarg;
        return CONFIG_RUN;
    default:
        return set_from_command_line(reading, index, optarg) ? CONFIG_RUN : CONFIG_BAD;
    }
}

static enum config_answer bad_option(int code, char **argv, int index)
{
    const char *given = argv[index];
    if (code == ':')
        complain("%s needs a value; see keystore-server --help", given);
    else
        complain("there is no option %s (or it takes no value); see keystore-server --help", given);
    return CONFIG_BAD;
}

static enum config_answer read_command_line(int argc, char **argv, struct reading *reading)
{
    struct option options[ROW_COUNT + 1] = {0};
    for (size_t i = 0; i < ROW_COUNT; i++)
        options[i] = (struct option){
            .name = rows[i].name, .has_arg = rows[i].argument != NULL, .val = FIRST_CODE + (int)i};
    optind = 0; /* begins anew, also when it was used before */
    for (;;) {
        int at = optind > 0 ? optind : 1;
        int code = getopt_long(argc, argv, "+:", options, NULL);
        if (code == -1)
            break;
        enum config_answer answer = code >= FIRST_CODE
                                        ? on_option(reading, (size_t)(code - FIRST_CODE))
                                        : bad_option(code, argv, at);
        if (answer != CONFIG_RUN)
            return answer;
    }
    if (optind == argc)
        return CONFIG_RUN;
    complain("`%s` is not an option; options begin with --, see keystore-server --help",
             argv[optind]);
    return CONFIG_BAD;
}

static void fill_defaults(struct config *config)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    *config = (struct config){.threads = processors > 0 ? (unsigned)processors : 1,
                              .max_value = (size_t)64 * 1024 * 1024,
                              .drain_timeout_ms = 10000,
                              .log_level = LOG_INFO};
}

enum config_answer config_read(int argc, char **argv, struct config *config)
{
    struct reading reading = {.config = config};
    const char *why;
    fill_defaults(config);
    enum config_answer answer = read_command_line(argc, argv, &reading);
    if (answer != CONFIG_RUN)
        return answer;
    if (reading.file != NULL && !read_file(&reading))
        return CONFIG_BAD;
    if (config->listen_count == 0 && !set_listen(config, DEFAULT_LISTEN, &why))
        abort();
    return CONFIG_RUN;
}
