/*
 * Commands in RESP, the format of Redis' append-only file: "*<arguments>\r\n", and for each
 * argument "$<bytes>\r\n<the bytes>\r\n" (https://redis.io/docs/reference/protocol-spec/). Lines
 * between commands that start with '#' are not RESP; readers of a log skip them first
 * (journal/log/scan.h).
 */
#ifndef KEYSTORE_JOURNAL_LOG_RESP_H
#define KEYSTORE_JOURNAL_LOG_RESP_H

#include "base/slice.h"

/* Arguments of commands, one after the other. All zero is empty. */
struct resp_args {
    struct slice *items;
    size_t count;
    size_t capacity;
};

void resp_args_deinit(struct resp_args *args);

enum resp_verdict {
    RESP_COMMAND, /* a complete command was read */
    RESP_MORE,    /* the text ends within the command, or is empty */
    RESP_ERROR,   /* the text is not a command, whatever may follow it */
};

/*
 * Reads the command at the start of the text. RESP_COMMAND: its arguments (at least one), which
 * point into the text, are appended to `args`, and *used is its size. RESP_ERROR: *used is the
 * offset of the first wrong byte. Otherwise nothing is appended and *used is 0.
 *
 * Stricter than Redis where Redis never writes anything else: lines end with "\r\n", and numbers
 * are plain decimals of at most ten digits.
 */
enum resp_verdict resp_parse(struct slice text, struct resp_args *args, size_t *used)
    __attribute__((warn_unused_result));

/* True if the bytes are the word in any case; `word` is in capitals. */
bool resp_is_word(struct slice bytes, const char *word);

#endif
