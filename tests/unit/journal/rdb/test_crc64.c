/* Tests of journal/rdb/crc64.c: the published value, and a bit-by-bit model on all lengths. */
#include "journal/rdb/crc64.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "store/seeded.h"

/* As the definition has it: a bit at a time, high bit of the polynomial first. */
static uint64_t reverse(uint64_t bits)
{
    uint64_t reversed = 0;
    for (int i = 0; i < 64; i++)
        reversed |= ((bits >> i) & 1) << (63 - i);
    return reversed;
}

static uint64_t model(struct slice bytes)
{
    uint64_t crc = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            uint64_t in = (bytes.data[i] >> bit) & 1;
            crc = (crc << 1) ^ (((crc >> 63) ^ in) != 0 ? 0xad93d23594c935a9u : 0);
        }
    }
    return reverse(crc);
}

static void test_the_published_values(void **state)
{
    (void)state;
    assert_int_equal(crc64_update(0, SLICE_LITERAL("")), 0);
    assert_int_equal(crc64_update(0, SLICE_LITERAL("123456789")), 0xe9c6d914c4b8d9cau);
    assert_int_equal(crc64_update(0, SLICE_LITERAL("This is a test of the emergency broadcast "
                                                   "system.")),
                     model(SLICE_LITERAL("This is a test of the emergency broadcast system.")));
}

static void test_any_length_at_any_place(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    uint8_t bytes[300];
    seeded_fill(&random, bytes, sizeof bytes);
    for (size_t from = 0; from < 17; from++) {
        for (size_t len = 0; len < 280; len++) {
            struct slice slice = slice_make(bytes + from, len);
            assert_int_equal(crc64_update(0, slice), model(slice));
        }
    }
}

static void test_pieces_give_the_same(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    uint8_t bytes[1000];
    for (int round = 0; round < 200; round++) {
        seeded_fill(&random, bytes, sizeof bytes);
        uint64_t crc = 0;
        for (size_t at = 0; at < sizeof bytes;) {
            size_t len = seeded_below(&random, (uint32_t)(sizeof bytes - at) + 1);
            crc = crc64_update(crc, slice_make(bytes + at, len));
            at += len;
        }
        assert_int_equal(crc, model(slice_make(bytes, sizeof bytes)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_published_values),
        cmocka_unit_test(test_any_length_at_any_place),
        cmocka_unit_test(test_pieces_give_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
