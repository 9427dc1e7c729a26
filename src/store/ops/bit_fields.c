/*
 * BitField: integers of any width within a string. A write is emitted as a SetRange of the bytes
 * that contain the integer.
 */
#include "store/ops/apply.h"

#include "base/arena.h"
#include "store/data/entry.h"
#include "store/ops/substrings.h"

/* Bytes that contain 64 bits at any bit offset. */
#define MAX_BYTES 9

/* Holds the sum of any field and any argument. */
typedef __int128 wide;

static uint64_t bit_fields_first_byte(const struct op_field *field)
{
    return field->offset / 8;
}

static size_t bit_fields_byte_count(const struct op_field *field)
{
    return (size_t)((field->offset % 8 + field->bits + 7) / 8);
}

/* Decodes the field's number from bytes, the first of which has its first bit... */
static wide bit_fields_load(const struct op_field *field, const uint8_t *bytes)
{
    uint64_t number = 0;
    unsigned first = (unsigned)(field->offset % 8);
    for (unsigned i = first; i < first + field->bits; i++)
        number = number << 1 | ((unsigned)bytes[i / 8] >> (7 - i % 8) & 1u);
    bool negative = field->is_signed && number >> (field->bits - 1) != 0;
    return negative ? (wide)number - ((wide)1 << field->bits) : (wide)number;
}

/* ...and encodes it. */
static void bit_fields_save(const struct op_field *field, uint8_t *bytes, wide number)
{
    unsigned first = (unsigned)(field->offset % 8);
    for (unsigned i = 0; i < field->bits; i++) {
        unsigned at = first + field->bits - 1 - i;
        uint8_t mask = (uint8_t)(0x80 >> at % 8);
        bool bit = ((uint64_t)number >> i & 1) != 0;
        bytes[at / 8] = (uint8_t)(bit ? bytes[at / 8] | mask : bytes[at / 8] & ~mask);
    }
}

/* Turns `wanted` into the number that the field gets; false if the field stays as it is. SET to a
 * number so far below the minimum that its distance to the maximum overflows 64 bits saturates at
 * the maximum: Redis, whose logs we replay, computes that in 64 bits. */
static bool bit_fields_fit(const struct op_field *field, wide *wanted)
{
    wide one = 1;
    wide most = (one << (field->bits - field->is_signed)) - 1;
    wide least = field->is_signed ? -most - 1 : 0;
    if (*wanted >= least && *wanted <= most)
        return true;
    if (field->overflow == OP_OVERFLOW_WRAP) /* bit_fields_save() stores the low bits */
        return true;
    bool is_far = field->action == OP_FIELD_SET && *wanted < most - INT64_MAX;
    *wanted = *wanted > most || is_far ? most : least;
    return field->overflow == OP_OVERFLOW_SATURATE;
}

/* Copies the bytes that contain the field, with zeros past the string's end. */
static void bit_fields_read_bytes(const struct entry *entry, const struct op_field *field,
                                  uint8_t *bytes)
{
    struct slice string = entry != NULL ? entry_string(entry) : slice_make(NULL, 0);
    uint64_t first = bit_fields_first_byte(field);
    memset(bytes, 0, MAX_BYTES);
    for (size_t i = 0; i < bit_fields_byte_count(field) && first + i < string.len; i++)
        bytes[i] = string.data[first + i];
}

/* The end of the field's bytes. */
static uint64_t bit_fields_end_of(const struct op_field *field)
{
    return bit_fields_first_byte(field) + bit_fields_byte_count(field);
}

static void bit_fields_write_bytes(struct op_context *ctx, struct lookup *at, const struct op *op,
                                   uint64_t first, struct slice bytes)
{
    struct op splice = {.kind = OP_SET_RANGE,
                        .db = op->db,
                        .key = op->key,
                        .start = (int64_t)first,
                        .value = bytes};
    substrings_write(ctx, at, &splice, (size_t)first);
    apply_change(ctx, &splice);
}

/* Creates or extends the string, so that all parts that write lie within it. */
static void bit_fields_extend(struct op_context *ctx, struct lookup *at, const struct op *op,
                              uint64_t end)
{
    if (at->entry == NULL || entry_string(at->entry).len < end)
        bit_fields_write_bytes(ctx, at, op, end - 1, SLICE_LITERAL("\0"));
}

static struct op_field_value bit_fields_apply_field(struct op_context *ctx, struct lookup *at,
                                                    const struct op *op,
                                                    const struct op_field *field)
{
    uint8_t bytes[MAX_BYTES], former[MAX_BYTES];
    bit_fields_read_bytes(at->entry, field, bytes);
    wide number = bit_fields_load(field, bytes);
    if (field->action == OP_FIELD_GET)
        return (struct op_field_value){true, (int64_t)number};
    memcpy(former, bytes, sizeof former);
    /* As in Redis, the argument of SET for an unsigned field is an unsigned number of 64 bits. */
    wide wanted = field->is_signed ? (wide)field->value : (wide)(uint64_t)field->value;
    if (field->action == OP_FIELD_INCREMENT)
        wanted = number + field->value;
    if (!bit_fields_fit(field, &wanted))
        return (struct op_field_value){false, 0};
    bit_fields_save(field, bytes, wanted);
    if (memcmp(bytes, former, sizeof former) != 0)
        bit_fields_write_bytes(ctx, at, op, bit_fields_first_byte(field),
                               slice_make(bytes, bit_fields_byte_count(field)));
    wide answer = field->action == OP_FIELD_SET ? number : bit_fields_load(field, bytes);
    return (struct op_field_value){true, (int64_t)answer};
}

/* The end of the bytes of all parts that write; 0 if none does. */
static uint64_t bit_fields_written_end(const struct op *op)
{
    uint64_t end = 0;
    for (size_t i = 0; i < op->parts.field_count; i++) {
        const struct op_field *field = &op->parts.fields[i];
        if (field->action != OP_FIELD_GET && bit_fields_end_of(field) > end)
            end = bit_fields_end_of(field);
    }
    return end;
}

void apply_bit_field(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    uint64_t end = bit_fields_written_end(op);
    struct op whole = {.value = slice_make(NULL, 0), .max_value = op->max_value};
    if (!substrings_may_hold(&whole, end, result))
        return;
    struct lookup at = end > 0 ? apply_lookup_write_key(ctx, op) : apply_lookup_read_key(ctx, op);
    if (!apply_require_string(ctx, at.entry, result))
        return;
    struct op last = {.value = SLICE_LITERAL("\0")};
    if (end > 0 && !substrings_may_write(ctx, &at, &last, end - 1, result))
        return;
    result->fields = apply_unfold(ctx, op->parts.field_count * sizeof *result->fields, result);
    if (result->fields == NULL)
        return;
    result->field_count = op->parts.field_count;
    if (end > 0 && !apply_reply_fits(ctx, op, result))
        return;
    if (end > 0)
        bit_fields_extend(ctx, &at, op, end);
    for (size_t i = 0; i < op->parts.field_count; i++)
        result->fields[i] = bit_fields_apply_field(ctx, &at, op, &op->parts.fields[i]);
    result->version = lookup_version(&at);
}
