/* Tests of service/check.c: every place where an operation has keys, databases and values. */
#include "service/check.h"

#include "base/arena.h"
#include "base/field_path.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MAX_VALUE 10

static const struct check_limits limits = {.databases = 16, .max_value = MAX_VALUE};
static const uint8_t bytes[OP_MAX_KEY + 1];

static void assert_fine(const struct op *op)
{
    struct arena arena;
    const char *why = "";
    arena_init(&arena);
    if (check_op(&limits, op, &arena, &why) != ERR_NONE)
        fail_msg("refused: %s", why);
    arena_deinit(&arena);
}

/* The message begins with the path of the field, and has the words. */
static void assert_wrong(const struct op *op, enum err err, const char *path, const char *words)
{
    struct arena arena;
    const char *why = "";
    arena_init(&arena);
    assert_int_equal(check_op(&limits, op, &arena, &why), err);
    if (!slice_equal(field_path_of(slice_from_string(why)), slice_from_string(path)))
        fail_msg("`%s` does not begin with the path `%s`", why, path);
    if (strstr(why, words) == NULL)
        fail_msg("`%s` does not say `%s`", why, words);
    arena_deinit(&arena);
}

/* Tries the lengths of a key that belongs to the operation. */
static void check_key_at(const struct op *op, struct slice *key, const char *path)
{
    *key = slice_make(bytes, 1);
    assert_fine(op);
    *key = slice_make(bytes, OP_MAX_KEY);
    assert_fine(op);
    *key = slice_make(bytes, OP_MAX_KEY + 1);
    assert_wrong(op, ERR_TOO_LARGE, path, "the key has 65537 bytes");
    *key = slice_make(bytes, 0);
    assert_wrong(op, ERR_BAD_ARGUMENT, path, "the key is empty");
    *key = slice_make(bytes, 1);
}

static void check_db_at(const struct op *op, uint32_t *db, const char *path)
{
    *db = 15;
    assert_fine(op);
    *db = 16;
    assert_wrong(op, ERR_BAD_ARGUMENT, path, "there is no database 16; this server has 0 to 15");
    *db = UINT32_MAX;
    assert_wrong(op, ERR_BAD_ARGUMENT, path, "no database 4294967295");
    *db = 0;
}

static void check_value_at(const struct op *op, struct slice *value, const char *path)
{
    *value = slice_make(bytes, MAX_VALUE);
    assert_fine(op);
    *value = slice_make(bytes, MAX_VALUE + 1);
    assert_wrong(op, ERR_TOO_LARGE, path, "10 bytes of --max-value");
    *value = slice_make(bytes, 0);
}

static void test_operations_with_a_key(void **state)
{
    (void)state;
    for (enum op_kind kind = 0; kind < OP_COUNT; kind++) {
        struct op op = {.kind = kind};
        if (op_info(kind)->keys != OP_KEYS_KEY)
            continue;
        check_key_at(&op, &op.key, "key");
        check_db_at(&op, &op.db, "db");
        check_value_at(&op, &op.value, "value");
    }
}

static void test_operations_with_two_keys(void **state)
{
    (void)state;
    for (enum op_kind kind = 0; kind < OP_COUNT; kind++) {
        struct op op = {
            .kind = kind, .key = SLICE_LITERAL("from"), .target = {.bytes = SLICE_LITERAL("to")}};
        if (op_info(kind)->keys != OP_KEYS_PAIR)
            continue;
        bool is_lcs = kind == OP_LCS; /* LcsRequest has names of its own */
        check_key_at(&op, &op.key, is_lcs ? "key" : "source");
        check_key_at(&op, &op.target.bytes, is_lcs ? "other_key" : "target");
        check_db_at(&op, &op.db, "db");
        check_db_at(&op, &op.target_db, "target_db");
        op.db = op.target_db = 16; /* of a message with one database for both */
        assert_wrong(&op, ERR_BAD_ARGUMENT, "db", "no database 16");
    }
}

