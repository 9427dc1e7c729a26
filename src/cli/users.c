/* Commands on the users file. A token is printed once, and only its hash is kept. */
#include "cli/users.h"

#include "access/passwords.h"
#include "access/users_edit.h"
#include "base/clock.h"
#include "base/hex.h"
#include "cli/secret.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { USERS_DONE, USERS_FAILED, USERS_USAGE };

/* Bytes of a line with a hash, with its terminating zero. */
#define USERS_PASSWORD_LINE (PASSWORD_MOST_TEXT + 32)

#define DAY_MS ((int64_t)24 * 3600 * 1000)

struct users {
    const struct options *options;
    char **words; /* what follows the two words of the command */
    int count;
    uint8_t *bytes; /* of the file, */
    struct slice text;
    struct access *access; /* and what they say */
};

static int users_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints an error message; USERS_FAILED. */
static int users_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("keystore-cli: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return USERS_FAILED;
}

static int users_write(const struct users *users, char *text)
{
    char why[USERS_FILE_WHY];
    bool written = users_edit_write(users->options->users_file, text, why);
    free(text);
    return written ? USERS_DONE : users_fail("the file was not changed: %s", why);
}

static const struct access_user *users_find(const struct users *users, const char *name)
{
    const struct access_user *user = access_find_user(users->access, slice_from_string(name));
    if (user == NULL)
        (void)users_fail("there is no user %s; `keystore-cli user list` shows all", name);
    return user;
}

/* ---- user ---- */

static int users_add(struct users *users)
{
    char *lines = NULL;
    size_t size;
    FILE *out = open_memstream(&lines, &size);
    if (out == NULL)
        return users_fail("there is no memory");
    fprintf(out, "%s[user %s]\n", users->text.len > 0 ? "\n" : "", users->words[0]);
    for (int i = 1; i < users->count; i++)
        fprintf(out, "allow = %s\n", users->words[i]);
    fclose(out);
    char *text = users_edit_replace(users->text, INT32_MAX, INT32_MAX, lines);
    free(lines);
    return users_write(users, text);
}

static int users_remove(struct users *users)
{
    const struct access_user *user = users_find(users, users->words[0]);
    if (user == NULL)
        return USERS_FAILED;
    int end = users_edit_section_end(users->access, user);
    return users_write(users, users_edit_replace(users->text, user->line, end, ""));
}

static size_t users_count_tokens(const struct access *access, const struct access_user *user)
{
    size_t count = 0;
    for (size_t i = 0; i < access->token_count; i++)
        count += access->tokens[i].user == user->number;
    return count;
}

static int users_list(struct users *users)
{
    for (size_t i = 0; i < users->access->user_count; i++) {
        const struct access_user *user = &users->access->users[i];
        size_t tokens = users_count_tokens(users->access, user);
        printf("%s: %zu rule%s, %zu token%s%s\n", user->rules.user, user->rules.count,
               user->rules.count == 1 ? "" : "s", tokens, tokens == 1 ? "" : "s",
               user->password != NULL ? ", a password" : "");
    }
    return USERS_DONE;
}

/* ---- user password ---- */

/* Asks twice on a terminal, or reads a line of standard input. */
static bool users_read_password(const char *name, struct secret *password, const char **why)
{
    char prompt[ACCESS_MOST_NAME + 40];
    struct secret again;
    if (!isatty(STDIN_FILENO))
        return secret_read_descriptor(STDIN_FILENO, password, why);
    snprintf(prompt, sizeof prompt, "New password of %s: ", name);
    if (!secret_ask(prompt, password, why))
        return false;
    bool is_same = secret_ask("The same again: ", &again, why);
    if (is_same) {
        is_same = strcmp(password->text, again.text) == 0;
        *why = "the passwords differ";
    }
    secret_wipe(&again);
    return is_same;
}

/* The line of a new password in `line`; false, after an error message. */
static bool users_make_password(const char *name, char line[static USERS_PASSWORD_LINE])
{
    struct secret password = {0};
    const char *why;
    char *hash = NULL;
    if (!users_read_password(name, &password, &why))
        (void)users_fail("%s", why);
    else if (strlen(password.text) < PASSWORD_LEAST)
        (void)users_fail("the password is too short: it has %zu bytes and needs at least %zu",
                         strlen(password.text), PASSWORD_LEAST);
    else if ((hash = password_hash(slice_from_string(password.text))) == NULL)
        (void)users_fail("there is no memory: hashing takes %d MiB", PASSWORD_KIB / 1024);
    secret_wipe(&password);
    if (hash != NULL)
        snprintf(line, USERS_PASSWORD_LINE, "password = %s\n", hash);
    free(hash);
    return hash != NULL;
}

