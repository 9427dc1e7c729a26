/* Formats cells as text, and rows of them in two ways. Does not know what they mean. */
#include "cli/table.h"

#include "base/check.h"
#include "base/quote.h"

#include <stdarg.h>
#include <stdlib.h>

/* Between two columns. */
#define GAP 2

struct table_row {
    struct table_row *next;
    const char *cells[];
};

void table_init(struct table *table, const struct table_column *columns, size_t column_count,
                struct arena *arena)
{
    *table = (struct table){.columns = columns, .column_count = column_count, .arena = arena};
}

void table_add_row(struct table *table)
{
    CHECK(table->first == NULL || table->filled == table->column_count);
    struct table_row *row =
        arena_alloc(table->arena, sizeof *row + table->column_count * sizeof row->cells[0]);
    row->next = NULL;
    if (table->first == NULL)
        table->first = row;
    else
        table->last->next = row;
    table->last = row;
    table->filled = 0;
}

/* The next cell, of `size` bytes with the terminating zero. */
static char *table_next_cell(struct table *table, size_t size)
{
    CHECK(table->last != NULL && table->filled < table->column_count);
    char *cell = arena_alloc(table->arena, size);
    table->last->cells[table->filled++] = cell;
    return cell;
}

void table_put(struct table *table, const char *format, ...)
{
    va_list values, again;
    va_start(values, format);
    va_copy(again, values);
    size_t size = (size_t)vsnprintf(NULL, 0, format, values) + 1;
    vsnprintf(table_next_cell(table, size), size, format, again);
    va_end(again);
    va_end(values);
}

void table_put_word(struct table *table, struct keystore_slice bytes)
{
    char *cell = table_next_cell(table, QUOTED_SIZE(bytes.len));
    cell[0] = '\0';
    if (bytes.len > 0)
        quote_text(cell, slice_make(bytes.data, bytes.len));
}

/* ---- for people ---- */

static size_t table_width(const struct table *table, size_t column)
{
    size_t width = strlen(table->columns[column].title);
    for (const struct table_row *row = table->first; row != NULL; row = row->next)
        if (strlen(row->cells[column]) > width)
            width = strlen(row->cells[column]);
    return width;
}

/* One line; the row of titles if `row` is NULL. A column that is the last one is not filled up. */
static void table_write_row(const struct table *table, const struct table_row *row,
                            const size_t *widths, FILE *out)
{
    size_t owed = 0; /* spaces, if something follows */
    for (size_t i = 0; i < table->column_count; i++) {
        const struct table_column *column = &table->columns[i];
        if (column->title == NULL)
            continue;
        const char *text = row != NULL ? row->cells[i] : column->title;
        size_t missing = widths[i] - strlen(text);
        size_t before = owed + (column->is_number ? missing : 0);
        if (text[0] != '\0')
            fprintf(out, "%*s%s", (int)before, "", text);
        owed = (text[0] != '\0' ? 0 : before) + (column->is_number ? 0 : missing) + GAP;
    }
}

static void table_write(const struct table *table, FILE *out)
{
    size_t *widths = arena_alloc(table->arena, table->column_count * sizeof *widths);
    for (size_t i = 0; i < table->column_count; i++)
        widths[i] = table->columns[i].title != NULL ? table_width(table, i) : 0;
    table_write_row(table, NULL, widths, out);
    for (const struct table_row *row = table->first; row != NULL; row = row->next) {
        putc('\n', out);
        table_write_row(table, row, widths, out);
    }
}

/* ---- for programs ---- */

static void table_write_lines(const struct table *table, FILE *out)
{
    for (const struct table_row *row = table->first; row != NULL; row = row->next) {
        const char *separator = row != table->first ? "\n" : "";
        for (size_t i = 0; i < table->column_count; i++) {
            if (table->columns[i].name == NULL)
                continue;
            fprintf(out, "%s%s=%s", separator, table->columns[i].name, row->cells[i]);
            separator = " ";
        }
    }
}

static struct reply table_make_text(const struct table *table,
                                    void (*write)(const struct table *table, FILE *out))
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    CHECK(out != NULL);
    write(table, out);
    fclose(out);
    struct slice copy = arena_copy(table->arena, slice_make(text, len));
    free(text);
    return (struct reply){.type = REPLY_TEXT, .bytes = {copy.data, copy.len}};
}

struct reply table_reply(const struct table *table)
{
    if (table->first == NULL)
        return format_list(NULL, 0);
    CHECK(table->filled == table->column_count);
    struct reply *forms = arena_alloc(table->arena, 2 * sizeof *forms);
    forms[0] = table_make_text(table, table_write);
    forms[1] = table_make_text(table, table_write_lines);
    return (struct reply){.type = REPLY_EITHER, .items = forms, .count = 2};
}
