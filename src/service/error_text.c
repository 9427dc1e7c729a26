/* Formatting into an arena. Knows no error. */
#include "service/error_text.h"

#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

const char *error_text_format(struct arena *arena, const char *format, ...)
{
    char *text = arena_alloc(arena, ERROR_TEXT_MAX);
    va_list args;
    va_start(args, format);
    vsnprintf(text, ERROR_TEXT_MAX, format, args);
    va_end(args);
    return text;
}
