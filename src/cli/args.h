/* Reads the arguments of a command from left to right and reports what is wrong with them. */
#ifndef KEYSTORE_CLI_ARGS_H
#define KEYSTORE_CLI_ARGS_H

#include "cli/split.h"

#include <stdio.h>

#define ARGS_PROBLEM_SIZE 400

/* Maximum length of a word quoted in an error message. */
#define ARGS_QUOTE_LIMIT 40

struct command;

struct args {
    const struct command *command;
    struct words words; /* without the command's name */
    size_t at;          /* index of the next one */
    uint32_t db;        /* the selected database */
    struct arena *arena;
    char *problem; /* the error message once an argument was refused; ARGS_PROBLEM_SIZE bytes */
};

/* Whether the word is this text, ignoring case. */
bool args_is_word(struct keystore_slice word, const char *text);

/* The precision with which "%.*s" quotes a word. */
int args_quoted_len(struct keystore_slice word);

/* The number of arguments left. */
size_t args_left(const struct args *args);

/* Takes the next argument; at least one must be left. */
struct keystore_slice args_take(struct args *args);

/* Takes all arguments that are left. */
struct words args_take_rest(struct args *args);

/* Whether the next argument is this word, ignoring case. */
bool args_is_next(const struct args *args, const char *word);

/* Takes the next argument if it is this word, ignoring case. */
bool args_match(struct args *args, const char *word);

/* Each takes the next argument as a number; `what` names it in the error message: "start index". */
bool args_integer(struct args *args, const char *what, int64_t min, int64_t max, int64_t *out);
bool args_unsigned(struct args *args, const char *what, uint64_t min, uint64_t *out);

/* Takes the next argument as the text of a number, which the server validates; zero-terminated, in
 * the arena. */
bool args_text(struct args *args, const char *what, const char **out);

/* Whether an argument follows the option that was just taken; refuses if none does. */
bool args_has_value(struct args *args, const char *option);

/* Refuses the next argument, which is not an option of the command; always false. */
bool args_refuse_option(struct args *args);

/* Sets the error message, formatted as by printf(); always false. */
bool args_refuse(struct args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
