/* Tests of journal/unsupported.c. */
#include "journal/unsupported.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct unsupported *make(void)
{
    return calloc(1, sizeof(struct unsupported));
}

static void add(struct unsupported *unsupported, const char *type, const char *name)
{
    unsupported_add(unsupported, slice_from_string(type), slice_from_string(name), NULL);
}

static void test_counts_and_names_by_type(void **state)
{
    (void)state;
    struct unsupported *unsupported = make();
    char text[500];
    unsupported_print(unsupported, text, sizeof text);
    assert_string_equal(text, "");
    add(unsupported, "set", "a");
    add(unsupported, "hash", "h");
    add(unsupported, "set", "b");
    add(unsupported, "set", "c");
    add(unsupported, "set", "d");
    add(unsupported, "function library", "");
    unsupported_print(unsupported, text, sizeof text);
    assert_string_equal(text, "set (4: \"a\", \"b\", \"c\" and others), hash (1: \"h\"), function "
                              "library (1)");
    assert_int_equal(unsupported->count, 6);
    free(unsupported);
}

static void test_a_name_is_shown_once(void **state)
{
    (void)state;
    struct unsupported *unsupported = make();
    char text[100];
    for (int i = 0; i < 5; i++)
        add(unsupported, "SADD", "k");
    add(unsupported, "SADD", "l");
    unsupported_print(unsupported, text, sizeof text);
    assert_string_equal(text, "SADD (6: \"k\", \"l\" and others)");
    free(unsupported);
}

static void test_long_and_odd_names(void **state)
{
    (void)state;
    struct unsupported *unsupported = make();
    char text[200], name[100];
    memset(name, 'n', sizeof name);
    unsupported_add(unsupported, slice_make(name, 100), slice_make(name, 100), NULL);
    unsupported_add(unsupported, slice_make(name, 100), slice_make("\n\xff\0x", 4), NULL);
    unsupported_print(unsupported, text, sizeof text);
    assert_string_equal(text, "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn (2: "
                              "\"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...\", \"???x\")");
    free(unsupported);
}

static void test_many_types_end_in_others(void **state)
{
    (void)state;
    struct unsupported *unsupported = make();
    char text[2000], type[20], expected[60];
    for (int i = 0; i < 40; i++) {
        snprintf(type, sizeof type, "type%d", i);
        add(unsupported, type, "");
    }
    unsupported_print(unsupported, text, sizeof text);
    snprintf(expected, sizeof expected, "type14 (1), others (%d)", 40 - UNSUPPORTED_TYPES + 1);
    assert_non_null(strstr(text, expected));
    assert_int_equal(unsupported->count, 40);
    free(unsupported);
}

/* Whatever the size, the text is terminated and nothing after it is written. */
static void test_what_does_not_fit_is_cut(void **state)
{
    (void)state;
    struct unsupported *unsupported = make();
    char whole[300], cut[301];
    add(unsupported, "set", "some key");
    add(unsupported, "hash", "another key");
    unsupported_print(unsupported, whole, sizeof whole);
    for (size_t size = 1; size < 100; size++) {
        memset(cut, '#', sizeof cut);
        unsupported_print(unsupported, cut, size);
        assert_true(strlen(cut) < size);
        assert_memory_equal(cut, whole, strlen(cut));
        assert_int_equal(cut[size], '#');
    }
    free(unsupported);
}

static void test_the_first_reason_is_kept(void **state)
{
    (void)state;
    struct unsupported *unsupported = make();
    add(unsupported, "set", "a");
    assert_null(unsupported->why);
    unsupported_add(unsupported, SLICE_LITERAL("SETEX"), SLICE_LITERAL("k"), "one");
    unsupported_add(unsupported, SLICE_LITERAL("SETEX"), SLICE_LITERAL("k"), "two");
    assert_string_equal(unsupported->why, "one");
    free(unsupported);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_and_names_by_type),
        cmocka_unit_test(test_a_name_is_shown_once),
        cmocka_unit_test(test_long_and_odd_names),
        cmocka_unit_test(test_many_types_end_in_others),
        cmocka_unit_test(test_what_does_not_fit_is_cut),
        cmocka_unit_test(test_the_first_reason_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
