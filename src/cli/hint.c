/* Hints and completion as functions of the line. Does not know the terminal. */
#include "cli/hint.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define TOKEN_LIMIT 10

/* One argument in a usage text: "key", "LEFT|RIGHT", "[NX|XX]", "[EX seconds|PX milliseconds]",
 * "[value ...]". */
struct token {
    const char *text;
    size_t len;
    bool used;
};

struct usage {
    struct token tokens[TOKEN_LIMIT];
    size_t count;
    struct token missing; /* the value that the last option still needs, such as "seconds" */
};

static void hint_split_usage(const char *text, struct usage *usage)
{
    *usage = (struct usage){0};
    while (*text != '\0' && usage->count < TOKEN_LIMIT) {
        size_t len = strcspn(text, *text == '[' ? "]" : " ");
        if (text[len] == ']')
            len++;
        usage->tokens[usage->count++] = (struct token){.text = text, .len = len};
        text += len;
        text += strspn(text, " ");
    }
}

static bool hint_is_optional(const struct token *token)
{
    return token->text[0] == '[';
}

static bool hint_is_repeated(const struct token *token)
{
    return memmem(token->text, token->len, "...", 3) != NULL;
}

/* Whether any word matches it. */
static bool hint_is_placeholder(const struct token *token)
{
    return islower((unsigned char)token->text[hint_is_optional(token) ? 1 : 0]);
}

/* Whether the word is one of the token's keywords; then *missing is the value that must follow. */
static bool hint_is_choice(const struct token *token, struct keystore_slice word,
                           struct token *missing)
{
    const char *at = token->text + (hint_is_optional(token) ? 1 : 0);
    const char *end = token->text + token->len;
    while (at < end) {
        size_t len = strcspn(at, "|] ");
        size_t rest = hint_is_optional(token) ? strcspn(at + len, "|]") : 0;
        if (len == word.len && strncasecmp(at, word.data, len) == 0) {
            size_t space = rest > 0 ? 1 : 0;
            *missing = (struct token){.text = at + len + space, .len = rest - space};
            return true;
        }
        at += len + rest + 1;
    }
    return false;
}

/* A word that follows repeated arguments ends them. */
static void hint_end_repeated(struct usage *usage, size_t before)
{
    for (size_t i = 0; i < before; i++)
        if (hint_is_repeated(&usage->tokens[i]))
            usage->tokens[i].used = true;
}

/* Marks the token that the word matches as used. */
static void hint_use_word(struct usage *usage, struct keystore_slice word)
{
    bool may_repeat = false;
    if (usage->missing.len > 0) {
        usage->missing.len = 0;
        return;
    }
    for (size_t i = 0; i < usage->count; i++) {
        struct token *token = &usage->tokens[i];
        if (token->used)
            continue;
        bool chosen = !hint_is_placeholder(token) && hint_is_choice(token, word, &usage->missing);
        if (hint_is_repeated(token)) {
            may_repeat = true;
        } else if (chosen || (hint_is_placeholder(token) && !may_repeat) ||
                   (!hint_is_optional(token) && !may_repeat)) {
            token->used = true;
            hint_end_repeated(usage, i);
            return;
        }
    }
}

/* Splits a line that may end inside quotes. */
static bool hint_split_unfinished(const char *line, struct arena *arena, struct words *words)
{
    static const char *const endings[] = {"", "\"", "'"};
    size_t len = strlen(line);
    char *copy = arena_alloc(arena, len + 2);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(copy, len + 2, "%s%s", line, endings[i]);
        if (split_line(slice_from_string(copy), arena, words) == NULL)
            return words->count > 0;
    }
    return false;
}

static bool hint_ends_with_space(const char *line)
{
    size_t len = strlen(line);
    return len > 0 && isspace((unsigned char)line[len - 1]);
}

/* Appends the token to `out`, if it fits. */
static void hint_add_token(const struct token *token, bool needs_space, char out[static HINT_SIZE])
{
    size_t len = strlen(out);
    if (token->used || token->len == 0 || len + token->len + 2 > HINT_SIZE)
        return;
    if (needs_space || len > 0)
        out[len++] = ' ';
    memcpy(out + len, token->text, token->len);
    out[len + token->len] = '\0';
}

void hint_arguments(const char *line, char out[static HINT_SIZE])
{
    out[0] = '\0';
    struct arena arena;
    arena_init(&arena);
    struct words words;
    const struct command *command = NULL;
    if (hint_split_unfinished(line, &arena, &words))
        command = commands_find(words.items[0]);
    if (command != NULL) {
        struct usage usage;
        hint_split_usage(command->usage, &usage);
        for (size_t i = 1; i < words.count; i++)
            hint_use_word(&usage, words.items[i]);
        hint_add_token(&usage.missing, !hint_ends_with_space(line), out);
        for (size_t i = 0; i < usage.count; i++)
            hint_add_token(&usage.tokens[i], !hint_ends_with_space(line), out);
    }
    arena_deinit(&arena);
}

/* Where the word starts that may become a command; NULL if no command may stand there. */
static const char *hint_command_position(const char *line)
{
    line += strspn(line, " \t");
    if (strncasecmp(line, "HELP", 4) == 0 && isspace((unsigned char)line[4]))
        line += 4 + strspn(line + 4, " \t");
    return strpbrk(line, " \t\"'") == NULL ? line : NULL;
}

static size_t hint_common_len(const char *a, const char *b, size_t limit)
{
    size_t len = 0;
    while (len < limit && a[len] != '\0' && a[len] == b[len])
        len++;
    return len;
}

void hint_commands(const char *line, struct hint_matches *matches)
{
    *matches = (struct hint_matches){0};
    const char *word = hint_command_position(line);
    if (word == NULL)
        return;
    matches->word_len = strlen(word);
    const struct command *command;
    for (size_t i = 0; (command = commands_at(i)) != NULL && matches->count < HINT_MAX_MATCHES;
         i++) {
        const char *name = command->name;
        if (strncasecmp(name, word, matches->word_len) != 0)
            continue;
        matches->common_len = matches->count == 0
                                  ? strlen(name)
                                  : hint_common_len(name, matches->names[0], matches->common_len);
        matches->names[matches->count++] = name;
    }
}
