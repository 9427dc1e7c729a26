/* The commands for the bits of strings. */
#include "base/check.h"
#include "base/decimal.h"
#include "cli/answers.h"
#include "cli/build.h"

/* Strings of Redis have at most 512 MiB. */
#define MAX_BIT_OFFSET (((int64_t)1 << 32) - 1)

/* ---- single bits ---- */

static bool commands_bits_take_bit(struct args *args, bool *bit)
{
    int64_t number;
    if (!args_integer(args, "bit", 0, 1, &number))
        return false;
    *bit = number != 0;
    return true;
}

static bool commands_bits_build_getbit(struct args *args, struct request *request)
{
    struct keystore_bit_request *bit = &request->op.request.bit_request;
    int64_t offset;
    *bit = (struct keystore_bit_request){.key = args_take(args), .db = args->db};
    if (!args_integer(args, "offset in bits", 0, MAX_BIT_OFFSET, &offset))
        return false;
    bit->offset = (uint64_t)offset;
    return true;
}

static bool commands_bits_build_setbit(struct args *args, struct request *request)
{
    return commands_bits_build_getbit(args, request) &&
           commands_bits_take_bit(args, &request->op.request.bit_request.bit);
}

/* "[start [stop [BYTE|BIT]]]". */
static bool commands_bits_take_bit_range(struct args *args, struct keystore_bit_range *range)
{
    if (args_left(args) == 0)
        return true;
    if (!args_integer(args, "start index", INT64_MIN, INT64_MAX, &range->start))
        return false;
    range->has_stop = args_left(args) > 0;
    if (!range->has_stop)
        return true;
    if (!args_integer(args, "stop index", INT64_MIN, INT64_MAX, &range->stop))
        return false;
    if (args_left(args) > 0 && !args_match(args, "BYTE")) {
        range->in_bits = args_match(args, "BIT");
        return range->in_bits || args_refuse_option(args);
    }
    return true;
}

static bool commands_bits_build_bitcount(struct args *args, struct request *request)
{
    struct keystore_bit_range *range = &request->op.request.bit_range;
    *range = (struct keystore_bit_range){.key = args_take(args), .db = args->db};
    if (args_left(args) == 1)
        return args_refuse(args, "BITCOUNT takes a start and a stop, or neither");
    return commands_bits_take_bit_range(args, range);
}

static bool commands_bits_build_bitpos(struct args *args, struct request *request)
{
    struct keystore_bit_range *range = &request->op.request.bit_range;
    *range = (struct keystore_bit_range){.key = args_take(args), .db = args->db};
    return commands_bits_take_bit(args, &range->bit) && commands_bits_take_bit_range(args, range);
}

/* ---- combining strings ---- */

static bool commands_bits_build_bitop(struct args *args, struct request *request)
{
    static const struct {
        const char *name;
        enum keystore_bitwise operation;
    } operations[] = {{"AND", KEYSTORE_BITS_AND},
                      {"OR", KEYSTORE_BITS_OR},
                      {"XOR", KEYSTORE_BITS_XOR},
                      {"NOT", KEYSTORE_BITS_NOT}};
    struct keystore_bit_op_request *op = &request->op.request.bit_op_request;
    *op = (struct keystore_bit_op_request){.db = args->db};
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (op->operation == 0 && args_match(args, operations[i].name))
            op->operation = operations[i].operation;
    if (op->operation == 0)
        return args_refuse_option(args);
    op->key = args_take(args);
    op->key_count = args_left(args);
    struct keystore_slice *keys = arena_alloc(args->arena, op->key_count * sizeof *keys);
    for (size_t i = 0; i < op->key_count; i++)
        keys[i] = args_take(args);
    op->keys = keys;
    return op->operation != KEYSTORE_BITS_NOT || op->key_count == 1 ||
           args_refuse(args, "NOT takes one key, not %zu", op->key_count);
}

/* ---- integers ---- */

/* "u8" or "i16". */
static bool commands_bits_take_type(struct args *args, struct keystore_bit_field *field)
{
    struct keystore_slice word = args_take(args);
    const unsigned char *text = word.data;
    int64_t bits;
    field->is_signed = word.len > 0 && (text[0] | 0x20) == 'i';
    if (word.len < 2 || (!field->is_signed && (text[0] | 0x20) != 'u') ||
        !decimal_parse(slice_make(text + 1, word.len - 1), &bits) || bits < 1 ||
        bits > (field->is_signed ? 64 : 63))
        return args_refuse(args, "'%.*s' is not a valid type, which is i1 to i64 or u1 to u63",
                           args_quoted_len(word), (const char *)word.data);
    field->bits = (uint32_t)bits;
    return true;
}

/* In bits or, after '#', in integers of that type. */
static bool commands_bits_take_offset(struct args *args, struct keystore_bit_field *field)
{
    struct keystore_slice word = args_take(args);
    const unsigned char *text = word.data;
    size_t mark = word.len > 0 && text[0] == '#' ? 1 : 0;
    int64_t offset, unit = mark > 0 ? field->bits : 1;
    CHECK(unit > 0); /* the type was taken before */
    if (!decimal_parse(slice_make(text + mark, word.len - mark), &offset) || offset < 0 ||
        offset > MAX_BIT_OFFSET / unit)
        return args_refuse(args,
                           "'%.*s' is not a valid offset, which is a number of bits below 2^32, or "
                           "# and a number of integers",
                           args_quoted_len(word), (const char *)word.data);
    field->offset = (uint64_t)(offset * unit);
    return true;
}

