/* Tests of store/ops/bit_fields.c: BitField, against a model that works bit by bit. */
#include "store/ops/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"
#include "store/seeded.h"

/* The fixture remembers 4096 changes. */
#define ROUNDS 1000
#define BYTES  40

static const struct op_result *apply_fields(struct keyspace_fixture *fixture, const char *key,
                                            const struct op_field *fields, size_t count)
{
    return keyspace_apply(fixture, (struct op){.kind = OP_BIT_FIELD,
                                               .key = slice_from_string(key),
                                               .parts.fields = fields,
                                               .parts.field_count = count});
}

static void assert_held(struct keyspace_fixture *fixture, const char *key, struct slice value)
{
    const struct entry *entry = keyspace_find(fixture, key);
    assert_non_null(entry);
    assert_true(slice_equal(entry_string(entry), value));
}

static void test_parts_see_what_the_ones_before_did(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const struct op_field fields[] = {
        {.action = OP_FIELD_SET, .bits = 8, .offset = 4, .value = 0xab},
        {.action = OP_FIELD_INCREMENT, .bits = 8, .offset = 4, .value = 1},
        {.action = OP_FIELD_GET, .bits = 4, .offset = 4},
        {.action = OP_FIELD_GET, .bits = 8, .is_signed = true, .offset = 4},
        {.action = OP_FIELD_GET, .bits = 63, .offset = 1000},
    };
    uint64_t revision = fixture->revision;
    const struct op_result *result = apply_fields(fixture, "k", fields, 5);
    assert_int_equal(result->err, ERR_NONE);
    assert_int_equal(result->field_count, 5);
    static const int64_t values[] = {0, 0xac, 0xa, 0xac - 256, 0};
    for (size_t i = 0; i < 5; i++) {
        assert_true(result->fields[i].done);
        assert_int_equal(result->fields[i].value, values[i]);
    }
    assert_int_equal(result->version, revision + 1);
    assert_held(fixture, "k", SLICE_LITERAL("\x0a\xc0"));
}

static void test_reads_change_nothing(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const struct op_field get = {.action = OP_FIELD_GET, .bits = 8};
    uint64_t revision = fixture->revision;
    const struct op_result *result = apply_fields(fixture, "none", &get, 1);
    assert_true(result->fields[0].done);
    assert_int_equal(result->fields[0].value, 0);
    assert_int_equal(result->version, 0);
    assert_null(keyspace_find(fixture, "none"));
    /* Writing the present value changes nothing either. */
    static const struct op_field set = {.action = OP_FIELD_SET, .bits = 8, .value = 7};
    apply_fields(fixture, "k", &set, 1);
    assert_int_equal(fixture->revision, revision + 1);
    apply_fields(fixture, "k", &set, 1);
    assert_int_equal(fixture->revision, revision + 1);
}

/* As in Redis, the string is extended even for a part that then does not fit. */
static void test_what_does_not_fit(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const struct op_field field = {.action = OP_FIELD_SET,
                                          .overflow = OP_OVERFLOW_FAIL,
                                          .bits = 8,
                                          .offset = 16,
                                          .value = 256};
    const struct op_result *result = apply_fields(fixture, "k", &field, 1);
    assert_int_equal(result->err, ERR_NONE);
    assert_false(result->fields[0].done);
    assert_held(fixture, "k", SLICE_LITERAL("\0\0\0"));
}

static void test_refused(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice value = SLICE_LITERAL("v");
    struct op_field fields[] = {{.action = OP_FIELD_SET, .bits = 8, .value = 1},
                                {.action = OP_FIELD_SET, .bits = 8, .offset = 73}};
    keyspace_apply(fixture, (struct op){.kind = OP_R_PUSH,
                                        .key = SLICE_LITERAL("l"),
                                        .values = &value,
                                        .value_count = 1});
    assert_int_equal(apply_fields(fixture, "l", fields, 1)->err, ERR_WRONG_TYPE);
    struct op op = {.kind = OP_BIT_FIELD,
                    .key = SLICE_LITERAL("k"),
                    .parts.fields = fields,
                    .parts.field_count = 2,
                    .max_value = 10};
    assert_int_equal(keyspace_apply(fixture, op)->err, ERR_TOO_LARGE);
    fields[1].offset = INT64_MAX;
    assert_int_equal(keyspace_apply(fixture, op)->err, ERR_TOO_LARGE);
    assert_null(keyspace_find(fixture, "k"));
    fields[1].offset = 72;
    op.max_reply = 10;
    assert_int_equal(keyspace_apply(fixture, op)->err, ERR_TOO_LARGE);
    assert_null(keyspace_find(fixture, "k"));
    op.max_reply = 1000;
    assert_int_equal(keyspace_apply(fixture, op)->err, ERR_NONE);
}

