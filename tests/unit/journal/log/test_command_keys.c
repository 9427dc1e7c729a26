/* Tests of journal/log/command_keys.c. */
#include "journal/log/command_keys.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* The keys of a command of words, each after a space; NULL: they are unknown. */
static void expect(const char *words, const char *expected)
{
    struct slice args[16], *keys;
    struct scan_command command = {.args = args};
    struct arena arena;
    size_t count;
    char text[100] = "";
    arena_init(&arena);
    while (*words != 0) {
        size_t len = strcspn(words, " ");
        args[command.count++] = slice_make(words, len);
        words += len + (words[len] == ' ');
    }
    assert_true(command_keys(&command, &arena, &keys, &count) == (expected != NULL));
    for (size_t i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %.*s", (int)keys[i].len,
                 (const char *)keys[i].data);
    assert_string_equal(text, expected != NULL ? expected : "");
    arena_deinit(&arena);
}

static void test_keys_of_commands(void **state)
{
    (void)state;
    expect("sadd a b", " a");
    expect("SMOVE a b c", " a b");
    expect("BITOP AND a b", " a");
    expect("MSET a 1 b 2", " a b");
    expect("MSETEX 2 a 1 b 2", " a b");
    expect("PFCOUNT a b", " a b");
    expect("SORT a BY x STORE b", " b");
    expect("GEORADIUS a 1 2 3 km STOREDIST b", " b");
    expect("FUNCTION LOAD x", "");
    expect("EVAL x 1 a", NULL);
    expect("JSON.SET a b", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys_of_commands)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
