/* Reads settings from the command line (base/option.h) and a file (inih). Does not know which
 * settings there are: options.c does. */
#include "server/config.h"

#include "base/check.h"
#include "server/options.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the parsers share while one command line is read. */
struct reading {
    struct config *config;
    const char *file;            /* of --config, or NULL */
    bool given[OPTION_MAX_ROWS]; /* on the command line, which takes precedence */
    bool help, version;          /* requested */
    struct config ignored;       /* for settings of the file that the command line overrides */
    FILE *stream;                /* the file, while it is read */
    char *line;                  /* its newest line, from getline() */
    size_t line_size;
    int line_number;
    int read_errno; /* of a failed read, or 0 */
    int bad_line;   /* of the first bad setting, and its error message */
    char bad[512];
};

static void config_print_help(void)
{
    printf("Usage: keystore-server [OPTION...]\n\nServes a key-value store over gRPC.\n\n");
    option_print(stdout, options_table(), 34);
    printf("\nDefaults are in brackets. A configuration file has one `name = value` per line, with "
           "the names\nwithout dashes and `listen` once per address; lines that start with # are "
           "comments. The\ncommand line takes precedence over the file. On SIGTERM or SIGINT the "
           "server finishes the\ncalls in flight and exits.\n");
}

static void config_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void config_complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "keystore-server: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
}

/* The file. */

/* Keeps the error message of the newest line, if that is the first bad one. */
static void config_note(struct reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void config_note(struct reading *reading, const char *format, ...)
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
 * inih's reader. Its default would split a long line, which counts lines wrongly and takes the rest
 * of a long comment for a setting.
 */
static char *config_on_read(char *out, int size, void *user)
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
        config_note(reading, "the line is longer than any setting; only comments may have %d bytes",
                    size);
    /* A comment becomes an empty line; `!` is a line that inih refuses. */
    snprintf(out, (size_t)size, "%s\n", is_comment ? "" : "!");
    return out;
}

/* inih's handler: 1 = good, 0 = bad. ini_parse_stream() returns the first bad line. */
static int config_on_line(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;
    size_t row = section[0] == '\0' ? options_find(name) : 0;
    const char *why = NULL;
    /* The command line takes precedence, but a bad value is an error even so. */
    struct config *target = reading->given[row] ? &reading->ignored : reading->config;
    if (row != 0 && options_set(row, target, value, &why))
        return 1;
    if (section[0] != '\0')
        config_note(reading, "sections are not supported; remove the line [%s]", section);
    else if (row == 0)
        config_note(reading, "unknown setting `%s`; see keystore-server --help", name);
    else
        config_note(reading, "bad value `%s` for %s: %s", value, name, why);
    return 0;
}

static bool config_read_file(struct reading *reading)
{
    int line = -1;
    reading->stream = fopen(reading->file, "r");
    if (reading->stream == NULL) {
        reading->read_errno = errno;
    } else {
        line = ini_parse_stream(config_on_read, reading, config_on_line, reading);
        fclose(reading->stream);
        free(reading->line);
    }
    if (reading->read_errno != 0) {
        config_complain("cannot read the configuration file %s: %s", reading->file,
                        strerror(reading->read_errno));
        return false;
    }
    if (line == 0)
        return true;
    config_complain("%s:%d: %s", reading->file, line,
                    reading->bad_line == line ? reading->bad
                                              : "a line must be `name = value` or # a comment");
    return false;
}

/* The command line. */

static bool config_set_from_command_line(struct reading *reading, size_t index, const char *value)
{
    const char *why = NULL;
    reading->given[index] = true;
    if (options_set(index, reading->config, value, &why))
        return true;
    config_complain("bad value `%s` for --%s: %s", value, options_row(index)->name, why);
    return false;
}

/* Prints what was requested instead of a server. */
static void config_print_requested(const struct reading *reading)
{
    if (reading->help)
        config_print_help();
    else
        printf("keystore-server %s\n", KEYSTORE_VERSION);
}

static enum config_answer config_on_option(struct reading *reading, size_t index, const char *value)
{
    switch (index) {
    case OPTION_HELP:
        reading->help = true;
        return CONFIG_RUN;
    case OPTION_VERSION:
        reading->version = true;
        return CONFIG_RUN;
    case OPTION_CONFIG:
        reading->file = value;
        return CONFIG_RUN;
    default:
        return config_set_from_command_line(reading, index, value) ? CONFIG_RUN : CONFIG_BAD;
    }
}

static enum config_answer config_read_command_line(int argc, char **argv, struct reading *reading)
{
    struct option_reader options;
    enum option_verdict verdict;
    option_begin(&options, options_table(), argc, argv, false);
    while ((verdict = option_next(&options)) == OPTION_GIVEN) {
        enum config_answer answer = config_on_option(reading, options.row, options.value);
        if (answer != CONFIG_RUN)
            return answer;
    }
    if (verdict == OPTION_BAD)
        config_complain("%s; see keystore-server --help", options.problem);
    else if (options.first_word < argc)
        config_complain("`%s` is not an option; options start with --, see keystore-server --help",
                        argv[options.first_word]);
    else
        return CONFIG_RUN;
    return CONFIG_BAD;
}

enum config_answer config_read(int argc, char **argv, struct config *config)
{
    struct reading reading = {.config = config};
    const char *why;
    options_fill_defaults(config);
    options_fill_defaults(&reading.ignored);
    enum config_answer answer = config_read_command_line(argc, argv, &reading);
    if (answer != CONFIG_RUN)
        return answer;
    if (reading.help || reading.version) {
        config_print_requested(&reading);
        return CONFIG_EXIT;
    }
    if (reading.file != NULL && !config_read_file(&reading))
        return CONFIG_BAD;
    config->listens_by_default = config->listen_count == 0;
    bool is_set = config->listen_count > 0 ||
                  options_set(OPTION_FIRST_SETTING, config, OPTIONS_DEFAULT_LISTEN, &why);
    CHECK(is_set); /* a default is valid */
    for (size_t i = 0; i < OPTION_MAX_ROWS; i++)
        config->on_command_line |= (uint64_t)reading.given[i] << i;
    if (config->listens_by_default)
        config->given &= ~(UINT64_C(1) << OPTION_FIRST_SETTING);
    options_settle(config);
    return CONFIG_RUN;
}
