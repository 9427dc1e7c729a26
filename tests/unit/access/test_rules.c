/*
 * Tests of access/rules.c. The model below was written from the text at the top of rules.h alone:
 * for each operation it has its needs in words of its own, and compares random rules with random
 * operations by brute force.
 */
#include "access/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "access/users_file.h"
#include "base/glob.h"
#include "store/seeded.h"

/* ---- what each operation needs, in words ---- */

/* Of the key, and of the others (keys, or the target): r, w, rw; "" if there are none. `all`: of
 * all keys of the database. */
static const struct {
    const char *name, *type, *key, *others;
} model[OP_COUNT] = {
    [OP_SET] = {"Set", "string", "w", ""},
    [OP_GET] = {"Get", "string", "r", ""},
    [OP_DELETE] = {"Delete", "key", "w", ""},
    [OP_L_PUSH] = {"LPush", "list", "w", ""},
    [OP_L_RANGE] = {"LRange", "list", "r", ""},
    [OP_L_POP] = {"LPop", "list", "rw", ""},
    [OP_M_GET] = {"MGet", "string", "", "r"},
    [OP_M_SET] = {"MSet", "inner", "", ""},
    [OP_INCR] = {"Incr", "string", "rw", ""},
    [OP_APPEND] = {"Append", "string", "w", ""},
    [OP_GET_RANGE] = {"GetRange", "string", "r", ""},
    [OP_SET_RANGE] = {"SetRange", "string", "w", ""},
    [OP_SET_BIT] = {"SetBit", "string", "rw", ""},
    [OP_GET_BIT] = {"GetBit", "string", "r", ""},
    [OP_BIT_COUNT] = {"BitCount", "string", "r", ""},
    [OP_BIT_POS] = {"BitPos", "string", "r", ""},
    [OP_BIT_OP] = {"BitOp", "string", "w", "r"},
    [OP_BIT_FIELD] = {"BitField", "string", "rw", ""},
    [OP_LCS] = {"Lcs", "string", "r", "r"},
    [OP_GET_DEL] = {"GetDel", "string", "rw", ""},
    [OP_GET_EX] = {"GetEx", "string", "rw", ""},
    [OP_EXISTS] = {"Exists", "key", "", "r"},
    [OP_DELETE_MANY] = {"DeleteMany", "key", "", "w"},
    [OP_TOUCH] = {"Touch", "key", "", "r"},
    [OP_DESCRIBE] = {"Describe", "key", "r", ""},
    [OP_EXPIRE] = {"Expire", "key", "w", ""},
    [OP_RENAME] = {"Rename", "key", "rw", "w"},
    [OP_COPY] = {"Copy", "key", "r", "w"},
    [OP_RANDOM_KEY] = {"RandomKey", "key", "all r", ""},
    [OP_R_PUSH] = {"RPush", "list", "w", ""},
    [OP_R_POP] = {"RPop", "list", "rw", ""},
    [OP_LIST_POP] = {"ListPop", "list", "", "rw"},
    [OP_L_MOVE] = {"LMove", "list", "rw", "w"},
    [OP_L_INDEX] = {"LIndex", "list", "r", ""},
    [OP_L_SET] = {"LSet", "list", "w", ""},
    [OP_L_INSERT] = {"LInsert", "list", "rw", ""},
    [OP_L_REM] = {"LRem", "list", "rw", ""},
    [OP_L_POS] = {"LPos", "list", "r", ""},
    [OP_L_TRIM] = {"LTrim", "list", "w", ""},
    [OP_TXN] = {"Txn", "inner", "", ""},
    [OP_FLUSH_DB] = {"FlushDb", "admin", "all w", ""},
    [OP_SWAP_DB] = {"SwapDb", "admin", "all rw", "all rw"},
};

/* A rule of the model, as the file has it. */
struct model_rule {
    char grants[80]; /* " read list " */
    char globs[3][24];
    size_t glob_count; /* 0: no keys= */
    int from, to;      /* -1: no db= */
};

