/*
 * The server's log: one line per event on standard error, with UTC time and level. Thread-safe.
 *
 * A line is text for people, or for programs logfmt (name=value) or JSON, one object a line; both
 * have the names time, level and msg before those of the event's own fields. Whatever a field or
 * the message contains, one event is one line, and its parts can be told apart.
 */
#ifndef KEYSTORE_BASE_LOG_H
#define KEYSTORE_BASE_LOG_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_LOGFMT, LOG_JSON };

/* As users write them: "error" and so on, "text" and so on. */
extern const char *const log_level_names[LOG_DEBUG + 1];
extern const char *const log_format_names[LOG_JSON + 1];

/* Drops lines above this level. Initially LOG_INFO. */
void log_set_level(enum log_level level);

/* True if a line of that level would be written. */
bool log_is_on(enum log_level level);

/* Of the lines that follow. Initially LOG_TEXT. */
void log_set_format(enum log_format format);

/* Writes a printf-style line, given without newline; truncated after about 1,000 bytes. In text,
 * control characters become '?'. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_write(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_DEBUG, __VA_ARGS__)

/*
 * A field of an event, borrowed. The name is a word of lower-case letters and '_'. In a text, what
 * is not printable UTF-8 is written as \xHH, or a shorter escape such as \n.
 */
struct log_field {
    const char *name;
    struct slice text; /* unless it is a number */
    bool is_number;
    int64_t number;
};

static inline struct log_field log_text_field(const char *name, struct slice text)
{
    return (struct log_field){.name = name, .text = text};
}

static inline struct log_field log_number_field(const char *name, int64_t number)
{
    return (struct log_field){.name = name, .is_number = true, .number = number};
}

/* A line with fields. Those for which a line of 4,000 bytes has no room are left out, or cut. */
void log_event(enum log_level level, const char *message, const struct log_field *fields,
               size_t count);

/* Why the program cannot go on: an error, in text without time and level but with the name of the
 * program, as what starts it expects. */
void log_fatal(const char *program, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
