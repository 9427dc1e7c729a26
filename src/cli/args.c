/* Parses words as numbers and options. Does not know what they are for. */
#include "cli/args.h"

#include "base/decimal.h"
#include "cli/command.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>

/* Large enough for any number that a person would write. */
#define NUMBER_SIZE 400

bool args_is_word(struct keystore_slice word, const char *text)
{
    return word.len == strlen(text) && strncasecmp(word.data, text, word.len) == 0;
}

int args_quoted_len(struct keystore_slice word)
{
    return word.len < ARGS_QUOTE_LIMIT ? (int)word.len : ARGS_QUOTE_LIMIT;
}

size_t args_left(const struct args *args)
{
    return args->words.count - args->at;
}

struct keystore_slice args_take(struct args *args)
{
    return args->words.items[args->at++];
}

struct words args_take_rest(struct args *args)
{
    struct words rest = {.items = args->words.items + args->at, .count = args_left(args)};
    args->at = args->words.count;
    return rest;
}

bool args_is_next(const struct args *args, const char *word)
{
    return args_left(args) > 0 && args_is_word(args->words.items[args->at], word);
}

bool args_match(struct args *args, const char *word)
{
    bool is_next = args_is_next(args, word);
    if (is_next)
        args->at++;
    return is_next;
}

bool args_refuse(struct args *args, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(args->problem, ARGS_PROBLEM_SIZE, format, values);
    va_end(values);
    return false;
}

/* Copies the word as a string; false if it cannot be a number. A leading space is checked here,
 * since strtoull() would skip it. */
static bool args_copy_number(struct keystore_slice word, char text[static NUMBER_SIZE])
{
    if (word.len == 0 || word.len >= NUMBER_SIZE || isspace(*(const unsigned char *)word.data))
        return false;
    memcpy(text, word.data, word.len);
    text[word.len] = '\0';
    return strlen(text) == word.len;
}

static bool args_refuse_number(struct args *args, struct keystore_slice word, const char *what,
                               const char *wanted)
{
    return args_refuse(args, "'%.*s' is not a valid %s: %s takes %s", args_quoted_len(word),
                       (const char *)word.data, what, args->command->name, wanted);
}

bool args_integer(struct args *args, const char *what, int64_t min, int64_t max, int64_t *out)
{
    struct keystore_slice word = args_take(args);
    char wanted[100];
    if (decimal_parse(slice_make(word.data, word.len), out) && *out >= min && *out <= max)
        return true;
    if (min == INT64_MIN && max == INT64_MAX)
        snprintf(wanted, sizeof wanted, "a 64-bit integer");
    else if (max == INT64_MAX)
        snprintf(wanted, sizeof wanted, "an integer, %" PRId64 " or more", min);
    else
        snprintf(wanted, sizeof wanted, "an integer from %" PRId64 " to %" PRId64, min, max);
    return args_refuse_number(args, word, what, wanted);
}

bool args_unsigned(struct args *args, const char *what, uint64_t min, uint64_t *out)
{
    struct keystore_slice word = args_take(args);
    char text[NUMBER_SIZE], wanted[100];
    char *end;
    if (args_copy_number(word, text) && isdigit((unsigned char)text[0])) {
        errno = 0;
        *out = strtoull(text, &end, 10);
        if (errno == 0 && *end == '\0' && *out >= min)
            return true;
    }
    snprintf(wanted, sizeof wanted, "an integer, %" PRIu64 " or more", min);
    return args_refuse_number(args, word, what, wanted);
}

bool args_text(struct args *args, const char *what, const char **out)
{
    struct keystore_slice word = args_take(args);
    char *text = arena_alloc(args->arena, word.len + 1);
    if (word.len > 0)
        memcpy(text, word.data, word.len);
    text[word.len] = '\0';
    *out = text;
    return strlen(text) == word.len ||
           args_refuse_number(args, word, what, "a finite number such as 0.5");
}

bool args_has_value(struct args *args, const char *option)
{
    if (args_left(args) > 0)
        return true;
    return args_refuse(args, "%s of %s needs a value; usage: %s %s", option, args->command->name,
                       args->command->name, args->command->usage);
}

bool args_refuse_option(struct args *args)
{
    struct keystore_slice word = args_take(args);
    return args_refuse(args,
                       "%s has no option '%.*s' there (a value with spaces needs quotes); "
                       "usage: %s %s",
                       args->command->name, args_quoted_len(word), (const char *)word.data,
                       args->command->name, args->command->usage);
}
