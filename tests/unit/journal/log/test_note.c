/* Tests of journal/log/note.c: bytes of all lengths as lines and back, and what is no note. */
#include "journal/log/note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "store/seeded.h"

/* What Redis accepts of an annotation, with its end. */
#define REDIS_MOST 1023

static void assert_lines_fit(struct slice lines)
{
    while (lines.len > 0) {
        const uint8_t *end = memchr(lines.data, '\n', lines.len);
        assert_non_null(end);
        size_t size = (size_t)(end - lines.data) + 1;
        assert_true(size <= REDIS_MOST);
        assert_true(slice_starts_with(lines, SLICE_LITERAL("#KSN ")));
        assert_null(memchr(lines.data, '\r', size));
        assert_null(memmem(lines.data, size, " xxh3=", 6)); /* no line of a batch */
        lines = slice_skip(lines, size);
    }
}

static void assert_round_trip(struct slice bytes)
{
    struct buf lines, note;
    buf_init(&lines, SIZE_MAX);
    buf_init(&note, SIZE_MAX);
    note_append(&lines, bytes);
    assert_lines_fit(buf_slice(&lines));
    size_t own = lines.len;
    assert_true(buf_append(&lines, SLICE_LITERAL("*1\r\n$4\r\nEXEC\r\n#KSN 0 YQ\n")));
    assert_int_equal(note_measure(buf_slice(&lines)), own);
    struct slice rest = slice_make(lines.data, own);
    assert_true(note_read(&rest, &note));
    assert_int_equal(rest.len, 0);
    assert_true(slice_equal(buf_slice(&note), bytes));
    buf_deinit(&lines);
    buf_deinit(&note);
}

static void test_all_lengths(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    static uint8_t bytes[100000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)seeded_below(&random, 256);
    for (size_t len = 1; len < 1600; len++)
        assert_round_trip(slice_make(bytes, len));
    assert_round_trip(slice_make(bytes, sizeof bytes));
}

static void test_several(void **state)
{
    (void)state;
    struct buf lines, note;
    uint8_t bytes[2000] = {0};
    buf_init(&lines, SIZE_MAX);
    buf_init(&note, SIZE_MAX);
    note_append(&lines, SLICE_LITERAL("one"));
    note_append(&lines, slice_make(bytes, sizeof bytes));
    note_append(&lines, SLICE_LITERAL("three"));
    struct slice rest = buf_slice(&lines);
    assert_int_equal(note_measure(rest), rest.len);
    assert_true(note_read(&rest, &note));
    assert_true(slice_equal(buf_slice(&note), SLICE_LITERAL("one")));
    assert_true(note_read(&rest, &note));
    assert_int_equal(note.len, sizeof bytes);
    assert_true(note_read(&rest, &note));
    assert_true(slice_equal(buf_slice(&note), SLICE_LITERAL("three")));
    assert_int_equal(rest.len, 0);
    buf_deinit(&lines);
    buf_deinit(&note);
}

static void test_what_is_no_note(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "#KSN \n",
        "#KSN 0\n",
        "#KSN 0 \n",
        "#KSN 0 Y\n",
        "#KSN 0 YQ=\n",
        "#KSN 0 YQ==\n",
        "#KSN 0 Y Q\n",
        "#KSN 1 YQ\n",
        "#KSN 1 YQ\n*1\n",
        "#KSN x YQ\n",
        "#KSN -1 YQ\n",
        "#KSN 1 YQ\n#KSN 1 YQ\n",
        "#KSN 2 YQ\n#KSN 0 YQ\n",
        "#KSN 1000000 YQ\n",
        "#KSN 99999999999999999999999 YQ\n",
    };
    struct buf note;
    buf_init(&note, SIZE_MAX);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice text = slice_from_string(cases[i]);
        struct slice lines = slice_make(text.data, note_measure(text));
        assert_true(lines.len > 0);
        if (note_read(&lines, &note))
            fail_msg("taken: %s", cases[i]);
        assert_int_equal(lines.len, 0);
    }
    static const char *const others[] = {
        "", "#", "#KSN", "#KSN 0 YQ", "# KSN 0 YQ\n", "#KS1 seq=1\n", "*1\r\n", "#TS:1\r\n"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(note_measure(slice_from_string(others[i])), 0);
    buf_deinit(&note);
}

static void test_a_line_that_is_too_long_is_none(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'A', sizeof text);
    memcpy(text, "#KSN 0 ", 7);
    text[7 + 1008] = '\n';
    assert_int_equal(note_measure(slice_make(text, sizeof text)), 7 + 1008 + 1);
    text[7 + 1008] = 'A';
    text[1030] = '\n';
    assert_int_equal(note_measure(slice_make(text, sizeof text)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_lengths),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_what_is_no_note),
        cmocka_unit_test(test_a_line_that_is_too_long_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
