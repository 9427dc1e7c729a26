/*
 * Conditions on values, bit fields and bitwise combinations as Redis and Valkey define them. What
 * is read of a key that was left out taints the result. SORT and RESTORE: compute_sort.c,
 * compute_restore.c.
 */
#include "journal/compute.h"

#include "base/arena.h"
#include "base/decimal.h"
#include "journal/compute_parts.h"

#include <stdio.h>
#include <xxhash.h>

/* Offsets of bits are below it, as strings have at most 512 MiB in Redis. */
#define MOST_BITS ((int64_t)1 << 32)

/* ---- what the others need, too ---- */

enum compute_verdict compute_bad(struct compute *compute, const char *why)
{
    compute->why = why;
    return COMPUTE_BAD;
}

bool compute_is_word(const struct compute *compute, size_t index, const char *word)
{
    const struct scan_command *command = compute->command;
    return index < command->count && resp_is_word(command->args[index], word);
}

bool compute_is_number(const struct compute *compute, size_t index, int64_t *number)
{
    const struct scan_command *command = compute->command;
    return index < command->count && decimal_parse(command->args[index], number);
}

bool compute_do(struct compute *compute, struct op *op)
{
    struct op_result result = {0};
    op->db = compute->command->db;
    compute->apply(compute->user, op, &result);
    if (result.err != ERR_NONE)
        compute->why = result.why;
    op_result_release(&result);
    return result.err == ERR_NONE;
}

bool compute_read(struct compute *compute, struct op *op, struct slice *value, bool *found)
{
    struct op_result result = {0};
    *value = slice_make(NULL, 0);
    *found = false;
    op->db = compute->command->db;
    if (left_out_has(compute->left_out, op->db, op->key)) {
        compute->unknown = true;
        return true;
    }
    compute->apply(compute->user, op, &result);
    *found = result.value.found;
    if (*found)
        *value = arena_copy(compute->arena, result.value.bytes);
    if (result.err != ERR_NONE)
        compute->why = result.why;
    op_result_release(&result);
    return result.err == ERR_NONE;
}

bool compute_string(struct compute *compute, struct slice key, struct slice *value, bool *found)
{
    struct op op = {.kind = OP_GET, .key = key};
    return compute_read(compute, &op, value, found);
}

bool compute_replace(struct compute *compute, struct slice key, struct op *op)
{
    struct op delete = {.kind = OP_DELETE, .key = key};
    op->key = key;
    left_out_remove(compute->left_out, compute->command->db, key);
    return compute_do(compute, &delete) && (op->kind == OP_COUNT || compute_do(compute, op));
}

/* ---- on a condition ---- */

static bool has_digest(struct slice value, struct slice digest)
{
    char hex[17];
    snprintf(hex, sizeof hex, "%016llx", (unsigned long long)XXH3_64bits(value.data, value.len));
    if (digest.len != 16)
        return false;
    for (size_t i = 0; i < 16; i++) {
        if ((digest.data[i] | 0x20) != hex[i])
            return false;
    }
    return true;
}

/* The word at `index` and what follows it; false if it is none of these. */
static bool condition_holds(const struct compute *compute, size_t index, struct slice value,
                            bool found, bool *holds)
{
    struct slice wanted = compute->command->args[index + 1];
    if (compute_is_word(compute, index, "IFEQ"))
        *holds = found && slice_equal(value, wanted);
    else if (compute_is_word(compute, index, "IFNE"))
        *holds = !(found && slice_equal(value, wanted));
    else if (compute_is_word(compute, index, "IFDEQ"))
        *holds = found && has_digest(value, wanted);
    else if (compute_is_word(compute, index, "IFDNE"))
        *holds = !(found && has_digest(value, wanted));
    else
        return false;
    return true;
}

