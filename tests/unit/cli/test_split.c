/* The quoting rules, on lines as a user types them. */
#include "cli/split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena arena;

static int tear_down(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

/* The same words come out where the line was. */
static void assert_words_in_place(const char *line, const struct words *expected)
{
    struct words words;
    char copy[200];
    snprintf(copy, sizeof copy, "%s", line);
    assert_null(split_in_place((uint8_t *)copy, strlen(copy), &arena, &words));
    assert_int_equal(words.count, expected->count);
    for (size_t i = 0; i < words.count; i++) {
        const char *data = words.items[i].data;
        assert_true(data >= copy && data + words.items[i].len <= copy + strlen(line));
        assert_int_equal(words.items[i].len, expected->items[i].len);
        assert_memory_equal(data, expected->items[i].data, words.items[i].len);
    }
}

/* The words of the line, each in angle brackets. */
static void assert_words(const char *line, const char *expected)
{
    struct words words;
    char seen[200];
    int len = 0;
    assert_null(split_line(slice_from_string(line), &arena, &words));
    for (size_t i = 0; i < words.count; i++)
        len += snprintf(seen + len, sizeof seen - (size_t)len, "<%.*s>", (int)words.items[i].len,
                        (const char *)words.items[i].data);
    seen[len] = '\0';
    assert_string_equal(seen, expected);
    assert_words_in_place(line, &words);
}

static void assert_unbalanced(const char *line)
{
    struct words words;
    const char *problem = split_line(slice_from_string(line), &arena, &words);
    assert_non_null(problem);
    assert_non_null(strstr(problem, "unbalanced quotes"));
}

static void plain_words(void **state)
{
    (void)state;
    assert_words("", "");
    assert_words(" \t\r\n ", "");
    assert_words("SET foo 123", "<SET><foo><123>");
    assert_words("  a\tb  \n", "<a><b>");
    assert_words("a\\nb \\", "<a\\nb><\\>");
}

static void double_quotes(void **state)
{
    (void)state;
    assert_words("\"two words\" x", "<two words><x>");
    assert_words("\"\"", "<>");
    assert_words("\"a\\nb\\r\\t\\b\\a\"", "<a\nb\r\t\b\a>");
    assert_words("\"\\\"q\\\" \\\\ \\z 'x'\"", "<\"q\" \\ z 'x'>");
    assert_words("pre\"fix ed\"", "<prefix ed>");
}

static void single_quotes(void **state)
{
    (void)state;
    assert_words("'two words' x", "<two words><x>");
    assert_words("''", "<>");
    assert_words("'a\\nb \"q\" it\\'s'", "<a\\nb \"q\" it's>");
}

static void hexadecimal_escapes(void **state)
{
    (void)state;
    struct words words;
    assert_null(split_line(SLICE_LITERAL("\"\\x00\\xff\\x4A\\x4z\\x4\""), &arena, &words));
    assert_int_equal(words.count, 1);
    assert_int_equal(words.items[0].len, 8);
    assert_memory_equal(words.items[0].data, "\0\xffJx4zx4", 8);
    assert_words("\\x41 '\\x41'", "<\\x41><\\x41>");
}

static void zero_bytes_are_bytes(void **state)
{
    (void)state;
    struct words words;
    assert_null(split_line(SLICE_LITERAL("a\0b c"), &arena, &words));
    assert_int_equal(words.count, 2);
    assert_int_equal(words.items[0].len, 3);
}

static void unbalanced_quotes(void **state)
{
    (void)state;
    static const char *const lines[] = {"\"",     "'",    "a \"b", "a 'b\\'",   "\"a\\\"",
                                        "\"a\"b", "'a'b", "\"a\\", "\"a\"\"b\""};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_unbalanced(lines[i]);
}

/* Any bytes in double quotes and escapes come back as they were. */
static void random_bytes_come_back(void **state)
{
    (void)state;
    const char *given = getenv("KEYSTORE_SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)getpid();
    print_message("KEYSTORE_SEED=%u\n", seed);
    for (int round = 0; round < 200; round++) {
        uint8_t bytes[40];
        char line[4 * sizeof bytes + 3] = "\"";
        size_t len = (size_t)rand_r(&seed) % sizeof bytes;
        size_t at = 1;
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (uint8_t)rand_r(&seed);
            at += (size_t)snprintf(line + at, sizeof line - at, "\\x%02x", bytes[i]);
        }
        line[at++] = '"';
        struct words words;
        assert_null(split_line(slice_make(line, at), &arena, &words));
        assert_int_equal(words.count, 1);
        assert_int_equal(words.items[0].len, len);
        if (len > 0)
            assert_memory_equal(words.items[0].data, bytes, len);
        arena_reset(&arena);
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain_words),
        TEST(double_quotes),
        TEST(single_quotes),
        TEST(hexadecimal_escapes),
        TEST(zero_bytes_are_bytes),
        TEST(unbalanced_quotes),
        TEST(random_bytes_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
