/* Tests of server/watch.c: which lines it writes, read back from a file. */
#include "server/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The lines of one look, zero-terminated in static memory. */
static const char *lines_of(struct watch *watch, const struct watch_numbers *numbers,
                            int64_t now_ms, bool is_last)
{
    static char text[4096];
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_non_null(file);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    if (is_last)
        watch_end(watch, numbers, now_ms);
    else
        watch_look(watch, numbers, now_ms);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    ssize_t len = pread(fileno(file), text, sizeof text - 1, 0);
    assert_true(len >= 0);
    text[len] = '\0';
    fclose(file);
    return text;
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, text);
}

static void test_refused_calls(void **state)
{
    (void)state;
    struct watch watch = {0};
    struct watch_numbers numbers = {0};
    assert_string_equal(lines_of(&watch, &numbers, 1000, false), "");
    numbers.refused[ERR_OUT_OF_MEMORY] = 40;
    numbers.refused[ERR_WRONG_TYPE] = 7; /* a client's mistake */
    const char *lines = lines_of(&watch, &numbers, 2000, false);
    assert_has(lines, " 40 calls were refused: there is no memory");
    assert_null(strstr(lines, " 7 "));
    numbers.refused[ERR_OUT_OF_MEMORY] += 60;
    numbers.refused[ERR_READ_ONLY] += 3;
    lines = lines_of(&watch, &numbers, 3000, false);
    assert_has(lines, " 3 calls were refused: the disk");
    assert_null(strstr(lines, "memory"));
    assert_has(lines_of(&watch, &numbers, 2000 + LOG_LIMIT_SPAN_MS, false),
               " 60 calls were refused");
    assert_string_equal(lines_of(&watch, &numbers, 2000 + 3 * LOG_LIMIT_SPAN_MS, false), "");
}

static void test_evicted_keys(void **state)
{
    (void)state;
    struct watch watch = {0};
    struct watch_numbers numbers = {.evicted_keys = 12};
    assert_has(lines_of(&watch, &numbers, 1000, false), " 12 keys were evicted");
    numbers.evicted_keys = 20;
    assert_string_equal(lines_of(&watch, &numbers, 2000, false), "");
    assert_has(lines_of(&watch, &numbers, 2001, true), " 8 keys were evicted");
}

static void test_a_slow_disk(void **state)
{
    (void)state;
    struct watch watch = {0};
    struct watch_numbers numbers = {.waits_since_us = 5000000};
    assert_string_equal(lines_of(&watch, &numbers, 5900, false), "");
    assert_has(lines_of(&watch, &numbers, 6500, false), "for 1.5 s");
    assert_string_equal(lines_of(&watch, &numbers, 7500, false), ""); /* the same one */
    numbers = (struct watch_numbers){.slow_waits = 1};
    assert_has(lines_of(&watch, &numbers, 8500, false), " 1 writes or syncs");
    numbers.waits_since_us = 9000000;
    assert_has(lines_of(&watch, &numbers, 10000, false), "for 1.0 s");
    assert_string_equal(lines_of(&watch, &numbers, 12000, true), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_calls),
        cmocka_unit_test(test_evicted_keys),
        cmocka_unit_test(test_a_slow_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
