/* Parses line by line; the first line that is wrong ends it. The text is copied, and its lines end
 * with zeros instead of newlines, so that names are strings within it. */
#include "access/users_file.h"

#include "access/passwords.h"
#include "base/check.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct parser {
    struct access *access;
    struct access_user *user; /* of the section; NULL before the first */
    int line;
    char *why;
};

static bool users_file_fail(struct parser *parser, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Keeps the error message; false. */
static bool users_file_fail(struct parser *parser, const char *format, ...)
{
    int len = snprintf(parser->why, USERS_FILE_WHY, "line %d: ", parser->line);
    va_list args;
    va_start(args, format);
    vsnprintf(parser->why + len, USERS_FILE_WHY - (size_t)len, format, args);
    va_end(args);
    return false;
}

/* ---- words ---- */

static bool users_file_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts spaces off both ends. */
static char *users_file_trim(char *text)
{
    while (users_file_is_space(*text))
        text++;
    char *end = text + strlen(text);
    while (end > text && users_file_is_space(end[-1]))
        *--end = '\0';
    return text;
}

/* The next piece up to one of the separators, which a backslash escapes; it is cut off. NULL: there
 * are no more. */
static char *users_file_cut(char **rest, const char *separators)
{
    char *start = *rest;
    if (start == NULL)
        return NULL;
    char *at = start;
    while (*at != '\0' && strchr(separators, *at) == NULL)
        at += *at == '\\' && at[1] != '\0' ? 2 : 1;
    *rest = *at != '\0' ? at + 1 : NULL;
    *at = '\0';
    return start;
}

/* The same between spaces. */
static char *users_file_word(char **rest)
{
    char *word;
    do
        word = users_file_cut(rest, " \t\r");
    while (word != NULL && *word == '\0');
    return word;
}

/* What follows NAME= in the word; NULL: it is another one. */
static char *users_file_value(char *word, const char *name)
{
    size_t len = strlen(name);
    return strncmp(word, name, len) == 0 ? word + len : NULL;
}

bool users_file_is_name(struct slice text)
{
    if (text.len == 0 || text.len > ACCESS_MOST_NAME)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.' && c != '@')
            return false;
    }
    return true;
}

/* Room for one more in an array that grows by doubling. */
static void *users_file_grow(void *array, size_t count, size_t size)
{
    bool is_full = (count & (count - 1)) == 0; /* also 0 */
    return is_full ? mem_realloc(array, (count == 0 ? 1 : 2 * count) * size) : array;
}

/* ---- allow ---- */

static bool users_file_grants(struct parser *parser, char *word, struct access_rule *rule)
{
    for (char *name; (name = users_file_cut(&word, ",")) != NULL;) {
        unsigned grant = access_grant_of(slice_from_string(name));
        if (grant == 0)
            return users_file_fail(parser,
                                   "`%.60s` is nothing that can be allowed; allow names read, "
                                   "write, string, list, key, txn, stream, watch, pubsub, admin or "
                                   "all, separated by commas, then keys= and db=",
                                   name);
        rule->grants |= grant;
    }
    return true;
}

static bool users_file_globs(struct parser *parser, char *list, struct access_rule *rule)
{
    rule->has_keys = true;
    for (char *pattern; (pattern = users_file_cut(&list, ",")) != NULL;) {
        size_t len = strlen(pattern);
        if (len == 0)
            return users_file_fail(parser, "keys= has an empty glob; * matches every key");
        if (len > USERS_FILE_GLOB)
            return users_file_fail(parser, "a glob of keys= has %zu bytes; it may have %zu", len,
                                   USERS_FILE_GLOB);
        rule->globs = users_file_grow(rule->globs, rule->glob_count, sizeof *rule->globs);
        rule->globs[rule->glob_count++] = access_glob_make(slice_make(pattern, len));
    }
    return true;
}

