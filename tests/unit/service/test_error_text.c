/* Tests of service/error_text.c: formatting and the limit. */
#include "service/error_text.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_numbers_and_names(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    const char *first = error_text_format(&arena, "%s has %zu", "it", (size_t)7);
    const char *second = error_text_format(&arena, "in %s", first);
    assert_string_equal(first, "it has 7");
    assert_string_equal(second, "in it has 7");
    arena_deinit(&arena);
}

static void test_a_text_that_is_too_long_is_truncated(void **state)
{
    (void)state;
    struct arena arena;
    char longer[2 * ERROR_TEXT_MAX];
    arena_init(&arena);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    assert_int_equal(strlen(error_text_format(&arena, "%s", longer)), ERROR_TEXT_MAX - 1);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_and_names),
        cmocka_unit_test(test_a_text_that_is_too_long_is_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