static struct model_rule model_rules[4];
static size_t model_count;

static bool model_grants(const struct model_rule *rule, const char *name)
{
    char word[16];
    snprintf(word, sizeof word, " %s ", name);
    return strstr(rule->grants, word) != NULL;
}

/* `key` NULL: all keys of the database. */
static bool model_need(const char *kind, const char *type, const char *key, int db)
{
    for (size_t i = 0; i < model_count; i++) {
        const struct model_rule *rule = &model_rules[i];
        bool grants = model_grants(rule, "all") || model_grants(rule, kind) ||
                      model_grants(rule, type) || (key == NULL && model_grants(rule, "admin"));
        bool has_db = rule->from < 0 || (db >= rule->from && db <= rule->to);
        bool has_key = rule->glob_count == 0;
        for (size_t g = 0; key != NULL && g < rule->glob_count; g++)
            has_key |= glob_match(slice_from_string(rule->globs[g]), slice_from_string(key));
        if (grants && has_db && has_key)
            return true;
    }
    return false;
}

static bool model_needs(const char *kinds, const char *type, const char *key, int db)
{
    return (strchr(kinds, 'r') == NULL || model_need("read", type, key, db)) &&
           (strchr(kinds, 'w') == NULL || model_need("write", type, key, db));
}

static const char *text_of(struct slice key)
{
    static char text[2][64];
    static int turn;
    turn ^= 1;
    memcpy(text[turn], key.data, key.len);
    text[turn][key.len] = '\0';
    return text[turn];
}

static bool model_allows(const struct op *op)
{
    const char *type = model[op->kind].type, *kinds = model[op->kind].key;
    const char *others = model[op->kind].others;
    if (strcmp(type, "inner") == 0) {
        for (size_t i = 0; i < op->op_count; i++)
            if (!model_allows(&op->ops[i]))
                return false;
        for (size_t i = 0; op->txn != NULL && i < op->txn->else_count; i++)
            if (!model_allows(&op->txn->else_ops[i]))
                return false;
        for (size_t i = 0; op->txn != NULL && i < op->txn->compare_count; i++)
            if (!model_need("read", "txn", text_of(op->txn->compares[i].key),
                            (int)op->txn->compares[i].db))
                return false;
        return true;
    }
    if (strncmp(kinds, "all ", 4) == 0)
        return model_needs(kinds + 4, type, NULL, (int)op->db) &&
               (*others == '\0' || model_needs(others + 4, type, NULL, (int)op->target_db));
    if (*kinds != '\0' && !model_needs(kinds, type, text_of(op->key), (int)op->db))
        return false;
    bool compares = op->condition.version != 0 || op->condition.match_value ||
                    op->condition.existence != EXISTENCE_ANY ||
                    (op->kind == OP_SET && op->set.return_previous);
    if (compares && !model_needs("r", type, text_of(op->key), (int)op->db))
        return false;
    for (size_t i = 0; i < op->key_count; i++)
        if (!model_needs(others, type, text_of(op->keys[i].bytes), (int)op->db))
            return false;
    return op->target.bytes.len == 0 ||
           model_needs(others, type, text_of(op->target.bytes), (int)op->target_db);
}

/* ---- random rules and operations ---- */

static uint64_t random_state;

static uint32_t draw(uint32_t bound)
{
    return seeded_below(&random_state, bound);
}

static const char *const keys[] = {
    "app:1", "app:",    "app",           "apq:1",       "tmp:1",         "a",
    "*",     "app:1,2", "application:1", "application", "applicationX1", "applicat"};
#define KEYS (uint32_t)(sizeof keys / sizeof keys[0])

static struct op_key made_keys[64];
static struct op made_ops[64];
static struct op_txn made_txns[64];
static size_t made;

static struct slice random_key(void)
{
    return slice_from_string(keys[draw(KEYS)]);
}

