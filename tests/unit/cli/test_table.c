/* Tables for people, and lines for programs. */
#include "cli/table.h"

#include "printed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct table_column columns[] = {
    {"n", "number", true}, {NULL, "hidden", false}, {"word", "word", false},
    {"much", NULL, true},  {"last", "end", false},
};

static struct arena arena;
static struct table table;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena);
    table_init(&table, columns, sizeof columns / sizeof *columns, &arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static void add(int number, const char *word, int much, struct keystore_slice last)
{
    table_add_row(&table);
    table_put(&table, "%d", number);
    table_put(&table, "h%d", number);
    table_put(&table, "%s", word);
    table_put(&table, "%d", much);
    table_put_word(&table, last);
}

static void assert_printed(const char *people, const char *programs)
{
    struct reply reply = table_reply(&table);
    FILE *out = printed_open();
    format_reply(out, &reply);
    fclose(out);
    assert_string_equal(printed_text, people);
    out = printed_open();
    format_reply_raw(out, &reply);
    fclose(out);
    assert_string_equal(printed_text, programs);
}

static void columns_are_aligned(void **state)
{
    (void)state;
    add(1, "a", 7, keystore_text("x"));
    add(1234, "longer", 77777, keystore_text("yy"));
    assert_printed("   n  word     much  last\n"
                   "   1  a           7  x\n"
                   "1234  longer  77777  yy\n",
                   "number=1 hidden=h1 word=a end=x\n"
                   "number=1234 hidden=h1234 word=longer end=yy\n");
}

/* Nothing but the columns to the right of it depends on an empty cell. */
static void empty_cells(void **state)
{
    (void)state;
    add(1, "", 7, keystore_text("x"));
    add(2, "b", 8, (struct keystore_slice){0});
    assert_printed("n  word  much  last\n"
                   "1           7  x\n"
                   "2  b        8\n",
                   "number=1 hidden=h1 word= end=x\n"
                   "number=2 hidden=h2 word=b end=\n");
}

static void bytes_are_quoted_if_need_be(void **state)
{
    (void)state;
    add(1, "a", 7, (struct keystore_slice){"a\0b", 3});
    add(2, "b", 8, keystore_text("a unix \"socket\""));
    assert_printed("n  word  much  last\n"
                   "1  a        7  \"a\\x00b\"\n"
                   "2  b        8  \"a unix \\\"socket\\\"\"\n",
                   "number=1 hidden=h1 word=a end=\"a\\x00b\"\n"
                   "number=2 hidden=h2 word=b end=\"a unix \\\"socket\\\"\"\n");
}

static void no_rows(void **state)
{
    (void)state;
    assert_printed("(empty array)\n", "\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(columns_are_aligned),
        TEST(empty_cells),
        TEST(bytes_are_quoted_if_need_be),
        TEST(no_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