static bool users_file_number(const char *text, uint32_t *number)
{
    char *end;
    if (text == NULL || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    *number = (uint32_t)value;
    return *end == '\0' && errno == 0 && value < ACCESS_DATABASES;
}

static bool users_file_databases(struct parser *parser, char *list, struct access_rule *rule)
{
    rule->has_databases = true;
    for (char *range; (range = users_file_cut(&list, ",")) != NULL;) {
        char *last = strchr(range, '-');
        uint32_t from, to;
        if (last != NULL)
            *last++ = '\0';
        if (!users_file_number(range, &from) ||
            !users_file_number(last != NULL ? last : range, &to) || to < from)
            return users_file_fail(parser,
                                   "db= is malformed; it lists databases, 0 to %d, and "
                                   "ranges, as in db=0-3,7",
                                   ACCESS_DATABASES - 1);
        for (uint32_t db = from; db <= to; db++)
            rule->databases[db / 64] |= (uint64_t)1 << db % 64;
    }
    return true;
}

static bool users_file_read_rule(struct parser *parser, char *rest, struct access_rule *rule)
{
    char *word = users_file_word(&rest);
    if (word == NULL)
        return users_file_fail(parser, "allow is empty; it is as in allow = read,write keys=app:*");
    if (!users_file_grants(parser, word, rule))
        return false;
    while ((word = users_file_word(&rest)) != NULL) {
        char *keys = users_file_value(word, "keys="), *databases = users_file_value(word, "db=");
        if (keys != NULL ? rule->has_keys : databases != NULL && rule->has_databases)
            return users_file_fail(parser, "%s is given twice; separate its parts with commas",
                                   keys != NULL ? "keys=" : "db=");
        if (keys == NULL && databases == NULL)
            return users_file_fail(parser,
                                   "`%.60s` is not keys= or db=; what is allowed is separated by "
                                   "commas without spaces",
                                   word);
        if (keys != NULL ? !users_file_globs(parser, keys, rule)
                         : !users_file_databases(parser, databases, rule))
            return false;
    }
    if ((rule->grants & ACCESS_ADMIN) != 0 && (rule->has_keys || rule->has_databases))
        return users_file_fail(parser,
                               "admin is of the whole server; allow it in a line of its own, "
                               "without keys= and db=");
    return true;
}

static bool users_file_allow(struct parser *parser, char *value)
{
    struct access_rule rule = {.line = parser->line};
    if (!users_file_read_rule(parser, value, &rule)) {
        free(rule.globs);
        return false;
    }
    struct access_user *user = parser->user;
    user->own = users_file_grow(user->own, user->rules.count, sizeof *user->own);
    user->own[user->rules.count++] = rule;
    return true;
}

/* ---- credentials ---- */

static bool users_file_token_times(struct parser *parser, char *rest, struct access_token *token)
{
    bool has_created = false;
    for (char *word; (word = users_file_word(&rest)) != NULL;) {
        char *created = users_file_value(word, "created=");
        char *expires = users_file_value(word, "expires=");
        if (created == NULL && expires == NULL)
            return users_file_fail(parser, "`%.60s` is not created= or expires=", word);
        const char *text = created != NULL ? created : expires;
        if (!token_read_time(slice_from_string(text),
                             created != NULL ? &token->created_ms : &token->expires_ms))
            return users_file_fail(parser, "`%.60s` is no time; one is as in 2026-11-30T04:00:00Z",
                                   text);
        has_created |= created != NULL;
    }
    return has_created || users_file_fail(parser, "the token has no created=TIME");
}

static bool users_file_token(struct parser *parser, char *rest)
{
    struct access *access = parser->access;
    struct access_token token = {
        .user = parser->user->number, .expires_ms = INT64_MAX, .line = parser->line};
    const char *id = users_file_word(&rest), *hash = users_file_word(&rest);
    if (id == NULL || !users_file_is_name(slice_from_string(id)))
        return users_file_fail(parser, "the token's id is not 1 to 64 letters, digits or any of "
                                       "-_.@; the line is token = ID SHA256 created=TIME");
    if (hash == NULL || !token_read_hash(slice_from_string(hash), token.hash))
        return users_file_fail(parser, "the token %s has no SHA-256 of 64 hexadecimal digits", id);
    token.id = id;
    if (!users_file_token_times(parser, rest, &token))
        return false;
    access->tokens = users_file_grow(access->tokens, access->token_count, sizeof token);
    access->tokens[access->token_count++] = token;
    return true;
}

static bool users_file_password(struct parser *parser, char *value)
{
    struct access_user *user = parser->user;
    const char *fault = password_hash_fault(value);
    if (user->password != NULL)
        return users_file_fail(parser, "the user %s has a password already, in line %d",
                               user->rules.user, user->password_line);
    if (fault != NULL) /* the text is not shown: it may be the password itself */
        return users_file_fail(parser,
                               "the hash of the password %s; `keystore-cli user password NAME` "
                               "makes the line",
                               fault);
    user->password = value;
    user->password_line = parser->line;
    token_hash(slice_from_string(value), user->password_hash);
    return true;
}

static void users_file_add_mapping(struct parser *parser, enum access_sign sign, struct slice name,
                                   unsigned uid)
{
    struct access *access = parser->access;
    access->mappings =
        users_file_grow(access->mappings, access->mapping_count, sizeof *access->mappings);
    access->mappings[access->mapping_count++] = (struct access_mapping){
        .sign = sign, .name = name, .uid = uid, .user = parser->user->number, .line = parser->line};
}

static bool users_file_certificate(struct parser *parser, char *value)
{
    static const struct {
        const char *prefix;
        enum access_sign sign;
    } kinds[] = {{"dns:", ACCESS_DNS}, {"uri:", ACCESS_URI}, {"subject:", ACCESS_SUBJECT}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *name = users_file_value(value, kinds[i].prefix);
        if (name != NULL && *name != '\0') {
            users_file_add_mapping(parser, kinds[i].sign, slice_from_string(name), 0);
            return true;
        }
    }
    return users_file_fail(parser, "certificate is dns:NAME, uri:URI or subject:NAME");
}

static bool users_file_unix(struct parser *parser, char *value)
{
    char *end;
    errno = 0;
    unsigned long uid = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || uid > UINT32_MAX) {
        const struct passwd *entry = getpwnam(value);
        if (entry == NULL)
            return users_file_fail(parser,
                                   "the system has no user `%.60s`; unix is the name or the "
                                   "number of one",
                                   value);
        uid = entry->pw_uid;
    }
    users_file_add_mapping(parser, ACCESS_UNIX, (struct slice){0}, (unsigned)uid);
    return true;
}

