/* Reading ziplists, byte by byte. Knows nothing of the file around them. */
#include "journal/rdb/ziplist.h"

#define HEADER    ((size_t)10)
#define LONG_SIZE 254

#define STRING_14 0x40
#define STRING_32 0x80
#define INTEGERS  0xC0

bool ziplist_open(struct packed_cursor *cursor, struct slice bytes)
{
    return packed_open(cursor, bytes, HEADER);
}

/* Bytes of the size of the element before, 1 or 5; 0 if it is wrong or exceeds the end. */
static size_t ziplist_former_size(const struct packed_cursor *cursor)
{
    const uint8_t *at = cursor->at;
    if (at[0] < LONG_SIZE)
        return at[0] == cursor->former ? 1 : 0;
    if (at[0] != LONG_SIZE || cursor->end - at < 5)
        return 0;
    return packed_u32(at + 1) == cursor->former ? 5 : 0;
}

/* Passes `head` bytes, which are there, and `len` more. */
static enum packed_step ziplist_pass(struct packed_cursor *cursor, size_t head, size_t len)
{
    if (len > (size_t)(cursor->end - cursor->at) - head)
        return packed_bad(cursor, PACKED_TOO_LONG);
    cursor->former = head + len;
    cursor->at += head + len;
    cursor->count++;
    return PACKED_ELEMENT;
}

/* The encoding is `skip` bytes after the cursor. */
static enum packed_step ziplist_read_bytes(struct packed_cursor *cursor, size_t skip,
                                           struct packed_element *element)
{
    const uint8_t *code = cursor->at + skip;
    size_t size = code[0] < STRING_14 ? 1 : code[0] < STRING_32 ? 2 : 5;
    if ((size_t)(cursor->end - code) < size)
        return packed_bad(cursor, PACKED_TOO_LONG);
    size_t len = size == 1   ? code[0]
                 : size == 2 ? (size_t)(code[0] & 0x3F) << 8 | code[1]
                             : __builtin_bswap32(packed_u32(code + 1));
    element->is_number = false;
    element->bytes = slice_make(code + size, len);
    return ziplist_pass(cursor, skip + size, len);
}

/* Bytes of an integer after its encoding: 0 for a number that is the encoding, -1 for none. */
static int ziplist_integer_size(uint8_t code)
{
    switch (code) {
    case 0xC0:
        return 2;
    case 0xD0:
        return 4;
    case 0xE0:
        return 8;
    case 0xF0:
        return 3;
    case 0xFE:
        return 1;
    default:
        return code >= 0xF1 && code <= 0xFD ? 0 : -1;
    }
}

static enum packed_step ziplist_read_number(struct packed_cursor *cursor, size_t skip,
                                            struct packed_element *element)
{
    const uint8_t *code = cursor->at + skip;
    int size = ziplist_integer_size(code[0]);
    if (size < 0)
        return packed_bad(cursor, "has an element of an unknown encoding");
    if (cursor->end - code < 1 + size)
        return packed_bad(cursor, PACKED_TOO_LONG);
    element->is_number = true;
    element->number = size > 0 ? packed_signed(code + 1, (unsigned)size) : (code[0] & 0x0F) - 1;
    return ziplist_pass(cursor, skip + 1 + (size_t)size, 0);
}

enum packed_step ziplist_next(struct packed_cursor *cursor, struct packed_element *element)
{
    if (cursor->at == cursor->end)
        return packed_end(cursor);
    size_t skip = ziplist_former_size(cursor);
    if (skip == 0)
        return packed_bad(cursor, "has an element with a wrong size of the one before it");
    if (cursor->at + skip == cursor->end)
        return packed_bad(cursor, PACKED_TOO_LONG);
    return cursor->at[skip] < INTEGERS ? ziplist_read_bytes(cursor, skip, element)
                                       : ziplist_read_number(cursor, skip, element);
}
