/*
 * Conditions on values and bitwise combinations as Redis and Valkey define them. A left-out key
 * that is read taints the result. SORT and RESTORE: compute_sort.c, compute_restore.c.
 */
#include "journal/compute.h"

#include "base/arena.h"
#include "base/decimal.h"

#include <stdio.h>
#include <xxhash.h>

/* ---- on a condition ---- */

static bool compute_has_digest(struct slice value, struct slice digest)
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

/* Evaluates the condition at `index`; false also if it is none of these. */
static bool compute_condition_holds(const struct compute *compute, size_t index, struct slice value,
                                    bool found, bool *holds)
{
    struct slice wanted = compute->command->args[index + 1];
    if (compute_is_word(compute, index, "IFEQ"))
        *holds = found && slice_equal(value, wanted);
    else if (compute_is_word(compute, index, "IFNE"))
        *holds = !(found && slice_equal(value, wanted));
    else if (compute_is_word(compute, index, "IFDEQ"))
        *holds = found && compute_has_digest(value, wanted);
    else if (compute_is_word(compute, index, "IFDNE"))
        *holds = !(found && compute_has_digest(value, wanted));
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
        if (compute_condition_holds(compute, i, value, found, &holds))
            break;
    }
    return !holds || compute_do(compute, compute->op) ? COMPUTE_DONE : COMPUTE_BAD;
}

/* MSETEX: its values, then its words. */
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
        if (set.set.keep_ttl && left_out_has(compute->left_out, compute->command->db, set.key))
            return COMPUTE_LEFT_OUT;
        if (!set.set.keep_ttl)
            left_out_remove(compute->left_out, compute->command->db, set.key);
        if (!compute_do(compute, &set))
            return COMPUTE_BAD;
    }
    return COMPUTE_DONE;
}

/* ---- BITOP ---- */

enum bitop { BIT_AND, BIT_OR, BIT_XOR, BIT_NOT, BIT_DIFF, BIT_DIFF1, BIT_ANDOR, BIT_ONE, BIT_NONE };

static enum bitop compute_find_bitop(const struct compute *compute)
{
    static const char *const names[] = {"AND", "OR", "XOR", "NOT", "DIFF", "DIFF1", "ANDOR", "ONE"};
    size_t i = 0;
    while (i < BIT_NONE && !compute_is_word(compute, 1, names[i]))
        i++;
    return (enum bitop)i;
}

/* One byte of the result, from the same byte of each string. */
static uint8_t compute_combine(enum bitop bitop, const struct slice *strings, size_t count,
                               size_t at)
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
    enum bitop bitop = compute_find_bitop(compute);
    size_t count = command->count - 3, longest = 0;
    struct slice *strings = arena_alloc(compute->arena, count * sizeof *strings);
    if (bitop == BIT_NONE || (bitop == BIT_NOT && count != 1))
        return compute_bad(compute, "its operation is unknown, or NOT of several keys");
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
        bytes[i] = compute_combine(bitop, strings, count, i);
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
