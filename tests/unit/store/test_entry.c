/* Tests of store/entry.c: entries own copies of what they were made of. */
#include "store/entry.h"

#include "base/blob.h"
#include "store/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_a_string_is_a_copy_of_key_and_value(void **state)
{
    (void)state;
    char key[] = "k\0y", value[] = "va\0ue";
    struct entry *entry = entry_new_string(slice_make(key, 3), slice_make(value, 5));
    memset(key, 'x', sizeof key);
    memset(value, 'x', sizeof value);
    assert_int_equal(entry->type, ENTRY_STRING);
    assert_true(slice_equal(entry_key(entry), SLICE_LITERAL("k\0y")));
    assert_true(slice_equal(entry_string(entry), SLICE_LITERAL("va\0ue")));
    assert_int_equal(entry->version, 0);
    entry_free(entry);
}

static void test_the_empty_string_is_a_value(void **state)
{
    (void)state;
    struct entry *entry = entry_new_string(SLICE_LITERAL("k"), slice_make(NULL, 0));
    assert_true(slice_equal(entry_key(entry), SLICE_LITERAL("k")));
    assert_int_equal(entry_string(entry).len, 0);
    entry_free(entry);
}

static void test_a_long_key_and_value(void **state)
{
    (void)state;
    size_t key_len = 64 * 1024, value_len = 5000001;
    uint8_t *bytes = malloc(value_len);
    for (size_t i = 0; i < value_len; i++)
        bytes[i] = (uint8_t)(i * 31 >> 3);
    struct entry *entry =
        entry_new_string(slice_make(bytes, key_len), slice_make(bytes, value_len));
    assert_true(slice_equal(entry_key(entry), slice_make(bytes, key_len)));
    assert_true(slice_equal(entry_string(entry), slice_make(bytes, value_len)));
    entry_free(entry);
    free(bytes);
}

static void test_a_list_begins_empty_and_is_freed_with_its_elements(void **state)
{
    (void)state;
    char key[] = "list";
    struct entry *entry = entry_new_list(slice_from_string(key));
    memset(key, 'x', sizeof key - 1);
    assert_int_equal(entry->type, ENTRY_LIST);
    assert_true(slice_equal(entry_key(entry), SLICE_LITERAL("list")));
    assert_int_equal(list_length(entry->list), 0);
    list_push_head(entry->list, SLICE_LITERAL("element"));
    entry_free(entry);
}

static void test_free_takes_null(void **state)
{
    (void)state;
    entry_free(NULL);
}

/* A long string is shared with who answers with it, and outlives its entry there. */
static void test_a_long_string_is_a_blob(void **state)
{
    (void)state;
    static uint8_t bytes[ENTRY_MIN_BLOB + 1];
    memset(bytes, 'v', sizeof bytes);
    struct slice value = slice_make(bytes, sizeof bytes);
    for (size_t len = ENTRY_MIN_BLOB - 1; len <= ENTRY_MIN_BLOB + 1; len++) {
        struct entry *entry = entry_new_string(SLICE_LITERAL("key"), slice_make(bytes, len));
        assert_int_equal(entry->blob != NULL, len >= ENTRY_MIN_BLOB);
        assert_true(slice_equal(entry_string(entry), slice_make(bytes, len)));
        assert_true(slice_equal(entry_key(entry), SLICE_LITERAL("key")));
        if (entry->blob != NULL)
            assert_int_equal(atomic_load(&entry->blob->holders), 1);
        entry_free(entry);
    }
    struct entry *entry = entry_new_string(SLICE_LITERAL("key"), value);
    struct blob *blob = blob_retain(entry->blob);
    entry_free(entry);
    assert_int_equal(atomic_load(&blob->holders), 1);
    assert_true(slice_equal(blob_slice(blob), value));
    blob_release(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_string_is_a_copy_of_key_and_value),
        cmocka_unit_test(test_the_empty_string_is_a_value),
        cmocka_unit_test(test_a_long_key_and_value),
        cmocka_unit_test(test_a_list_begins_empty_and_is_freed_with_its_elements),
        cmocka_unit_test(test_free_takes_null),
        cmocka_unit_test(test_a_long_string_is_a_blob),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
