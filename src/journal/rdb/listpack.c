/* Reading and writing listpacks, byte by byte. Knows nothing of the file around them. */
#include "journal/rdb/listpack.h"

#include "base/check.h"
#include "base/decimal.h"

#define HEADER     ((size_t)6)
#define TERMINATOR 255

#define STRING_6  0x80
#define INT_13    0xC0
#define STRING_12 0xE0
#define STRING_32 0xF0
#define INT_16    0xF1
#define INT_24    0xF2
#define INT_32    0xF3
#define INT_64    0xF4

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied from the front");

/* ---- reading ---- */

bool listpack_open(struct packed_cursor *cursor, struct slice bytes)
{
    return packed_open(cursor, bytes, HEADER);
}

/* Bytes of the size that follows an element. */
static inline unsigned listpack_tail_size(size_t size)
{
    if (size <= 127)
        return 1;
    return size < 16383 ? 2 : size < 2097151 ? 3 : size < 268435455 ? 4 : 5;
}

static void listpack_put_tail(uint8_t *out, unsigned tail, size_t size)
{
    for (unsigned i = tail; i-- > 0; size >>= 7)
        out[i] = (uint8_t)((size & 127) | (i > 0 ? 128 : 0));
}

static inline bool listpack_tail_is_right(const uint8_t *at, unsigned tail, size_t size)
{
    if (tail == 1)
        return at[0] == size;
    uint8_t expected[5];
    listpack_put_tail(expected, tail, size);
    return memcmp(at, expected, tail) == 0;
}

/* Passes the element of `size` bytes at the cursor, if its tail is there and right. */
static enum packed_step listpack_pass(struct packed_cursor *cursor, size_t size)
{
    size_t left = (size_t)(cursor->end - cursor->at);
    unsigned tail = listpack_tail_size(size);
    if (size > left || tail > left - size)
        return packed_bad(cursor, PACKED_TOO_LONG);
    if (!listpack_tail_is_right(cursor->at + size, tail, size))
        return packed_bad(cursor, "has an element with a wrong size after it");
    cursor->at += size + tail;
    cursor->count++;
    return PACKED_ELEMENT;
}

static enum packed_step listpack_read_bytes(struct packed_cursor *cursor, size_t head, size_t len,
                                            struct packed_element *element)
{
    element->is_number = false;
    element->bytes = slice_make(cursor->at + head, len);
    return listpack_pass(cursor, head + len);
}

static enum packed_step listpack_read_number(struct packed_cursor *cursor, size_t size,
                                             int64_t number, struct packed_element *element)
{
    element->is_number = true;
    element->number = number;
    return listpack_pass(cursor, size);
}

/* Encodings from 240 on. */
static enum packed_step listpack_read_wide(struct packed_cursor *cursor,
                                           struct packed_element *element)
{
    static const uint8_t sizes[] = {4, 2, 3, 4, 8};
    const uint8_t *at = cursor->at;
    size_t left = (size_t)(cursor->end - at);
    if (at[0] > INT_64)
        return packed_bad(cursor, "has an element of an unknown encoding");
    unsigned size = sizes[at[0] - STRING_32];
    if (left < 1 + size)
        return packed_bad(cursor, PACKED_TOO_LONG);
    if (at[0] == STRING_32)
        return listpack_read_bytes(cursor, 5, packed_u32(at + 1), element);
    return listpack_read_number(cursor, 1 + size, packed_signed(at + 1, size), element);
}

enum packed_step listpack_next(struct packed_cursor *cursor, struct packed_element *element)
{
    const uint8_t *at = cursor->at;
    if (at == cursor->end)
        return packed_end(cursor);
    if (at[0] < STRING_6)
        return listpack_read_number(cursor, 1, at[0], element);
    if (at[0] < INT_13)
        return listpack_read_bytes(cursor, 1, at[0] & 0x3Fu, element);
    if (at[0] >= STRING_32)
        return listpack_read_wide(cursor, element);
    if (cursor->end - at < 2)
        return packed_bad(cursor, PACKED_TOO_LONG);
    if (at[0] >= STRING_12)
        return listpack_read_bytes(cursor, 2, (size_t)(at[0] & 0x0F) << 8 | at[1], element);
    int64_t number = (at[0] & 0x1F) << 8 | at[1];
    return listpack_read_number(cursor, 2, number < 4096 ? number : number - 8192, element);
}

/* ---- writing ---- */

/* Encoding byte and the `size` low bytes of the number. */
static void listpack_put_number(struct listpack_item *item, uint8_t encoding, int64_t number,
                                uint8_t size)
{
    item->head[0] = encoding;
    CHECK(1u + size <= sizeof item->head);
    memcpy(item->head + 1, &number, size);
    item->head_len = (uint8_t)(1 + size);
}

static void listpack_encode_number(struct listpack_item *item, int64_t number)
{
    if (number >= 0 && number <= 127) {
        listpack_put_number(item, (uint8_t)number, 0, 0);
    } else if (number >= -4096 && number <= 4095) {
        uint64_t bits = (uint64_t)number;
        listpack_put_number(item, (uint8_t)(INT_13 | ((bits >> 8) & 0x1F)), (int64_t)(bits & 0xFF),
                            1);
    } else if (number >= INT16_MIN && number <= INT16_MAX) {
        listpack_put_number(item, INT_16, number, 2);
    } else if (number >= -8388608 && number <= 8388607) {
        listpack_put_number(item, INT_24, number, 3);
    } else if (number >= INT32_MIN && number <= INT32_MAX) {
        listpack_put_number(item, INT_32, number, 4);
    } else {
        listpack_put_number(item, INT_64, number, 8);
    }
}

static void listpack_encode_bytes(struct listpack_item *item, struct slice bytes)
{
    item->content = bytes;
    if (bytes.len < 64)
        listpack_put_number(item, (uint8_t)(STRING_6 | bytes.len), 0, 0);
    else if (bytes.len < 4096)
        listpack_put_number(item, (uint8_t)(STRING_12 | bytes.len >> 8),
                            (int64_t)(bytes.len & 0xFF), 1);
    else
        listpack_put_number(item, STRING_32, (int64_t)bytes.len, 4);
}

struct listpack_item listpack_item(struct slice element)
{
    struct listpack_item item;
    item.content = slice_make(NULL, 0);
    int64_t number;
    if (decimal_parse(element, &number))
        listpack_encode_number(&item, number);
    else
        listpack_encode_bytes(&item, element);
    item.tail_len = (uint8_t)listpack_tail_size(item.head_len + item.content.len);
    return item;
}

void listpack_begin(struct listpack *pack)
{
    pack->len = HEADER;
    pack->count = 0;
}

void listpack_append(struct listpack *pack, const struct listpack_item *item)
{
    uint8_t *at = pack->bytes + pack->len;
    memcpy(at, item->head, item->head_len);
    at += item->head_len;
    if (item->content.len > 0)
        memcpy(at, item->content.data, item->content.len);
    at += item->content.len;
    listpack_put_tail(at, item->tail_len, item->head_len + item->content.len);
    pack->len += listpack_item_size(item);
    pack->count++;
}

struct slice listpack_finish(struct listpack *pack)
{
    size_t size = pack->len + 1;
    memcpy(pack->bytes, &size, 4);
    memcpy(pack->bytes + 4, &pack->count, 2); /* an item has at least two bytes: never 65535 of them
                                               */
    pack->bytes[pack->len] = TERMINATOR;
    return slice_make(pack->bytes, size);
}
