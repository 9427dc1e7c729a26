/* Reads commands in RESP. Knows neither what they mean nor of files. */
#include "journal/log/resp.h"

#include "base/mem.h"

#include <stdlib.h>

#define MOST_DIGITS 10
#define FIRST_ARGS  16

void resp_args_deinit(struct resp_args *args)
{
    free(args->items);
    *args = (struct resp_args){0};
}

static void resp_add_argument(struct resp_args *args, struct slice argument)
{
    if (args->count == args->capacity) {
        args->capacity = args->capacity > 0 ? args->capacity * 2 : FIRST_ARGS;
        args->items = mem_realloc(args->items, args->capacity * sizeof *args->items);
    }
    args->items[args->count++] = argument;
}

/* Expects this byte at *at and passes it. */
static enum resp_verdict resp_expect(struct slice text, size_t *at, char wanted)
{
    if (*at >= text.len)
        return RESP_MORE;
    if (text.data[*at] != (uint8_t)wanted)
        return RESP_ERROR;
    ++*at;
    return RESP_COMMAND;
}

static enum resp_verdict resp_expect_line_end(struct slice text, size_t *at)
{
    enum resp_verdict verdict = resp_expect(text, at, '\r');
    return verdict == RESP_COMMAND ? resp_expect(text, at, '\n') : verdict;
}

/* Reads "<type><number>\r\n" and passes it; on an error *at is at the wrong byte. */
static enum resp_verdict resp_parse_line(struct slice text, size_t *at, char type, uint64_t *number)
{
    enum resp_verdict verdict = resp_expect(text, at, type);
    if (verdict != RESP_COMMAND)
        return verdict;
    size_t first = *at;
    *number = 0;
    for (; *at < text.len && text.data[*at] >= '0' && text.data[*at] <= '9'; ++*at) {
        bool leading_zero = *at == first + 1 && *number == 0;
        if (*at - first == MOST_DIGITS || leading_zero)
            return RESP_ERROR;
        *number = *number * 10 + (uint64_t)(text.data[*at] - '0');
    }
    if (*at == first && *at < text.len)
        return RESP_ERROR;
    return resp_expect_line_end(text, at);
}

static enum resp_verdict resp_parse_argument(struct slice text, size_t *at, struct slice *argument)
{
    uint64_t len;
    enum resp_verdict verdict = resp_parse_line(text, at, '$', &len);
    if (verdict != RESP_COMMAND)
        return verdict;
    if (len > text.len - *at)
        return RESP_MORE;
    *argument = slice_make(text.data + *at, (size_t)len);
    *at += (size_t)len;
    return resp_expect_line_end(text, at);
}

static enum resp_verdict resp_parse_command(struct slice text, struct resp_args *args, size_t *at)
{
    uint64_t count;
    enum resp_verdict verdict = resp_parse_line(text, at, '*', &count);
    if (verdict != RESP_COMMAND)
        return verdict;
    if (count == 0) {
        *at = 1;
        return RESP_ERROR;
    }
    /* Nothing is allocated for what is only announced. */
    for (uint64_t i = 0; i < count; i++) {
        struct slice argument;
        verdict = resp_parse_argument(text, at, &argument);
        if (verdict != RESP_COMMAND)
            return verdict;
        resp_add_argument(args, argument);
    }
    return RESP_COMMAND;
}

enum resp_verdict resp_parse(struct slice text, struct resp_args *args, size_t *used)
{
    size_t before = args->count;
    size_t at = 0;
    enum resp_verdict verdict = resp_parse_command(text, args, &at);
    if (verdict != RESP_COMMAND)
        args->count = before;
    *used = verdict == RESP_MORE ? 0 : at;
    return verdict;
}

bool resp_is_word(struct slice bytes, const char *word)
{
    if (bytes.len != strlen(word))
        return false;
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t letter = bytes.data[i];
        if (letter >= 'a' && letter <= 'z')
            letter = (uint8_t)(letter - 'a' + 'A');
        if (letter != (uint8_t)word[i])
            return false;
    }
    return true;
}
