/* Splits a command line into words, by the quoting rules of redis-cli. */
#ifndef KEYSTORE_CLI_SPLIT_H
#define KEYSTORE_CLI_SPLIT_H

#include "base/arena.h"
#include "keystore/client.h"

struct words {
    struct keystore_slice *items;
    size_t count;
};

/*
 * Splits at white space. In double quotes \n \r \t \b \a and \xHH stand for bytes, and a backslash
 * before any other character stands for that character; in single quotes only \' is an escape. A
 * closing quote must end its word. The words live in the arena. Returns NULL, or an error message
 * in static memory.
 */
const char *split_line(struct slice line, struct arena *arena, struct words *words);

/* The same, but the words overwrite the line. */
const char *split_in_place(uint8_t *line, size_t len, struct arena *arena, struct words *words);

#endif
