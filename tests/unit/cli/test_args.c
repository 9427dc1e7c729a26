/* Words as numbers and options, and what is said about those that are none. */
#include "cli/args.h"

#include "parsed.h"

static struct keystore_slice words[4];
static struct args args;
static const struct command command = {.name = "NAME", .usage = "number [OPTION]"};

/* Arguments of which this is the next. */
static struct args *with(const char *word)
{
    words[0] = keystore_text(word);
    words[1] = keystore_text("next");
    parsed_problem[0] = '\0';
    args = (struct args){.command = &command,
                         .words = {.items = words, .count = 2},
                         .arena = &parsed_arena,
                         .problem = parsed_problem};
    return &args;
}

static void words_in_any_case(void **state)
{
    (void)state;
    assert_true(args_is_word(keystore_text("gEt"), "GET"));
    assert_false(args_is_word(keystore_text("GETS"), "GET"));
    assert_false(args_is_word(keystore_text(""), "GET"));
    assert_true(args_is_next(with("nx"), "NX"));
    assert_int_equal(args_left(&args), 2);
    assert_false(args_match(&args, "XX"));
    assert_int_equal(args_left(&args), 2);
    assert_true(args_match(&args, "NX"));
    assert_int_equal(args_left(&args), 1);
    assert_slice(args_take(&args), "next");
    assert_false(args_is_next(&args, "NEXT"));
}

static void what_is_left(void **state)
{
    (void)state;
    struct words rest = args_take_rest(with("one"));
    assert_int_equal(rest.count, 2);
    assert_slice(rest.items[1], "next");
    assert_int_equal(args_left(&args), 0);
    assert_int_equal(args_take_rest(&args).count, 0);
}

static void integers(void **state)
{
    (void)state;
    int64_t out;
    assert_true(args_integer(with("-9223372036854775808"), "index", INT64_MIN, INT64_MAX, &out));
    assert_true(out == INT64_MIN);
    assert_true(args_integer(with("9223372036854775807"), "index", 1, INT64_MAX, &out));
    assert_true(out == INT64_MAX);
    static const char *const bad[] = {"x",    "1.5", "",  " 1", "1x", "9223372036854775808",
                                      "0x10", "-",   "1 "};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(args_integer(with(bad[i]), "index", INT64_MIN, INT64_MAX, &out));
        assert_non_null(
            strstr(parsed_problem, "is not a valid index: NAME takes a 64-bit integer"));
    }
    with("12");
    words[0] = (struct keystore_slice){.data = "1\0002", .len = 3};
    assert_false(args_integer(&args, "index", INT64_MIN, INT64_MAX, &out));
}

static void bounds_of_integers(void **state)
{
    (void)state;
    int64_t out;
    assert_true(args_integer(with("1"), "count", 1, 5, &out));
    assert_true(args_integer(with("5"), "count", 1, 5, &out));
    assert_false(args_integer(with("6"), "count", 1, 5, &out));
    assert_string_equal(parsed_problem,
                        "'6' is not a valid count: NAME takes an integer from 1 to 5");
    assert_false(args_integer(with("0"), "count", 1, INT64_MAX, &out));
    assert_string_equal(parsed_problem,
                        "'0' is not a valid count: NAME takes an integer, 1 or more");
}

static void unsigned_integers(void **state)
{
    (void)state;
    uint64_t out;
    assert_true(args_unsigned(with("18446744073709551615"), "version", 1, &out));
    assert_true(out == UINT64_MAX);
    static const char *const bad[] = {"18446744073709551616", "-1", "+1", "0", "x", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(args_unsigned(with(bad[i]), "version", 1, &out));
    assert_string_equal(parsed_problem,
                        "'' is not a valid version: NAME takes an integer, 1 or more");
}

static void reals(void **state)
{
    (void)state;
    const char *out;
    static const char *const texts[] = {"-5.0e3", "9007199254740993", "0x1p3", "", " 1", "x"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_true(args_text(with(texts[i]), "increment", &out));
        assert_string_equal(out, texts[i]);
    }
    with("1")->words.items[0] = (struct keystore_slice){"1\0002", 3};
    assert_false(args_text(&args, "increment", &out));
    assert_non_null(strstr(parsed_problem, "is not a valid increment: NAME takes a finite"));
}

static void options(void **state)
{
    (void)state;
    assert_true(args_has_value(with("EX"), "EX"));
    args_take_rest(&args);
    assert_false(args_has_value(&args, "EX"));
    assert_string_equal(parsed_problem, "EX of NAME needs a value; usage: NAME number [OPTION]");
    assert_false(args_refuse_option(with("wat")));
    assert_non_null(strstr(parsed_problem, "NAME has no option 'wat' there"));
}

static void long_words_are_cut_in_sentences(void **state)
{
    (void)state;
    char word[1000];
    int64_t out;
    memset(word, '1', sizeof word);
    word[999] = '\0';
    assert_false(args_integer(with(word), "index", INT64_MIN, INT64_MAX, &out));
    assert_true(strlen(parsed_problem) < 150);
    assert_false(args_refuse(&args, "%s", word));
    assert_int_equal(strlen(parsed_problem), ARGS_PROBLEM_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_in_any_case), cmocka_unit_test(what_is_left),
        cmocka_unit_test(integers),          cmocka_unit_test(bounds_of_integers),
        cmocka_unit_test(unsigned_integers), cmocka_unit_test(reals),
        cmocka_unit_test(options),           cmocka_unit_test(long_words_are_cut_in_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