/* SET with a condition on the value, DELEX, DELIFEQ. */
static enum compute_verdict compute_on_condition(struct compute *compute)
{
    struct slice value;
    bool found, holds = true;
    size_t count = compute->command->count;
    if (!compute_string(compute, compute->op->key, &value, &found))
        return COMPUTE_BAD;
    if (compute->unknown)
        return COMPUTE_LEFT_OUT;
    if (compute_is_word(compute, 0, "DELIFEQ"))
        holds = found && slice_equal(value, compute->command->args[2]);
    for (size_t i = compute->op->kind == OP_SET ? 3 : 2; i + 1 < count; i++) {
        if (condition_holds(compute, i, value, found, &holds))
            break;
    }
    return !holds || compute_do(compute, compute->op) ? COMPUTE_DONE : COMPUTE_BAD;
}

/* MSETEX: its values, its words. */
static enum compute_verdict compute_msetex(struct compute *compute)
{
    int64_t pairs;
    struct op words = *compute->op;
    if (!compute_is_number(compute, 1, &pairs))
        return compute_bad(compute, "it does not say how many keys follow");
    for (size_t i = 0; i < (size_t)pairs; i++) {
        struct op set = words;
        const struct slice *pair = &compute->command->args[2 + 2 * i];
        set.key = pair[0];
        set.value = pair[1];
        if (set.keep_ttl && left_out_has(compute->left_out, compute->command->db, set.key))
            return COMPUTE_LEFT_OUT;
        if (!set.keep_ttl)
            left_out_remove(compute->left_out, compute->command->db, set.key);
        if (!compute_do(compute, &set))
            return COMPUTE_BAD;
    }
    return COMPUTE_DONE;
}

/* ---- bits ---- */

/* So many bytes of the string from `start` on; zeros beyond its end. */
static bool read_bytes(struct compute *compute, uint64_t start, uint8_t *bytes, size_t count)
{
    struct slice part;
    bool found;
    struct op op = {.kind = OP_GET_RANGE,
                    .key = compute->command->args[1],
                    .start = (int64_t)start,
                    .stop = (int64_t)(start + count - 1)};
    memset(bytes, 0, count);
    if (!compute_read(compute, &op, &part, &found))
        return false;
    slice_write(bytes, part);
    return true;
}

static bool write_bytes(struct compute *compute, uint64_t start, const uint8_t *bytes, size_t count)
{
    struct op op = {.kind = OP_SET_RANGE,
                    .key = compute->command->args[1],
                    .start = (int64_t)start,
                    .value = slice_make(bytes, count)};
    return compute_do(compute, &op);
}

static enum compute_verdict compute_setbit(struct compute *compute)
{
    int64_t offset, bit;
    uint8_t byte;
    if (!compute_is_number(compute, 2, &offset) || offset < 0 || offset >= MOST_BITS ||
        !compute_is_number(compute, 3, &bit) || bit < 0 || bit > 1)
        return compute_bad(compute, "its offset is no number below 2^32, or its bit not 0 or 1");
    if (!read_bytes(compute, (uint64_t)offset / 8, &byte, 1))
        return COMPUTE_BAD;
    if (compute->unknown)
        return COMPUTE_LEFT_OUT;
    uint8_t mask = (uint8_t)(0x80 >> offset % 8);
    byte = (uint8_t)(bit != 0 ? byte | mask : byte & ~mask);
    return write_bytes(compute, (uint64_t)offset / 8, &byte, 1) ? COMPUTE_DONE : COMPUTE_BAD;
}

enum overflow { WRAP, SATURATE, FAIL };

/* One part of BITFIELD. */
struct field {
    bool is_signed;
    unsigned bits;
    int64_t offset;
};

static bool read_field(const struct compute *compute, size_t index, struct field *field)
{
    const struct scan_command *command = compute->command;
    int64_t bits;
    if (index + 1 >= command->count || command->args[index].len == 0)
        return false;
    struct slice type = command->args[index], at = command->args[index + 1];
    bool scaled = at.len > 0 && at.data[0] == '#';
    field->is_signed = (type.data[0] | 0x20) == 'i';
    if (!(field->is_signed || (type.data[0] | 0x20) == 'u') ||
        !decimal_parse(slice_skip(type, 1), &bits) || bits < 1 ||
        bits > (field->is_signed ? 64 : 63) ||
        !decimal_parse(slice_skip(at, scaled), &field->offset) || field->offset < 0 ||
        field->offset >= MOST_BITS)
        return false;
    field->bits = (unsigned)bits;
    field->offset *= scaled ? bits : 1;
    return field->offset + bits <= MOST_BITS;
}

