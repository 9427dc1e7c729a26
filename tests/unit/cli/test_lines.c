/* The history file: where it is, who may read it, what is kept. */
#include "cli/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/keystore-lines-XXXXXX";
static char path[PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/history", directory);
    setenv("KEYSTORE_CLI_HISTORY", path, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    rmdir(directory);
    return 0;
}

static void add_in_a_new_session(const char *line)
{
    struct lines lines;
    lines_init(&lines);
    lines_add(&lines, line);
    lines_deinit(&lines);
}

/* The line given `back` lines ago in a new session; NULL if there is none. */
static const char *recall(int back)
{
    static char text[100];
    struct lines lines;
    HistEvent event;
    lines_init(&lines);
    int result = history(lines.history, &event, H_FIRST);
    while (result >= 0 && back-- > 0)
        result = history(lines.history, &event, H_NEXT);
    snprintf(text, sizeof text, "%s", result >= 0 ? event.str : "");
    lines_deinit(&lines);
    return result >= 0 ? text : NULL;
}

static void lines_outlive_the_session(void **state)
{
    (void)state;
    assert_null(recall(0));
    add_in_a_new_session("GET \"two words\"");
    add_in_a_new_session("LPOP x");
    assert_string_equal(recall(0), "LPOP x");
    assert_string_equal(recall(1), "GET \"two words\"");
    assert_null(recall(2));
}

static void the_file_is_private(void **state)
{
    (void)state;
    struct stat status;
    add_in_a_new_session("SET secret 1");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void a_repeated_line_is_kept_once(void **state)
{
    (void)state;
    add_in_a_new_session("GET a");
    add_in_a_new_session("GET a");
    assert_string_equal(recall(0), "GET a");
    assert_null(recall(1));
}

static void a_long_file_is_shortened(void **state)
{
    (void)state;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 2500; i++)
        fprintf(file, "GET %d\n", i);
    fclose(file);
    assert_string_equal(recall(0), "GET 2499");
    assert_string_equal(recall(999), "GET 1500");
    assert_null(recall(1000));
    file = fopen(path, "r");
    assert_non_null(file);
    char first[40];
    assert_non_null(fgets(first, sizeof first, file));
    fclose(file);
    assert_string_equal(first, "GET 1500\n");
}

static void an_empty_name_keeps_nothing(void **state)
{
    (void)state;
    setenv("KEYSTORE_CLI_HISTORY", "", 1);
    struct lines lines;
    lines_init(&lines);
    assert_string_equal(lines.path, "");
    lines_add(&lines, "GET a");
    assert_false(lines.failure_reported);
    lines_deinit(&lines);
    assert_null(recall(0));
}

static void the_home_is_the_default(void **state)
{
    (void)state;
    unsetenv("KEYSTORE_CLI_HISTORY");
    setenv("HOME", "/nonexistent", 1);
    struct lines lines;
    lines_init(&lines);
    assert_string_equal(lines.path, "/nonexistent/.keystore_cli_history");
    lines_deinit(&lines);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_outlive_the_session),    TEST(the_file_is_private),
        TEST(a_repeated_line_is_kept_once), TEST(a_long_file_is_shortened),
        TEST(an_empty_name_keeps_nothing),  TEST(the_home_is_the_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
