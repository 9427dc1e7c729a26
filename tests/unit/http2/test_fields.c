/* Tests of http2/fields.c: the list owns its bytes, and they stay intact while it grows. */
#include "http2/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_field(const struct http2_field *field, const char *name, const char *value)
{
    assert_true(slice_equal(field->name, slice_from_string(name)));
    assert_true(slice_equal(field->value, slice_from_string(value)));
}

static void test_owns_copies(void **state)
{
    (void)state;
    struct fields fields = {0};
    char name[] = "name", value[] = "value";
    fields_add(&fields, slice_from_string(name), slice_from_string(value));
    memset(name, 'x', sizeof name - 1);
    memset(value, 'x', sizeof value - 1);
    assert_int_equal(fields.count, 1);
    assert_field(&fields.items[0], "name", "value");
    fields_deinit(&fields);
}

/* The buffer and the array of items are both reallocated many times. */
static void test_fields_stay_right_while_it_grows(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    struct fields fields = {0};
    char name[32], value[32];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "name-%d", i);
        snprintf(value, sizeof value, "%d", i * 7);
        fields_add(&fields, slice_from_string(name), slice_from_string(value));
        assert_int_equal(fields.count, i + 1);
        assert_field(&fields.items[0], "name-0", "0");
        assert_field(&fields.items[i], name, value);
    }
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "name-%d", i);
        snprintf(value, sizeof value, "%d", i * 7);
        assert_field(&fields.items[i], name, value);
    }
    fields_deinit(&fields);
}

static void test_empty_values_and_big_ones(void **state)
{
    (void)state;
    static char big[100000];
    memset(big, 'b', sizeof big - 1);
    struct fields fields = {0};
    fields_add(&fields, SLICE_LITERAL("a"), SLICE_LITERAL(""));
    fields_add(&fields, SLICE_LITERAL("big"), slice_from_string(big));
    fields_add(&fields, SLICE_LITERAL(""), SLICE_LITERAL("c"));
    assert_field(&fields.items[0], "a", "");
    assert_field(&fields.items[1], "big", big);
    assert_field(&fields.items[2], "", "c");
    fields_deinit(&fields);
}

static void test_clear_empties_and_keeps_the_memory(void **state)
{
    (void)state;
    struct fields fields = {0};
    fields_add(&fields, SLICE_LITERAL("first"), SLICE_LITERAL("1"));
    const struct http2_field *items = fields.items;
    const uint8_t *bytes = fields.bytes.data;
    fields_clear(&fields);
    assert_int_equal(fields.count, 0);
    fields_add(&fields, SLICE_LITERAL("other"), SLICE_LITERAL("2"));
    assert_int_equal(fields.count, 1);
    assert_field(&fields.items[0], "other", "2");
    assert_ptr_equal(fields.items, items);
    assert_ptr_equal(fields.bytes.data, bytes);
    fields_deinit(&fields);
}

static void test_deinit_leaves_an_empty_list(void **state)
{
    (void)state;
    struct fields fields = {0};
    fields_deinit(&fields);
    fields_add(&fields, SLICE_LITERAL("a"), SLICE_LITERAL("b"));
    fields_deinit(&fields);
    assert_int_equal(fields.count, 0);
    assert_null(fields.items);
    fields_add(&fields, SLICE_LITERAL("c"), SLICE_LITERAL("d"));
    assert_field(&fields.items[0], "c", "d");
    fields_deinit(&fields);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owns_copies),
        cmocka_unit_test(test_fields_stay_right_while_it_grows),
        cmocka_unit_test(test_empty_values_and_big_ones),
        cmocka_unit_test(test_clear_empties_and_keeps_the_memory),
        cmocka_unit_test(test_deinit_leaves_an_empty_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
