/* Formatting into an arena. Knows no error. */
#include "service/sentence.h"

#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

const char *sentence_make(struct arena *arena, const char *format, ...)
{
    char *text = arena_alloc(arena, SENTENCE_MAX);
    va_list args;
    va_start(args, format);
    vsnprintf(text, SENTENCE_MAX, format, args);
    va_end(args);
    return text;
}
