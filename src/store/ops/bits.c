/*
 * The operations on bits of strings (bit fields: bit_fields.c). Bit 0 is the most significant bit
 * of the first byte, and all bits past the end of a string are zero. SetBit is emitted as a
 * SetRange, BitOp as a Set.
 */
#include "store/ops/apply.h"

#include "base/arena.h"
#include "base/blob.h"
#include "store/data/entry.h"
#include "store/ops/substrings.h"

#include <byteswap.h>

/* Bits that are searched between two calls of apply_may_spend(). */
#define TURN_BITS ((uint64_t)64 * 1024 * 8)

/* Bits `first` to `end` - 1 of a string; none if `end` <= `first`. */
struct bit_range {
    uint64_t first, end;
};

/* ---- within bytes ---- */

static bool bits_test_bit(struct slice string, uint64_t offset)
{
    return offset / 8 < string.len && (string.data[offset / 8] >> (7 - offset % 8) & 1) != 0;
}

/* Bits 8 * byte to 8 * byte + 63, the first in the most significant place; zeros past the end. */
static uint64_t bits_load(struct slice string, size_t byte)
{
    uint64_t word = 0;
    size_t len = string.len - byte < sizeof word ? string.len - byte : sizeof word;
    memcpy(&word, string.data + byte, len);
    return bswap_64(word);
}

/* A mask of the bits in the range, for the word that starts at `byte`. The range does not start
 * before that byte. */
static uint64_t bits_mask_of(const struct bit_range *range, size_t byte)
{
    uint64_t mask = UINT64_MAX, start = (uint64_t)byte * 8;
    if (range->first > start)
        mask &= UINT64_MAX >> (range->first - start);
    if (range->end < start + 64)
        mask &= UINT64_MAX << (start + 64 - range->end);
    return mask;
}

/* In plain steps, so that the compiler can vectorize the loop over words for any processor. */
static uint64_t bits_count_in_word(uint64_t word)
{
    word -= word >> 1 & 0x5555555555555555;
    word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return word * 0x0101010101010101 >> 56;
}

static uint64_t bits_count(struct slice string, const struct bit_range *range)
{
    uint64_t count = 0;
    size_t byte = (size_t)(range->first / 8);
    if (range->first >= range->end)
        return 0;
    count += bits_count_in_word(bits_load(string, byte) & bits_mask_of(range, byte));
    for (byte += 8; (uint64_t)byte * 8 + 64 <= range->end; byte += 8) {
        uint64_t word;
        memcpy(&word, string.data + byte, sizeof word);
        count += bits_count_in_word(word);
    }
    if ((uint64_t)byte * 8 < range->end)
        count += bits_count_in_word(bits_load(string, byte) & bits_mask_of(range, byte));
    return count;
}

/* The position of the first such bit in the range; its end if there is none. */
static uint64_t bits_find_bit(struct slice string, const struct bit_range *range, bool bit)
{
    for (size_t byte = (size_t)(range->first / 8); (uint64_t)byte * 8 < range->end; byte += 8) {
        uint64_t word = bits_load(string, byte);
        word = (bit ? word : ~word) & bits_mask_of(range, byte);
        if (word != 0)
            return (uint64_t)byte * 8 + (unsigned)__builtin_clzll(word);
    }
    return range->end;
}

/* ---- the operations ---- */

/* The operation's start and stop as a range, by Redis' rules. */
static struct bit_range bits_range_of(const struct op *op, size_t length)
{
    uint64_t unit = op->bits.in_bits ? 1 : 8;
    int64_t total = (int64_t)(length * 8 / unit);
    int64_t start = op->start < 0 ? op->start + total : op->start;
    int64_t stop = !op->bits.has_stop ? total - 1 : op->stop < 0 ? op->stop + total : op->stop;
    start = start < 0 ? 0 : start;
    stop = stop < 0 ? 0 : stop;
    stop = stop >= total ? total - 1 : stop;
    if (start > stop)
        return (struct bit_range){0, 0};
    return (struct bit_range){(uint64_t)start * unit, ((uint64_t)stop + 1) * unit};
}

void apply_get_bit(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_read_key(ctx, op);
    const struct entry *entry = at.entry;
    if (entry == NULL || !apply_require_string(ctx, entry, result))
        return;
    result->ok = true;
    result->count = bits_test_bit(entry_string(entry), (uint64_t)op->start);
    result->version = lookup_version(&at);
}

/* As in Redis, setting a bit within the string to the value that it has is not a write. */
void apply_set_bit(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    uint64_t offset = (uint64_t)op->start;
    size_t byte = (size_t)(offset / 8);
    uint8_t mask = (uint8_t)(0x80 >> offset % 8), bits;
    struct op splice = {.kind = OP_SET_RANGE,
                        .db = op->db,
                        .key = op->key,
                        .start = (int64_t)byte,
                        .value = slice_make(&bits, 1),
                        .max_value = op->max_value};
    if (!substrings_may_hold(&splice, byte, result))
        return;
    struct lookup at = apply_lookup_write_key(ctx, op);
    if (!apply_require_string(ctx, at.entry, result) ||
        !substrings_may_write(ctx, &at, &splice, byte, result))
        return;
    struct slice string = at.entry != NULL ? entry_string(at.entry) : slice_make(NULL, 0);
    uint8_t former = byte < string.len ? string.data[byte] : 0;
    result->count = (former & mask) != 0;
    bits = (uint8_t)(op->bits.bit ? former | mask : former & ~mask);
    if (byte >= string.len || bits != former) {
        substrings_write(ctx, &at, &splice, byte);
        apply_change(ctx, &splice);
    }
    result->ok = true;
    result->version = lookup_version(&at);
}

