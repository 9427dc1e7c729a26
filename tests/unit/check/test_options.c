/* Tests of check/options.c: every option, and error messages. */
#include "check/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool parse(const char *const *words, struct options *options,
                  char problem[static OPTIONS_PROBLEM_SIZE])
{
    char *argv[16] = {(char *)(uintptr_t) "keystore-check"};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    problem[0] = '\0';
    return options_parse(argc, argv, options, problem);
}

#define assert_parses(options, ...)                                                                \
    do {                                                                                           \
        char problem[OPTIONS_PROBLEM_SIZE];                                                        \
        assert_true(parse((const char *const[]){__VA_ARGS__, NULL}, options, problem));            \
    } while (false)

static void reads_options(void **state)
{
    (void)state;
    struct options options;
    assert_parses(&options, "data");
    assert_string_equal(options.path, "data");
    assert_false(options.repair || options.repair_damage || options.dump);
    assert_parses(&options, "--repair", "data");
    assert_true(options.repair && !options.repair_damage);
    assert_parses(&options, "data", "--repair-damage");
    assert_true(options.repair && options.repair_damage);
    assert_parses(&options, "--dump", "--", "-data");
    assert_true(options.dump && !options.repair);
    assert_string_equal(options.path, "-data");
    assert_parses(&options, "--help");
    assert_true(options.help);
    assert_parses(&options, "--version");
    assert_true(options.version);
}

static void refuses_what_makes_no_sense(void **state)
{
    (void)state;
    static const struct {
        const char *words[5];
        const char *part;
    } cases[] = {
        {{NULL}, "the data directory or file to check is missing"},
        {{"--repair", NULL}, "the data directory or file to check is missing"},
        {{"a", "b", NULL}, "only one data directory or file can be checked, not 2: 'b'"},
        {{"", NULL}, "is empty"},
        {{"--dump", "--repair", "a", NULL}, "--dump only reads"},
        {{"--dump", "--repair-damage", "a", NULL}, "--dump only reads"},
        {{"--version", "a", "b", NULL}, "--help and --version check nothing; omit 'a'"},
        {{"--help", "--no", NULL}, "there is no option --no"},
        {{"--no", "a", NULL}, "there is no option --no"},
        {{"-r", "a", NULL}, "there is no option -r"},
        {{"--repair=yes", "a", NULL}, "the option --repair=yes takes no value"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct options options;
        char problem[OPTIONS_PROBLEM_SIZE];
        assert_false(parse(cases[i].words, &options, problem));
        if (strstr(problem, cases[i].part) == NULL)
            fail_msg("'%s' does not say '%s'", problem, cases[i].part);
    }
}

static void help_names_every_option(void **state)
{
    (void)state;
    static const char *const names[] = {"--repair ", "--repair-damage ", "--dump ", "--help ",
                                        "--version "};
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    options_print_help(stream);
    fclose(stream);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_non_null(strstr(text, names[i]));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_options),
        cmocka_unit_test(refuses_what_makes_no_sense),
        cmocka_unit_test(help_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
