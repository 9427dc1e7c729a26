/*
 * Patterns: the matcher against another one, which fills a table of what matches what, and is slow.
 * The input is the pattern behind its size, then the text.
 */
#include "common/target.h"

#include "base/glob.h"

#define MOST ((size_t)300)

/* One element of a pattern: which bytes it takes. */
struct element {
    bool is_star;
    bool takes[256];
};

static struct element elements[MOST];

static uint8_t glob_byte(struct slice *pattern)
{
    if (pattern->data[0] == '\\' && pattern->len > 1)
        *pattern = slice_skip(*pattern, 1);
    return target_byte(pattern);
}

/* A class, behind its '['. */
static void read_class(struct slice *pattern, struct element *element)
{
    bool is_inverted = pattern->len > 0 && pattern->data[0] == '^';
    if (is_inverted)
        target_byte(pattern);
    while (pattern->len > 0 && pattern->data[0] != ']') {
        bool is_escaped = pattern->data[0] == '\\' && pattern->len > 1;
        uint8_t first = glob_byte(pattern), last = first;
        if (!is_escaped && pattern->len > 1 && pattern->data[0] == '-') {
            target_byte(pattern);
            last = target_byte(pattern);
        }
        for (unsigned byte = first < last ? first : last; byte <= (first > last ? first : last);
             byte++)
            element->takes[byte] = true;
    }
    target_byte(pattern); /* ']' */
    for (unsigned byte = 0; byte < 256; byte++)
        element->takes[byte] ^= is_inverted;
}

/* Returns the number of elements. */
static size_t read_pattern(struct slice pattern)
{
    size_t count = 0;
    while (pattern.len > 0) {
        struct element *element = &elements[count++];
        *element = (struct element){.is_star = pattern.data[0] == '*'};
        if (pattern.data[0] == '*') {
            target_byte(&pattern);
        } else if (pattern.data[0] == '?') {
            target_byte(&pattern);
            memset(element->takes, true, sizeof element->takes);
        } else if (pattern.data[0] == '[') {
            target_byte(&pattern);
            read_class(&pattern, element);
        } else {
            element->takes[glob_byte(&pattern)] = true;
        }
    }
    return count;
}

/* The table's rows are the elements taken so far, its columns the bytes. */
static bool naive_match(struct slice pattern, struct slice text)
{
    static bool reached[MOST + 1][MOST + 1];
    size_t count = read_pattern(pattern);
    memset(reached, 0, sizeof reached);
    reached[0][0] = true;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k <= text.len; k++) {
            if (elements[i].is_star)
                reached[i + 1][k] = reached[i][k] || (k > 0 && reached[i + 1][k - 1]);
            else
                reached[i + 1][k] =
                    k > 0 && reached[i][k - 1] && elements[i].takes[text.data[k - 1]];
        }
    }
    return reached[count][text.len];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);
    struct slice pattern = target_piece(&input);
    if (pattern.len > MOST || input.len > MOST)
        return -1;
    uint8_t *pattern_copy = target_copy(pattern), *text_copy = target_copy(input);
    bool matches =
        glob_match(slice_make(pattern_copy, pattern.len), slice_make(text_copy, input.len));
    CHECK(matches == naive_match(pattern, input));
    free(pattern_copy);
    free(text_copy);
    return 0;
}
