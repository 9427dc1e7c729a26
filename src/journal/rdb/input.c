/* Numbers, lengths and strings of an RDB file. Knows no records and no types of values. */
#include "journal/rdb/input.h"

#include "journal/rdb/format.h"
#include "journal/rdb/packed.h"

#include <lzf.h>
#include <stdarg.h>
#include <stdio.h>

/* LZF makes at most 264 bytes of 3 (liblzf's lzf_d.c). */
#define LZF_MOST 88u

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "big-endian lengths are swapped");

static bool input_set_error(struct rdb_input *input, const uint8_t *where, bool unknown,
                            const char *format, va_list arguments)
{
    struct rdb_error *error = input->error;
    vsnprintf(error->reason, sizeof error->reason, format, arguments);
    error->offset = (size_t)(where - input->begin);
    error->unknown = unknown;
    return false;
}

bool rdb_input_fail(struct rdb_input *input, const uint8_t *where, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    input_set_error(input, where, false, format, arguments);
    va_end(arguments);
    return false;
}

bool rdb_input_unknown(struct rdb_input *input, const uint8_t *where, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    input_set_error(input, where, true, format, arguments);
    va_end(arguments);
    return false;
}

bool rdb_input_take(struct rdb_input *input, uint64_t count, const char *what,
                    const uint8_t **bytes)
{
    if (count > rdb_input_left(input)) {
        rdb_input_fail(input, input->at,
                       "the file ends within %s: it needs %llu bytes, %zu are left", what,
                       (unsigned long long)count, rdb_input_left(input));
        return false;
    }
    if (bytes != NULL)
        *bytes = input->at;
    input->at += count;
    return true;
}

bool rdb_input_byte(struct rdb_input *input, uint8_t *byte)
{
    if (input->at == input->end)
        return rdb_input_fail(input, input->at, "the file ends where a record should follow");
    *byte = *input->at++;
    return true;
}

/* Lengths of more than a byte. */
static bool input_long_length(struct rdb_input *input, uint64_t *length)
{
    const uint8_t *at = input->at;
    size_t size = at[0] < 0x80 ? 2 : at[0] == 0x80 ? 5 : at[0] == 0x81 ? 9 : 0;
    if (size == 0)
        return rdb_input_fail(input, at, "no length starts with byte 0x%02x", at[0]);
    if (!rdb_input_take(input, size, "a length", NULL))
        return false;
    uint64_t number = 0;
    for (size_t i = 1; i < size; i++)
        number = number << 8 | at[i];
    *length = size == 2 ? (uint64_t)(at[0] & 0x3F) << 8 | number : number;
    return true;
}

/* A length, or the encoding of a string in its place. */
static bool input_length_or_encoding(struct rdb_input *input, uint64_t *length, bool *encoded)
{
    *encoded = false;
    *length = 0;
    if (input->at == input->end)
        return rdb_input_fail(input, input->at, "the file ends where a length should follow");
    uint8_t first = *input->at;
    if (first >= 0x40 && first < 0xC0)
        return input_long_length(input, length);
    *encoded = first >= 0xC0;
    *length = first & 0x3F;
    input->at++;
    return true;
}

bool rdb_input_length(struct rdb_input *input, uint64_t *length)
{
    const uint8_t *at = input->at;
    bool encoded;
    if (!input_length_or_encoding(input, length, &encoded))
        return false;
    return encoded ? rdb_input_fail(input, at, "an encoded string where a length should be") : true;
}

bool rdb_input_count(struct rdb_input *input, size_t least, uint64_t *count)
{
    const uint8_t *at = input->at;
    if (!rdb_input_length(input, count))
        return false;
    if (*count <= rdb_input_left(input) / least)
        return true;
    return rdb_input_fail(input, at, "%llu items of at least %zu bytes, but %zu bytes are left",
                          (unsigned long long)*count, least, rdb_input_left(input));
}

static bool input_integer_string(struct rdb_input *input, unsigned size,
                                 struct rdb_scratch *scratch, struct slice *string)
{
    const uint8_t *bytes;
    if (!rdb_input_take(input, size, "an integer", &bytes))
        return false;
    if (scratch != NULL)
        *string = decimal_write(packed_signed(bytes, size), scratch->digits);
    return true;
}

static bool input_lzf_string(struct rdb_input *input, struct rdb_scratch *scratch,
                             struct slice *string)
{
    uint64_t packed, len;
    const uint8_t *at = input->at, *bytes;
    if (!rdb_input_length(input, &packed) || !rdb_input_length(input, &len) ||
        !rdb_input_take(input, packed, "a compressed string", &bytes))
        return false;
    /* liblzf reads a byte even of empty input. */
    if (packed == 0 || len == 0 || len / LZF_MOST > packed || packed > UINT32_MAX ||
        len > UINT32_MAX)
        return rdb_input_fail(input, at, "%llu bytes cannot be %llu bytes compressed",
                              (unsigned long long)packed, (unsigned long long)len);
    if (scratch == NULL)
        return true;
    buf_clear(&scratch->unpacked, SIZE_MAX);
    uint8_t *out = buf_reserve(&scratch->unpacked, len);
    if (lzf_decompress(bytes, (unsigned)packed, out, (unsigned)len) != len)
        return rdb_input_fail(input, at, "a compressed string does not decompress");
    *string = slice_make(out, len);
    return true;
}

static bool input_encoded_string(struct rdb_input *input, uint64_t encoding,
                                 struct rdb_scratch *scratch, struct slice *string)
{
    switch (encoding) {
    case RDB_STRING_INT8:
        return input_integer_string(input, 1, scratch, string);
    case RDB_STRING_INT16:
        return input_integer_string(input, 2, scratch, string);
    case RDB_STRING_INT32:
        return input_integer_string(input, 4, scratch, string);
    case RDB_STRING_LZF:
        return input_lzf_string(input, scratch, string);
    default:
        return rdb_input_fail(input, input->at - 1, "unknown encoding %u of a string",
                              (unsigned)encoding);
    }
}

/* Without scratch the string is only passed. */
static bool input_read_string(struct rdb_input *input, struct rdb_scratch *scratch,
                              struct slice *string)
{
    uint64_t length;
    bool encoded;
    const uint8_t *bytes;
    if (!input_length_or_encoding(input, &length, &encoded))
        return false;
    if (encoded)
        return input_encoded_string(input, length, scratch, string);
    if (!rdb_input_take(input, length, "a string", &bytes))
        return false;
    *string = slice_make(bytes, length);
    return true;
}

bool rdb_input_string(struct rdb_input *input, struct rdb_scratch *scratch, struct slice *string)
{
    return input_read_string(input, scratch, string);
}

bool rdb_input_skip_string(struct rdb_input *input)
{
    struct slice passed;
    return input_read_string(input, NULL, &passed);
}

void rdb_input_scratch_init(struct rdb_scratch *scratch)
{
    buf_init_for(&scratch->unpacked, SIZE_MAX, ACCOUNT_JOURNAL);
}

void rdb_input_scratch_deinit(struct rdb_scratch *scratch)
{
    buf_deinit(&scratch->unpacked);
}
