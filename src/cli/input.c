/*
 * Reads commands into one buffer and returns slices of it. The buffer grows with the bytes that
 * arrive, not with the lengths that are announced, and lack of memory is an error, not the end of
 * the program. Does not know what commands mean.
 */
#include "cli/input.h"

#include "base/check.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Bytes of a read(), which also bound how many commands may go to the server together. */
#define READ_SIZE ((size_t)256 << 10)

/* Maximum digits of a RESP number, and words of a command. */
#define MAX_DIGITS 10
#define MAX_WORDS  ((size_t)INT32_MAX)

void input_init(struct input *input, int fd, size_t limit)
{
    *input = (struct input){.fd = fd, .limit = limit};
}

void input_deinit(struct input *input)
{
    free(input->data);
    free(input->spans);
}

const char *input_unit(const struct input *input)
{
    return input->form == INPUT_FORM_RESP ? "command" : "line";
}

/* Sets the error message, formatted as by printf(); evaluates to INPUT_BAD. */
#define refuse(input, ...) (snprintf((input)->problem, INPUT_PROBLEM_SIZE, __VA_ARGS__), INPUT_BAD)

/* Skips `size` bytes; the next command starts after them. */
static void input_advance(struct input *input, size_t size)
{
    input->start += size;
    input->known = 0;
    input->span_count = 0;
    input->announced = 0;
    CHECK(input->start <= input->end);
}

/* ---- lines ---- */

/* Parses a line of `len` bytes; INPUT_MORE if it is one to skip. */
static enum input_result input_take_line(struct input *input, uint8_t *line, size_t len,
                                         struct arena *arena, struct words *words)
{
    input->number++;
    if (len > 0 && line[0] == '#')
        return INPUT_MORE;
    if (memchr(line, '\0', len) != NULL)
        return refuse(input,
                      "line %" PRIu64
                      " has a zero byte, so it is not text: write it as \"\\x00\" in quotes, or "
                      "use RESP, which may contain any bytes",
                      input->number);
    const char *problem = split_in_place(line, len, arena, words);
    if (problem != NULL) {
        snprintf(input->problem, INPUT_PROBLEM_SIZE, "%s", problem);
        return INPUT_REFUSED;
    }
    return words->count > 0 ? INPUT_COMMAND : INPUT_MORE;
}

static enum input_result input_take_from_lines(struct input *input, struct arena *arena,
                                               struct words *words)
{
    while (input->start < input->end) {
        uint8_t *line = input->data + input->start;
        size_t left = input->end - input->start;
        const uint8_t *newline = memchr(line + input->known, '\n', left - input->known);
        if (newline == NULL && !input->at_end) {
            input->known = left;
            return INPUT_MORE;
        }
        size_t len = newline != NULL ? (size_t)(newline - line) : left;
        input_advance(input, newline != NULL ? len + 1 : len);
        enum input_result result = input_take_line(input, line, len, arena, words);
        if (result != INPUT_MORE)
            return result;
    }
    return input->at_end ? INPUT_END : INPUT_MORE;
}

/* ---- RESP ---- */

/* Fails because `what` must be at offset `at`; INPUT_MORE if the input may still grow. */
static enum input_result input_expect(struct input *input, size_t at, const char *what)
{
    uint64_t offset = input->past + input->start + at;
    if (input->start + at == input->end) {
        if (!input->at_end)
            return INPUT_MORE;
        return refuse(input, "command %" PRIu64 ", byte %" PRIu64 ": expected %s, got the end",
                      input->number + 1, offset, what);
    }
    unsigned char byte = input->data[input->start + at];
    char seen[8];
    snprintf(seen, sizeof seen, isgraph(byte) ? "'%c'" : "0x%02x", byte);
    return refuse(input, "command %" PRIu64 ", byte %" PRIu64 ": expected %s, got %s",
                  input->number + 1, offset, what, seen);
}

static bool input_is_at(const struct input *input, size_t at, uint8_t byte)
{
    return input->start + at < input->end && input->data[input->start + at] == byte;
}

/* INPUT_COMMAND if "\r\n" is at that offset. */
static enum input_result input_take_line_end(struct input *input, size_t at)
{
    if (!input_is_at(input, at, '\r'))
        return input_expect(input, at, "\"\\r\\n\"");
    if (!input_is_at(input, at + 1, '\n'))
        return input_expect(input, at + 1, "\"\\n\" after \"\\r\"");
    return INPUT_COMMAND;
}

/* Takes "<mark><number>\r\n" at `known` and moves `known` past it; INPUT_COMMAND on success. */
static enum input_result input_take_number(struct input *input, uint8_t mark, const char *mark_name,
                                           const char *number_name, size_t max, size_t *number)
{
    size_t at = input->known, digits = 0;
    if (!input_is_at(input, at, mark))
        return input_expect(input, at, mark_name);
    uint64_t value = 0;
    for (at++; input->start + at < input->end && isdigit(input->data[input->start + at]); at++) {
        value = value * 10 + (uint64_t)(input->data[input->start + at] - '0');
        if (++digits > MAX_DIGITS || value > max)
            return input_expect(input, at, number_name);
    }
    if (digits == 0)
        return input_expect(input, at, number_name);
    enum input_result result = input_take_line_end(input, at);
    if (result != INPUT_COMMAND)
        return result;
    *number = (size_t)value;
    input->known = at + 2;
    return INPUT_COMMAND;
}