/* ---- limit ---- */

/* NUMBER with that unit after it, or none, which is 0. */
static bool users_file_amount(const char *text, const char *unit, unsigned long most,
                              uint32_t *amount)
{
    char *end;
    *amount = 0;
    if (strcmp(text, "none") == 0)
        return true;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    *amount = (uint32_t)value;
    return strcmp(end, unit) == 0 && errno == 0 && value >= 1 && value <= most;
}

static bool users_file_limit_word(struct parser *parser, char *word, struct access_limits *limits)
{
    char *calls = users_file_value(word, "calls="), *rate = users_file_value(word, "rate=");
    char *burst = users_file_value(word, "burst=");
    bool is_good = false, is_again = false;
    if (calls != NULL) {
        is_again = limits->has_calls;
        is_good = users_file_amount(calls, "", ACCESS_MOST_CALLS, &limits->calls);
        limits->has_calls = true;
    } else if (rate != NULL) {
        is_again = limits->has_rate;
        is_good = users_file_amount(rate, "/s", ACCESS_MOST_RATE, &limits->rate);
        limits->has_rate = true;
    } else if (burst != NULL) {
        is_again = limits->burst != 0;
        is_good =
            users_file_amount(burst, "", ACCESS_MOST_RATE, &limits->burst) && limits->burst != 0;
    }
    if (is_again)
        return users_file_fail(parser, "`%.60s` limits again what a word before it does", word);
    return is_good ||
           users_file_fail(parser,
                           "`%.60s` is no limit; those are calls=N, at most %d in flight, and "
                           "rate=N/s, at most %d, with burst=N; calls=none, rate=none: no limit",
                           word, ACCESS_MOST_CALLS, ACCESS_MOST_RATE);
}