void apply_bit_count(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_read_key(ctx, op);
    const struct entry *entry = at.entry;
    if (entry == NULL || !apply_require_string(ctx, entry, result))
        return;
    struct slice string = entry_string(entry);
    struct bit_range range = bits_range_of(op, string.len);
    if (!apply_may_spend(ctx, (range.end - range.first) / 8 / APPLY_STEP_BYTES, result))
        return;
    bool crossed = op->bits.has_stop && op->start < 0 && op->stop < 0 && op->start > op->stop;
    result->ok = true;
    result->count = crossed ? 0 : (int64_t)bits_count(string, &range);
    result->version = lookup_version(&at);
}

/* False if the search takes too long: the operation has failed. */
static bool bits_find_in_turns(struct op_context *ctx, struct slice string,
                               const struct bit_range *range, bool bit, uint64_t *found,
                               struct op_result *result)
{
    struct bit_range turn = {.first = range->first};
    *found = range->end;
    for (; turn.first < range->end; turn.first = turn.end) {
        turn.end = turn.first + TURN_BITS < range->end ? turn.first + TURN_BITS : range->end;
        if (!apply_may_spend(ctx, TURN_BITS / 8 / APPLY_STEP_BYTES, result))
            return false;
        *found = bits_find_bit(string, &turn, bit);
        if (*found < turn.end)
            return true;
    }
    *found = range->end;
    return true;
}

/* The zeros past the end of the string are found only by a search without a stop. */
void apply_bit_pos(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_read_key(ctx, op);
    const struct entry *entry = at.entry;
    result->count = op->bits.bit || entry != NULL ? -1 : 0;
    if (entry == NULL || !apply_require_string(ctx, entry, result))
        return;
    struct slice string = entry_string(entry);
    struct bit_range range = bits_range_of(op, string.len);
    uint64_t found;
    if (!bits_find_in_turns(ctx, string, &range, op->bits.bit, &found, result))
        return;
    if (range.first < range.end && (found < range.end || (!op->bits.bit && !op->bits.has_stop)))
        result->count = (int64_t)found;
    result->ok = true;
    result->version = lookup_version(&at);
}

/* ---- BitOp ---- */

/* Combines `out`, which starts as the first string, with another string. Past the end of a string
 * there are zeros. */
static void bits_combine(enum op_bitwise bitwise, uint8_t *out, size_t len, struct slice string)
{
    size_t common = string.len < len ? string.len : len;
    switch (bitwise) {
    case OP_BITS_AND:
        for (size_t i = 0; i < common; i++)
            out[i] &= string.data[i];
        memset(out + common, 0, len - common);
        break;
    case OP_BITS_OR:
        for (size_t i = 0; i < common; i++)
            out[i] |= string.data[i];
        break;
    case OP_BITS_XOR:
        for (size_t i = 0; i < common; i++)
            out[i] ^= string.data[i];
        break;
    case OP_BITS_NOT: /* has one string */
        break;
    }
}

static struct blob *bits_combine_all(const struct op *op, const struct slice *strings,
                                     size_t longest)
{
    struct blob *blob = blob_new(longest);
    memset(slice_write(blob->data, strings[0]), 0, longest - strings[0].len);
    for (size_t i = 1; i < op->key_count; i++)
        bits_combine(op->bits.bitwise, blob->data, longest, strings[i]);
    for (size_t i = 0; op->bits.bitwise == OP_BITS_NOT && i < longest; i++)
        blob->data[i] = (uint8_t)~blob->data[i];
    return blob;
}

/* Stores the blob's bytes under the key; the entry shares the blob if it is long. */
static void bits_put_blob(struct op_context *ctx, struct lookup *at, struct blob *blob)
{
    struct blob *holder = ctx->holder;
    ctx->holder = blob;
    apply_put_string(ctx, at, blob_slice(blob), 0);
    ctx->holder = holder;
    apply_change(
        ctx, &(struct op){.kind = OP_SET, .db = at->db, .key = at->key, .value = blob_slice(blob)});
}

/* Finds the strings of the operation's keys and the length of the longest. False if the operation
 * has failed. */
static bool bits_find_strings(struct op_context *ctx, const struct op *op, struct slice *strings,
                              size_t *longest, struct op_result *result)
{
    *longest = 0;
    for (size_t i = 0; i < op->key_count; i++) {
        const struct op_key *key = &op->keys[i];
        const struct entry *entry = apply_lookup_read(ctx, op->db, key->bytes, key->hash).entry;
        if (!apply_require_string(ctx, entry, result))
            return false;
        strings[i] = entry != NULL ? entry_string(entry) : slice_make(NULL, 0);
        *longest = strings[i].len > *longest ? strings[i].len : *longest;
    }
    return true;
}

void apply_bit_op(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct slice *strings = arena_alloc(ctx->arena, op->key_count * sizeof *strings);
    size_t longest;
    if (!bits_find_strings(ctx, op, strings, &longest, result))
        return;
    if (!apply_may_spend(ctx, op->key_count * longest / APPLY_STEP_BYTES, result))
        return;
    struct blob *blob = longest > 0 ? bits_combine_all(op, strings, longest) : NULL;
    struct lookup at = apply_lookup_write_key(ctx, op);
    if (blob != NULL) {
        bits_put_blob(ctx, &at, blob);
        result->version = lookup_version(&at);
    } else if (at.entry != NULL) {
        apply_remove(ctx, &at);
        apply_change_delete(ctx, &at);
    }
    blob_release(blob);
    result->ok = longest > 0;
    result->count = (int64_t)longest;
}
