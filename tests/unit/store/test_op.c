/* Tests of store/op.c: the rows of the table. */
#include "store/op.h"

#include "base/blob.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Permissions, refusal without memory, and locking depend on it: a row that says
 * otherwise would be wrong. */
static void test_what_the_table_says(void **state)
{
    (void)state;
    static const struct {
        enum op_kind kind;
        const char *name;
        enum op_access access;
        enum op_category category;
        enum op_keys keys;
    } expected[] = {
        {OP_SET, "Set", OP_GROW, OP_CATEGORY_STRING, OP_KEYS_KEY},
        {OP_GET, "Get", OP_READ, OP_CATEGORY_STRING, OP_KEYS_KEY},
        {OP_DELETE, "Delete", OP_WRITE, OP_CATEGORY_KEY, OP_KEYS_KEY},
        {OP_L_PUSH, "LPush", OP_GROW, OP_CATEGORY_LIST, OP_KEYS_KEY},
        {OP_L_RANGE, "LRange", OP_READ, OP_CATEGORY_LIST, OP_KEYS_KEY},
        {OP_L_POP, "LPop", OP_WRITE, OP_CATEGORY_LIST, OP_KEYS_KEY},
        {OP_M_GET, "MGet", OP_READ, OP_CATEGORY_STRING, OP_KEYS_KEYS},
        {OP_M_SET, "MSet", OP_GROW, OP_CATEGORY_STRING, OP_KEYS_OPS},
        {OP_INCR, "Incr", OP_GROW, OP_CATEGORY_STRING, OP_KEYS_KEY},
        {OP_APPEND, "Append", OP_GROW, OP_CATEGORY_STRING, OP_KEYS_KEY},
        {OP_GET_RANGE, "GetRange", OP_READ, OP_CATEGORY_STRING, OP_KEYS_KEY},
        {OP_SET_RANGE, "SetRange", OP_GROW, OP_CATEGORY_STRING, OP_KEYS_KEY},
        {OP_SET_BIT, "SetBit", OP_GROW, OP_CATEGORY_STRING, OP_KEYS_KEY},
        {OP_GET_BIT, "GetBit", OP_READ, OP_CATEGORY_STRING, OP_KEYS_KEY},
        {OP_BIT_COUNT, "BitCount", OP_READ, OP_CATEGORY_STRING, OP_KEYS_KEY},
        {OP_BIT_POS, "BitPos", OP_READ, OP_CATEGORY_STRING, OP_KEYS_KEY},
        {OP_BIT_OP, "BitOp", OP_GROW, OP_CATEGORY_STRING, OP_KEYS_INTO},
        {OP_BIT_FIELD, "BitField", OP_GROW, OP_CATEGORY_STRING, OP_KEYS_KEY},
        {OP_LCS, "Lcs", OP_READ, OP_CATEGORY_STRING, OP_KEYS_PAIR},
        {OP_GET_DEL, "GetDel", OP_WRITE, OP_CATEGORY_STRING, OP_KEYS_KEY},
        {OP_GET_EX, "GetEx", OP_ADJUST, OP_CATEGORY_STRING, OP_KEYS_KEY},
        {OP_EXISTS, "Exists", OP_READ, OP_CATEGORY_KEY, OP_KEYS_KEYS},
        {OP_DELETE_MANY, "DeleteMany", OP_WRITE, OP_CATEGORY_KEY, OP_KEYS_KEYS},
        {OP_TOUCH, "Touch", OP_READ, OP_CATEGORY_KEY, OP_KEYS_KEYS},
        {OP_DESCRIBE, "Describe", OP_READ, OP_CATEGORY_KEY, OP_KEYS_KEY},
        {OP_EXPIRE, "Expire", OP_ADJUST, OP_CATEGORY_KEY, OP_KEYS_KEY},
        {OP_RENAME, "Rename", OP_ADJUST, OP_CATEGORY_KEY, OP_KEYS_PAIR},
        {OP_COPY, "Copy", OP_GROW, OP_CATEGORY_KEY, OP_KEYS_PAIR},
        {OP_RANDOM_KEY, "RandomKey", OP_READ, OP_CATEGORY_KEY, OP_KEYS_NONE},
        {OP_R_PUSH, "RPush", OP_GROW, OP_CATEGORY_LIST, OP_KEYS_KEY},
        {OP_R_POP, "RPop", OP_WRITE, OP_CATEGORY_LIST, OP_KEYS_KEY},
        {OP_LIST_POP, "ListPop", OP_WRITE, OP_CATEGORY_LIST, OP_KEYS_KEYS},
        {OP_L_MOVE, "LMove", OP_GROW, OP_CATEGORY_LIST, OP_KEYS_PAIR},
        {OP_L_INDEX, "LIndex", OP_READ, OP_CATEGORY_LIST, OP_KEYS_KEY},
        {OP_L_SET, "LSet", OP_GROW, OP_CATEGORY_LIST, OP_KEYS_KEY},
        {OP_L_INSERT, "LInsert", OP_GROW, OP_CATEGORY_LIST, OP_KEYS_KEY},
        {OP_L_REM, "LRem", OP_WRITE, OP_CATEGORY_LIST, OP_KEYS_KEY},
        {OP_L_POS, "LPos", OP_READ, OP_CATEGORY_LIST, OP_KEYS_KEY},
        {OP_L_TRIM, "LTrim", OP_WRITE, OP_CATEGORY_LIST, OP_KEYS_KEY},
        {OP_TXN, "Txn", OP_GROW, OP_CATEGORY_TXN, OP_KEYS_OPS},
        {OP_FLUSH_DB, "FlushDb", OP_WRITE, OP_CATEGORY_ADMIN, OP_KEYS_DB},
        {OP_SWAP_DB, "SwapDb", OP_WRITE, OP_CATEGORY_ADMIN, OP_KEYS_DBS},
    };
    assert_int_equal(OP_COUNT, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < OP_COUNT; i++) {
        const struct op_info *info = op_info(expected[i].kind);
        assert_string_equal(info->name, expected[i].name);
        assert_int_equal(info->access, expected[i].access);
        assert_int_equal(info->category, expected[i].category);
        assert_int_equal(info->keys, expected[i].keys);
    }
}

