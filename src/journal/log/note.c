/* Notes as lines of base64, and back. Knows nothing of what they say. */
#include "journal/log/note.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Bytes in a full line, a multiple of 3. */
#define LINE_BYTES ((size_t)756)
/* No note has more lines. */
#define MOST_LINES  1000000
#define MOST_NUMBER "999999"
/* Characters of the longest line, with its end. */
#define MOST_LINE (sizeof NOTE_MARK MOST_NUMBER " " - 1 + LINE_BYTES / 3 * 4 + 1)

_Static_assert(LINE_BYTES % 3 == 0, "a full line ends with whole groups of digits");
_Static_assert(MOST_LINE <= 1023, "Redis refuses to load a longer one");

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static uint8_t *note_encode(struct slice bytes, uint8_t *out)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t taken = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t bits = (uint32_t)bytes.data[i] << 16;
        if (taken > 1)
            bits |= (uint32_t)bytes.data[i + 1] << 8;
        if (taken > 2)
            bits |= bytes.data[i + 2];
        for (size_t k = 0; k <= taken; k++)
            *out++ = (uint8_t)alphabet[bits >> (18 - 6 * k) & 63];
    }
    return out;
}

static int note_digit(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    if (byte == '+')
        return 62;
    return byte == '/' ? 63 : -1;
}

static bool note_decode(struct slice text, struct buf *out)
{
    if (text.len % 4 == 1 || buf_reserve(out, LINE_BYTES) == NULL || text.len > LINE_BYTES / 3 * 4)
        return false;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = note_digit(text.data[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0)
            out->data[out->len++] = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    return true;
}

void note_append(struct buf *out, struct slice note)
{
    CHECK(note.len > 0);
    size_t left = (note.len - 1) / LINE_BYTES;
    CHECK(left < MOST_LINES);
    for (;; left--) {
        struct slice part = slice_make(note.data, note.len < LINE_BYTES ? note.len : LINE_BYTES);
        uint8_t *line = buf_reserve(out, MOST_LINE);
        CHECK(line != NULL); /* the buffer has no limit */
        uint8_t *end = line + sprintf((char *)line, NOTE_MARK "%zu ", left);
        end = note_encode(part, end);
        *end++ = '\n';
        out->len += (size_t)(end - line);
        note = slice_skip(note, part.len);
        if (left == 0)
            break;
    }
}

/* Bytes of the line at the start of the text, with its end; 0: it is none of ours. */
static size_t note_line_size(struct slice text)
{
    if (!slice_starts_with(text, SLICE_LITERAL(NOTE_MARK)))
        return 0;
    size_t most = text.len < MOST_LINE ? text.len : MOST_LINE;
    const uint8_t *end = memchr(text.data, '\n', most);
    return end != NULL ? (size_t)(end - text.data) + 1 : 0;
}

size_t note_measure(struct slice text)
{
    size_t size, sum = 0;
    while ((size = note_line_size(slice_skip(text, sum))) > 0)
        sum += size;
    return sum;
}

/* Reads a line without its mark and end: its number and bytes. */
static bool note_read_line(struct slice line, size_t *number, struct buf *note)
{
    size_t at = 0;
    *number = 0;
    for (; at < line.len && line.data[at] >= '0' && line.data[at] <= '9'; at++) {
        *number = *number * 10 + (size_t)(line.data[at] - '0');
        if (*number >= MOST_LINES)
            return false;
    }
    return at > 0 && at < line.len && line.data[at] == ' ' &&
           note_decode(slice_skip(line, at + 1), note);
}

bool note_read(struct slice *lines, struct buf *note)
{
    size_t number = 0, size;
    note->len = 0;
    for (size_t expected = SIZE_MAX; (size = note_line_size(*lines)) > 0; expected = number - 1) {
        size_t mark = sizeof NOTE_MARK - 1;
        struct slice line = slice_make(lines->data + mark, size - mark - 1);
        *lines = slice_skip(*lines, size);
        if (!note_read_line(line, &number, note) || (expected != SIZE_MAX && number != expected))
            break;
        if (number == 0)
            return note->len > 0;
    }
    *lines = slice_make(NULL, 0);
    return false;
}