static bool users_file_limit(struct parser *parser, char *rest)
{
    struct access_limits *limits = &parser->user->limits;
    if (limits->has_calls || limits->has_rate)
        return users_file_fail(parser, "the user has another line `limit`; write all limits in "
                                       "one");
    for (char *word; (word = users_file_word(&rest)) != NULL;)
        if (!users_file_limit_word(parser, word, limits))
            return false;
    if (!limits->has_calls && !limits->has_rate)
        return users_file_fail(parser, "limit needs calls= or rate=, as in limit = calls=100 "
                                       "rate=1000/s burst=2000");
    if (limits->burst != 0 && limits->rate == 0)
        return users_file_fail(parser, "burst= is of a rate; the line has no rate=N/s");
    parser->access->has_limits |= limits->calls != 0 || limits->rate != 0;
    return true;
}

/* ---- lines ---- */

static bool users_file_section(struct parser *parser, char *line)
{
    struct access *access = parser->access;
    size_t len = strlen(line);
    char *name = users_file_value(line, "[user ");
    if (name == NULL || line[len - 1] != ']')
        return users_file_fail(parser, "a section is [user NAME]");
    line[len - 1] = '\0';
    name = users_file_trim(name);
    if (!users_file_is_name(slice_from_string(name)))
        return users_file_fail(parser,
                               "`%.80s` is no name of a user; that is 1 to 64 letters, "
                               "digits or any of -_.@",
                               name);
    access->users = users_file_grow(access->users, access->user_count, sizeof *access->users);
    parser->user = &access->users[access->user_count];
    *parser->user = (struct access_user){.rules.user = name,
                                         .usage = access_usage_new(),
                                         .number = access->user_count,
                                         .line = parser->line};
    access->user_count++;
    return true;
}

static bool users_file_setting(struct parser *parser, char *line)
{
    static const struct {
        const char *name;
        bool (*read)(struct parser *parser, char *value);
    } settings[] = {{"allow", users_file_allow},       {"token", users_file_token},
                    {"password", users_file_password}, {"certificate", users_file_certificate},
                    {"limit", users_file_limit},       {"unix", users_file_unix}};
    char *value = strchr(line, '=');
    if (value == NULL)
        return users_file_fail(parser, "a line is [user NAME], name = value, or # a comment");
    *value++ = '\0';
    const char *name = users_file_trim(line);
    if (parser->user == NULL)
        return users_file_fail(parser, "`%.60s` is of no user; a line [user NAME] comes first",
                               name);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (strcmp(name, settings[i].name) == 0)
            return settings[i].read(parser, users_file_trim(value));
    return users_file_fail(parser,
                           "`%.60s` is unknown; a user has lines allow, token, password, "
                           "certificate, unix and limit",
                           name);
}

static bool users_file_line(struct parser *parser, char *line)
{
    line = users_file_trim(line);
    if (line[0] == '\0' || line[0] == '#')
        return true;
    return line[0] == '[' ? users_file_section(parser, line) : users_file_setting(parser, line);
}

/* ---- what may be there only once ----
 *
 * It is sorted when all lines are there, so that a large file takes no longer than its lines: two
 * that are equal are then neighbours, the earlier line first. */

static int users_file_by_line(int order, int line, int other)
{
    return order != 0 ? order : line - other;
}

static int users_file_by_name(const void *one, const void *other)
{
    const struct access_user *a = *(const struct access_user *const *)one;
    const struct access_user *b = *(const struct access_user *const *)other;
    return users_file_by_line(strcmp(a->rules.user, b->rules.user), a->line, b->line);
}

