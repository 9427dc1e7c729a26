/* Tests of store/ops/bits.c: single bits, counting and finding them, against a bit by bit model. */
#include "store/ops/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/blob.h"
#include "store/keyspace_fixture.h"
#include "store/seeded.h"

#define ROUNDS  3000
#define LONGEST 40

static void put(struct keyspace_fixture *fixture, const char *key, struct slice value)
{
    keyspace_apply(fixture,
                   (struct op){.kind = OP_SET, .key = slice_from_string(key), .value = value});
}

static struct op bit_op(enum op_kind kind, const char *key, int64_t offset, bool bit)
{
    return (struct op){
        .kind = kind, .key = slice_from_string(key), .start = offset, .bits.bit = bit};
}

static int64_t get_bit(struct keyspace_fixture *fixture, const char *key, int64_t offset)
{
    return keyspace_apply(fixture, bit_op(OP_GET_BIT, key, offset, false))->count;
}

static void assert_held(struct keyspace_fixture *fixture, const char *key, struct slice value)
{
    const struct entry *entry = keyspace_find(fixture, key);
    assert_non_null(entry);
    assert_true(slice_equal(entry_string(entry), value));
}

static void test_set_and_get(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put(fixture, "k", SLICE_LITERAL("\x80\x01"));
    assert_int_equal(get_bit(fixture, "k", 0), 1);
    assert_int_equal(get_bit(fixture, "k", 1), 0);
    assert_int_equal(get_bit(fixture, "k", 15), 1);
    assert_int_equal(get_bit(fixture, "k", 16), 0);
    assert_int_equal(get_bit(fixture, "k", INT64_MAX), 0);
    uint64_t revision = fixture->revision;
    const struct op_result *result = keyspace_apply(fixture, bit_op(OP_SET_BIT, "k", 0, false));
    assert_true(result->ok);
    assert_int_equal(result->count, 1);
    assert_int_equal(result->version, revision + 1);
    assert_held(fixture, "k", SLICE_LITERAL("\0\x01"));
    result = keyspace_apply(fixture, bit_op(OP_SET_BIT, "k", 30, true));
    assert_int_equal(result->count, 0);
    assert_held(fixture, "k", SLICE_LITERAL("\0\x01\0\x02"));
    /* Repeating it is not a write. */
    result = keyspace_apply(fixture, bit_op(OP_SET_BIT, "k", 30, true));
    assert_int_equal(result->count, 1);
    assert_int_equal(result->version, revision + 2);
}

/* An absent key is a string of zeros, and clearing a bit extends it like setting one. */
static void test_no_key(void **state)
{
    struct keyspace_fixture *fixture = *state;
    const struct op_result *result = keyspace_apply(fixture, bit_op(OP_GET_BIT, "k", 3, false));
    assert_false(result->ok);
    assert_int_equal(result->count, 0);
    assert_int_equal(keyspace_apply(fixture, bit_op(OP_BIT_COUNT, "k", 0, false))->count, 0);
    assert_int_equal(keyspace_apply(fixture, bit_op(OP_BIT_POS, "k", 0, false))->count, 0);
    assert_int_equal(keyspace_apply(fixture, bit_op(OP_BIT_POS, "k", 0, true))->count, -1);
    keyspace_apply(fixture, bit_op(OP_SET_BIT, "k", 20, false));
    assert_held(fixture, "k", SLICE_LITERAL("\0\0\0"));
    /* In an empty string nothing is found, not even past its end. */
    put(fixture, "empty", SLICE_LITERAL(""));
    assert_int_equal(keyspace_apply(fixture, bit_op(OP_BIT_POS, "empty", 0, false))->count, -1);
}

static void test_refused(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const enum op_kind kinds[] = {OP_SET_BIT, OP_GET_BIT, OP_BIT_COUNT, OP_BIT_POS};
    struct slice value = SLICE_LITERAL("v");
    keyspace_apply(fixture, (struct op){.kind = OP_R_PUSH,
                                        .key = SLICE_LITERAL("l"),
                                        .values = &value,
                                        .value_count = 1});
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        assert_int_equal(keyspace_apply(fixture, bit_op(kinds[i], "l", 0, false))->err,
                         ERR_WRONG_TYPE);
    struct op op = bit_op(OP_SET_BIT, "k", 80, true);
    op.max_value = 10;
    assert_int_equal(keyspace_apply(fixture, op)->err, ERR_TOO_LARGE);
    op.start = INT64_MAX;
    assert_int_equal(keyspace_apply(fixture, op)->err, ERR_TOO_LARGE);
    assert_null(keyspace_find(fixture, "k"));
    op.start = 79;
    assert_int_equal(keyspace_apply(fixture, op)->err, ERR_NONE);
}

