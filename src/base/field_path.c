/* Reads and extends the path of a field at the start of an error message. */
#include "base/field_path.h"

#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

/* Bytes of the longest path around another, with its terminating zero. */
#define MAX_OUTER 100

static bool field_path_is_letter(uint8_t byte)
{
    return byte >= 'a' && byte <= 'z';
}

static bool field_path_is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* The end of the name at `at`; `at` if there is none. */
static size_t field_path_skip_name(struct slice text, size_t at)
{
    if (at == text.len || !field_path_is_letter(text.data[at]))
        return at;
    while (at < text.len && (field_path_is_letter(text.data[at]) ||
                             field_path_is_digit(text.data[at]) || text.data[at] == '_'))
        at++;
    return at;
}

/* The end of the index at `at`; `at` if there is none. */
static size_t field_path_skip_index(struct slice text, size_t at)
{
    size_t end = at + 1;
    if (at == text.len || text.data[at] != '[')
        return at;
    while (end < text.len && field_path_is_digit(text.data[end]))
        end++;
    return end > at + 1 && end < text.len && text.data[end] == ']' ? end + 1 : at;
}

struct slice field_path_of(struct slice message)
{
    size_t at = 0;
    for (;;) {
        size_t end = field_path_skip_name(message, at);
        if (end == at)
            return slice_make(NULL, 0);
        at = field_path_skip_index(message, end);
        if (at == message.len || message.data[at] != '.')
            break;
        at++;
    }
    bool is_path = message.len - at >= 2 && message.data[at] == ':' && message.data[at + 1] == ' ';
    return slice_make(message.data, is_path ? at : 0);
}

struct slice field_path_text(struct slice message)
{
    struct slice path = field_path_of(message);
    return path.len == 0 ? message : slice_skip(message, path.len + 2);
}

const char *field_path_within(struct arena *arena, const char *message, const char *outer, ...)
{
    char path[MAX_OUTER];
    const char *between = field_path_of(slice_from_string(message)).len > 0 ? "." : ": ";
    va_list args;
    va_start(args, outer);
    vsnprintf(path, sizeof path, outer, args);
    va_end(args);
    size_t size = strlen(path) + strlen(between) + strlen(message) + 1;
    char *text = arena_alloc(arena, size);
    snprintf(text, size, "%s%s%s", path, between, message);
    return text;
}