static int users_file_by_id(const void *one, const void *other)
{
    const struct access_token *a = one, *b = other;
    return users_file_by_line(strcmp(a->id, b->id), a->line, b->line);
}

static int users_file_by_hash(const void *one, const void *other)
{
    const struct access_token *a = one, *b = other;
    return users_file_by_line(memcmp(a->hash, b->hash, TOKEN_HASH_BYTES), a->line, b->line);
}

static int users_file_by_mapping(const void *one, const void *other)
{
    const struct access_mapping *a = one, *b = other;
    return users_file_by_line(access_compare_mappings(a, b), a->line, b->line);
}

/* A line that repeats something; the first one of the file counts. */
static bool users_file_repeats(struct parser *parser, int line, bool *is_good)
{
    if (!*is_good && parser->line <= line)
        return false;
    parser->line = line;
    *is_good = false;
    return true;
}

static void users_file_check_users(struct parser *parser, bool *is_good)
{
    struct access *access = parser->access;
    access->by_name = mem_alloc((access->user_count + 1) * sizeof(const struct access_user *));
    for (size_t i = 0; i < access->user_count; i++)
        access->by_name[i] = &access->users[i];
    qsort(access->by_name, access->user_count, sizeof(const struct access_user *),
          users_file_by_name);
    for (size_t i = 1; i < access->user_count; i++) {
        const struct access_user *user = access->by_name[i];
        if (strcmp(user->rules.user, access->by_name[i - 1]->rules.user) == 0 &&
            users_file_repeats(parser, user->line, is_good))
            users_file_fail(parser, "there is another section [user %s]", user->rules.user);
    }
}

static void users_file_check_tokens(struct parser *parser, bool *is_good)
{
    struct access_token *tokens = parser->access->tokens;
    size_t count = parser->access->token_count;
    if (count == 0)
        return;
    qsort(tokens, count, sizeof *tokens, users_file_by_id);
    for (size_t i = 1; i < count; i++)
        if (strcmp(tokens[i].id, tokens[i - 1].id) == 0 &&
            users_file_repeats(parser, tokens[i].line, is_good))
            users_file_fail(parser, "there is another token %s; choose another id", tokens[i].id);
    qsort(tokens, count, sizeof *tokens, users_file_by_hash);
    for (size_t i = 1; i < count; i++)
        if (token_hash_equal(tokens[i].hash, tokens[i - 1].hash) &&
            users_file_repeats(parser, tokens[i].line, is_good))
            users_file_fail(parser, "the tokens %s and %s are the same one", tokens[i - 1].id,
                            tokens[i].id);
}

static void users_file_check_mappings(struct parser *parser, bool *is_good)
{
    const struct access *access = parser->access;
    struct access_mapping *mappings = access->mappings;
    if (access->mapping_count == 0)
        return;
    qsort(mappings, access->mapping_count, sizeof *mappings, users_file_by_mapping);
    for (size_t i = 1; i < access->mapping_count; i++)
        if (access_compare_mappings(&mappings[i], &mappings[i - 1]) == 0 &&
            users_file_repeats(parser, mappings[i].line, is_good))
            users_file_fail(parser, "that is %s already",
                            access->users[mappings[i - 1].user].rules.user);
}

/* Sorts what is looked up, and sets pointers into arrays that have grown. False: it is malformed,
 * as it was, or because something is there twice, in a line before. */
static bool users_file_finish(struct parser *parser, bool is_good)
{
    struct access *access = parser->access;
    for (size_t i = 0; i < access->user_count; i++) {
        struct access_user *user = &access->users[i];
        struct access_rules *rules = &user->rules;
        rules->rules = user->own;
        user->shortcuts = access_shortcuts_make(user->own, rules->count, &rules->shortcut_count);
        rules->shortcuts = user->shortcuts;
    }
    users_file_check_users(parser, &is_good);
    users_file_check_tokens(parser, &is_good);
    users_file_check_mappings(parser, &is_good);
    return is_good;
}