/* A Txn has at most two members and one more, each perhaps an MSet: 28 are made. */
static struct op random_op(bool may_nest)
{
    static const enum op_kind alone[] = {OP_TXN, OP_FLUSH_DB, OP_SWAP_DB, OP_RANDOM_KEY};
    struct op op = {.kind = (enum op_kind)draw(OP_COUNT), .db = (uint32_t)draw(3)};
    for (size_t i = 0; i < 4 && !may_nest; i++)
        if (op.kind == alone[i])
            op.kind = OP_GET;
    op.target_db = (uint32_t)draw(3);
    enum op_keys has = op_info(op.kind)->keys;
    if (has == OP_KEYS_KEY || has == OP_KEYS_PAIR || has == OP_KEYS_INTO)
        op.key = random_key();
    if (has == OP_KEYS_PAIR)
        op.target.bytes = random_key();
    if (has == OP_KEYS_KEYS || has == OP_KEYS_INTO) {
        op.keys = &made_keys[2 * made];
        op.key_count = 1 + draw(2);
        for (size_t i = 0; i < op.key_count; i++)
            op.keys[i].bytes = random_key();
    }
    if (op.kind == OP_SET)
        op.set.return_previous = draw(4) == 0;
    if (op.kind == OP_SET || op.kind == OP_DELETE) {
        op.condition.existence = draw(2) == 0 ? EXISTENCE_ABSENT : EXISTENCE_ANY;
        op.condition.match_value = draw(6) == 0;
        op.condition.version = draw(6) == 0;
    }
    made++;
    assert_true(made + 6 <= sizeof made_ops / sizeof made_ops[0]);
    if (has != OP_KEYS_OPS)
        return op;
    size_t at = made;
    op.op_count = 1 + draw(2);
    op.ops = &made_ops[at];
    made += 6;
    if (op.kind == OP_M_SET) {
        for (size_t i = 0; i < op.op_count; i++)
            op.ops[i] = (struct op){.kind = OP_SET, .db = op.db, .key = random_key()};
        return op;
    }
    for (size_t i = 0; i < op.op_count; i++)
        op.ops[i] = random_op(false);
    op.txn = &made_txns[at];
    *op.txn = (struct op_txn){.compares = &made_ops[at + 2],
                              .compare_count = draw(2),
                              .else_ops = &made_ops[at + 4],
                              .else_count = draw(2)};
    made_ops[at + 2] = (struct op){.key = random_key(), .db = (uint32_t)draw(3)};
    made_ops[at + 4] = random_op(false);
    return op;
}

/* A rule of the model, and its line. */
static void random_rule(struct model_rule *rule, char *line, size_t size)
{
    static const char *const grants[] = {"read", "write",  "string", "list",   "key",
                                         "txn",  "stream", "watch",  "pubsub", "all"};
    static const char *const globs[] = {"app:*",
                                        "app:1",
                                        "a*",
                                        "*:1",
                                        "app:[0-9]",
                                        "*",
                                        "app?",
                                        "\\*",
                                        "app:1\\,2",
                                        "application:*",
                                        "applicat*",
                                        "application:1",
                                        "application:[0-9]"};
    *rule = (struct model_rule){.from = -1};
    bool is_admin = draw(8) == 0;
    size_t count = is_admin ? 1 : 1 + draw(3);
    char list[60] = "";
    for (size_t i = 0; i < count; i++) {
        const char *grant = is_admin ? "admin" : grants[draw(10)];
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i > 0 ? "," : "", grant);
        snprintf(rule->grants + strlen(rule->grants), sizeof rule->grants - strlen(rule->grants),
                 " %s ", grant);
    }
    int len = snprintf(line, size, "allow = %s", list);
    if (!is_admin && draw(3) > 0) {
        rule->glob_count = 1 + draw(3);
        for (size_t i = 0; i < rule->glob_count; i++) {
            strcpy(rule->globs[i], globs[draw(13)]);
            len += snprintf(line + len, size - (size_t)len, "%s%s",
                            i > 0 ? "," : " keys=", rule->globs[i]);
        }
    }
    if (!is_admin && draw(2) > 0) {
        rule->from = (int)draw(3);
        rule->to = rule->from + (int)draw(2);
        len += snprintf(line + len, size - (size_t)len, " db=%d-%d", rule->from, rule->to);
    }
    snprintf(line + len, size - (size_t)len, "\n");
}

