/* Rows of named values: an aligned table for people, and lines of name=value for programs. */
#ifndef KEYSTORE_CLI_TABLE_H
#define KEYSTORE_CLI_TABLE_H

#include "base/arena.h"
#include "cli/format.h"

struct table_column {
    const char *title; /* in the table; NULL: it is not there */
    const char *name;  /* in the lines; NULL: it is not there */
    bool is_number;    /* aligned to the right */
};

struct table_row;

struct table {
    const struct table_column *columns;
    size_t column_count;
    struct arena *arena;
    struct table_row *first, *last; /* NULL: no rows */
    size_t filled;                  /* cells of the last row */
};

/* Borrows the columns. All memory is the arena's. */
void table_init(struct table *table, const struct table_column *columns, size_t column_count,
                struct arena *arena);

/* Starts a row; the calls that follow fill its cells from left to right, each of them once. */
void table_add_row(struct table *table);

/* A cell as printf() formats it, without spaces and quotes in it. */
void table_put(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A cell of any bytes, in quotes if they need some; empty if there are none. */
void table_put_word(struct table *table, struct keystore_slice bytes);

/* What to print: REPLY_EITHER; an empty list if there are no rows. Every cell must be filled. */
struct reply table_reply(const struct table *table);

#endif
