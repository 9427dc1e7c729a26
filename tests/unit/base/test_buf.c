/* Tests of base/buf.c: contents, the limit, and memory kept or freed. */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void assert_holds(const struct buf *buf, const char *text)
{
    assert_true(slice_equal(buf_slice(buf), slice_from_string(text)));
}

static void test_appends_in_order(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    assert_int_equal(buf.len, 0);
    assert_true(buf_append(&buf, SLICE_LITERAL("one ")));
    assert_true(buf_append(&buf, slice_make(NULL, 0)));
    assert_true(buf_append(&buf, SLICE_LITERAL("two")));
    assert_holds(&buf, "one two");
    buf_deinit(&buf);
}

static void test_fills_up_to_the_limit_and_no_further(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 7);
    assert_true(buf_append(&buf, SLICE_LITERAL("12345")));
    assert_false(buf_append(&buf, SLICE_LITERAL("678")));
    assert_null(buf_reserve(&buf, 3));
    assert_holds(&buf, "12345");
    assert_true(buf_append(&buf, SLICE_LITERAL("67")));
    assert_false(buf_append(&buf, SLICE_LITERAL("8")));
    assert_holds(&buf, "1234567");
    assert_true(buf.cap <= buf.limit);
    buf_deinit(&buf);
}

static void test_a_huge_count_does_not_wrap_around_the_limit(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 10);
    assert_true(buf_append(&buf, SLICE_LITERAL("12345")));
    assert_null(buf_reserve(&buf, SIZE_MAX));
    assert_null(buf_reserve(&buf, SIZE_MAX - 4));
    assert_holds(&buf, "12345");
    buf_deinit(&buf);
}

static void test_nothing_fits_always(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 0);
    assert_non_null(buf_reserve(&buf, 0));
    assert_true(buf_append(&buf, slice_make(NULL, 0)));
    assert_null(buf_reserve(&buf, 1));
    buf_deinit(&buf);
}

static void test_reserved_bytes_follow_the_contents(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 10000);
    assert_true(buf_append(&buf, SLICE_LITERAL("head")));
    uint8_t *room = buf_reserve(&buf, 5000);
    assert_non_null(room);
    assert_int_equal(buf.len, 4);
    assert_true(buf.cap >= 5004);
    memset(room, 'x', 5000);
    buf.len += 5000;
    assert_memory_equal(buf.data, "headxxxx", 8);
    assert_int_equal(buf.data[5003], 'x');
    buf_deinit(&buf);
}

static void test_growing_by_bytes_moves_memory_rarely(void **state)
{
    (void)state;
    struct buf buf;
    size_t moves = 0;
    buf_init(&buf, 1 << 20);
    for (size_t i = 0; i < 1 << 20; i++) {
        size_t cap = buf.cap;
        assert_true(buf_append(&buf, slice_make("x", 1)));
        moves += buf.cap != cap;
    }
    assert_true(moves <= 20);
    buf_deinit(&buf);
}

static void test_clear_keeps_small_memory_only(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 10000);
    assert_true(buf_append(&buf, SLICE_LITERAL("small")));
    buf_clear(&buf, 1000);
    assert_int_equal(buf.len, 0);
    assert_true(buf.cap > 0);

    assert_non_null(buf_reserve(&buf, 5000));
    buf.data[0] = 0;
    buf.len = 1;
    buf_clear(&buf, 1000);
    assert_int_equal(buf.len, 0);
    assert_int_equal(buf.cap, 0);
    assert_true(buf_append(&buf, SLICE_LITERAL("again")));
    assert_holds(&buf, "again");
    buf_deinit(&buf);
}

static void test_consume_drops_from_the_front(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    assert_true(buf_append(&buf, SLICE_LITERAL("abcdef")));
    buf_consume(&buf, 0);
    assert_holds(&buf, "abcdef");
    buf_consume(&buf, 2);
    assert_holds(&buf, "cdef");
    assert_true(buf_append(&buf, SLICE_LITERAL("g")));
    assert_holds(&buf, "cdefg");
    buf_consume(&buf, 5);
    assert_int_equal(buf.len, 0);
    buf_deinit(&buf);
}

static void test_is_usable_after_deinit(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 3);
    assert_true(buf_append(&buf, SLICE_LITERAL("abc")));
    buf_deinit(&buf);
    assert_int_equal(buf.len, 0);
    assert_false(buf_append(&buf, SLICE_LITERAL("abcd")));
    assert_true(buf_append(&buf, SLICE_LITERAL("def")));
    assert_holds(&buf, "def");
    buf_deinit(&buf);
}

static uint32_t seed(void)
{
    const char *given = getenv("KEYSTORE_SEED");
    uint32_t value = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : (uint32_t)time(NULL);
    print_message("KEYSTORE_SEED=%u\n", value);
    return value;
}

static uint32_t next_random(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*random >> 33);
}

#define MODEL_LIMIT 4000

/* A plain model of the buffer's contents. */
struct model {
    uint8_t data[MODEL_LIMIT];
    size_t len;
};

static void random_append(struct buf *buf, struct model *model, uint64_t *random)
{
    uint8_t bytes[1000];
    size_t count = next_random(random) % sizeof bytes;
    memset(bytes, (int)(next_random(random) & 0xff), sizeof bytes);
    bool fits = model->len + count <= MODEL_LIMIT;
    assert_int_equal(buf_append(buf, slice_make(bytes, count)), fits);
    if (!fits)
        return;
    memcpy(model->data + model->len, bytes, count);
    model->len += count;
}

static void random_consume(struct buf *buf, struct model *model, uint64_t *random)
{
    size_t count = next_random(random) % (model->len + 1);
    buf_consume(buf, count);
    model->len -= count;
    memmove(model->data, model->data + count, model->len);
}

static void test_random_steps_match_a_plain_array(void **state)
{
    (void)state;
    uint64_t random = seed();
    struct model model = {.len = 0};
    struct buf buf;
    buf_init(&buf, MODEL_LIMIT);
    for (int step = 0; step < 20000; step++) {
        uint32_t choice = next_random(&random) % 20;
        if (choice < 13) {
            random_append(&buf, &model, &random);
        } else if (choice < 19) {
            random_consume(&buf, &model, &random);
        } else {
            buf_clear(&buf, next_random(&random) % MODEL_LIMIT);
            model.len = 0;
        }
        assert_true(slice_equal(buf_slice(&buf), slice_make(model.data, model.len)));
        assert_true(buf.len <= buf.cap && buf.cap <= MODEL_LIMIT);
    }
    buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends_in_order),
        cmocka_unit_test(test_fills_up_to_the_limit_and_no_further),
        cmocka_unit_test(test_a_huge_count_does_not_wrap_around_the_limit),
        cmocka_unit_test(test_nothing_fits_always),
        cmocka_unit_test(test_reserved_bytes_follow_the_contents),
        cmocka_unit_test(test_growing_by_bytes_moves_memory_rarely),
        cmocka_unit_test(test_clear_keeps_small_memory_only),
        cmocka_unit_test(test_consume_drops_from_the_front),
        cmocka_unit_test(test_is_usable_after_deinit),
        cmocka_unit_test(test_random_steps_match_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
