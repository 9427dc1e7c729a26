/* Options as the command line gives them, for tests. Included after <cmocka.h>. */
#ifndef KEYSTORE_TESTS_BENCH_OPTIONS_H
#define KEYSTORE_TESTS_BENCH_OPTIONS_H

#include "bench/options.h"

/* Parses the words, separated by one space each, in place. */
static inline struct options options_of(char *words)
{
    struct options options;
    char problem[OPTIONS_PROBLEM_SIZE] = "";
    char *argv[40] = {words};
    int argc = 1;
    for (char *at = words; *at != '\0'; at++) {
        if (*at == ' ') {
            *at = '\0';
            argv[argc++] = at + 1;
        }
    }
    bool good = options_parse(argc, argv, &options, problem);
    assert_string_equal(problem, "");
    assert_true(good);
    return options;
}

#endif
