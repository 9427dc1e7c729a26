/* Replies of commands, and how they are printed. */
#ifndef KEYSTORE_CLI_FORMAT_H
#define KEYSTORE_CLI_FORMAT_H

#include "keystore/client.h"

#include <stdio.h>

/* Large enough for any error of the library. */
#define FORMAT_ERROR_SIZE 640

enum reply_type {
    REPLY_NIL,
    REPLY_STATUS, /* a short word, such as OK */
    REPLY_INTEGER,
    REPLY_BYTES,
    REPLY_TEXT,  /* lines for people; the last one has no newline */
    REPLY_ERROR, /* an error message */
    REPLY_LIST,
    REPLY_EITHER, /* two items: what people see, and what programs do */
};

/* Borrows its memory; the function that returns it says how long that is valid. */
struct reply {
    enum reply_type type;
    int64_t integer;
    struct keystore_slice bytes; /* of types that are a text */
    const struct reply *items;
    size_t count;
};

static inline struct reply format_nil(void)
{
    return (struct reply){.type = REPLY_NIL};
}

static inline struct reply format_status(const char *word)
{
    return (struct reply){.type = REPLY_STATUS, .bytes = keystore_text(word)};
}

static inline struct reply format_integer(int64_t integer)
{
    return (struct reply){.type = REPLY_INTEGER, .integer = integer};
}

static inline struct reply format_bytes(struct keystore_slice bytes)
{
    return (struct reply){.type = REPLY_BYTES, .bytes = bytes};
}

static inline struct reply format_list(const struct reply *items, size_t count)
{
    return (struct reply){.type = REPLY_LIST, .items = items, .count = count};
}

/* For people, as redis-cli does: "text", (integer) 1, (nil), numbered lists. */
void format_reply(FILE *out, const struct reply *reply);

/* For programs, as redis-cli does: the bytes, each value followed by a newline; nil is an empty
 * line. */
void format_reply_raw(FILE *out, const struct reply *reply);

/* "(error) CODE REASON: message" and a newline; the reason only if there is one. */
void format_error(FILE *out, const struct keystore_error *error);

/* The same without "(error) " and the newline, into `out`. */
void format_error_text(char out[static FORMAT_ERROR_SIZE], enum keystore_code code,
                       const char *reason, const char *message);

/* "(error) message" and a newline, for commands that never reached a server. */
void format_problem(FILE *out, const char *message);

#endif