/* Moves a number of `field` between its value and bytes, of which the first holds its first bit. */
static __int128 load_field(const struct field *field, const uint8_t *bytes)
{
    uint64_t number = 0;
    unsigned first = (unsigned)(field->offset % 8);
    for (unsigned i = first; i < first + field->bits; i++)
        number = number << 1 | ((unsigned)bytes[i / 8] >> (7 - i % 8) & 1u);
    bool negative = field->is_signed && number >> (field->bits - 1) != 0;
    return negative ? (__int128)number - ((__int128)1 << field->bits) : (__int128)number;
}

static void store_field(const struct field *field, uint8_t *bytes, __int128 number)
{
    unsigned first = (unsigned)(field->offset % 8);
    for (unsigned i = 0; i < field->bits; i++) {
        unsigned at = first + field->bits - 1 - i;
        uint8_t mask = (uint8_t)(0x80 >> at % 8);
        bool bit = ((uint64_t)number >> i & 1) != 0;
        bytes[at / 8] = (uint8_t)(bit ? bytes[at / 8] | mask : bytes[at / 8] & ~mask);
    }
}

/* The number that a field gets for `wanted`; false if it stays as it is. */
static bool fit_field(const struct field *field, __int128 *wanted, enum overflow overflow)
{
    __int128 one = 1;
    __int128 most = (one << (field->bits - field->is_signed)) - 1;
    __int128 least = field->is_signed ? -most - 1 : 0;
    if ((*wanted >= least && *wanted <= most) || overflow == WRAP) /* the low bits are stored */
        return true;
    *wanted = *wanted > most ? most : least;
    return overflow == SATURATE;
}

/* The write at `index`, SET or INCRBY. */
static bool write_field(struct compute *compute, size_t index, enum overflow overflow)
{
    struct field field;
    int64_t argument;
    uint8_t bytes[9];
    if (!read_field(compute, index + 1, &field) ||
        !compute_is_number(compute, index + 3, &argument)) {
        compute->why = "a part of it is no type, offset and number";
        return false;
    }
    uint64_t start = (uint64_t)field.offset / 8;
    size_t count = ((size_t)(field.offset % 8) + field.bits + 7) / 8;
    if (!read_bytes(compute, start, bytes, count) || compute->unknown)
        return false;
    /* Redis takes the number that an unsigned field is set to for one of 64 bits. */
    __int128 wanted = field.is_signed ? (__int128)argument : (__int128)(uint64_t)argument;
    if (compute_is_word(compute, index, "INCRBY"))
        wanted = load_field(&field, bytes) + argument;
    if (fit_field(&field, &wanted, overflow))
        store_field(&field, bytes, wanted);
    return write_bytes(compute, start, bytes, count); /* it grows even if a field stays */
}

static enum compute_verdict compute_bitfield(struct compute *compute)
{
    enum overflow overflow = WRAP;
    size_t count = compute->command->count;
    for (size_t i = 2; i < count;) {
        if (compute_is_word(compute, i, "OVERFLOW")) {
            overflow = compute_is_word(compute, i + 1, "SAT")    ? SATURATE
                       : compute_is_word(compute, i + 1, "FAIL") ? FAIL
                                                                 : WRAP;
            i += 2;
        } else if (compute_is_word(compute, i, "GET")) {
            i += 3;
        } else if (!compute_is_word(compute, i, "SET") && !compute_is_word(compute, i, "INCRBY")) {
            return compute_bad(compute, "it has a word that is none of BITFIELD");
        } else if (!write_field(compute, i, overflow)) {
            return compute->unknown ? COMPUTE_LEFT_OUT : COMPUTE_BAD;
        } else {
            i += 4;
        }
    }
    return COMPUTE_DONE;
}