/* What Redis 7.0 answers. */
static void test_saturation_far_below(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const struct {
        int64_t value, saturated;
    } cases[] = {{INT64_MIN, 127}, {INT64_MIN + 127, 127}, {INT64_MIN + 128, -128}, {-129, -128},
                 {128, 127},       {INT64_MAX, 127}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct op_field fields[] = {{.action = OP_FIELD_SET,
                                           .overflow = OP_OVERFLOW_SATURATE,
                                           .is_signed = true,
                                           .bits = 8,
                                           .value = cases[i].value},
                                          {.is_signed = true, .bits = 8}};
        const struct op_result *result = apply_fields(fixture, "k", fields, 2);
        assert_int_equal(result->fields[1].value, cases[i].saturated);
    }
}

/* ---- against a model ---- */

static bool bit_of(const uint8_t *bytes, uint64_t at)
{
    return (bytes[at / 8] >> (7 - at % 8) & 1) != 0;
}

static __int128 model_load(const struct op_field *field, const uint8_t *bytes)
{
    __int128 number = 0;
    for (unsigned i = 0; i < field->bits; i++)
        number = number * 2 + bit_of(bytes, field->offset + i);
    bool negative = field->is_signed && bit_of(bytes, field->offset);
    return negative ? number - ((__int128)1 << field->bits) : number;
}

static struct op_field_value model_field(const struct op_field *field, uint8_t *bytes)
{
    __int128 number = model_load(field, bytes), one = 1;
    if (field->action == OP_FIELD_GET)
        return (struct op_field_value){true, (int64_t)number};
    __int128 most = (one << (field->bits - field->is_signed)) - 1;
    __int128 least = field->is_signed ? -most - 1 : 0;
    __int128 wanted = field->is_signed ? (__int128)field->value : (__int128)(uint64_t)field->value;
    if (field->action == OP_FIELD_INCREMENT)
        wanted = number + field->value;
    bool fits = wanted >= least && wanted <= most;
    if (!fits && field->overflow == OP_OVERFLOW_FAIL)
        return (struct op_field_value){false, 0};
    if (!fits && field->overflow == OP_OVERFLOW_SATURATE)
        wanted = wanted > most || (field->action == OP_FIELD_SET && most - wanted > INT64_MAX)
                     ? most
                     : least;
    for (unsigned i = 0; i < field->bits; i++) {
        uint64_t at = field->offset + field->bits - 1 - i;
        uint8_t mask = (uint8_t)(0x80 >> at % 8);
        bytes[at / 8] &= (uint8_t)~mask;
        if ((wanted >> i & 1) != 0)
            bytes[at / 8] |= mask;
    }
    __int128 answer = field->action == OP_FIELD_SET ? number : model_load(field, bytes);
    return (struct op_field_value){true, (int64_t)answer};
}

static struct op_field random_field(uint64_t *random)
{
    static const int64_t values[] = {0, 1, -1, 100, -100, 300, INT64_MAX, INT64_MIN};
    struct op_field field = {.action = (enum op_field_action)seeded_below(random, 3),
                             .overflow = (enum op_overflow)seeded_below(random, 3),
                             .is_signed = seeded_below(random, 2),
                             .value = values[seeded_below(random, 8)]};
    field.bits = (uint8_t)(1 + seeded_below(random, field.is_signed ? 64 : 63));
    field.offset = seeded_below(random, 8 * BYTES - field.bits);
    return field;
}

static void test_random_fields(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t random = seeded_start();
    uint8_t bytes[BYTES] = {0};
    uint64_t length = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct op_field fields[3];
        size_t count = 1 + seeded_below(&random, 3);
        for (size_t i = 0; i < count; i++)
            fields[i] = random_field(&random);
        const struct op_result *result = apply_fields(fixture, "k", fields, count);
        assert_int_equal(result->err, ERR_NONE);
        for (size_t i = 0; i < count; i++) {
            uint64_t end = (fields[i].offset + fields[i].bits + 7) / 8;
            length = fields[i].action != OP_FIELD_GET && end > length ? end : length;
            struct op_field_value value = model_field(&fields[i], bytes);
            assert_int_equal(result->fields[i].done, value.done);
            assert_true(result->fields[i].value == value.value);
        }
        if (length > 0)
            assert_held(fixture, "k", slice_make(bytes, length));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_parts_see_what_the_ones_before_did),
        TEST(test_reads_change_nothing),
        TEST(test_what_does_not_fit),
        TEST(test_refused),
        TEST(test_saturation_far_below),
        TEST(test_random_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
