/* The quoting rules of a command line. Does not know commands. */
#include "cli/split.h"

#include "base/hex.h"

static const char unbalanced[] =
    "unbalanced quotes: close each \" and ', and put a space after the "
    "closing quote";

/* The rest of the line, and where the bytes of the current word are written. */
struct cursor {
    struct slice rest;
    uint8_t *out;
};

static bool split_is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool split_take_hex_escape(struct cursor *cursor)
{
    const uint8_t *at = cursor->rest.data;
    if (cursor->rest.len < 4 || at[1] != 'x' || hex_digit(at[2]) < 0 || hex_digit(at[3]) < 0)
        return false;
    *cursor->out++ = (uint8_t)(hex_digit(at[2]) * 16 + hex_digit(at[3]));
    cursor->rest = slice_skip(cursor->rest, 4);
    return true;
}

static uint8_t split_meaning_of_escape(uint8_t c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return c;
    }
}

/* An escape inside double quotes; the cursor is at the backslash. */
static void split_take_escape(struct cursor *cursor)
{
    if (split_take_hex_escape(cursor))
        return;
    *cursor->out++ = split_meaning_of_escape(cursor->rest.data[1]);
    cursor->rest = slice_skip(cursor->rest, 2);
}

/* The text between quotes; the cursor is after the opening one. */
static bool split_take_quoted(struct cursor *cursor, uint8_t quote)
{
    while (cursor->rest.len > 0) {
        const uint8_t *at = cursor->rest.data;
        bool two = cursor->rest.len >= 2;
        if (*at == quote) {
            cursor->rest = slice_skip(cursor->rest, 1);
            return cursor->rest.len == 0 || split_is_space(*cursor->rest.data);
        }
        if (*at == '\\' && two && quote == '"') {
            split_take_escape(cursor);
        } else if (*at == '\\' && two && at[1] == '\'') {
            *cursor->out++ = '\'';
            cursor->rest = slice_skip(cursor->rest, 2);
        } else {
            *cursor->out++ = *at;
            cursor->rest = slice_skip(cursor->rest, 1);
        }
    }
    return false;
}

/* One word; quotes may start anywhere in it. */
static bool split_take_word(struct cursor *cursor)
{
    while (cursor->rest.len > 0 && !split_is_space(*cursor->rest.data)) {
        uint8_t c = *cursor->rest.data;
        cursor->rest = slice_skip(cursor->rest, 1);
        if (c != '"' && c != '\'')
            *cursor->out++ = c;
        else if (!split_take_quoted(cursor, c))
            return false;
    }
    return true;
}

static void split_skip_space(struct cursor *cursor)
{
    while (cursor->rest.len > 0 && split_is_space(*cursor->rest.data))
        cursor->rest = slice_skip(cursor->rest, 1);
}

/* An upper bound of the number of words: quotes only join what spaces separate. */
static size_t split_count_words(struct slice line)
{
    size_t count = 0;
    for (size_t i = 0; i < line.len; i++)
        count += !split_is_space(line.data[i]) && (i == 0 || split_is_space(line.data[i - 1]));
    return count;
}

static const char *split(struct cursor cursor, struct arena *arena, struct words *words)
{
    words->items = arena_alloc(arena, (split_count_words(cursor.rest) + 1) * sizeof *words->items);
    words->count = 0;
    for (;;) {
        split_skip_space(&cursor);
        if (cursor.rest.len == 0)
            return NULL;
        const uint8_t *start = cursor.out;
        if (!split_take_word(&cursor))
            return unbalanced;
        words->items[words->count++] =
            (struct keystore_slice){.data = start, .len = (size_t)(cursor.out - start)};
    }
}

const char *split_line(struct slice line, struct arena *arena, struct words *words)
{
    /* No word is longer than its text. */
    return split((struct cursor){.rest = line, .out = arena_alloc(arena, line.len + 1)}, arena,
                 words);
}

const char *split_in_place(uint8_t *line, size_t len, struct arena *arena, struct words *words)
{
    return split((struct cursor){.rest = slice_make(line, len), .out = line}, arena, words);
}