struct access *users_file_parse(struct slice text, char why[USERS_FILE_WHY])
{
    struct access *access = mem_alloc_zero(sizeof *access);
    struct parser parser = {.access = access, .why = why};
    atomic_init(&access->holders, 1);
    access->text = mem_alloc(text.len + 1);
    *slice_write((uint8_t *)access->text, text) = '\0';
    bool is_good = true;
    for (char *at = access->text, *end = at + text.len; is_good && at < end;) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        char *next = newline != NULL ? newline + 1 : end;
        parser.line++;
        if (newline != NULL)
            *newline = '\0';
        is_good = strlen(at) == (size_t)((newline != NULL ? newline : end) - at)
                      ? users_file_line(&parser, at)
                      : users_file_fail(&parser, "the line has a zero byte");
        at = next;
    }
    if (users_file_finish(&parser, is_good))
        return access;
    access_release(access);
    return NULL;
}

/* ---- the file ---- */

static bool users_file_check_mode(const char *path, int descriptor, struct stat *status, char *why)
{
    if (fstat(descriptor, status) != 0) {
        snprintf(why, USERS_FILE_WHY, "cannot read it: %s", strerror(errno));
        return false;
    }
    if (!S_ISREG(status->st_mode) || (size_t)status->st_size > USERS_FILE_MOST) {
        snprintf(why, USERS_FILE_WHY, "it is no file of at most %zu MiB",
                 USERS_FILE_MOST / 1024 / 1024);
        return false;
    }
    if (status->st_uid != geteuid() && status->st_uid != 0) {
        snprintf(why, USERS_FILE_WHY,
                 "it belongs to another user of the system, number %u, who could change it: chown "
                 "%u %.200s",
                 (unsigned)status->st_uid, (unsigned)geteuid(), path);
        return false;
    }
    /* A group to which root has given its file may read it: the usual place of settings below /etc,
     * and how orchestrators mount secrets. */
    mode_t others = S_IRWXO | S_IRWXG;
    if (status->st_uid == 0 && status->st_gid != 0)
        others &= ~(mode_t)S_IRGRP;
    if ((status->st_mode & others) != 0) {
        snprintf(why, USERS_FILE_WHY,
                 "others than its owner may access it, and it has secrets: chmod 600 %.200s", path);
        return false;
    }
    return true;
}

/* NULL, with an error message, if it cannot be read or is longer than it was. */
static uint8_t *users_file_load_open(int descriptor, size_t size, size_t *got, char *why)
{
    uint8_t *bytes = mem_alloc(size + 1);
    for (*got = 0; *got <= size;) {
        ssize_t more = read(descriptor, bytes + *got, size + 1 - *got);
        if (more == 0)
            return bytes;
        if (more > 0)
            *got += (size_t)more;
        else if (errno != EINTR)
            break;
    }
    snprintf(why, USERS_FILE_WHY, "cannot read it: %s",
             *got > size ? "it changes meanwhile" : strerror(errno));
    free(bytes);
    return NULL;
}

uint8_t *users_file_load(const char *path, size_t *size, char why[USERS_FILE_WHY])
{
    uint8_t *bytes = NULL;
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        snprintf(why, USERS_FILE_WHY, "cannot open it: %s", strerror(errno));
        return NULL;
    }
    if (users_file_check_mode(path, descriptor, &status, why))
        bytes = users_file_load_open(descriptor, (size_t)status.st_size, size, why);
    close(descriptor);
    return bytes;
}

struct access *users_file_read(const char *path, char why[USERS_FILE_WHY])
{
    size_t size;
    uint8_t *bytes = users_file_load(path, &size, why);
    if (bytes == NULL)
        return NULL;
    struct access *access = users_file_parse(slice_make(bytes, size), why);
    free(bytes);
    return access;
}
