/*
 * Tests of http2/encoder.c: whatever table sizes a peer sets, nghttp2's inflater decodes the fields
 * that were encoded, and a repeated field costs one byte.
 */
#include "http2/encoder.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/seeded.h"

#define MAX_BLOCK    ((size_t)100000)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct http2_field answer[] = {
    {SLICE_LITERAL(":status"), SLICE_LITERAL("200")},
    {SLICE_LITERAL("content-type"), SLICE_LITERAL("application/grpc")},
};
static const struct http2_field trailers[] = {
    {SLICE_LITERAL("grpc-status"), SLICE_LITERAL("0")},
};
/* More than ENCODER_MAX_KEPT together with the others, and one that fits no table. */
static char endless[5000];
static const struct http2_field many[] = {
    {SLICE_LITERAL(":status"), SLICE_LITERAL("404")},   {SLICE_LITERAL("a"), SLICE_LITERAL("")},
    {SLICE_LITERAL("endless"), SLICE_LITERAL(endless)}, {SLICE_LITERAL("b"), SLICE_LITERAL("2")},
    {SLICE_LITERAL("c"), SLICE_LITERAL("3")},           {SLICE_LITERAL("d"), SLICE_LITERAL("4")},
};

/* An encoder and the peer that reads what it writes. */
struct wire {
    struct encoder encoder;
    nghttp2_hd_inflater *inflater;
    uint8_t block[MAX_BLOCK];
    size_t len;
};

static struct wire *new_wire(bool settled)
{
    struct wire *wire = calloc(1, sizeof *wire);
    encoder_init(&wire->encoder);
    wire->encoder.settled = settled;
    assert_int_equal(nghttp2_hd_inflate_new(&wire->inflater), 0);
    return wire;
}

static void free_wire(struct wire *wire)
{
    nghttp2_hd_inflate_del(wire->inflater);
    free(wire);
}

/* The peer's SETTINGS, which it enforces once they are acknowledged. */
static void change_size(struct wire *wire, uint32_t size)
{
    encoder_set_allowed(&wire->encoder, size);
    assert_int_equal(nghttp2_hd_inflate_change_table_size(wire->inflater, size), 0);
}

/* Dynamic table size updates (RFC 7541, 6.3) at the start of the block. */
static size_t count_size_updates(const struct wire *wire)
{
    size_t count = 0, i = 0;
    while (i < wire->len && (wire->block[i] & 0xe0) == 0x20) {
        bool more = (wire->block[i++] & 0x1f) == 0x1f;
        while (more)
            more = (wire->block[i++] & 0x80) != 0;
        count++;
    }
    return count;
}

static void assert_inflates(struct wire *wire, const struct http2_field *fields, size_t count)
{
    struct slice left = slice_make(wire->block, wire->len);
    size_t found = 0;
    for (;;) {
        nghttp2_nv field;
        int flags = 0;
        ssize_t used =
            nghttp2_hd_inflate_hd2(wire->inflater, &field, &flags, left.data, left.len, 1);
        if (used < 0)
            fail_msg("the block does not inflate: %s", nghttp2_strerror((int)used));
        left = slice_skip(left, (size_t)used);
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
            assert_true(found < count);
            assert_true(slice_equal(slice_make(field.name, field.namelen), fields[found].name));
            assert_true(slice_equal(slice_make(field.value, field.valuelen), fields[found].value));
            found++;
        }
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0)
            break;
    }
    assert_int_equal(found, count);
    assert_int_equal(nghttp2_hd_inflate_end_headers(wire->inflater), 0);
}

static void write_and_read(struct wire *wire, const struct http2_field *fields, size_t count,
                           bool lasting)
{
    size_t bound = encoder_bound(fields, count);
    const uint8_t *known = encoder_recall(&wire->encoder, fields, count);
    uint8_t recalled[ENCODER_MAX_KEPT];
    assert_true(bound <= MAX_BLOCK);
    assert_true(known == NULL || lasting);
    if (known != NULL)
        memcpy(recalled, known, sizeof recalled);
    memset(wire->block, 0xee, sizeof wire->block);
    wire->len =
        (size_t)(encoder_write(&wire->encoder, fields, count, lasting, wire->block) - wire->block);
    assert_true(wire->len <= bound);
    if (known != NULL) {
        assert_int_equal(wire->len, count);
        assert_memory_equal(recalled, wire->block, count);
    }
    assert_true(count_size_updates(wire) <= 2);
    assert_inflates(wire, fields, count);
}

