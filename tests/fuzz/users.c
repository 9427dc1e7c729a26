/*
 * The users file. The input is its text up to a zero byte, which no such file has, and then
 * questions: a user, what an operation needs, and a key behind its size. What is accepted is found
 * again by its name, hash or sign; and what its rules answer is compared with a second reading of
 * the text, which looks for the lines of the user and judges each by itself.
 */
#include "common/target.h"

#include "access/users_edit.h"
#include "base/glob.h"

#include <limits.h>
#include <stdio.h>

#define MOST_QUESTIONS 32

/* ---- the second reading ---- */

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trim(struct slice text)
{
    while (text.len > 0 && is_space(text.data[0]))
        text = slice_skip(text, 1);
    while (text.len > 0 && is_space(text.data[text.len - 1]))
        text.len--;
    return text;
}

/* Takes what comes before the first separator that no backslash escapes. */
static struct slice cut(struct slice *rest, bool (*separates)(uint8_t))
{
    size_t at = 0;
    while (at < rest->len && !separates(rest->data[at]))
        at += rest->data[at] == '\\' && at + 1 < rest->len ? 2 : 1;
    struct slice piece = slice_make(rest->data, at);
    *rest = slice_skip(*rest, at < rest->len ? at + 1 : at);
    return piece;
}

static bool is_comma(uint8_t c)
{
    return c == ',';
}

static bool says(struct slice text, const char *word)
{
    return slice_equal(text, slice_from_string(word));
}

/* True if one of the grants meets a need of that kind. */
static bool grants(struct slice list, const struct access_need *need, unsigned kind)
{
    while (list.len > 0) {
        unsigned grant = access_grant_of(cut(&list, is_comma));
        CHECK(grant != 0);
        if (grant == ACCESS_ALL || grant == kind || (grant & need->types) != 0 ||
            (grant == ACCESS_ADMIN && need->is_of_all_keys))
            return true;
    }
    return false;
}

static bool has_glob(struct slice list, struct slice key)
{
    bool matches = false;
    while (list.len > 0)
        matches |= glob_match(cut(&list, is_comma), key);
    return matches;
}

static uint32_t number(struct slice *digits)
{
    uint32_t value = 0;
    while (digits->len > 0 && digits->data[0] >= '0' && digits->data[0] <= '9')
        value = value * 10 + (uint32_t)(target_byte(digits) - '0');
    return value;
}

static bool has_database(struct slice list, uint32_t db)
{
    bool contains = false;
    while (list.len > 0) {
        struct slice range = cut(&list, is_comma);
        uint32_t first = number(&range), last = first;
        if (range.len > 0) {
            CHECK(target_byte(&range) == '-');
            last = number(&range);
        }
        contains |= db >= first && db <= last;
    }
    return contains;
}

/* The line of a rule, behind its `=`. */
static bool line_meets(struct slice line, const struct access_need *need, unsigned kind)
{
    line = trim(line);
    if (!grants(cut(&line, is_space), need, kind))
        return false;
    while (line.len > 0) {
        struct slice word = cut(&line, is_space);
        if (slice_starts_with(word, slice_from_string("keys=")) &&
            (need->is_of_all_keys || !has_glob(slice_skip(word, 5), need->key)))
            return false;
        if (slice_starts_with(word, slice_from_string("db=")) && !need->is_of_no_database &&
            !has_database(slice_skip(word, 3), need->db))
            return false;
    }
    return true;
}

static bool text_meets(struct slice text, const char *user, const struct access_need *need,
                       unsigned kind)
{
    bool is_his = false, meets = false;
    while (text.len > 0) {
        const uint8_t *newline = memchr(text.data, '\n', text.len);
        struct slice line =
            slice_make(text.data, newline != NULL ? (size_t)(newline - text.data) : text.len);
        text = slice_skip(text, newline != NULL ? line.len + 1 : line.len);
        line = trim(line);
        if (line.len == 0 || line.data[0] == '#')
            continue;
        if (line.data[0] == '[') {
            line = slice_make(line.data + 6, line.len - 7); /* [user ... ] */
            is_his = says(trim(line), user);
            continue;
        }
        const uint8_t *equals = memchr(line.data, '=', line.len);
        CHECK(equals != NULL);
        size_t len = (size_t)(equals - line.data);
        if (is_his && says(trim(slice_make(line.data, len)), "allow"))
            meets |= line_meets(slice_skip(line, len + 1), need, kind);
    }
    return meets;
}

/* ---- questions ---- */

