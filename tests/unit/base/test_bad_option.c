/* Tests of base/bad_option.c, behind a getopt_long() of the real library. */
#include "base/bad_option.h"

#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define FIRST_CODE 256

/* What is said of the first option that is not taken in `words`, the last of which is NULL. */
static const char *described(size_t size, const char *const *words)
{
    static const struct option longs[] = {{"flag", no_argument, NULL, FIRST_CODE},
                                          {"value", required_argument, NULL, FIRST_CODE + 1},
                                          {NULL, 0, NULL, 0}};
    static char problem[200];
    char *argv[8] = {(char *)(uintptr_t) "program"};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    optind = 0;
    opterr = 0;
    int answer;
    do
        answer = getopt_long(argc, argv, "+:f:g", longs, NULL);
    while (answer != -1 && answer != ':' && answer != '?');
    assert_int_not_equal(answer, -1);
    bad_option_describe(problem, size, answer, argv, FIRST_CODE);
    return problem;
}

#define assert_described(sentence, ...)                                                            \
    assert_string_equal(described(200, (const char *const[]){__VA_ARGS__, NULL}), sentence)

static void unknown_options(void **state)
{
    (void)state;
    assert_described("there is no option --wat", "--wat");
    assert_described("there is no option --wat=1", "--flag", "--wat=1");
    assert_described("there is no option -z", "-z");
    assert_described("there is no option -z", "-gzf", "1");
}

static void values(void **state)
{
    (void)state;
    assert_described("the option --value needs a value behind it", "--value");
    assert_described("the option -f needs a value behind it", "-g", "-f");
    assert_described("the option --flag=1 takes no value", "--value", "x", "--flag=1");
}

static void long_ones_are_cut(void **state)
{
    (void)state;
    char name[300] = "--";
    char expected[200] = "there is no option --";
    memset(name + 2, 'n', sizeof name - 3);
    memset(expected + strlen(expected), 'n', 97);
    assert_described(expected, name);
    assert_string_equal(described(6, (const char *const[]){name, NULL}), "there");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_options),
        cmocka_unit_test(values),
        cmocka_unit_test(long_ones_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
