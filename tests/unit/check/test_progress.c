/* Tests of check/progress.c: what is shown when, and that it is taken away again. */
#include "check/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((uint64_t)1024 * 1024)

static void says_nothing_without_a_terminal(void **state)
{
    (void)state;
    struct progress progress;
    progress_init(&progress, NULL);
    progress_begin(&progress, "file", 10 * MIB);
    progress.due_ms = 0;
    progress_step(&progress, 5 * MIB);
    progress_end(&progress);
    assert_int_equal(progress.shown, 0);
}

static void shows_a_line_when_it_is_due(void **state)
{
    (void)state;
    struct progress progress;
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    progress_init(&progress, stream);
    progress_begin(&progress, "file", 10 * MIB);
    progress_step(&progress, 2 * MIB); /* too early */
    fflush(stream);
    assert_int_equal(size, 0);
    progress.due_ms = 0;
    progress_step(&progress, 2 * MIB + 1); /* too little further to look at the clock */
    fflush(stream);
    assert_int_equal(size, 0);
    progress_step(&progress, 5 * MIB);
    fflush(stream);
    assert_string_equal(text, "\rfile: 50 %");
    progress_end(&progress);
    progress_end(&progress);
    fflush(stream);
    assert_string_equal(text, "\rfile: 50 %\r          \r");
    fclose(stream);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_nothing_without_a_terminal),
        cmocka_unit_test(shows_a_line_when_it_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