static bool commands_bits_take_overflow(struct args *args, enum keystore_overflow *overflow)
{
    if (args_match(args, "WRAP"))
        *overflow = KEYSTORE_OVERFLOW_WRAP;
    else if (args_match(args, "SAT"))
        *overflow = KEYSTORE_OVERFLOW_SATURATE;
    else if (args_match(args, "FAIL"))
        *overflow = KEYSTORE_OVERFLOW_FAIL;
    else
        return args_refuse(args, "OVERFLOW takes WRAP, SAT or FAIL");
    return true;
}

/* GET, SET or INCRBY with its arguments. */
static bool commands_bits_take_field(struct args *args, struct keystore_bit_field *field)
{
    if (args_match(args, "GET"))
        field->action = KEYSTORE_FIELD_GET;
    else if (args_match(args, "SET"))
        field->action = KEYSTORE_FIELD_SET;
    else if (args_match(args, "INCRBY"))
        field->action = KEYSTORE_FIELD_INCREMENT;
    else
        return args_refuse_option(args);
    size_t needed = field->action == KEYSTORE_FIELD_GET ? 2 : 3;
    if (args_left(args) < needed)
        return args_refuse(args,
                           "a part of %s is incomplete: GET takes a type and an offset, SET and "
                           "INCRBY also a number",
                           args->command->name);
    if (!commands_bits_take_type(args, field) || !commands_bits_take_offset(args, field))
        return false;
    if (field->action != KEYSTORE_FIELD_GET)
        return args_integer(args, "number", INT64_MIN, INT64_MAX, &field->value);
    field->overflow = KEYSTORE_OVERFLOW_WRAP;
    return true;
}

static bool commands_bits_build_bitfield(struct args *args, struct request *request)
{
    struct keystore_bit_field_request *fields = &request->op.request.bit_field_request;
    struct keystore_bit_field *parts = arena_alloc(args->arena, args_left(args) * sizeof *parts);
    enum keystore_overflow overflow = KEYSTORE_OVERFLOW_WRAP;
    *fields =
        (struct keystore_bit_field_request){.key = args_take(args), .parts = parts, .db = args->db};
    while (args_left(args) > 0) {
        if (args_match(args, "OVERFLOW")) {
            if (!args_has_value(args, "OVERFLOW") || !commands_bits_take_overflow(args, &overflow))
                return false;
            continue;
        }
        parts[fields->count] = (struct keystore_bit_field){.overflow = overflow};
        if (!commands_bits_take_field(args, &parts[fields->count++]))
            return false;
    }
    return true;
}

static bool commands_bits_build_bitfield_ro(struct args *args, struct request *request)
{
    if (!commands_bits_build_bitfield(args, request))
        return false;
    const struct keystore_bit_field_request *fields = &request->op.request.bit_field_request;
    for (size_t i = 0; i < fields->count; i++)
        if (fields->parts[i].action != KEYSTORE_FIELD_GET)
            return args_refuse(args, "BITFIELD_RO takes only GET; use BITFIELD to write");
    return true;
}

static const struct command table[] = {
    {"SETBIT", "key offset bit", "Set or clear a bit of a string; returns the old one", 3, 3,
     REQUEST_OP, KEYSTORE_OP_SETBIT, answers_count, commands_bits_build_setbit},
    {"GETBIT", "key offset", "A bit of a string", 2, 2, REQUEST_OP, KEYSTORE_OP_GETBIT,
     answers_count, commands_bits_build_getbit},
    {"BITCOUNT", "key [start stop [BYTE|BIT]]", "How many bits of a string are set", 1, 4,
     REQUEST_OP, KEYSTORE_OP_BITCOUNT, answers_count, commands_bits_build_bitcount},
    {"BITPOS", "key bit [start [stop [BYTE|BIT]]]", "Where a string first has a set or clear bit",
     2, 5, REQUEST_OP, KEYSTORE_OP_BITPOS, answers_count, commands_bits_build_bitpos},
    {"BITOP", "AND|OR|XOR|NOT target key [key ...]",
     "Combine strings bit by bit into another one; returns its length", 3, COMMAND_ANY, REQUEST_OP,
     KEYSTORE_OP_BITOP, answers_count, commands_bits_build_bitop},
    {"BITFIELD",
     "key [GET type offset] [OVERFLOW WRAP|SAT|FAIL] [SET type offset value] "
     "[INCRBY type offset increment] ...",
     "Read and write integers of any width within a string", 4, COMMAND_ANY, REQUEST_OP,
     KEYSTORE_OP_BITFIELD, answers_bit_fields, commands_bits_build_bitfield},
    {"BITFIELD_RO", "key GET type offset [GET type offset ...]", "BITFIELD that reads only", 4,
     COMMAND_ANY, REQUEST_OP, KEYSTORE_OP_BITFIELD, answers_bit_fields,
     commands_bits_build_bitfield_ro},
};

const struct command *commands_bits(size_t *count)
{
    *count = sizeof table / sizeof *table;
    return table;
}
