/* What a command answers, and how that looks. */
#ifndef KEYSTORE_CLI_FORMAT_H
#define KEYSTORE_CLI_FORMAT_H

#include "keystore/client.h"

#include <stdio.h>

enum reply_type {
    REPLY_OK,
    REPLY_NIL,
    REPLY_INTEGER,
    REPLY_BYTES,
    REPLY_LIST,
    REPLY_NOTHING, /* prints no line at all: the command has done its own printing */
};

/* Borrowed: slices belong to the client and are valid until its next call. */
struct reply {
    enum reply_type type;
    int64_t integer;
    struct keystore_slice bytes;
    const struct keystore_slice *items;
    size_t count;
};

/* For people, as redis-cli does: "text", (integer) 1, (nil), numbered lists. */
void format_reply(FILE *out, const struct reply *reply);

/* For programs, as redis-cli does: the bytes, each value followed by a newline; nil is an empty
 * line. */
void format_reply_raw(FILE *out, const struct reply *reply);

/* A value in double quotes with C escapes, so that it can be pasted into a command again. */
void format_quoted(FILE *out, struct keystore_slice bytes);

/* "(error) CODE REASON: sentence" and a newline; the reason only if there is one. */
void format_error(FILE *out, const struct keystore_error *error);

/* "(error) sentence" and a newline, for what never reached a server. */
void format_problem(FILE *out, const char *sentence);

#endif
