/*
 * The options of a program's command line: a table with a row for each, which is read by
 * getopt_long() and printed by --help. Knows no program and no value.
 */
#ifndef KEYSTORE_BASE_OPTION_H
#define KEYSTORE_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A program's own rows may have more behind it, see struct option_table. */
struct option_row {
    char letter;          /* as in -n, or 0 */
    const char *name;     /* as in --name, or NULL */
    const char *argument; /* as --help shows it; NULL: the option takes none */
    const char *help;     /* one line, or several with '\n' between them */
};

/* Rows that begin with a struct option_row. */
struct option_table {
    const void *rows;
    size_t stride; /* bytes from row to row */
    size_t count;  /* up to OPTION_MAX_ROWS */
};

#define OPTION_MAX_ROWS ((size_t)64)
/* Of an array. */
#define OPTION_TABLE(array)                                                                        \
    {                                                                                              \
        (array), sizeof(array)[0], sizeof(array) / sizeof(array)[0]                                \
    }
/* Bytes for every error message of option_next(), with the terminating zero. */
#define OPTION_PROBLEM_SIZE 200

enum option_verdict {
    OPTION_GIVEN, /* an option was read: `row` and `value` */
    OPTION_BAD,   /* none that the table has: `problem` */
    OPTION_END,   /* words are left, from `first_word` on, or nothing */
};

/* A command line that is being read; one at a time in a process. */
struct option_reader {
    struct option_table table;
    int argc;
    char **argv;
    bool mixed;
    size_t row;                        /* its number in the table */
    const char *value;                 /* NULL if it takes none */
    int first_word;                    /* in argv */
    char problem[OPTION_PROBLEM_SIZE]; /* error message without its end, long names cut */
};

/* Begins. With `mixed` options may stand behind other words, which then are sorted to the end of
 * argv; else the first other word ends the options. */
void option_begin(struct option_reader *reader, struct option_table table, int argc, char **argv,
                  bool mixed);

/* The next one. */
enum option_verdict option_next(struct option_reader *reader);

const struct option_row *option_row_at(struct option_table table, size_t row);

/* The option as one types it, "--name" or else "-n", cut to `size` bytes with the terminating
 * zero. */
void option_write_name(char *out, size_t size, const struct option_row *row);

/* Prints a line for each, the help behind a first column of `width` characters. */
void option_print(FILE *out, struct option_table table, int width);

#endif