static bool input_add_span(struct input *input, struct input_span span)
{
    if (input->span_count == input->span_capacity) {
        size_t capacity = input->span_capacity > 0 ? 2 * input->span_capacity : 64;
        struct input_span *spans = realloc(input->spans, capacity * sizeof *spans);
        if (spans == NULL)
            return false;
        input->spans = spans;
        input->span_capacity = capacity;
    }
    input->spans[input->span_count++] = span;
    return true;
}

static enum input_result input_take_word(struct input *input)
{
    size_t before = input->known, len;
    enum input_result result =
        input_take_number(input, '$', "'$' and the length of a word",
                          "the length of a word, 0 to 1073741824", INPUT_LIMIT, &len);
    if (result != INPUT_COMMAND)
        return result;
    size_t at = input->known;
    if (input->end - input->start - at < len) {
        result = input_expect(input, input->end - input->start, "the rest of a word");
    } else {
        result = input_take_line_end(input, at + len);
        if (result == INPUT_COMMAND && !input_add_span(input, (struct input_span){at, len}))
            return refuse(input, "out of memory for the %zu words of command %" PRIu64,
                          input->announced, input->number + 1);
    }
    /* An incomplete word is parsed again, from its length on. */
    input->known = result == INPUT_COMMAND ? at + len + 2 : before;
    return result;
}

static void input_make_words(const struct input *input, struct arena *arena, struct words *words)
{
    DCHECK(input->span_count == input->announced);
    words->count = input->span_count;
    words->items = arena_alloc(arena, words->count * sizeof *words->items);
    for (size_t i = 0; i < words->count; i++)
        words->items[i] = (struct keystore_slice){
            .data = input->data + input->start + input->spans[i].at, .len = input->spans[i].len};
}

static enum input_result input_take_from_resp(struct input *input, struct arena *arena,
                                              struct words *words)
{
    while (input->announced == 0) {
        if (input->at_end && input->start == input->end)
            return INPUT_END;
        enum input_result result =
            input_take_number(input, '*', "'*' and the number of words of a command",
                              "the number of words, 0 to 2147483647", MAX_WORDS, &input->announced);
        if (result != INPUT_COMMAND)
            return result;
        if (input->announced == 0) /* Redis ignores such a command */
            input_advance(input, input->known);
    }
    while (input->span_count < input->announced) {
        enum input_result result = input_take_word(input);
        if (result != INPUT_COMMAND)
            return result;
    }
    input_make_words(input, arena, words);
    input_advance(input, input->known);
    input->number++;
    return INPUT_COMMAND;
}

enum input_result input_take(struct input *input, struct arena *arena, struct words *words)
{
    if (input->form == INPUT_FORM_UNKNOWN) {
        if (input->start == input->end)
            return input->at_end ? INPUT_END : INPUT_MORE;
        input->form = input->data[input->start] == '*' ? INPUT_FORM_RESP : INPUT_FORM_LINES;
    }
    return input->form == INPUT_FORM_RESP ? input_take_from_resp(input, arena, words)
                                          : input_take_from_lines(input, arena, words);
}

/* ---- reading ---- */

static bool input_grow(struct input *input)
{
    size_t capacity = input->capacity > 0 ? 2 * input->capacity : READ_SIZE;
    if (input->capacity >= input->limit) {
        snprintf(input->problem, INPUT_PROBLEM_SIZE,
                 "%s %" PRIu64 " is longer than %zu bytes, more than any server accepts",
                 input_unit(input), input->number + 1, input->limit);
        return false;
    }
    if (capacity > input->limit)
        capacity = input->limit;
    uint8_t *data = realloc(input->data, capacity);
    if (data == NULL) {
        snprintf(input->problem, INPUT_PROBLEM_SIZE,
                 "out of memory: %s %" PRIu64 " needs more than %zu bytes", input_unit(input),
                 input->number + 1, input->capacity);
        return false;
    }
    input->data = data;
    input->capacity = capacity;
    return true;
}

bool input_fill(struct input *input)
{
    if (input->start > 0) {
        memmove(input->data, input->data + input->start, input->end - input->start);
        input->past += input->start;
        input->end -= input->start;
        input->start = 0;
    }
    if (input->end == input->capacity && !input_grow(input))
        return false;
    CHECK(input->end < input->capacity);
    size_t space = input->capacity - input->end;
    ssize_t got;
    do
        got = read(input->fd, input->data + input->end, space < READ_SIZE ? space : READ_SIZE);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        snprintf(input->problem, INPUT_PROBLEM_SIZE, "cannot read standard input: %s",
                 strerror(errno));
        return false;
    }
    input->at_end = got == 0;
    input->end += (size_t)got;
    return true;
}
