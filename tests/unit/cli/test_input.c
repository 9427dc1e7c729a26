/* Commands cut out of a stream, however it arrives. */
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define SEEN_SIZE 4000

/* What comes out, each command as "number<word><word>", a refused line as "number!". */
struct seen {
    char text[SEEN_SIZE];
    size_t len;
    enum input_result end; /* INPUT_END or INPUT_BAD */
    char problem[INPUT_PROBLEM_SIZE];
};

static void note(struct seen *seen, const struct input *input, const struct words *words)
{
    size_t size = SEEN_SIZE - seen->len;
    seen->len += (size_t)snprintf(seen->text + seen->len, size, "%d", (int)input->number);
    for (size_t i = 0; words != NULL && i < words->count; i++) {
        size = SEEN_SIZE - seen->len;
        seen->len += (size_t)snprintf(seen->text + seen->len, size, "<%.*s>",
                                      (int)words->items[i].len, (const char *)words->items[i].data);
    }
    if (words == NULL)
        seen->text[seen->len++] = '!';
    seen->text[seen->len] = '\0';
}

/* The writing end of the pipe gets `step` bytes whenever more are wanted. */
static void take_all(struct input *input, int out, const char *text, size_t len, size_t step,
                     struct seen *seen)
{
    struct arena arena;
    struct words words;
    enum input_result result;
    arena_init(&arena);
    *seen = (struct seen){.end = INPUT_END};
    while ((result = input_take(input, &arena, &words)) != INPUT_END && result != INPUT_BAD) {
        if (result != INPUT_MORE) {
            note(seen, input, result == INPUT_COMMAND ? &words : NULL);
            continue;
        }
        size_t part = len < step ? len : step;
        if (part > 0)
            assert_int_equal(write(out, text, part), part);
        else
            close(out);
        text += part;
        len -= part;
        if (!input_fill(input)) {
            result = INPUT_BAD;
            break;
        }
    }
    if (len > 0)
        close(out);
    seen->end = result;
    snprintf(seen->problem, sizeof seen->problem, "%s", input->problem);
    arena_deinit(&arena);
}

static void read_in_steps(const char *text, size_t len, size_t step, size_t limit,
                          struct seen *seen)
{
    int ends[2];
    struct input input;
    assert_int_equal(pipe(ends), 0);
    input_init(&input, ends[0], limit);
    take_all(&input, ends[1], text, len, step, seen);
    input_deinit(&input);
    close(ends[0]);
}

/* The same commands, whether the text comes whole or in parts. */
static void assert_commands(const char *text, size_t len, const char *expected)
{
    static const size_t steps[] = {1, 2, 3, 7, 1000};
    struct seen seen;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        read_in_steps(text, len, steps[i], INPUT_LIMIT, &seen);
        assert_string_equal(seen.text, expected);
        assert_string_equal(seen.problem, "");
        assert_int_equal(seen.end, INPUT_END);
    }
}

/* After what was good comes this complaint. */
static void assert_bad(const char *text, size_t len, const char *good, const char *problem)
{
    struct seen seen;
    for (size_t step = 1; step < 50; step += 6) {
        read_in_steps(text, len, step, INPUT_LIMIT, &seen);
        assert_string_equal(seen.text, good);
        assert_string_equal(seen.problem, problem);
        assert_int_equal(seen.end, INPUT_BAD);
    }
}

#define COMMANDS(text, expected) assert_commands(text, sizeof(text) - 1, expected)
#define BAD(text, good, problem) assert_bad(text, sizeof(text) - 1, good, problem)

static void lines(void **state)
{
    (void)state;
    COMMANDS("", "");
    COMMANDS("\n \n#x\n\r\n", "");
    COMMANDS("SET a 1\n\nGET a", "1<SET><a><1>3<GET><a>");
}

static void a_line_with_open_quotes_is_refused_alone(void **state)
{
    (void)state;
    struct seen seen;
    static const char text[] = "GET a\nGET \"\nGET b\n";
    read_in_steps(text, strlen(text), 5, INPUT_LIMIT, &seen);
    assert_string_equal(seen.text, "1<GET><a>2!3<GET><b>");
    assert_int_equal(seen.end, INPUT_END);
}

static void a_zero_byte_is_no_text(void **state)
{
    (void)state;
    BAD("GET a\n\nSET b \0\nGET c\n", "1<GET><a>",
        "line 3 has a zero byte, so it is not text: write it as \"\\x00\" in quotes, or use RESP, "
        "which may contain any bytes");
}

static void resp(void **state)
{
    (void)state;
    COMMANDS("*1\r\n$4\r\nPING\r\n", "1<PING>");
    COMMANDS("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$0\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n",
             "1<SET><a><>2<GET><a>");
    /* Whatever a word looks like. */
    COMMANDS("*2\r\n$2\r\n\r\n\r\n$18\r\n\nFLUSHDB\r\n*1\r\n$4\r\n\r\n",
             "1<\r\n><\nFLUSHDB\r\n*1\r\n$4\r\n>");
    COMMANDS("*0\r\n*1\r\n$4\r\nPING\r\n*0\r\n", "1<PING>");
}

static void any_bytes_in_resp(void **state)
{
    (void)state;
    struct input input;
    struct arena arena;
    struct words words;
    uint8_t text[8 + 6 + 256 + 2] = "*1\r\n$256\r\n";
    size_t at = strlen((const char *)text);
    for (int i = 0; i < 256; i++)
        text[at + (size_t)i] = (uint8_t)i;
    memcpy(text + at + 256, "\r\n", 2);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, at + 258), at + 258);
    arena_init(&arena);
    input_init(&input, ends[0], INPUT_LIMIT);
    assert_true(input_fill(&input));
    assert_int_equal(input_take(&input, &arena, &words), INPUT_COMMAND);
    assert_int_equal(words.count, 1);
    assert_int_equal(words.items[0].len, 256);
    for (int i = 0; i < 256; i++)
        assert_int_equal(((const uint8_t *)words.items[0].data)[i], i);
    input_deinit(&input);
    arena_deinit(&arena);
    close(ends[0]);
    close(ends[1]);
}

