/* Tests of store/op.c: the table says of every kind what it is. */
#include "store/op.h"

#include "base/blob.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_the_table_has_the_six_operations(void **state)
{
    (void)state;
    static const struct {
        enum op_kind kind;
        struct op_info info;
    } expected[] = {
        {OP_SET, {"Set", OP_WRITE, OP_CATEGORY_STRING}},
        {OP_GET, {"Get", OP_READ, OP_CATEGORY_STRING}},
        {OP_DELETE, {"Delete", OP_WRITE, OP_CATEGORY_KEY}},
        {OP_LPUSH, {"LPush", OP_WRITE, OP_CATEGORY_LIST}},
        {OP_LRANGE, {"LRange", OP_READ, OP_CATEGORY_LIST}},
        {OP_LPOP, {"LPop", OP_WRITE, OP_CATEGORY_LIST}},
    };
    assert_int_equal(OP_COUNT, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < OP_COUNT; i++) {
        const struct op_info *info = op_info(expected[i].kind);
        assert_string_equal(info->name, expected[i].info.name);
        assert_int_equal(info->access, expected[i].info.access);
        assert_int_equal(info->category, expected[i].info.category);
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

static void test_release_gives_references_back(void **state)
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

static void test_release_of_a_result_without_blobs(void **state)
{
    (void)state;
    struct slice values[] = {SLICE_LITERAL("one")};
    struct op_result result = {0};
    op_result_release(&result);
    result = (struct op_result){.values = values, .value_count = 1};
    op_result_release(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_has_the_six_operations),
        cmocka_unit_test(test_names_differ),
        cmocka_unit_test(test_release_gives_references_back),
        cmocka_unit_test(test_release_of_a_result_without_blobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