static void test_what_repeats_costs_a_byte(void **state)
{
    (void)state;
    struct wire *wire = new_wire(true);
    write_and_read(wire, answer, COUNT(answer), true);
    write_and_read(wire, trailers, COUNT(trailers), true);
    for (int i = 0; i < 3; i++) {
        write_and_read(wire, answer, COUNT(answer), true);
        assert_int_equal(wire->len, 2);
        write_and_read(wire, trailers, COUNT(trailers), true);
        assert_int_equal(wire->len, 1);
    }
    free_wire(wire);
}

static void test_a_block_of_indexes_is_remembered(void **state)
{
    (void)state;
    struct wire *wire = new_wire(true);
    write_and_read(wire, answer, COUNT(answer), true);
    assert_null(encoder_recall(&wire->encoder, answer, COUNT(answer))); /* it had a literal */
    write_and_read(wire, answer, COUNT(answer), true);
    assert_non_null(encoder_recall(&wire->encoder, answer, COUNT(answer)));
    write_and_read(wire, trailers, COUNT(trailers), true); /* a new entry: indexes change */
    assert_null(encoder_recall(&wire->encoder, answer, COUNT(answer)));
    write_and_read(wire, answer, COUNT(answer), true);
    write_and_read(wire, trailers, COUNT(trailers), true);
    assert_non_null(encoder_recall(&wire->encoder, answer, COUNT(answer)));
    assert_non_null(encoder_recall(&wire->encoder, trailers, COUNT(trailers)));
    change_size(wire, 100); /* which the next block announces */
    assert_null(encoder_recall(&wire->encoder, answer, COUNT(answer)));
    assert_null(encoder_recall(&wire->encoder, trailers, COUNT(trailers)));
    free_wire(wire);
}

static void test_the_table_is_left_alone_until_the_peer_has_spoken(void **state)
{
    (void)state;
    struct wire *wire = new_wire(false);
    for (int i = 0; i < 3; i++) {
        write_and_read(wire, answer, COUNT(answer), true);
        assert_int_equal(nghttp2_hd_inflate_get_num_table_entries(wire->inflater), 61);
        assert_true(wire->len > 2);
    }
    wire->encoder.settled = true;
    write_and_read(wire, answer, COUNT(answer), true);
    write_and_read(wire, answer, COUNT(answer), true);
    assert_int_equal(wire->len, 2);
    free_wire(wire);
}

static void test_fields_that_do_not_last_leave_the_table_alone(void **state)
{
    (void)state;
    struct wire *wire = new_wire(true);
    for (int i = 0; i < 3; i++) {
        write_and_read(wire, many, COUNT(many), false);
        assert_int_equal(nghttp2_hd_inflate_get_num_table_entries(wire->inflater), 61);
    }
    free_wire(wire);
}

static void test_only_so_many_are_kept(void **state)
{
    (void)state;
    struct wire *wire = new_wire(true);
    for (int i = 0; i < 3; i++) {
        write_and_read(wire, many, COUNT(many), true);
        write_and_read(wire, answer, COUNT(answer), true);
        write_and_read(wire, trailers, COUNT(trailers), true);
    }
    assert_int_equal(nghttp2_hd_inflate_get_num_table_entries(wire->inflater),
                     61 + ENCODER_MAX_KEPT);
    free_wire(wire);
}