static void ask(const struct access *access, struct slice text, struct slice *input)
{
    static const unsigned types[] = {
        ACCESS_STRING, ACCESS_LIST,   ACCESS_KEY,    ACCESS_TXN,
        ACCESS_WATCH,  ACCESS_PUBSUB, ACCESS_STREAM, ACCESS_STREAM | ACCESS_LIST};
    const struct access_user *user = &access->users[target_byte(input) % access->user_count];
    uint8_t what = target_byte(input), traits = target_byte(input);
    struct access_need need = {.kinds = what % 3 + 1,
                               .types = types[what / 3 % (sizeof types / sizeof types[0])],
                               .is_of_all_keys = traits % 8 == 1,
                               .is_of_no_database = traits % 8 == 2,
                               .db = traits / 8};
    struct slice key = target_piece(input);
    uint8_t *bytes = target_copy(key);
    need.key = slice_make(bytes, key.len);
    bool read = text_meets(text, user->rules.user, &need, ACCESS_READ);
    bool write = text_meets(text, user->rules.user, &need, ACCESS_WRITE);
    struct access_reason reason;
    bool expected =
        ((need.kinds & ACCESS_READ) == 0 || read) && ((need.kinds & ACCESS_WRITE) == 0 || write);
    CHECK(access_meets(&user->rules, &need, &reason) == expected);
    if (!expected)
        CHECK(reason.missing.kinds ==
              ((need.kinds & ACCESS_READ) != 0 && !read ? ACCESS_READ : ACCESS_WRITE));
    /* An operation on one key, with and without a reason. */
    struct op op = {.kind = (enum op_kind)(what % OP_COUNT), .db = need.db, .key = need.key};
    if (op_info(op.kind)->keys == OP_KEYS_KEY) {
        struct access_need own = {.types = access_type_of(op.kind), .db = op.db, .key = op.key};
        unsigned kinds = access_kinds_of_key(op.kind);
        expected =
            ((kinds & ACCESS_READ) == 0 || text_meets(text, user->rules.user, &own, ACCESS_READ)) &&
            ((kinds & ACCESS_WRITE) == 0 || text_meets(text, user->rules.user, &own, ACCESS_WRITE));
        CHECK(access_allows(&user->rules, &op, NULL) == expected);
        CHECK(access_allows(&user->rules, &op, &reason) == expected);
    }
    free(bytes);
}

/* ---- what is accepted ---- */

static void check_found(const struct access *access)
{
    for (size_t i = 0; i < access->user_count; i++) {
        const struct access_user *user = &access->users[i];
        struct slice name = slice_from_string(user->rules.user);
        CHECK(users_file_is_name(name) && user->number == i);
        CHECK(access_find_user(access, name) == user);
        int end = users_edit_section_end(access, user);
        CHECK(end > user->line && (i + 1 < access->user_count || end == INT_MAX));
    }
    for (size_t i = 0; i < access->token_count; i++) {
        const struct access_token *token = &access->tokens[i];
        CHECK(token->user < access->user_count && users_file_is_name(slice_from_string(token->id)));
        CHECK(access_find_token(access, token->hash) == token);
    }
    for (size_t i = 0; i < access->mapping_count; i++) {
        const struct access_mapping *mapping = &access->mappings[i];
        const struct access_user *user = &access->users[mapping->user];
        const struct access_certificate_name name = {mapping->sign, mapping->name};
        if (mapping->sign == ACCESS_UNIX)
            CHECK(access_user_by_uid(access, mapping->uid) == user);
        else
            CHECK(access_user_by_certificate(access, &name, 1) == user);
    }
}

/* The line of a section, written once more at the end, is refused because of the first one. */
static void check_twice(const struct access *access, struct slice text)
{
    char why[USERS_FILE_WHY], line[ACCESS_MOST_NAME + 16];
    snprintf(line, sizeof line, "\n[user %s]\n", access->users[0].rules.user);
    char *more = malloc(text.len + sizeof line);
    CHECK(more != NULL);
    if (text.len > 0)
        memcpy(more, text.data, text.len);
    size_t len = strlen(strcpy(more + text.len, line));
    CHECK(users_file_parse(slice_make((const uint8_t *)more, text.len + len), why) == NULL);
    CHECK(strstr(why, "there is another section") != NULL);
    free(more);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    struct slice text = target_take(&input, zero != NULL ? (size_t)(zero - data) : size);
    char why[USERS_FILE_WHY] = "";
    uint8_t *copy = target_copy(text);
    struct access *access = users_file_parse(slice_make(copy, text.len), why);
    free(copy);
    if (access == NULL) {
        CHECK(strncmp(why, "line ", 5) == 0 && strlen(why) < sizeof why);
        return 0;
    }
    CHECK(why[0] == '\0');
    check_found(access);
    target_byte(&input); /* the zero */
    if (access->user_count > 0) {
        check_twice(access, text);
        for (int i = 0; i < MOST_QUESTIONS && input.len > 0; i++)
            ask(access, text, &input);
    }
    access_release(access);
    return 0;
}
