/*
 * Commands from a descriptor, in one of two forms, which the first byte tells apart: lines of words
 * (cli/split.h), or RESP, the protocol of Redis: "*<words>\r\n", and of each word
 * "$<bytes>\r\n<the bytes>\r\n".
 */
#ifndef KEYSTORE_CLI_INPUT_H
#define KEYSTORE_CLI_INPUT_H

#include "cli/split.h"

#define INPUT_PROBLEM_SIZE 200

/* Of a command: more than any server takes, even if each byte is written as \xHH. */
#define INPUT_LIMIT ((size_t)1 << 30)

enum input_form { INPUT_FORM_UNKNOWN, INPUT_FORM_LINES, INPUT_FORM_RESP };

/* A word of a RESP command that is not whole yet. */
struct input_span {
    size_t at; /* from the command's first byte */
    size_t len;
};

struct input {
    int fd; /* borrowed */
    enum input_form form;
    uint8_t *data;
    size_t capacity;
    size_t start;    /* of the command to be taken next, in `data` */
    size_t end;      /* of what was read */
    size_t known;    /* bytes from `start` on that need not be looked at again */
    size_t limit;    /* bytes of a command */
    bool at_end;     /* no more bytes come */
    uint64_t past;   /* bytes of the stream before data[0] */
    uint64_t number; /* of the line or command taken last, from 1 on */
    struct input_span *spans;
    size_t span_count;
    size_t span_capacity;
    size_t announced; /* words of the RESP command; 0 = its first line is not read */
    char problem[INPUT_PROBLEM_SIZE];
};

enum input_result {
    INPUT_COMMAND, /* *words has at least one word */
    INPUT_REFUSED, /* a line that is no command; `problem` says why, and the next one may be good */
    INPUT_MORE,    /* no whole command is left of what was read: input_fill() */
    INPUT_END,
    INPUT_BAD, /* nothing can follow; `problem` says what was wrong, and where */
};

/* `limit` is that of a command in bytes, INPUT_LIMIT if it is not a test. */
void input_init(struct input *input, int fd, size_t limit);
void input_deinit(struct input *input);

/* "line" or "command": what `number` counts. */
const char *input_unit(const struct input *input);

/* Takes the next command. The words live in what was read and in the arena, until the next
 * input_fill(). Blank lines, lines that start with '#' and empty RESP commands are skipped. */
enum input_result input_take(struct input *input, struct arena *arena, struct words *words);

/* Reads once; waits if there is nothing yet. False, with `problem`, if that cannot be. */
bool input_fill(struct input *input) __attribute__((warn_unused_result));

#endif
