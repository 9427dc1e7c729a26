/* HPACK encoding of the few field sets of a server. No Huffman coding: a repeated field costs one
 * byte. */
#include "http2/encoder.h"

#include "base/check.h"

/* RFC 7541: entries of the static table, and the overhead of an entry in the dynamic table. */
#define STATIC_ENTRIES 61
#define STATIC_STATUS  8 /* ":status: 200"; its name is used for other statuses, too */
#define ENTRY_OVERHEAD 32
/* The most bytes that an HPACK integer, such as a table size update, takes here. */
#define MAX_INTEGER ((size_t)6)

void encoder_init(struct encoder *encoder)
{
    *encoder = (struct encoder){.table_size = ENCODER_TABLE_SIZE,
                                .smallest = ENCODER_TABLE_SIZE,
                                .allowed = ENCODER_TABLE_SIZE};
}

static void encoder_forget_memos(struct encoder *encoder)
{
    for (size_t i = 0; i < ENCODER_MEMOS; i++)
        encoder->memos[i].fields = NULL;
}

void encoder_set_allowed(struct encoder *encoder, uint32_t size)
{
    encoder_forget_memos(encoder); /* the next block starts with a size update */
    encoder->allowed = size;
    if (size < encoder->smallest)
        encoder->smallest = size;
}

size_t encoder_bound(const struct http2_field *fields, size_t count)
{
    size_t bound = 2 * MAX_INTEGER;
    for (size_t i = 0; i < count; i++)
        bound += 1 + 2 * MAX_INTEGER + fields[i].name.len + fields[i].value.len;
    return bound;
}

/* RFC 7541, 5.1: an integer with a prefix of `bits` bits, whose upper bits are `pattern`. */
static uint8_t *encoder_write_integer(uint8_t *out, unsigned pattern, unsigned bits, size_t number)
{
    size_t limit = ((size_t)1 << bits) - 1;
    if (number < limit) {
        *out++ = (uint8_t)(pattern | number);
        return out;
    }
    *out++ = (uint8_t)(pattern | limit);
    for (number -= limit; number >= 128; number >>= 7)
        *out++ = (uint8_t)(number | 128);
    *out++ = (uint8_t)number;
    return out;
}

static uint8_t *encoder_write_string(uint8_t *out, struct slice text)
{
    out = encoder_write_integer(out, 0, 7, text.len);
    if (text.len > 0)
        memcpy(out, text.data, text.len);
    return out + text.len;
}

/* A literal; `pattern` is 0x40 (6 bits) with incremental indexing, 0 (4 bits) without. */
static uint8_t *encoder_write_literal(uint8_t *out, const struct http2_field *field,
                                      unsigned pattern, unsigned bits)
{
    if (slice_equal(field->name, SLICE_LITERAL(":status"))) {
        out = encoder_write_integer(out, pattern, bits, STATIC_STATUS);
    } else {
        out = encoder_write_integer(out, pattern, bits, 0);
        out = encoder_write_string(out, field->name);
    }
    return encoder_write_string(out, field->value);
}

static uint32_t encoder_target_size(const struct encoder *encoder)
{
    return encoder->allowed < ENCODER_TABLE_SIZE ? encoder->allowed : ENCODER_TABLE_SIZE;
}

/*
 * RFC 7541, 4.2: size updates come at the start of the next block, the smallest maximum since the
 * last block first. If that would evict any entry, all are evicted by an update to 0.
 */
static uint8_t *encoder_write_size_updates(struct encoder *encoder, uint8_t *out)
{
    uint32_t wanted = encoder_target_size(encoder);
    if (encoder->smallest < encoder->table_size) {
        if (encoder->smallest < encoder->kept_bytes)
            encoder->smallest = 0;
        out = encoder_write_integer(out, 0x20, 5, encoder->smallest);
        encoder->table_size = encoder->smallest;
        if (encoder->table_size == 0) {
            encoder->kept_count = 0;
            encoder->kept_bytes = 0;
        }
    }
    if (wanted != encoder->table_size)
        out = encoder_write_integer(out, 0x20, 5, wanted);
    DCHECK(encoder->kept_bytes <= wanted);
    encoder->table_size = wanted;
    encoder->smallest = wanted;
    return out;
}

static bool encoder_keep(struct encoder *encoder, const struct http2_field *field)
{
    size_t size = field->name.len + field->value.len + ENTRY_OVERHEAD;
    if (!encoder->settled || encoder->kept_count == ENCODER_MAX_KEPT ||
        encoder->kept_bytes + size > encoder->table_size)
        return false;
    DCHECK(encoder->table_size <= ENCODER_TABLE_SIZE);
    encoder_forget_memos(encoder); /* the indexes have changed */
    encoder->kept[encoder->kept_count++] = field;
    encoder->kept_bytes += (uint32_t)size;
    return true;
}

static uint8_t *encoder_write_lasting(struct encoder *encoder, const struct http2_field *field,
                                      uint8_t *out)
{
    for (uint32_t i = 0; i < encoder->kept_count; i++) {
        /* The newest entry has the lowest index of the dynamic table. */
        if (encoder->kept[i] == field)
            return encoder_write_integer(out, 0x80, 7, STATIC_ENTRIES + encoder->kept_count - i);
    }
    if (field->value.len == 3 && slice_equal(field->name, SLICE_LITERAL(":status")) &&
        slice_equal(field->value, SLICE_LITERAL("200")))
        return encoder_write_integer(out, 0x80, 7, STATIC_STATUS);
    if (encoder_keep(encoder, field))
        return encoder_write_literal(out, field, 0x40, 6);
    return encoder_write_literal(out, field, 0, 4);
}

/* Memoises a block in which each field is one byte. */
static void encoder_remember(struct encoder *encoder, const struct http2_field *fields,
                             size_t count, const uint8_t *block)
{
    if (count == 0 || count > ENCODER_MAX_KEPT)
        return;
    struct encoder_memo *memo = &encoder->memos[encoder->next_memo++ % ENCODER_MEMOS];
    memo->fields = fields;
    memo->count = (uint8_t)count;
    memcpy(memo->block, block, count);
}

uint8_t *encoder_write(struct encoder *encoder, const struct http2_field *fields, size_t count,
                       bool lasting, uint8_t *out)
{
    DCHECK(encoder->smallest <= encoder->allowed && encoder->kept_count <= ENCODER_MAX_KEPT);
    if (encoder->smallest < encoder->table_size ||
        encoder_target_size(encoder) != encoder->table_size)
        out = encoder_write_size_updates(encoder, out);
    const uint8_t *start = out;
    for (size_t i = 0; i < count; i++)
        out = lasting ? encoder_write_lasting(encoder, &fields[i], out)
                      : encoder_write_literal(out, &fields[i], 0, 4);
    if (lasting && (size_t)(out - start) == count)
        encoder_remember(encoder, fields, count, start);
    return out;
}
