/*
 * The wire format of protobuf (https://protobuf.dev/programming-guides/encoding/), without copies:
 * requests are decoded into protobuf-c's structs whose bytes stay where they are, and replies are
 * written directly into the output.
 */
#ifndef KEYSTORE_SERVICE_WIRE_H
#define KEYSTORE_SERVICE_WIRE_H

#include "base/arena.h"
#include "base/err.h"

#include <protobuf-c/protobuf-c.h>

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* The most messages within a message: one of two bytes on the wire takes a hundred here. */
#define WIRE_MAX_MESSAGES ((size_t)256 * 1024)

/*
 * Decodes a message of that type into the arena. Its bytes fields point into `bytes`, strings are
 * copied. ERR_BAD_MESSAGE if the bytes are no such message, ERR_TOO_LARGE if it holds more than
 * WIRE_MAX_MESSAGES, or arena->refusal if the arena refuses memory. Requests may have fields of the
 * types bytes, string, message, bool, enum, double and varints of 32 and 64 bits. Unknown fields
 * are skipped; groups are refused.
 */
enum err wire_decode(const ProtobufCMessageDescriptor *descriptor, struct slice bytes,
                     struct arena *arena, void **message) __attribute__((warn_unused_result));

/* Bytes of a varint. */
static inline size_t wire_varint_size(uint64_t number)
{
    return (70 - (size_t)__builtin_clzll(number | 1)) / 7;
}

/* Bytes of a field with a number below 16 whose value, if not 0, is a varint. */
static inline size_t wire_number_size(uint64_t number)
{
    return number == 0 ? 0 : 1 + wire_varint_size(number);
}

/* Bytes of the tag and length before `len` bytes of a field with a number below 16. */
static inline size_t wire_head_size(size_t len)
{
    return 1 + wire_varint_size(len);
}

/* Bytes of a field of 64 bits with a number below 16; 0 is left out. */
static inline size_t wire_fixed64_size(uint64_t bits)
{
    return bits == 0 ? 0 : 9;
}

/* The writers return where the next byte goes; numbers of fields are below 16. */

static inline uint8_t *wire_write_varint(uint8_t *out, uint64_t number)
{
    for (; number > 0x7f; number >>= 7)
        *out++ = (uint8_t)(number | 0x80);
    *out++ = (uint8_t)number;
    return out;
}

/* A varint field; nothing if it is 0, the default. */
static inline uint8_t *wire_write_number(uint8_t *out, unsigned field, uint64_t number)
{
    if (number == 0)
        return out;
    *out++ = (uint8_t)(field << 3 | WIRE_VARINT);
    return wire_write_varint(out, number);
}

/* A field of 64 bits, little-endian; nothing if they are 0, the default. */
static inline uint8_t *wire_write_fixed64(uint8_t *out, unsigned field, uint64_t bits)
{
    if (bits == 0)
        return out;
    *out++ = (uint8_t)(field << 3 | WIRE_FIXED64);
    for (int i = 0; i < 8; i++)
        *out++ = (uint8_t)(bits >> 8 * i);
    return out;
}

/* Tag and length of a bytes or message field. */
static inline uint8_t *wire_write_head(uint8_t *out, unsigned field, size_t len)
{
    *out++ = (uint8_t)(field << 3 | WIRE_BYTES);
    return wire_write_varint(out, len);
}

/* A bytes or string field, even if it is empty. */
static inline uint8_t *wire_write_bytes(uint8_t *out, unsigned field, struct slice bytes)
{
    return slice_write(wire_write_head(out, field, bytes.len), bytes);
}

#endif
