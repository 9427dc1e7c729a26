/* Tests of bench/progress.c: lines, and silence. */
#include "bench/progress.h"

#include "bench/now.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What was written since the file was opened. */
static const char *text_of(FILE *file, char *text, size_t size)
{
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    return text;
}

static void test_lines_have_the_speed_since_the_last_one(void **state)
{
    (void)state;
    char text[500];
    FILE *file = tmpfile();
    struct progress progress;
    progress_init(&progress, file, false, "bench", 10 * NS_PER_S);
    assert_int_equal(progress_due_ns(&progress), 11 * NS_PER_S);
    progress_show(&progress, 11 * NS_PER_S, 1000, 0);
    assert_int_equal(progress_due_ns(&progress), 12 * NS_PER_S);
    progress_show(&progress, 13 * NS_PER_S, 2000, 3);
    progress_end(&progress);
    assert_string_equal(text_of(file, text, sizeof text),
                        "bench: 1.0 s, 1000 calls, 1000/s, 0 errors\n"
                        "bench: 3.0 s, 2000 calls, 500/s, 3 errors\n");
    fclose(file);
}

static void test_a_terminal_has_one_line_that_goes_away(void **state)
{
    (void)state;
    char text[500];
    FILE *file = tmpfile();
    struct progress progress;
    progress_init(&progress, file, true, "fill", 0);
    progress_show(&progress, NS_PER_S, 7, 0);
    progress_end(&progress);
    assert_string_equal(text_of(file, text, sizeof text),
                        "\r\033[Kfill: 1.0 s, 7 calls, 7/s, 0 errors\r\033[K");
    fclose(file);
}

static void test_without_a_file_it_is_never_due(void **state)
{
    (void)state;
    struct progress progress;
    progress_init(&progress, NULL, true, "bench", 0);
    assert_int_equal(progress_due_ns(&progress), UINT64_MAX);
    progress_show(&progress, NS_PER_S, 7, 0);
    progress_end(&progress);
    assert_int_equal(progress.shown_calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_have_the_speed_since_the_last_one),
        cmocka_unit_test(test_a_terminal_has_one_line_that_goes_away),
        cmocka_unit_test(test_without_a_file_it_is_never_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
