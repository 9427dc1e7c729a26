/* Command lines as requests, to look at what they have become. */
#ifndef KEYSTORE_TESTS_CLI_PARSED_H
#define KEYSTORE_TESTS_CLI_PARSED_H

#include "cli/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The database that parsed() chooses. */
#define PARSED_DB 3

static struct arena parsed_arena;
static char parsed_problem[ARGS_PROBLEM_SIZE];

static inline struct words parsed_words(const char *line)
{
    struct words words;
    assert_null(split_line(slice_from_string(line), &parsed_arena, &words));
    return words;
}

/* The request that the line asks for; the test fails if the line is refused. */
static inline struct request parsed(const char *line)
{
    struct request request;
    if (!commands_parse(parsed_words(line), PARSED_DB, &parsed_arena, &request, parsed_problem))
        fail_msg("%s: %s", line, parsed_problem);
    return request;
}

/* The line must be refused with a sentence that contains `expected`. */
static inline void assert_refused(const char *line, const char *expected)
{
    struct request request;
    assert_false(
        commands_parse(parsed_words(line), PARSED_DB, &parsed_arena, &request, parsed_problem));
    if (strstr(parsed_problem, expected) == NULL)
        fail_msg("%s: '%s' should contain '%s'", line, parsed_problem, expected);
}

static inline void assert_slice(struct keystore_slice slice, const char *text)
{
    assert_int_equal(slice.len, strlen(text));
    assert_memory_equal(slice.data, text, slice.len);
}

static inline int parsed_tear_down(void **state)
{
    (void)state;
    arena_deinit(&parsed_arena);
    return 0;
}

#endif
