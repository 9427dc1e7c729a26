/*
 * Command-line options: a table with a row for each, parsed by getopt_long() and printed by --help.
 * Knows no program and does not interpret values.
 */
#ifndef KEYSTORE_BASE_OPTION_H
#define KEYSTORE_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A program's own rows may have more members after this, see struct option_table. */
struct option_row {
    char letter;          /* as in -n, or 0 */
    const char *name;     /* as in --name, or NULL */
    const char *argument; /* as --help shows it; NULL: the option takes none */
    const char *help;     /* one line, or several with '\n' between them */
};

/* Rows whose first member is a struct option_row. */
struct option_table {
    const void *rows;
    size_t stride; /* bytes from row to row */
    size_t count;  /* up to OPTION_MAX_ROWS */
};

#define OPTION_MAX_ROWS ((size_t)64)
/* The table of an array of rows. */
#define OPTION_TABLE(array)                                                                        \
    {                                                                                              \
        (array), sizeof(array)[0], sizeof(array) / sizeof(array)[0]                                \
    }
/* Bytes of the longest error message of option_next(), with the terminating zero. */
#define OPTION_PROBLEM_SIZE 200

enum option_verdict {
    OPTION_GIVEN, /* an option was read: `row` and `value` */
    OPTION_BAD,   /* not a valid option: `problem` */
    OPTION_END,   /* no more options; the other words start at `first_word` */
};

/* A command line being parsed; only one at a time in a process. */
struct option_reader {
    struct option_table table;
    int argc;
    char **argv;
    bool mixed;
    size_t row;                        /* its number in the table */
    const char *value;                 /* NULL if it takes none */
    int first_word;                    /* in argv */
    char problem[OPTION_PROBLEM_SIZE]; /* an error message; long names are truncated */
};

/* Starts parsing. With `mixed`, options may follow other words, which are then moved to the end of
 * argv; else the first other word ends the options. */
void option_begin(struct option_reader *reader, struct option_table table, int argc, char **argv,
                  bool mixed);

/* Parses the next option. */
enum option_verdict option_next(struct option_reader *reader);

const struct option_row *option_row_at(struct option_table table, size_t row);

/* The option as it is typed, "--name" or else "-n", truncated to `size` bytes with the terminating
 * zero. */
void option_write_name(char *out, size_t size, const struct option_row *row);

/* Prints a line for each row, with the help after a first column of `width` characters. */
void option_print(FILE *out, struct option_table table, int width);

#endif