static int users_set_password(struct users *users)
{
    const struct access_user *user = users_find(users, users->words[0]);
    char line[USERS_PASSWORD_LINE] = "";
    bool removes = users->count > 1;
    if (user == NULL)
        return USERS_FAILED;
    if (removes && strcmp(users->words[1], "--remove") != 0)
        return users_fail("a password is not given on the command line, where others can see it: "
                          "it is asked for; --remove removes it");
    if (removes && user->password == NULL)
        return users_fail("the user %s has no password", users->words[0]);
    if (!removes && !users_make_password(users->words[0], line))
        return USERS_FAILED;
    int from = user->password != NULL ? user->password_line : user->line + 1;
    int to = user->password != NULL ? from + 1 : from;
    return users_write(users, users_edit_replace(users->text, from, to, line));
}

/* ---- user check ---- */

/* False if there is no operation of that name. */
static bool users_find_kind(const char *name, enum op_kind *kind)
{
    for (int i = 0; i < OP_COUNT; i++) {
        *kind = (enum op_kind)i;
        if (strcasecmp(op_info(*kind)->name, name) == 0)
            return true;
    }
    return false;
}

/* The operation on the keys: the first one, and the others or, if there are none, the first again.
 */
static struct op users_make_op(const struct users *users, enum op_kind kind, struct op_key *keys)
{
    struct op op = {.kind = kind, .db = users->options->db, .target_db = users->options->db};
    int last = users->count - 1;
    op.key = slice_from_string(users->words[last < 2 ? last : 2]);
    for (int i = 2; i <= last; i++)
        keys[i - 2].bytes = slice_from_string(users->words[i]);
    op.target.bytes = slice_from_string(users->words[last]);
    op.keys = op_info(kind)->keys == OP_KEYS_INTO && last > 2 ? keys + 1 : keys;
    op.key_count = (size_t)(last - 1) - (size_t)(op.keys != keys);
    return op;
}

static void users_print_missing(const struct access_need *missing)
{
    printf("denied: no rule allows %s, or %s, on %s of database %" PRIu32 "\n",
           access_grant_name(missing->kinds),
           access_grant_name(missing->types & ~(missing->types - 1)),
           missing->is_of_all_keys ? "all keys" : "a key", missing->db);
}

static int users_print_verdict(bool allowed, const struct access_reason *reason)
{
    if (allowed)
        printf("allowed by line %d\n", reason->rule->line);
    else
        users_print_missing(&reason->missing);
    return allowed ? USERS_DONE : USERS_FAILED;
}

static int users_check(struct users *users)
{
    const struct access_user *user = users_find(users, users->words[0]);
    struct access_reason reason = {0};
    enum op_kind kind;
    if (user == NULL)
        return USERS_FAILED;
    if (strcasecmp(users->words[1], "admin") == 0) {
        bool allowed = access_is_admin(&user->rules, &reason);
        return allowed ? users_print_verdict(true, &reason)
                       : (puts("denied: no rule allows admin"), USERS_FAILED);
    }
    if (!users_find_kind(users->words[1], &kind))
        return users_fail("there is no operation %s; it is as in Get or LPush, or admin for "
                          "administration",
                          users->words[1]);
    enum op_keys keys = op_info(kind)->keys;
    if (keys == OP_KEYS_OPS)
        return users_fail("%s needs what its members need; check these", op_info(kind)->name);
    bool has_none = keys == OP_KEYS_NONE || keys == OP_KEYS_DB || keys == OP_KEYS_DBS;
    if (!has_none && users->count < 3)
        return users_fail("%s needs a key: user check NAME METHOD KEY...", op_info(kind)->name);
    struct op_key *named = calloc((size_t)users->count, sizeof *named);
    if (named == NULL)
        return users_fail("there is no memory");
    struct op op = users_make_op(users, kind, named);
    bool allowed = access_allows(&user->rules, &op, &reason);
    free(named);
    return users_print_verdict(allowed, &reason);
}

/* ---- token ---- */

/* Days from now on as a time; false if it is no such number. */
static bool users_read_days(const char *text, int64_t *expires_ms)
{
    char *end;
    errno = 0;
    long days = strtol(text, &end, 10);
    *expires_ms = clock_unix_ms() + days * DAY_MS;
    return errno == 0 && end != text && *end == '\0' && days >= 1 && days <= 36500;
}

static int users_new_token(struct users *users)
{
    const struct access_user *user = users_find(users, users->words[0]);
    char token[TOKEN_CHARS + 1], hash_text[2 * TOKEN_HASH_BYTES + 1], line[400];
    char created[TOKEN_TIME_CHARS + 1], expires[TOKEN_TIME_CHARS + 1] = "";
    uint8_t hash[TOKEN_HASH_BYTES];
    int64_t expires_ms = 0;
    if (user == NULL)
        return USERS_FAILED;
    if (users->count > 2 && !users_read_days(users->words[2], &expires_ms))
        return users_fail("a token expires after 1 to 36500 days, not '%.100s'", users->words[2]);
    token_new(token);
    token_hash(slice_from_string(token), hash);
    if (expires_ms != 0)
        token_print_time(expires_ms, expires);
    int len = snprintf(line, sizeof line, "token = %s %s created=%s%s%s\n", users->words[1],
                       hex_print(hash_text, hash, sizeof hash),
                       token_print_time(clock_unix_ms(), created),
                       expires_ms != 0 ? " expires=" : "", expires);
    if (len < 0 || (size_t)len >= sizeof line)
        return users_fail("the id is too long");
    int code =
        users_write(users, users_edit_replace(users->text, user->line + 1, user->line + 1, line));
    if (code == USERS_DONE)
        puts(token);
    if (code == USERS_DONE && isatty(STDOUT_FILENO))
        fputs("It is shown only now: keep it where only its user can read it.\n", stderr);
    explicit_bzero(token, sizeof token);
    return code;
}

