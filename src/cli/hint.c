/* Hints and completion as functions of the line. Refuses to know the terminal. */
#include "cli/hint.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define TOKEN_LIMIT 8

/* One argument in a usage text: "key", "[NX|XX]", "[value ...]". */
struct token {
    const char *text;
    size_t len;
    bool used;
};

static size_t split_usage(const char *usage, struct token tokens[static TOKEN_LIMIT])
{
    size_t count = 0;
    while (*usage != '\0' && count < TOKEN_LIMIT) {
        size_t len = strcspn(usage, *usage == '[' ? "]" : " ");
        if (usage[len] == ']')
            len++;
        tokens[count++] = (struct token){.text = usage, .len = len};
        usage += len;
        usage += strspn(usage, " ");
    }
    return count;
}

static bool is_optional(const struct token *token)
{
    return token->text[0] == '[';
}

static bool is_repeated(const struct token *token)
{
    return memmem(token->text, token->len, "...", 3) != NULL;
}

/* Whether the token is "[A|B]" and the word one of A and B, or a placeholder that takes any word.
 */
static bool is_option(const struct token *token, struct keystore_slice word)
{
    const char *at = token->text + 1;
    const char *end = token->text + token->len - 1;
    if (islower((unsigned char)*at))
        return !is_repeated(token);
    while (at < end) {
        size_t len = strcspn(at, "|]");
        if (len == word.len && strncasecmp(at, word.data, len) == 0)
            return true;
        at += len + 1;
    }
    return false;
}

/* Marks the token that the word stands for. */
static void use_word(struct token *tokens, size_t count, struct keystore_slice word)
{
    for (size_t i = 0; i < count; i++) {
        if (tokens[i].used)
            continue;
        if (!is_optional(&tokens[i]) || is_option(&tokens[i], word)) {
            tokens[i].used = true;
            return;
        }
    }
}

/* Splits a line that may end inside quotes. */
static bool split_unfinished(const char *line, struct arena *arena, struct words *words)
{
    static const char *const endings[] = {"", "\"", "'"};
    size_t len = strlen(line);
    char *copy = arena_alloc(arena, len + 2);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        memcpy(copy, line, len);
        memcpy(copy + len, endings[i], strlen(endings[i]) + 1);
        if (split_line(slice_from_string(copy), arena, words) == NULL)
            return words->count > 0;
    }
    return false;
}

static bool ends_with_space(const char *line)
{
    size_t len = strlen(line);
    return len > 0 && isspace((unsigned char)line[len - 1]);
}

static void print_tokens(const struct token *tokens, size_t count, bool needs_space,
                         char out[static HINT_SIZE])
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        if (tokens[i].used || len + tokens[i].len + 2 > HINT_SIZE)
            continue;
        if (needs_space)
            out[len++] = ' ';
        memcpy(out + len, tokens[i].text, tokens[i].len);
        len += tokens[i].len;
        needs_space = true;
    }
    out[len] = '\0';
}

void hint_arguments(const char *line, char out[static HINT_SIZE])
{
    out[0] = '\0';
    struct arena arena;
    arena_init(&arena);
    struct words words;
    const struct command *command = NULL;
    if (split_unfinished(line, &arena, &words))
        command = commands_find(words.items[0]);
    if (command != NULL) {
        struct token tokens[TOKEN_LIMIT];
        size_t count = split_usage(command->usage, tokens);
        for (size_t i = 1; i < words.count; i++)
            use_word(tokens, count, words.items[i]);
        print_tokens(tokens, count, !ends_with_space(line), out);
    }
    arena_deinit(&arena);
}

/* Where the word starts that may become a command; NULL if no command may stand there. */
static const char *command_position(const char *line)
{
    line += strspn(line, " \t");
    if (strncasecmp(line, "HELP", 4) == 0 && isspace((unsigned char)line[4]))
        line += 4 + strspn(line + 4, " \t");
    return strpbrk(line, " \t\"'") == NULL ? line : NULL;
}

static size_t common_len(const char *a, const char *b, size_t limit)
{
    size_t len = 0;
    while (len < limit && a[len] != '\0' && a[len] == b[len])
        len++;
    return len;
}

void hint_commands(const char *line, struct hint_matches *matches)
{
    *matches = (struct hint_matches){0};
    const char *word = command_position(line);
    if (word == NULL)
        return;
    matches->word_len = strlen(word);
    size_t table_size;
    const struct command *table = commands_table(&table_size);
    for (size_t i = 0; i < table_size && matches->count < HINT_MAX_MATCHES; i++) {
        const char *name = table[i].name;
        if (strncasecmp(name, word, matches->word_len) != 0)
            continue;
        matches->common_len = matches->count == 0
                                  ? strlen(name)
                                  : common_len(name, matches->names[0], matches->common_len);
        matches->names[matches->count++] = name;
    }
}
