/* Reads the arguments of a command from left to right, and says what is wrong with them. */
#ifndef KEYSTORE_CLI_ARGS_H
#define KEYSTORE_CLI_ARGS_H

#include "cli/split.h"

#include <stdio.h>

#define ARGS_PROBLEM_SIZE 400

/* Of a word that is quoted in a sentence. */
#define ARGS_QUOTE_LIMIT 40

struct command;

struct args {
    const struct command *command;
    struct words words; /* without the command's name */
    size_t at;          /* the next one */
    uint32_t db;        /* the chosen database */
    struct arena *arena;
    char *problem; /* a sentence once something was refused; ARGS_PROBLEM_SIZE bytes */
};

/* Whether the word is this text, in upper or lower case. */
bool args_is_word(struct keystore_slice word, const char *text);

/* What "%.*s" takes to quote a word. */
int args_quoted_len(struct keystore_slice word);

/* How many are left. */
size_t args_left(const struct args *args);

/* The next one; there must be one left. */
struct keystore_slice args_take(struct args *args);

/* All that are left. */
struct words args_take_rest(struct args *args);

/* Whether the next one is this word, in upper or lower case. */
bool args_is_next(const struct args *args, const char *word);

/* Takes the next one if it is this word, in upper or lower case. */
bool args_match(struct args *args, const char *word);

/* Each takes the next one as a number; `what` names it in the complaint, "start index". */
bool args_integer(struct args *args, const char *what, int64_t min, int64_t max, int64_t *out);
bool args_unsigned(struct args *args, const char *what, uint64_t min, uint64_t *out);

/* Takes the next one as the text of a number, of which the server is the judge; zero-terminated, in
 * the arena. */
bool args_text(struct args *args, const char *what, const char **out);

/* What stands behind the option that was just taken; refuses if there is nothing. */
bool args_has_value(struct args *args, const char *option);

/* Refuses the next one, which is none of the command's options. */
bool args_refuse_option(struct args *args);

/* Writes the sentence of printf's form; always false. */
bool args_refuse(struct args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