static void test_a_peer_without_a_table(void **state)
{
    (void)state;
    struct wire *wire = new_wire(true);
    write_and_read(wire, answer, COUNT(answer), true);
    change_size(wire, 0);
    write_and_read(wire, answer, COUNT(answer), true);
    assert_int_equal(count_size_updates(wire), 1);
    assert_int_equal(nghttp2_hd_inflate_get_dynamic_table_size(wire->inflater), 0);
    write_and_read(wire, answer, COUNT(answer), true);
    assert_int_equal(count_size_updates(wire), 0);
    change_size(wire, 4096);
    write_and_read(wire, answer, COUNT(answer), true);
    write_and_read(wire, answer, COUNT(answer), true);
    assert_int_equal(wire->len, 2);
    free_wire(wire);
}

static void test_small_then_large_again_between_two_blocks(void **state)
{
    (void)state;
    struct wire *wire = new_wire(true);
    write_and_read(wire, answer, COUNT(answer), true);
    change_size(wire, 10);
    change_size(wire, 100000);
    change_size(wire, 4096);
    write_and_read(wire, answer, COUNT(answer), true);
    assert_int_equal(count_size_updates(wire), 2);
    write_and_read(wire, answer, COUNT(answer), true);
    assert_int_equal(wire->len, 2);
    free_wire(wire);
}

static void test_a_larger_table_needs_no_word(void **state)
{
    (void)state;
    struct wire *wire = new_wire(true);
    change_size(wire, 65536);
    write_and_read(wire, answer, COUNT(answer), true);
    assert_int_equal(count_size_updates(wire), 0);
    free_wire(wire);
}

/* Random fields, with lengths around the boundaries of HPACK's integers. */
static void write_random_fields(struct wire *wire, uint64_t *random)
{
    static uint8_t bytes[20000];
    static const uint32_t edges[] = {0, 1, 126, 127, 128, 254, 255, 256, 16510, 16511, 16512};
    struct http2_field fields[5];
    size_t count = seeded_below(random, 5);
    memset(bytes, 'v', sizeof bytes);
    for (size_t i = 0; i < count; i++) {
        fields[i].name = slice_make("a-name-of-some-length", 1 + seeded_below(random, 21));
        fields[i].value = slice_make(bytes, edges[seeded_below(random, COUNT(edges))]);
        if (seeded_below(random, 4) == 0)
            fields[i] = (struct http2_field){SLICE_LITERAL(":status"), SLICE_LITERAL("503")};
    }
    write_and_read(wire, fields, count, false);
}

static uint32_t random_size(uint64_t *random)
{
    static const uint32_t sizes[] = {0,   1,    33,   60,   95,    100,
                                     150, 4095, 4096, 4097, 65536, UINT32_MAX};
    return seeded_below(random, 2) == 0 ? sizes[seeded_below(random, COUNT(sizes))]
                                        : seeded_below(random, 300);
}

static void random_step(struct wire *wire, uint64_t *random)
{
    switch (seeded_below(random, 8)) {
    case 0:
    case 1:
        change_size(wire, random_size(random));
        break;
    case 2:
        write_random_fields(wire, random);
        break;
    case 3:
        write_and_read(wire, many, COUNT(many), true);
        break;
    case 4:
        write_and_read(wire, NULL, 0, true);
        break;
    case 5:
        write_and_read(wire, trailers, COUNT(trailers), true);
        break;
    default:
        write_and_read(wire, answer, COUNT(answer), true);
    }
}

static void test_random_answers_and_table_sizes(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int connection = 0; connection < 100; connection++) {
        struct wire *wire = new_wire(false);
        for (int step = 0; step < 100; step++) {
            if (step == 10)
                wire->encoder.settled = true;
            random_step(wire, &random);
        }
        free_wire(wire);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_repeats_costs_a_byte),
        cmocka_unit_test(test_a_block_of_indexes_is_remembered),
        cmocka_unit_test(test_the_table_is_left_alone_until_the_peer_has_spoken),
        cmocka_unit_test(test_fields_that_do_not_last_leave_the_table_alone),
        cmocka_unit_test(test_only_so_many_are_kept),
        cmocka_unit_test(test_a_peer_without_a_table),
        cmocka_unit_test(test_small_then_large_again_between_two_blocks),
        cmocka_unit_test(test_a_larger_table_needs_no_word),
        cmocka_unit_test(test_random_answers_and_table_sizes),
    };
    memset(endless, 'e', sizeof endless);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