/* The change has one byte of a long string, whose deadline stays. */
static void test_a_bit_is_emitted_as_its_byte(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static uint8_t bytes[100000];
    keyspace_apply(fixture, (struct op){.kind = OP_SET,
                                        .key = SLICE_LITERAL("k"),
                                        .value = slice_make(bytes, sizeof bytes),
                                        .expire_at_ms = KEYSPACE_NOW_MS + 1000});
    size_t before = fixture->change_count;
    keyspace_apply(fixture, bit_op(OP_SET_BIT, "k", 8 * 5000 + 7, true));
    assert_int_equal(fixture->change_count, before + 1);
    const struct op *emitted = &fixture->changes[before].op;
    assert_int_equal(emitted->kind, OP_SET_RANGE);
    assert_int_equal(emitted->start, 5000);
    assert_true(slice_equal(emitted->value, SLICE_LITERAL("\x01")));
    assert_true(entry_expire_at_ms(keyspace_find(fixture, "k")) == KEYSPACE_NOW_MS + 1000);
}

/* ---- ranges ---- */

/* What Redis does, bit by bit: the first and last place, or none. */
static bool model_range(const struct op *op, size_t length, int64_t *first, int64_t *last)
{
    int64_t unit = op->bits.in_bits ? 1 : 8, total = (int64_t)length * 8 / unit;
    int64_t start = op->start, stop = op->bits.has_stop ? op->stop : total - 1;
    if (start < 0)
        start = start + total > 0 ? start + total : 0;
    if (stop < 0)
        stop = stop + total > 0 ? stop + total : 0;
    if (stop > total - 1)
        stop = total - 1;
    *first = start > stop ? 0 : start * unit;
    *last = start > stop ? -1 : stop * unit + unit - 1;
    return start <= stop;
}

static int64_t model_count(const struct op *op, struct slice string)
{
    int64_t first, last, count = 0;
    if (op->bits.has_stop && op->start < 0 && op->stop < 0 && op->start > op->stop)
        return 0;
    (void)model_range(op, string.len, &first, &last);
    for (int64_t i = first; i <= last; i++)
        count += string.data[i / 8] >> (7 - i % 8) & 1;
    return count;
}

static int64_t model_pos(const struct op *op, struct slice string)
{
    int64_t first, last;
    if (!model_range(op, string.len, &first, &last))
        return -1;
    for (int64_t i = first; i <= last; i++) {
        if ((string.data[i / 8] >> (7 - i % 8) & 1) == op->bits.bit)
            return i;
    }
    return op->bits.bit || op->bits.has_stop ? -1 : last + 1;
}

static int64_t random_end(uint64_t *random)
{
    static const int64_t far[] = {INT64_MIN, INT64_MAX, -1000, 1000};
    if (seeded_below(random, 20) == 0)
        return far[seeded_below(random, 4)];
    return (int64_t)seeded_below(random, 20 * LONGEST) - 10 * LONGEST;
}

/* Mostly long runs of equal bits, so that the search does not always end in the first byte. */
static struct slice random_string(uint64_t *random, uint8_t *bytes)
{
    size_t len = seeded_below(random, LONGEST);
    uint8_t fill = seeded_below(random, 2) ? 0xff : 0;
    for (size_t i = 0; i < len; i++)
        bytes[i] = seeded_below(random, 12) == 0 ? (uint8_t)seeded_below(random, 256) : fill;
    return slice_make(bytes, len);
}

static void assert_as_model(struct keyspace_fixture *fixture, struct slice string, uint64_t *random)
{
    struct op op = bit_op(OP_BIT_COUNT, "k", random_end(random), seeded_below(random, 2));
    op.bits.has_stop = seeded_below(random, 3) > 0;
    op.stop = random_end(random);
    op.bits.in_bits = seeded_below(random, 2);
    assert_int_equal(keyspace_apply(fixture, op)->count, model_count(&op, string));
    op.kind = OP_BIT_POS;
    assert_int_equal(keyspace_apply(fixture, op)->count, model_pos(&op, string));
}

static void test_random_ranges(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t random = seeded_start();
    uint8_t bytes[LONGEST];
    for (int i = 0; i < ROUNDS; i++) {
        struct slice string = random_string(&random, bytes);
        put(fixture, "k", string);
        for (int query = 0; query < 10; query++)
            assert_as_model(fixture, string, &random);
    }
}

/* ---- BitOp ---- */

static struct op bit_op_op(enum op_bitwise bitwise, const char *key, struct op_key *keys,
                           size_t count)
{
    return (struct op){.kind = OP_BIT_OP,
                       .key = slice_from_string(key),
                       .keys = keys,
                       .key_count = count,
                       .bits.bitwise = bitwise};
}

