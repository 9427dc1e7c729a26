/* What is written to a terminal, and when. */
#include "cli/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void a_line_in_place(void **state)
{
    (void)state;
    char *text;
    size_t len;
    struct progress progress;
    FILE *out = open_memstream(&text, &len);
    progress_init(&progress, out, 1000);
    progress_hide(&progress);             /* nothing is there */
    progress_show(&progress, 5, 0, 1050); /* too early */
    progress_show(&progress, 500, 1, 2000);
    progress_show(&progress, 600, 1, 2050);
    progress_hide(&progress);
    progress_hide(&progress);
    progress_show(&progress, 3000, 2, 3000);
    progress_show(&progress, 6000, 2, 4000);
    fclose(out);
    assert_string_equal(text, "500 commands, 1 errors, 500 commands/s\r\033[K"
                              "3000 commands, 2 errors, 1500 commands/s\r\033[K"
                              "6000 commands, 2 errors, 2000 commands/s");
    free(text);
}

static void a_backup(void **state)
{
    (void)state;
    char *text;
    size_t len;
    struct progress progress;
    FILE *out = open_memstream(&text, &len);
    progress_init(&progress, out, 1000);
    progress_show_bytes(&progress, 0, 0, 2000); /* the server's snapshot takes its time... */
    progress_show_bytes(&progress, 4000000, 10000000, 4000); /* ...which is no time of these */
    progress_show_bytes(&progress, 9000000, 10000000, 4010);
    progress_hide(&progress);
    fclose(out);
    assert_string_equal(text, "the server writes its snapshot\r\033[K"
                              "4.0 of 10.0 MB (40 %), 2.0 MB/s\r\033[K");
    free(text);
}

static void nothing_without_a_terminal(void **state)
{
    (void)state;
    struct progress progress;
    progress_init(&progress, NULL, 0);
    progress_show(&progress, 500, 1, 2000);
    progress_hide(&progress);
    assert_false(progress.is_shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_in_place),
        cmocka_unit_test(a_backup),
        cmocka_unit_test(nothing_without_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
