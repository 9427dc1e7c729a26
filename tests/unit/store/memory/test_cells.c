/* Tests of store/memory/cells.c: objects do not overlap, pages leave their ring in time and can be
 * emptied. */
#include "store/memory/cells.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/seeded.h"

#define PAGE ((size_t)65536)

static void *new_page(struct cells **ring, size_t size)
{
    void *page = aligned_alloc(PAGE, PAGE);
    cells_open(ring, page, PAGE, size);
    return page;
}

static void free_page(struct cells *page)
{
    CELLS_SHOW(page, PAGE);
    free(page);
}

static size_t per_page(size_t size)
{
    return (PAGE - CELLS_HEADER) / size;
}

static void test_rounding_keeps_the_number_of_objects(void **state)
{
    (void)state;
    for (size_t page_size = 4096; page_size <= PAGE; page_size *= 16) {
        for (size_t size = 1; size <= 4000; size++) {
            size_t rounded = cells_round(page_size, size);
            size_t units = (size + CELLS_UNIT - 1) / CELLS_UNIT * CELLS_UNIT;
            assert_true(rounded >= size);
            assert_int_equal(rounded % CELLS_UNIT, 0);
            assert_int_equal((page_size - CELLS_HEADER) / rounded,
                             (page_size - CELLS_HEADER) / units);
            assert_int_equal(cells_round(page_size, rounded), rounded);
        }
    }
}

static void test_small_objects_take_whole_units(void **state)
{
    (void)state;
    for (size_t size = 1; size <= CELLS_SMALLEST; size++)
        assert_int_equal(cells_size(PAGE, size), CELLS_SMALLEST);
    for (size_t size = CELLS_SMALLEST + 1; size <= CELLS_STEPWISE; size++)
        assert_int_equal(cells_size(PAGE, size), (size + CELLS_UNIT - 1) / CELLS_UNIT * CELLS_UNIT);
    for (size_t size = CELLS_STEPWISE + 1; size <= 4000; size++)
        assert_int_equal(cells_size(PAGE, size), cells_round(PAGE, size));
}

static void test_objects_fill_a_page_and_do_not_overlap(void **state)
{
    (void)state;
    static const size_t sizes[] = {16, 64, 1032, 2048, 16376};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = sizes[i], count = per_page(size);
        struct cells *ring = NULL, *page = new_page(&ring, size);
        uint8_t **objects = calloc(count, sizeof *objects);
        for (size_t n = 0; n < count; n++) {
            assert_ptr_equal(ring, page);
            objects[n] = cells_alloc(&ring);
            assert_ptr_equal(cells_of(objects[n] + size - 1, PAGE), page);
            assert_int_equal((uintptr_t)objects[n] % CELLS_UNIT, 0);
            memset(objects[n], (int)(n % 251), size);
        }
        assert_null(ring); /* it is full */
        for (size_t n = 0; n < count; n++) {
            assert_int_equal(objects[n][0], n % 251);
            assert_memory_equal(objects[n], objects[n] + 1, size - 1);
            assert_int_equal(cells_free(&ring, page, objects[n]), n == count - 1);
        }
        assert_null(ring); /* it is empty */
        free(objects);
        free_page(page);
    }
}

static void test_freed_objects_are_used_again(void **state)
{
    (void)state;
    struct cells *ring = NULL, *page = new_page(&ring, 1024);
    void *first = cells_alloc(&ring), *second = cells_alloc(&ring);
    assert_false(cells_free(&ring, page, first));
    assert_ptr_equal(cells_alloc(&ring), first);
    assert_false(cells_free(&ring, page, first));
    assert_true(cells_free(&ring, page, second));
    free_page(page);
}

/* Allocates `count` objects of the first page. */
static void take(struct cells **ring, void **objects, size_t count)
{
    for (size_t i = 0; i < count; i++)
        objects[i] = cells_alloc(ring);
}

static void test_a_page_alone_is_not_sparse(void **state)
{
    (void)state;
    struct cells *ring = NULL, *page = new_page(&ring, 1024);
    void *object = cells_alloc(&ring);
    assert_false(cells_is_sparse(ring, page));
    struct cells *other = new_page(&ring, 1024);
    void *another = cells_alloc(&ring);
    assert_true(cells_is_sparse(ring, page));
    assert_true(cells_free(&ring, other, another));
    assert_false(cells_is_sparse(ring, page));
    assert_true(cells_free(&ring, page, object));
    free_page(page);
    free_page(other);
}

static void test_a_page_that_is_nearly_full_is_not_sparse(void **state)
{
    (void)state;
    void *objects[63], *others[63];
    struct cells *ring = NULL, *page = new_page(&ring, 1024);
    take(&ring, objects, 63);
    assert_false(cells_is_sparse(ring, page)); /* full */
    assert_false(cells_free(&ring, page, objects[0]));
    struct cells *other = new_page(&ring, 1024); /* which is first now */
    take(&ring, others, 1);
    assert_false(cells_is_sparse(ring, page));
    for (size_t i = 1; i < 10; i++)
        assert_false(cells_free(&ring, page, objects[i]));
    assert_true(cells_is_sparse(ring, page));
    assert_false(cells_is_sparse(ring, other));
    free_page(page);
    free_page(other);
}

/* However the free cells are distributed, moving what is in sparse pages leaves few pages. */
static void test_moving_empties_pages(void **state)
{
    (void)state;
    enum { PAGES = 20, EACH = 63 };
    uint64_t random = seeded_start();
    struct cells *ring = NULL;
    void *objects[PAGES * EACH];
    size_t count = 0, pages = PAGES;
    for (size_t i = 0; i < PAGES; i++) {
        new_page(&ring, 1024);
        take(&ring, objects + i * EACH, EACH);
    }
    for (size_t i = 0; i < (size_t)PAGES * EACH; i++) {
        if (seeded_below(&random, 3) == 0)
            objects[count++] = objects[i];
        else if (cells_free(&ring, cells_of(objects[i], PAGE), objects[i]))
            pages--;
    }
    for (size_t i = 0; i < count; i++) {
        struct cells *page = cells_of(objects[i], PAGE);
        if (!cells_is_sparse(ring, page))
            continue;
        void *moved = cells_alloc_elsewhere(&ring, page);
        assert_ptr_not_equal(cells_of(moved, PAGE), page);
        if (cells_free(&ring, page, objects[i])) {
            free_page(page);
            pages--;
        }
        objects[i] = moved;
    }
    assert_true(pages <= (count + EACH - 1) / EACH * 16 / 15 + 1);
    for (size_t i = 0; i < count; i++) {
        struct cells *page = cells_of(objects[i], PAGE);
        if (cells_free(&ring, page, objects[i]))
            free_page(page);
    }
    assert_null(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounding_keeps_the_number_of_objects),
        cmocka_unit_test(test_small_objects_take_whole_units),
        cmocka_unit_test(test_objects_fill_a_page_and_do_not_overlap),
        cmocka_unit_test(test_freed_objects_are_used_again),
        cmocka_unit_test(test_a_page_alone_is_not_sparse),
        cmocka_unit_test(test_a_page_that_is_nearly_full_is_not_sparse),
        cmocka_unit_test(test_moving_empties_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
