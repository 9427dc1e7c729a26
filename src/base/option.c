/* Builds the tables for getopt_long(), and error messages for what it rejects. */
#include "base/option.h"

#include "base/standard.h"

#include <getopt.h>
#include <stdint.h>
#include <string.h>

/* The first code of getopt_long() for options with a name: above every character. */
#define FIRST_CODE 256

const struct option_row *option_row_at(struct option_table table, size_t row)
{
    return (const void *)((const uint8_t *)table.rows + row * table.stride);
}

void option_begin(struct option_reader *reader, struct option_table table, int argc, char **argv,
                  bool mixed)
{
    *reader = (struct option_reader){.table = table, .argc = argc, .argv = argv, .mixed = mixed};
    optind = 0; /* restarts getopt, so that a test can parse several command lines */
    opterr = 0;
}

/* Builds getopt_long()'s tables from the rows. */
static void option_make_tables(const struct option_reader *reader,
                               struct option longs[static OPTION_MAX_ROWS + 1],
                               char letters[static 2 * OPTION_MAX_ROWS + 3])
{
    size_t count = 0;
    if (!reader->mixed)
        *letters++ = '+'; /* no options after the first other word */
    *letters++ = ':';     /* a missing value is reported as ':' */
    for (size_t i = 0; i < reader->table.count && i < OPTION_MAX_ROWS; i++) {
        const struct option_row *row = option_row_at(reader->table, i);
        int has_argument = row->argument != NULL ? required_argument : no_argument;
        if (row->name != NULL)
            longs[count++] = (struct option){row->name, has_argument, NULL, FIRST_CODE + (int)i};
        if (row->letter != 0) {
            *letters++ = row->letter;
            if (has_argument == required_argument)
                *letters++ = ':';
        }
    }
    longs[count] = (struct option){NULL, 0, NULL, 0};
    *letters = '\0';
}

/* Finds the row of getopt_long()'s result; table.count if there is none. */
static size_t option_find_row(const struct option_reader *reader, int answer)
{
    if (answer >= FIRST_CODE)
        return (size_t)(answer - FIRST_CODE);
    size_t i = 0;
    while (i < reader->table.count && option_row_at(reader->table, i)->letter != answer)
        i++;
    return i;
}

static void option_describe(struct option_reader *reader, int answer)
{
    /* getopt stores a short option in optopt, and 0 or the code of a long one. */
    bool is_short = optopt != 0 && optopt < FIRST_CODE;
    char name[100];
    if (is_short)
        snprintf(name, sizeof name, "-%c", optopt);
    else
        snprintf(name, sizeof name, "%s", reader->argv[optind - 1]);
    if (answer == ':')
        snprintf(reader->problem, sizeof reader->problem, "the option %s needs a value", name);
    else if (optopt >= FIRST_CODE)
        snprintf(reader->problem, sizeof reader->problem, "the option %s takes no value", name);
    else
        snprintf(reader->problem, sizeof reader->problem, "there is no option %s", name);
}

enum option_verdict option_next(struct option_reader *reader)
{
    struct option longs[OPTION_MAX_ROWS + 1];
    char letters[2 * OPTION_MAX_ROWS + 3];
    option_make_tables(reader, longs, letters);
    int answer = getopt_long(reader->argc, reader->argv, letters, longs, NULL);
    if (answer == -1) {
        reader->first_word = optind;
        return OPTION_END;
    }
    reader->row = option_find_row(reader, answer);
    reader->value = optarg;
    if (reader->row < reader->table.count)
        return OPTION_GIVEN;
    option_describe(reader, answer);
    return OPTION_BAD;
}

void option_write_name(char *out, size_t size, const struct option_row *row)
{
    if (row->name != NULL)
        snprintf(out, size, "--%s", row->name);
    else
        snprintf(out, size, "-%c", row->letter);
}

static void option_print_row(FILE *out, const struct option_row *row, int width)
{
    char name[64], left[100];
    option_write_name(name, sizeof name, row);
    snprintf(left, sizeof left, "%s %s", name, row->argument != NULL ? row->argument : "");
    const char *line = row->help;
    for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        fprintf(out, "  %-*s %.*s\n", width, left, (int)(end - line), line);
        left[0] = '\0';
    }
    fprintf(out, "  %-*s %s\n", width, left, line);
}

/* If a long text filled the stream's buffer, the reason why it cannot be written would be lost. */
void option_print(FILE *out, struct option_table table, int width)
{
    for (size_t i = 0; i < table.count; i++) {
        option_print_row(out, option_row_at(table, i), width);
        if (out == stdout)
            standard_push();
    }
}
