/* Lengths, integers and strings of an RDB file, written into memory. Knows no records. */
#include "journal/rdb/encode.h"

#include "base/decimal.h"
#include "journal/rdb/format.h"

#define BITS_14  0x40
#define BITS_32  0x80
#define BITS_64  0x81
#define ENCODED  0xC0
#define INT_TEXT ((size_t)11) /* longest text of a 32-bit integer */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied from the front");

size_t rdb_encode_length(uint8_t *out, uint64_t length)
{
    if (length < 64) {
        out[0] = (uint8_t)length;
        return 1;
    }
    if (length < 16384) {
        out[0] = (uint8_t)(BITS_14 | length >> 8);
        out[1] = (uint8_t)length;
        return 2;
    }
    if (length <= UINT32_MAX) {
        uint32_t bytes = __builtin_bswap32((uint32_t)length);
        out[0] = BITS_32;
        memcpy(out + 1, &bytes, 4);
        return 5;
    }
    uint64_t bytes = __builtin_bswap64(length);
    out[0] = BITS_64;
    memcpy(out + 1, &bytes, 8);
    return 9;
}

size_t rdb_encode_integer(uint8_t *out, struct slice text)
{
    int64_t number;
    if (text.len > INT_TEXT || !decimal_parse(text, &number))
        return 0;
    if (number < INT32_MIN || number > INT32_MAX)
        return 0;
    size_t size;
    if (number >= INT8_MIN && number <= INT8_MAX) {
        out[0] = ENCODED | RDB_STRING_INT8;
        size = 1;
    } else if (number >= INT16_MIN && number <= INT16_MAX) {
        out[0] = ENCODED | RDB_STRING_INT16;
        size = 2;
    } else {
        out[0] = ENCODED | RDB_STRING_INT32;
        size = 4;
    }
    memcpy(out + 1, &number, size);
    return 1 + size;
}

size_t rdb_encode_string(uint8_t *out, struct slice bytes)
{
    size_t size = rdb_encode_integer(out, bytes);
    if (size > 0)
        return size;
    size = rdb_encode_length(out, bytes.len);
    if (bytes.len > 0)
        memcpy(out + size, bytes.data, bytes.len);
    return size + bytes.len;
}

size_t rdb_encode_varint(uint8_t *out, uint64_t number)
{
    size_t size = 0;
    for (; number > 127; number >>= 7)
        out[size++] = (uint8_t)(number | 128);
    out[size++] = (uint8_t)number;
    return size;
}
