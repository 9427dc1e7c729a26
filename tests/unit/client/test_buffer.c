/* Growable bytes: contents, the limit, memory kept or freed, and memory that is not there. */
#include "client/buffer.h"

#include "failing_memory.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct buffer buffer;

static int tear_down(void **state)
{
    (void)state;
    memory_recover();
    buffer_deinit(&buffer);
    return 0;
}

static void assert_holds(const char *text)
{
    assert_true(slice_equal(buffer_slice(&buffer), slice_from_string(text)));
}

static void appends_in_order(void **state)
{
    (void)state;
    buffer_init(&buffer, 100);
    assert_true(buffer_append(&buffer, SLICE_LITERAL("one ")));
    assert_true(buffer_append(&buffer, slice_make(NULL, 0)));
    assert_true(buffer_append(&buffer, SLICE_LITERAL("two")));
    assert_holds("one two");
    buffer_consume(&buffer, 4);
    assert_holds("two");
}

static void fills_up_to_the_limit_and_no_further(void **state)
{
    (void)state;
    buffer_init(&buffer, 7);
    assert_true(buffer_append(&buffer, SLICE_LITERAL("12345")));
    assert_false(buffer_allows(&buffer, 3));
    assert_false(buffer_append(&buffer, SLICE_LITERAL("678")));
    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    assert_null(buffer_reserve(&buffer, SIZE_MAX - 4));
    assert_true(buffer_append(&buffer, SLICE_LITERAL("67")));
    assert_holds("1234567");
    assert_true(buffer.cap <= buffer.limit);
    assert_true(buffer_append(&buffer, slice_make(NULL, 0)));
}

static void nothing_fits_always(void **state)
{
    (void)state;
    buffer_init(&buffer, 0);
    assert_non_null(buffer_reserve(&buffer, 0));
    assert_null(buffer_reserve(&buffer, 1));
}

static void grows_by_doubling(void **state)
{
    (void)state;
    size_t moves = 0;
    buffer_init(&buffer, 1 << 20);
    for (size_t i = 0; i < 1 << 20; i++) {
        size_t cap = buffer.cap;
        assert_true(buffer_append(&buffer, slice_make(&i, 1)));
        moves += buffer.cap != cap;
    }
    assert_true(moves <= 20);
    for (size_t i = 0; i < 1 << 20; i++)
        assert_int_equal(buffer.data[i], (uint8_t)i);
}

static void a_large_reserve_takes_no_more_than_it_needs(void **state)
{
    (void)state;
    buffer_init(&buffer, SIZE_MAX);
    assert_non_null(buffer_reserve(&buffer, 1000000));
    assert_int_equal(buffer.cap, 1000000);
}

static void clearing_keeps_small_memory_only(void **state)
{
    (void)state;
    buffer_init(&buffer, 10000);
    assert_true(buffer_append(&buffer, SLICE_LITERAL("small")));
    buffer_clear(&buffer, 1000);
    assert_int_equal(buffer.len, 0);
    assert_true(buffer.cap > 0);
    assert_non_null(buffer_reserve(&buffer, 5000));
    buffer_clear(&buffer, 1000);
    assert_int_equal(buffer.cap, 0);
    assert_true(buffer_append(&buffer, SLICE_LITERAL("again")));
    assert_holds("again");
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    buffer_init(&buffer, 10000);
    memory_fail_after(0, false);
    assert_false(buffer_append(&buffer, SLICE_LITERAL("no")));
    assert_int_equal(memory_recover(), 1);
    assert_true(buffer_append(&buffer, SLICE_LITERAL("kept")));
    memory_fail_after(0, false);
    assert_null(buffer_reserve(&buffer, 5000));
    assert_true(buffer_allows(&buffer, 5000));
    assert_int_equal(memory_recover(), 1);
    assert_holds("kept");
    assert_non_null(buffer_reserve(&buffer, 5000));
    assert_holds("kept");
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(appends_in_order),
        TEST(fills_up_to_the_limit_and_no_further),
        TEST(nothing_fits_always),
        TEST(grows_by_doubling),
        TEST(a_large_reserve_takes_no_more_than_it_needs),
        TEST(clearing_keeps_small_memory_only),
        TEST(without_memory_nothing_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
