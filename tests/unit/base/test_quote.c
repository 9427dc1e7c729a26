/* Tests of base/quote.c: words with and without quotes. */
#include "base/quote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_quoted(struct slice bytes, const char *expected)
{
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    quote_word(stream, bytes);
    fclose(stream);
    assert_string_equal(text, expected);
    char room[QUOTED_SIZE(16)];
    assert_string_equal(quote_text(room, bytes), expected);
    free(text);
}

static void quotes_what_would_be_read_otherwise(void **state)
{
    (void)state;
    assert_quoted(SLICE_LITERAL("plain-Key_1.2:3/4"), "plain-Key_1.2:3/4");
    assert_quoted(SLICE_LITERAL(""), "\"\"");
    assert_quoted(SLICE_LITERAL("a b"), "\"a b\"");
    assert_quoted(SLICE_LITERAL("#"), "\"#\"");
    assert_quoted(SLICE_LITERAL("'\"\\"), "\"'\\\"\\\\\"");
    assert_quoted(SLICE_LITERAL("\n\r\t\a\b"), "\"\\n\\r\\t\\a\\b\"");
}

static void every_byte_is_printable(void **state)
{
    (void)state;
    assert_quoted(SLICE_LITERAL("\0\x01\x1f\x7f\x80\xff~"), "\"\\x00\\x01\\x1f\\x7f\\x80\\xff~\"");
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t one = (uint8_t)byte;
        char *text;
        size_t size;
        FILE *stream = open_memstream(&text, &size);
        quote_word(stream, slice_make(&one, 1));
        fclose(stream);
        for (size_t i = 0; i < size; i++)
            assert_in_range(text[i], ' ', '~');
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_what_would_be_read_otherwise),
        cmocka_unit_test(every_byte_is_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
