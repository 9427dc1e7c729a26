/* Notes as lines of base64, and back. Knows nothing of what they say. */
#include "journal/log/note.h"

#include "base/base64.h"
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
#define MOST_LINE (sizeof NOTE_MARK MOST_NUMBER " " - 1 + BASE64_CHARS(LINE_BYTES) + 1)

_Static_assert(LINE_BYTES % 3 == 0, "a full line ends with whole groups of digits");
_Static_assert(MOST_LINE <= 1023, "Redis refuses to load a longer one");

static bool note_decode(struct slice text, struct buf *out)
{
    uint8_t *bytes = buf_reserve(out, LINE_BYTES);
    if (bytes == NULL || text.len > BASE64_CHARS(LINE_BYTES) || !base64_decode(text, bytes))
        return false;
    out->len += BASE64_BYTES(text.len);
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
        end = base64_encode(part, end);
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