static void what_is_no_resp(void **state)
{
    (void)state;
    BAD("*1\r\n$4\r\nPING\r\nGET a\r\n", "1<PING>",
        "command 2, byte 14: expected '*' and the number of words of a command, got 'G'");
    BAD("*x\r\n", "", "command 1, byte 1: expected the number of words, 0 to 2147483647, got 'x'");
    BAD("*-1\r\n", "", "command 1, byte 1: expected the number of words, 0 to 2147483647, got '-'");
    BAD("*99999999999\r\n", "",
        "command 1, byte 10: expected the number of words, 0 to 2147483647, got '9'");
    BAD("*1\n$4", "", "command 1, byte 2: expected \"\\r\\n\", got 0x0a");
    BAD("*1\r$4", "", "command 1, byte 3: expected \"\\n\" after \"\\r\", got '$'");
    BAD("*1\r\n:4\r\n", "", "command 1, byte 4: expected '$' and the length of a word, got ':'");
    BAD("*1\r\n$-1\r\n", "",
        "command 1, byte 5: expected the length of a word, 0 to 1073741824, got '-'");
    BAD("*1\r\n$3\r\nPING\r\n", "", "command 1, byte 11: expected \"\\r\\n\", got 'G'");
    BAD("*1\r\n$5\r\nPING\r\n\r\n", "", "command 1, byte 13: expected \"\\r\\n\", got 0x0a");
}

static void resp_that_ends_early(void **state)
{
    (void)state;
    BAD("*", "", "command 1, byte 1: expected the number of words, 0 to 2147483647, got the end");
    BAD("*2", "", "command 1, byte 2: expected \"\\r\\n\", got the end");
    BAD("*1\r\n", "", "command 1, byte 4: expected '$' and the length of a word, got the end");
    BAD("*1\r\n$4\r\nPI", "", "command 1, byte 10: expected the rest of a word, got the end");
    BAD("*1\r\n$4\r\nPING\r", "",
        "command 1, byte 13: expected \"\\n\" after \"\\r\", got the end");
}

/* The buffer grows with the command, and is used again for what follows it. */
static void long_commands(void **state)
{
    (void)state;
    static const size_t size = 3000000;
    char *text = malloc(size + 100);
    FILE *file = tmpfile();
    struct input input;
    struct arena arena;
    struct words words;
    size_t head = (size_t)sprintf(text, "*1\r\n$%zu\r\n", size);
    memset(text + head, 'x', size);
    strcpy(text + head + size, "\r\n*1\r\n$1\r\ny\r\n");
    assert_int_equal(fwrite(text, 1, head + size + 13, file), head + size + 13);
    fflush(file);
    rewind(file);
    arena_init(&arena);
    input_init(&input, fileno(file), INPUT_LIMIT);
    enum input_result result;
    while ((result = input_take(&input, &arena, &words)) == INPUT_MORE)
        assert_true(input_fill(&input));
    assert_int_equal(result, INPUT_COMMAND);
    assert_int_equal(words.items[0].len, size);
    assert_memory_equal(words.items[0].data, text + head, size);
    while ((result = input_take(&input, &arena, &words)) == INPUT_MORE)
        assert_true(input_fill(&input));
    assert_int_equal(result, INPUT_COMMAND);
    assert_memory_equal(words.items[0].data, "y", 1);
    assert_int_equal(input.number, 2);
    input_deinit(&input);
    arena_deinit(&arena);
    fclose(file);
    free(text);
}

static void a_command_that_is_too_long(void **state)
{
    (void)state;
    struct seen seen;
    char text[3001] = "GET a\nGET ";
    memset(text + 10, 'b', sizeof text - 11);
    text[3000] = '\0';
    read_in_steps(text, 3000, 100, 1000, &seen);
    assert_string_equal(seen.text, "1<GET><a>");
    assert_string_equal(seen.problem,
                        "line 2 is longer than 1000 bytes, more than any server accepts");
    read_in_steps("*1\r\n$2000\r\nxxxxxxxxxx", 21, 3, 20, &seen);
    assert_string_equal(seen.problem,
                        "command 1 is longer than 20 bytes, more than any server accepts");
}

static void what_cannot_be_read(void **state)
{
    (void)state;
    struct input input;
    int directory = open("/", O_RDONLY);
    input_init(&input, directory, INPUT_LIMIT);
    assert_false(input_fill(&input));
    assert_string_equal(input.problem, "cannot read standard input: Is a directory");
    input_deinit(&input);
    close(directory);
}

static void names_of_what_is_counted(void **state)
{
    (void)state;
    struct input input;
    input_init(&input, -1, INPUT_LIMIT);
    assert_string_equal(input_unit(&input), "line");
    input.form = INPUT_FORM_RESP;
    assert_string_equal(input_unit(&input), "command");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(a_line_with_open_quotes_is_refused_alone),
        cmocka_unit_test(a_zero_byte_is_no_text),
        cmocka_unit_test(resp),
        cmocka_unit_test(any_bytes_in_resp),
        cmocka_unit_test(what_is_no_resp),
        cmocka_unit_test(resp_that_ends_early),
        cmocka_unit_test(long_commands),
        cmocka_unit_test(a_command_that_is_too_long),
        cmocka_unit_test(what_cannot_be_read),
        cmocka_unit_test(names_of_what_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
