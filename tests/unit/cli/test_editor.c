/* Lines typed on a pseudo-terminal: editing, hints, completion, Ctrl-C and Ctrl-D. */
#include "cli/editor.h"

#include "pty_child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define GREY(text) "\033[90m" text "\033[0m"

/* Says in words what editor_read() returns, until the end of the input. */
static int echo_lines(void)
{
    struct lines lines;
    const char *line;
    enum editor_result result;
    setenv("KEYSTORE_CLI_HISTORY", "", 1);
    lines_init(&lines);
    struct editor *editor = editor_new(&lines);
    if (editor == NULL)
        return 1;
    while ((result = editor_read(editor, "prompt> ", &line)) != EDITOR_END) {
        if (result == EDITOR_LINE)
            lines_add(&lines, line);
        printf("%s<%s>\n", result == EDITOR_LINE ? "line" : "interrupted",
               result == EDITOR_LINE ? line : "");
        fflush(stdout);
    }
    editor_free(editor);
    lines_deinit(&lines);
    return 7;
}

static struct pty_child child;

static int set_up(void **state)
{
    (void)state;
    pty_start(&child, echo_lines);
    return pty_expect(&child, "prompt> ") ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    pty_type(&child, "\x04");
    return pty_end(&child) == 7 ? 0 : -1;
}

static void assert_line(const char *keys, const char *expected)
{
    pty_type(&child, keys);
    assert_true(pty_expect(&child, expected));
    assert_true(pty_expect(&child, "prompt> "));
}

static void lines_have_no_newline(void **state)
{
    (void)state;
    assert_line("get a\r", "line<get a>");
    assert_line("\r", "line<>");
    assert_line("sch\xc3\xb6n\r", "line<sch\xc3\xb6n>");
}

static void lines_are_edited(void **state)
{
    (void)state;
    assert_line("gett\x7f a\x01x\x05y\r", "line<xget ay>");
}

static void history_comes_back(void **state)
{
    (void)state;
    assert_line("get a\r", "line<get a>");
    assert_line("get b\r", "line<get b>");
    assert_line("\033[A\033[A\r", "line<get a>");
}

static void tab_completes(void **state)
{
    (void)state;
    assert_line("lra\tx 0 1\r", "line<LRANGE x 0 1>");
    assert_line("help lpu\t\tx\r", "line<help LPUSHx>");
    assert_line("get l\t\r", "line<get l>");
}

static void hints_are_shown_and_wiped(void **state)
{
    (void)state;
    pty_type(&child, "get");
    assert_true(pty_expect(&child, GREY(" key")));
    pty_type(&child, " ");
    assert_true(pty_expect(&child, "\033[K"));
    assert_true(pty_expect(&child, GREY("key")));
    assert_line("k\r", "line<get k>");
}

static void interrupt_drops_the_line(void **state)
{
    (void)state;
    pty_type(&child, "abc");
    assert_true(pty_expect(&child, "c"));
    assert_line("\x03", "interrupted<>");
    assert_line("get a\r", "line<get a>");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_have_no_newline),     TEST(lines_are_edited),
        TEST(history_comes_back),        TEST(tab_completes),
        TEST(hints_are_shown_and_wiped), TEST(interrupt_drops_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