/* ---- BITOP ---- */

enum bitop { BIT_AND, BIT_OR, BIT_XOR, BIT_NOT, BIT_DIFF, BIT_DIFF1, BIT_ANDOR, BIT_ONE, BIT_NONE };

static enum bitop find_bitop(const struct compute *compute)
{
    static const char *const names[] = {"AND", "OR", "XOR", "NOT", "DIFF", "DIFF1", "ANDOR", "ONE"};
    size_t i = 0;
    while (i < BIT_NONE && !compute_is_word(compute, 1, names[i]))
        i++;
    return (enum bitop)i;
}

/* One byte of the result from that byte of each string. */
static uint8_t combine(enum bitop bitop, const struct slice *strings, size_t count, size_t at)
{
    uint8_t first = at < strings[0].len ? strings[0].data[at] : 0;
    uint8_t all = first, any = 0, parity = first, twice = 0;
    for (size_t i = 1; i < count; i++) {
        uint8_t byte = at < strings[i].len ? strings[i].data[at] : 0;
        all &= byte;
        twice |= (uint8_t)((any | first) & byte);
        any |= byte;
        parity ^= byte;
    }
    const uint8_t results[] = {
        [BIT_AND] = all,
        [BIT_OR] = first | any,
        [BIT_XOR] = parity,
        [BIT_NOT] = (uint8_t)~first,
        [BIT_DIFF] = (uint8_t)(first & ~any),
        [BIT_DIFF1] = (uint8_t)(~first & any),
        [BIT_ANDOR] = first & any,
        [BIT_ONE] = (uint8_t)((first | any) & ~twice),
    };
    return results[bitop];
}

static enum compute_verdict compute_bitop(struct compute *compute)
{
    const struct scan_command *command = compute->command;
    enum bitop bitop = find_bitop(compute);
    size_t count = command->count - 3, longest = 0;
    struct slice *strings = arena_alloc(compute->arena, count * sizeof *strings);
    if (bitop == BIT_NONE || (bitop == BIT_NOT && count != 1))
        return compute_bad(compute, "it has no operation that is known, or NOT of several keys");
    for (size_t i = 0; i < count; i++) {
        bool found;
        if (!compute_string(compute, command->args[3 + i], &strings[i], &found))
            return COMPUTE_BAD;
        longest = strings[i].len > longest ? strings[i].len : longest;
    }
    if (compute->unknown)
        return COMPUTE_LEFT_OUT;
    uint8_t *bytes = arena_alloc(compute->arena, longest + 1);
    for (size_t i = 0; i < longest; i++)
        bytes[i] = combine(bitop, strings, count, i);
    struct op set = {.kind = longest > 0 ? OP_SET : OP_COUNT, .value = slice_make(bytes, longest)};
    return compute_replace(compute, command->args[2], &set) ? COMPUTE_DONE : COMPUTE_BAD;
}

/* ---- all of them ---- */

enum compute_verdict compute(struct compute *compute)
{
    static const struct {
        const char *name;
        enum compute_verdict (*run)(struct compute *compute);
    } rows[] = {
        {"SET", compute_on_condition},     {"DELEX", compute_on_condition},
        {"DELIFEQ", compute_on_condition}, {"MSETEX", compute_msetex},
        {"SETBIT", compute_setbit},        {"BITFIELD", compute_bitfield},
        {"BITOP", compute_bitop},          {"SORT", compute_sort},
        {"RESTORE", compute_restore},      {"RESTORE-ASKING", compute_restore},
    };
    compute->why = NULL;
    compute->type[0] = '\0';
    compute->unknown = false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (compute_is_word(compute, 0, rows[i].name))
            return rows[i].run(compute);
    }
    return compute_bad(compute, "it is not computed");
}
