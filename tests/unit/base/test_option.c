/* Tests of base/option.c with the C library's getopt_long(). */
#include "base/option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A table whose rows have a member of the program's own. */
static const struct own_row {
    struct option_row option;
    int own;
} rows[] = {
    {{0, "flag", NULL, "sets a flag"}, 10},
    {{0, "value", "N", "takes a number,\nwhich is told here"}, 11},
    {{'f', NULL, "FILE", "takes a file"}, 12},
    {{'g', "both", NULL, "has a letter and a name"}, 13},
};
static const struct option_table table = OPTION_TABLE(rows);

/* Starts to parse the words, the last of which is NULL. */
static struct option_reader begin(const char *const *words, bool mixed)
{
    static char *argv[9];
    struct option_reader reader;
    int argc = 1;
    argv[0] = (char *)(uintptr_t) "program";
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    argv[argc] = NULL;
    option_begin(&reader, table, argc, argv, mixed);
    return reader;
}

#define begin_words(mixed, ...) begin((const char *const[]){__VA_ARGS__, NULL}, mixed)

static void assert_given(struct option_reader *reader, size_t row, const char *value)
{
    assert_int_equal(option_next(reader), OPTION_GIVEN);
    assert_int_equal(reader->row, row);
    if (value == NULL)
        assert_null(reader->value);
    else
        assert_string_equal(reader->value, value);
}

static void options_are_read_in_order(void **state)
{
    (void)state;
    struct option_reader reader =
        begin_words(false, "-gf", "x", "--value=7", "--flag", "--both", "word", "--flag");
    assert_given(&reader, 3, NULL);
    assert_given(&reader, 2, "x");
    assert_given(&reader, 1, "7");
    assert_given(&reader, 0, NULL);
    assert_given(&reader, 3, NULL);
    assert_int_equal(option_next(&reader), OPTION_END);
    assert_string_equal(reader.argv[reader.first_word], "word");
    assert_int_equal(reader.argc - reader.first_word, 2);
}

static void options_behind_words_where_they_may_be(void **state)
{
    (void)state;
    struct option_reader reader = begin_words(true, "word", "--flag");
    assert_given(&reader, 0, NULL);
    assert_int_equal(option_next(&reader), OPTION_END);
    assert_string_equal(reader.argv[reader.first_word], "word");
}

static void no_options(void **state)
{
    (void)state;
    struct option_reader reader = begin((const char *const[]){NULL}, false);
    assert_int_equal(option_next(&reader), OPTION_END);
    assert_int_equal(reader.first_word, 1);
}

/* The error message for the first invalid option. */
static const char *described(const char *const *words)
{
    static struct option_reader reader;
    enum option_verdict verdict;
    reader = begin(words, false);
    while ((verdict = option_next(&reader)) == OPTION_GIVEN)
        continue;
    assert_int_equal(verdict, OPTION_BAD);
    return reader.problem;
}

#define assert_described(message, ...)                                                             \
    assert_string_equal(described((const char *const[]){__VA_ARGS__, NULL}), message)

static void unknown_options(void **state)
{
    (void)state;
    assert_described("there is no option --wat", "--wat");
    assert_described("there is no option --wat=1", "--flag", "--wat=1");
    assert_described("there is no option -z", "-z");
    assert_described("there is no option -z", "-gzf", "1");
}

static void values(void **state)
{
    (void)state;
    assert_described("the option --value needs a value", "--value");
    assert_described("the option -f needs a value", "-g", "-f");
    assert_described("the option --flag=1 takes no value", "--value", "x", "--flag=1");
}

static void long_ones_are_cut(void **state)
{
    (void)state;
    char name[300] = "--";
    char expected[200] = "there is no option --";
    memset(name + 2, 'n', sizeof name - 3);
    memset(expected + strlen(expected), 'n', 97);
    assert_described(expected, name);
}

static void help_is_in_columns(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    option_print(out, table, 10);
    fclose(out);
    assert_string_equal(text, "  --flag     sets a flag\n"
                              "  --value N  takes a number,\n"
                              "             which is told here\n"
                              "  -f FILE    takes a file\n"
                              "  --both     has a letter and a name\n");
    free(text);
}

static void rows_are_found_at_their_stride(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_ptr_equal(option_row_at(table, i), &rows[i].option);
    assert_int_equal(table.count, COUNT(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_read_in_order),
        cmocka_unit_test(options_behind_words_where_they_may_be),
        cmocka_unit_test(no_options),
        cmocka_unit_test(help_is_in_columns),
        cmocka_unit_test(rows_are_found_at_their_stride),
        cmocka_unit_test(unknown_options),
        cmocka_unit_test(values),
        cmocka_unit_test(long_ones_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