static void test_agrees_with_the_model(void **state)
{
    (void)state;
    random_state = seeded_start();
    size_t allowed = 0, denied = 0;
    for (int round = 0; round < 3000; round++) {
        char text[800] = "[user u]\n", why[USERS_FILE_WHY];
        model_count = draw(4);
        for (size_t i = 0; i < model_count; i++)
            random_rule(&model_rules[i], text + strlen(text), sizeof text - strlen(text));
        struct access *access = users_file_parse(slice_from_string(text), why);
        if (access == NULL)
            fail_msg("%s: %s", why, text);
        for (int i = 0; i < 60; i++) {
            made = 0;
            struct op op = random_op(true);
            struct access_reason reason;
            bool allows = access_allows(&access->users[0].rules, &op, NULL);
            assert_int_equal(access_allows(&access->users[0].rules, &op, &reason), allows);
            if (allows != model_allows(&op))
                fail_msg("%s of %.*s is %s\n%s", op_info(op.kind)->name, (int)op.key.len,
                         (const char *)op.key.data, allows ? "allowed" : "denied", text);
            *(allows ? &allowed : &denied) += 1;
        }
        access_release(access);
    }
    assert_true(allowed > 10000 && denied > 10000);
}

/* The table of operations and the model name the same needs. */
static void test_needs_of_all_operations(void **state)
{
    (void)state;
    for (int kind = 0; kind < OP_COUNT; kind++) {
        assert_non_null(model[kind].name);
        assert_string_equal(model[kind].name, op_info((enum op_kind)kind)->name);
        const char *key = model[kind].key, *type = model[kind].type;
        unsigned kinds = (strchr(key, 'r') != NULL ? ACCESS_READ : 0) |
                         (strchr(key, 'w') != NULL ? ACCESS_WRITE : 0);
        if (*key != '\0')
            assert_int_equal(access_kinds_of_key((enum op_kind)kind), kinds);
        if (strcmp(type, "inner") != 0)
            assert_int_equal(access_type_of((enum op_kind)kind),
                             access_grant_of(slice_from_string(type)));
    }
}

static struct access *parse(const char *text)
{
    char why[USERS_FILE_WHY];
    struct access *access = users_file_parse(slice_from_string(text), why);
    if (access == NULL)
        fail_msg("%s", why);
    return access;
}

/* Shortcuts compare integers, in which what a short key lacks is zero. */
static void test_zeros_in_keys(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        struct slice key;
        bool allows;
    } rows[] = {{"read keys=app", SLICE_LITERAL("app"), true},
                {"read keys=app", SLICE_LITERAL("app\0"), false},
                {"read keys=app", SLICE_LITERAL("ap"), false},
                {"read keys=app*", SLICE_LITERAL("app\0"), true},
                {"read keys=app*", SLICE_LITERAL("ap\0"), false},
                {"read keys=app:1234", SLICE_LITERAL("app:1234"), true},
                {"read keys=app:1234", SLICE_LITERAL("app:1234\0"), false},
                {"read keys=app:1234*", SLICE_LITERAL("app:123"), false},
                {"read keys=app:12345*", SLICE_LITERAL("app:1234"), false},
                {"read keys=app:12345*", SLICE_LITERAL("app:1234\0"), false},
                {"read keys=app:12345*", SLICE_LITERAL("app:12345"), true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[80];
        snprintf(text, sizeof text, "[user u]\nallow = %s", rows[i].rule);
        struct access *access = parse(text);
        struct access_reason reason;
        const struct op op = {.kind = OP_GET, .key = rows[i].key};
        assert_int_equal(access_allows(&access->users[0].rules, &op, NULL), rows[i].allows);
        assert_int_equal(access_allows(&access->users[0].rules, &op, &reason), rows[i].allows);
        access_release(access);
    }
}

