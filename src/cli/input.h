/*
 * Commands from a descriptor, in one of two forms, distinguished by the first byte: lines of words
 * (cli/split.h), or RESP, the protocol of Redis: "*<words>\r\n", and for each word
 * "$<length>\r\n<bytes>\r\n".
 */
#ifndef KEYSTORE_CLI_INPUT_H
#define KEYSTORE_CLI_INPUT_H

#include "cli/split.h"

#define INPUT_PROBLEM_SIZE 200

/* Bytes of a command: more than any server accepts, even if each byte is written as \xHH. */
#define INPUT_LIMIT ((size_t)1 << 30)

enum input_form { INPUT_FORM_UNKNOWN, INPUT_FORM_LINES, INPUT_FORM_RESP };

/* A word of a RESP command that is still incomplete. */
struct input_span {
    size_t at; /* from the command's first byte */
    size_t len;
};

struct input {
    int fd; /* borrowed */
    enum input_form form;
    uint8_t *data;
    size_t capacity;
    size_t start;    /* of the next command in `data` */
    size_t end;      /* of the bytes in `data` */
    size_t known;    /* bytes from `start` on that are parsed already */
    size_t limit;    /* bytes of a command */
    bool at_end;     /* end of file was reached */
    uint64_t past;   /* bytes of the stream before data[0] */
    uint64_t number; /* of the line or command taken last, from 1 on */
    struct input_span *spans;
    size_t span_count;
    size_t span_capacity;
    size_t announced; /* words of the RESP command; 0 = its first line is not complete */
    char problem[INPUT_PROBLEM_SIZE];
};

enum input_result {
    INPUT_COMMAND, /* *words has at least one word */
    INPUT_REFUSED, /* a malformed line; `problem` says why, and the next one may be valid */
    INPUT_MORE,    /* no complete command is left in the buffer: call input_fill() */
    INPUT_END,
    INPUT_BAD, /* malformed beyond recovery; `problem` says what is wrong, and where */
};

/* `limit`: maximum bytes of a command; INPUT_LIMIT except in tests. */
void input_init(struct input *input, int fd, size_t limit);
void input_deinit(struct input *input);

/* "line" or "command": what `number` counts. */
const char *input_unit(const struct input *input);

/* Takes the next command. The words are slices of the buffer and the arena, valid until the next
 * input_fill(). Blank lines, lines that start with '#' and empty RESP commands are skipped. */
enum input_result input_take(struct input *input, struct arena *arena, struct words *words);

/* Reads once, and blocks until there is input. False, with `problem` set, on an error. */
bool input_fill(struct input *input) __attribute__((warn_unused_result));

#endif