static void test_names_differ(void **state)
{
    (void)state;
    for (enum op_kind a = 0; a < OP_COUNT; a++) {
        for (enum op_kind b = 0; b < a; b++)
            assert_string_not_equal(op_info(a)->name, op_info(b)->name);
    }
}

static void test_release_drops_references(void **state)
{
    (void)state;
    struct blob *one = blob_copy(SLICE_LITERAL("one")), *two = blob_copy(SLICE_LITERAL("two"));
    struct blob *blobs[] = {blob_retain(one), NULL, blob_retain(two), blob_retain(one)};
    struct op_result result = {
        .value = {.bytes = blob_slice(two), .blob = blob_retain(two), .found = true},
        .blobs = blobs,
        .value_count = 4};
    op_result_release(&result);
    assert_int_equal(atomic_load(&one->holders), 1);
    assert_int_equal(atomic_load(&two->holders), 1);
    blob_release(one);
    blob_release(two);
}

/* A transaction's answer owns those of its parts, and those their items. */
static void test_release_goes_into_inner_results(void **state)
{
    (void)state;
    struct blob *one = blob_copy(SLICE_LITERAL("one"));
    struct op_value items[] = {{.blob = blob_retain(one)}, {.found = false}};
    struct blob *blobs[] = {NULL, blob_retain(one)};
    struct op_result parts[] = {{.items = items, .item_count = 2},
                                {.value = {.blob = blob_retain(one)}},
                                {.blobs = blobs, .value_count = 2}};
    struct op_result result = {.results = parts, .result_count = 3};
    assert_int_equal(atomic_load(&one->holders), 4);
    op_result_release(&result);
    assert_int_equal(atomic_load(&one->holders), 1);
    op_result_release(&result); /* nothing is left to release */
    assert_int_equal(atomic_load(&one->holders), 1);
    blob_release(one);
}

static void test_release_of_a_result_without_blobs(void **state)
{
    (void)state;
    struct slice values[] = {SLICE_LITERAL("one")};
    struct op_result result = {0};
    op_result_release(&result);
    result = (struct op_result){.values = values, .value_count = 1};
    op_result_release(&result);
}

/* What a failed result refers to is released; what it says of its error is kept. */
static void test_the_error_of_a_result(void **state)
{
    (void)state;
    struct op_result failed = {.err = ERR_WRONG_TYPE,
                               .why = "it holds a list",
                               .key = SLICE_LITERAL("key"),
                               .type = OP_TYPE_LIST,
                               .value_count = 3};
    struct op_result error = op_result_error(&failed);
    assert_int_equal(error.err, ERR_WRONG_TYPE);
    assert_ptr_equal(error.why, failed.why);
    assert_true(slice_equal(error.key, failed.key));
    assert_int_equal(error.type, OP_TYPE_LIST);
    assert_int_equal(error.value_count, 0);
    failed.err = ERR_TOO_LARGE; /* whose other members mean something else */
    assert_int_equal(op_result_error(&failed).key.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_table_says),
        cmocka_unit_test(test_names_differ),
        cmocka_unit_test(test_release_drops_references),
        cmocka_unit_test(test_release_goes_into_inner_results),
        cmocka_unit_test(test_release_of_a_result_without_blobs),
        cmocka_unit_test(test_the_error_of_a_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