static void test_admin(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        bool is_admin;
    } rows[] = {{"admin", true},          {"all", true},         {"all keys=*", false},
                {"all db=0-1023", false}, {"read,write", false}, {"read,admin", true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[80];
        snprintf(text, sizeof text, "[user u]\nallow = %s", rows[i].rule);
        struct access *access = parse(text);
        assert_int_equal(access_is_admin(&access->users[0].rules, NULL), rows[i].is_admin);
        access_release(access);
    }
}

/* The rule that decided is the one of that line. */
static void test_names_the_rule(void **state)
{
    (void)state;
    struct access *access = parse("[user u]\nallow = read keys=a*\nallow = write keys=b*\n");
    struct access_reason reason;
    struct op op = {.kind = OP_SET, .key = SLICE_LITERAL("b1"), .db = 3};
    assert_true(access_allows(&access->users[0].rules, &op, &reason));
    assert_int_equal(reason.rule->line, 3);
    op.set.return_previous = true;
    assert_false(access_allows(&access->users[0].rules, &op, &reason));
    assert_int_equal(reason.missing.kinds, ACCESS_READ);
    assert_int_equal(reason.missing.types, ACCESS_STRING);
    assert_int_equal(reason.missing.db, 3);
    access_release(access);
}

static void test_may_meet(void **state)
{
    (void)state;
    static const struct {
        struct access_need need;
        bool may;
    } rows[] = {
        {{.kinds = ACCESS_READ, .types = ACCESS_STREAM, .db = 1}, true},
        {{.kinds = ACCESS_READ, .types = ACCESS_STREAM, .db = 0}, false},
        {{.kinds = ACCESS_READ, .types = ACCESS_WATCH, .db = 2}, true},
        {{.kinds = ACCESS_READ, .types = ACCESS_WATCH, .db = 1}, false},
        {{.kinds = ACCESS_READ, .types = ACCESS_STREAM, .is_of_no_database = true}, true},
        {{.kinds = ACCESS_READ, .types = ACCESS_PUBSUB, .is_of_no_database = true}, false},
        {{.kinds = ACCESS_WRITE, .types = ACCESS_PUBSUB, .is_of_no_database = true}, true},
    };
    struct access *access =
        parse("[user u]\nallow = stream keys=a* db=1\nallow = write\nallow = watch db=2\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(access_may_meet(&access->users[0].rules, &rows[i].need), rows[i].may);
    access_release(access);
}

static void test_compares_rules(void **state)
{
    (void)state;
    struct access *access = parse("[user a]\nallow = read keys=a*,b db=1\n"
                                  "[user b]\nallow = read keys=a*,b db=1\n"
                                  "[user c]\nallow = read keys=a*,c db=1\n"
                                  "[user d]\nallow = read keys=a*,b db=2\n[user e]\n"
                                  "[user f]\nallow = write\nallow = read keys=a*,b db=1\n");
    const struct access_rules *first = &access->users[0].rules;
    for (size_t i = 1; i < access->user_count; i++) {
        const struct access_rules *other = &access->users[i].rules;
        assert_int_equal(access_rules_equal(first, other, ACCESS_ANY_GRANT), i == 1);
        assert_int_equal(access_rules_equal(other, first, ACCESS_ANY_GRANT), i == 1);
        assert_int_equal(access_rules_equal(first, other, ACCESS_READ), i == 1 || i == 5);
    }
    access_release(access);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_the_model),
        cmocka_unit_test(test_needs_of_all_operations),
        cmocka_unit_test(test_zeros_in_keys),
        cmocka_unit_test(test_admin),
        cmocka_unit_test(test_names_the_rule),
        cmocka_unit_test(test_may_meet),
        cmocka_unit_test(test_compares_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