static uint8_t model_byte(enum op_bitwise bitwise, const struct slice *strings, size_t count,
                          size_t at)
{
    uint8_t result = at < strings[0].len ? strings[0].data[at] : 0;
    for (size_t i = 1; i < count; i++) {
        uint8_t byte = at < strings[i].len ? strings[i].data[at] : 0;
        if (bitwise == OP_BITS_AND)
            result &= byte;
        else if (bitwise == OP_BITS_OR)
            result |= byte;
        else
            result ^= byte;
    }
    return bitwise == OP_BITS_NOT ? (uint8_t)~result : result;
}

/* Up to three of these keys; one may be absent, one the target, one may be given twice. */
static void test_random_combinations(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const char *const names[] = {"a", "b", "t", "none"};
    uint64_t random = seeded_start();
    uint8_t bytes[3][LONGEST];
    for (int round = 0; round < ROUNDS / 4; round++) {
        struct slice held[4] = {{0}}, strings[3];
        struct op_key keys[3];
        size_t longest = 0;
        for (size_t i = 0; i < 3; i++) {
            held[i] = random_string(&random, bytes[i]);
            put(fixture, names[i], held[i]);
        }
        enum op_bitwise bitwise = (enum op_bitwise)seeded_below(&random, 4);
        size_t count = bitwise == OP_BITS_NOT ? 1 : 1 + seeded_below(&random, 3);
        for (size_t i = 0; i < count; i++) {
            size_t number = seeded_below(&random, 4);
            keys[i] = (struct op_key){.bytes = slice_from_string(names[number])};
            strings[i] = held[number];
            longest = strings[i].len > longest ? strings[i].len : longest;
        }
        const struct op_result *result =
            keyspace_apply(fixture, bit_op_op(bitwise, "t", keys, count));
        assert_int_equal(result->count, longest);
        assert_int_equal(result->ok, longest > 0);
        const struct entry *entry = keyspace_find(fixture, "t");
        assert_int_equal(entry != NULL, longest > 0);
        for (size_t i = 0; i < longest; i++)
            assert_int_equal(entry_string(entry).data[i], model_byte(bitwise, strings, count, i));
    }
}

/* A long result is not copied into the store, and replaces any value. */
static void test_long_results(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static uint8_t bytes[100000];
    struct op_key keys[] = {{.bytes = SLICE_LITERAL("a")}, {.bytes = SLICE_LITERAL("b")}};
    put(fixture, "a", slice_make(bytes, sizeof bytes));
    put(fixture, "b", SLICE_LITERAL("\xff"));
    struct slice value = SLICE_LITERAL("v");
    keyspace_apply(fixture, (struct op){.kind = OP_R_PUSH,
                                        .key = SLICE_LITERAL("t"),
                                        .values = &value,
                                        .value_count = 1,
                                        .expire_at_ms = KEYSPACE_NOW_MS + 1000});
    const struct op_result *result = keyspace_apply(fixture, bit_op_op(OP_BITS_OR, "t", keys, 2));
    assert_int_equal(result->count, sizeof bytes);
    const struct entry *entry = keyspace_find(fixture, "t");
    assert_int_equal(entry_string(entry).len, sizeof bytes);
    assert_int_equal(entry_string(entry).data[0], 0xff);
    assert_non_null(entry_blob(entry));
    assert_true(blob_is_sole(entry_blob(entry)));
    assert_int_equal(entry_expire_at_ms(entry), 0);
}

static void test_combinations_refused(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice value = SLICE_LITERAL("v");
    struct op_key keys[] = {{.bytes = SLICE_LITERAL("a")}, {.bytes = SLICE_LITERAL("l")}};
    put(fixture, "a", SLICE_LITERAL("1"));
    keyspace_apply(fixture, (struct op){.kind = OP_R_PUSH,
                                        .key = SLICE_LITERAL("l"),
                                        .values = &value,
                                        .value_count = 1});
    const struct op_result *result = keyspace_apply(fixture, bit_op_op(OP_BITS_OR, "t", keys, 2));
    assert_int_equal(result->err, ERR_WRONG_TYPE);
    assert_null(keyspace_find(fixture, "t"));
    /* Without any string the result is empty, and a list at the target is removed. */
    struct op_key none = {.bytes = SLICE_LITERAL("none")};
    result = keyspace_apply(fixture, bit_op_op(OP_BITS_NOT, "l", &none, 1));
    assert_int_equal(result->err, ERR_NONE);
    assert_false(result->ok);
    assert_int_equal(result->version, 0);
    assert_null(keyspace_find(fixture, "l"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_set_and_get),   TEST(test_no_key),
        TEST(test_refused),       TEST(test_a_bit_is_emitted_as_its_byte),
        TEST(test_random_ranges), TEST(test_random_combinations),
        TEST(test_long_results),  TEST(test_combinations_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
