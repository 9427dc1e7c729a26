/* Memory of every size that stays apart, what a reset keeps, and memory that is not there. */
#include "client/pool.h"

#include "failing_memory.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct pool pool;

static int set_up(void **state)
{
    (void)state;
    pool_init(&pool);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    memory_recover();
    pool_deinit(&pool);
    return 0;
}

/* Fills each piece with its number; a piece that overlaps another loses its bytes. */
static void pieces_are_aligned_and_apart(void **state)
{
    (void)state;
    enum { PIECES = 3000 };
    static uint8_t *pieces[PIECES];
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = pool_alloc(&pool, i * 7 % 9001);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        memset(pieces[i], (int)(i % 251), i * 7 % 9001);
    }
    for (size_t i = 0; i < PIECES; i++)
        for (size_t at = 0; at < i * 7 % 9001; at++)
            assert_int_equal(pieces[i][at], i % 251);
}

static void reset_keeps_the_first_block(void **state)
{
    (void)state;
    void *first = pool_alloc(&pool, 100);
    for (int round = 0; round < 100; round++) {
        memset(pool_alloc(&pool, 20000), 1, 20000);
        memset(pool_alloc_array(&pool, 3000, 4), 1, 12000);
        pool_reset(&pool);
        assert_ptr_equal(pool_alloc(&pool, 100), first);
        assert_ptr_equal(pool.current, pool.first);
    }
    pool_deinit(&pool);
    assert_null(pool.first);
    assert_non_null(pool_alloc(&pool, 0));
}

static void a_failure_is_remembered_until_reset(void **state)
{
    (void)state;
    memory_fail_after(0, false);
    assert_null(pool_alloc(&pool, 1));
    assert_int_equal(memory_recover(), 1);
    assert_true(pool.failed);
    uint8_t *small = pool_alloc(&pool, 1);
    assert_non_null(small);
    assert_true(pool.failed);
    pool_reset(&pool);
    assert_false(pool.failed);
    memory_fail_after(0, false);
    assert_null(pool_alloc(&pool, 5000));
    assert_int_equal(memory_recover(), 1);
    assert_non_null(pool_alloc(&pool, 1));
    assert_true(pool.failed);
}

static void sizes_that_no_memory_has(void **state)
{
    (void)state;
    assert_null(pool_alloc(&pool, SIZE_MAX));
    assert_null(pool_alloc(&pool, (size_t)PTRDIFF_MAX));
    assert_null(pool_alloc_array(&pool, SIZE_MAX / 2, 3));
    assert_null(pool_alloc_array(&pool, (size_t)1 << 61, 8));
    assert_true(pool.failed);
    assert_non_null(pool_alloc_array(&pool, 0, 8));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pieces_are_aligned_and_apart),
        TEST(reset_keeps_the_first_block),
        TEST(a_failure_is_remembered_until_reset),
        TEST(sizes_that_no_memory_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