static void test_operations_with_many_keys(void **state)
{
    (void)state;
    for (enum op_kind kind = 0; kind < OP_COUNT; kind++) {
        struct op_key keys[3] = {
            {SLICE_LITERAL("a"), 0}, {SLICE_LITERAL("b"), 0}, {SLICE_LITERAL("c"), 0}};
        struct op op = {.kind = kind, .keys = keys, .key_count = 3};
        if (op_info(kind)->keys != OP_KEYS_KEYS)
            continue;
        check_key_at(&op, &keys[0].bytes, "keys[0]");
        check_key_at(&op, &keys[2].bytes, "keys[2]");
        check_db_at(&op, &op.db, "db");
    }
}

static void test_operations_without_keys(void **state)
{
    (void)state;
    struct op random_key = {.kind = OP_RANDOM_KEY}, flush_db = {.kind = OP_FLUSH_DB};
    check_db_at(&random_key, &random_key.db, "db");
    check_db_at(&flush_db, &flush_db.db, "db");
    struct op swap_db = {.kind = OP_SWAP_DB};
    check_db_at(&swap_db, &swap_db.db, "db");
    check_db_at(&swap_db, &swap_db.target_db, "other_db");
}

static void test_entries(void **state)
{
    (void)state;
    struct op sets[2] = {{.kind = OP_SET, .key = SLICE_LITERAL("a")},
                         {.kind = OP_SET, .key = SLICE_LITERAL("b")}};
    struct op op = {.kind = OP_M_SET, .ops = sets, .op_count = 2};
    check_key_at(&op, &sets[1].key, "entries[1].key");
    check_db_at(&op, &sets[0].db, "entries[0].db");
    check_db_at(&op, &op.db, "db");
    check_value_at(&op, &sets[1].value, "entries[1].value");
}

static void test_elements(void **state)
{
    (void)state;
    struct slice values[3] = {SLICE_LITERAL("1"), SLICE_LITERAL("2"), SLICE_LITERAL("")};
    struct op op = {
        .kind = OP_L_PUSH, .key = SLICE_LITERAL("list"), .values = values, .value_count = 3};
    static const char *const paths[] = {"values[0]", "values[1]", "values[2]"};
    for (size_t i = 0; i < 3; i++)
        check_value_at(&op, &values[i], paths[i]);
}

/* Within a transaction everything is looked at: each branch, what compares name, and MSet's own. */
static void test_transactions(void **state)
{
    (void)state;
    struct op sets[1] = {{.kind = OP_SET, .key = SLICE_LITERAL("a")}};
    struct op success[2] = {{.kind = OP_GET, .key = SLICE_LITERAL("b")},
                            {.kind = OP_M_SET, .ops = sets, .op_count = 1}};
    struct op failure[1] = {
        {.kind = OP_COPY, .key = SLICE_LITERAL("c"), .target = {.bytes = SLICE_LITERAL("d")}}};
    struct op compares[1] = {{.kind = OP_GET, .key = SLICE_LITERAL("e")}};
    struct op_txn otherwise = {
        .compares = compares, .compare_count = 1, .else_ops = failure, .else_count = 1};
    struct op op = {.kind = OP_TXN, .ops = success, .op_count = 2, .txn = &otherwise};
    check_key_at(&op, &success[0].key, "success[0].get.key");
    check_db_at(&op, &success[0].db, "success[0].get.db");
    check_key_at(&op, &sets[0].key, "success[1].m_set.entries[0].key");
    check_value_at(&op, &sets[0].value, "success[1].m_set.entries[0].value");
    check_key_at(&op, &failure[0].key, "failure[0].copy.source");
    check_key_at(&op, &failure[0].target.bytes, "failure[0].copy.target");
    check_db_at(&op, &failure[0].target_db, "failure[0].copy.target_db");
    check_key_at(&op, &compares[0].key, "compares[0].key");
    check_db_at(&op, &compares[0].db, "compares[0].db");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations_with_a_key),
        cmocka_unit_test(test_operations_with_two_keys),
        cmocka_unit_test(test_operations_with_many_keys),
        cmocka_unit_test(test_operations_without_keys),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_transactions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