static int users_list_tokens(struct users *users)
{
    const struct access *access = users->access;
    const struct access_user *only = NULL;
    if (users->count > 0 && (only = users_find(users, users->words[0])) == NULL)
        return USERS_FAILED;
    for (size_t i = 0; i < access->token_count; i++) {
        const struct access_token *token = &access->tokens[i];
        const struct access_user *user = &access->users[token->user];
        char text[TOKEN_TIME_CHARS + 1];
        if (only != NULL && user != only)
            continue;
        printf("%s: user %s, created %s", token->id, user->rules.user,
               token_print_time(token->created_ms, text));
        if (token->expires_ms != INT64_MAX)
            printf(", %s %s", token->expires_ms <= clock_unix_ms() ? "expired" : "expires",
                   token_print_time(token->expires_ms, text));
        putchar('\n');
    }
    return USERS_DONE;
}

static int users_revoke_token(struct users *users)
{
    for (size_t i = 0; i < users->access->token_count; i++) {
        const struct access_token *token = &users->access->tokens[i];
        if (strcmp(token->id, users->words[0]) == 0)
            return users_write(users,
                               users_edit_replace(users->text, token->line, token->line + 1, ""));
    }
    return users_fail("there is no token %s; `keystore-cli token list` shows all", users->words[0]);
}

/* ---- commands ---- */

static const struct {
    const char *noun, *verb, *usage, *help;
    int least, most; /* words after these */
    int (*run)(struct users *users);
} commands[] = {
    {"user", "add", "NAME [RULE]...", "a user; a RULE is as in 'read,write keys=app:* db=0-3'", 1,
     INT32_MAX, users_add},
    {"user", "list", "", "all users", 0, 0, users_list},
    {"user", "remove", "NAME", "removes the user with its tokens", 1, 1, users_remove},
    {"user", "password", "NAME [--remove]",
     "asks for a new password, or reads it from standard input; it has at least 8 bytes", 1, 2,
     users_set_password},
    {"user", "check", "NAME METHOD [KEY]...",
     "whether the user may call the method on the keys, and which line says so", 2, INT32_MAX,
     users_check},
    {"token", "new", "USER ID [DAYS]", "a new token of the user, printed once", 2, 3,
     users_new_token},
    {"token", "list", "[USER]", "the tokens' ids and times", 0, 1, users_list_tokens},
    {"token", "revoke", "ID", "removes the token", 1, 1, users_revoke_token},
};

static int users_print_usage(void)
{
    fputs("Usage: keystore-cli --users-file FILE COMMAND. A server reads its file again on SIGHUP. "
          "The\ncommands are:\n",
          stderr);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(stderr, "  %s %s %s\n      %s\n", commands[i].noun, commands[i].verb,
                commands[i].usage, commands[i].help);
    return USERS_USAGE;
}

/* Reads the file; a user may be added to one that does not exist. */
static bool users_open(struct users *users, bool may_be_missing)
{
    char why[USERS_FILE_WHY];
    const char *path = users->options->users_file;
    if (!may_be_missing || access(path, F_OK) == 0) {
        size_t size;
        users->bytes = users_file_load(path, &size, why);
        if (users->bytes == NULL)
            return users_fail("the users file %s is refused: %s", path, why) == USERS_DONE;
        users->text = slice_make(users->bytes, size);
    }
    users->access = users_file_parse(users->text, why);
    return users->access != NULL ||
           users_fail("the users file %s is refused: %s", path, why) == USERS_DONE;
}

int users_run(const struct options *options)
{
    struct users users = {
        .options = options, .words = options->command + 2, .count = options->command_count - 2};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0] && users.count >= 0; i++) {
        if (strcmp(options->command[0], commands[i].noun) != 0 ||
            strcmp(options->command[1], commands[i].verb) != 0)
            continue;
        if (users.count < commands[i].least || users.count > commands[i].most)
            break;
        if (options->users_file == NULL)
            return users_fail("say which file it is: --users-file FILE");
        int code = users_open(&users, commands[i].run == users_add) ? commands[i].run(&users)
                                                                    : USERS_FAILED;
        access_release(users.access);
        free(users.bytes);
        return code;
    }
    return users_print_usage();
}
