/* Tests of store/list/list_garbage.c: what long lists leave is freed in any number of steps, by any
 * number of threads, and is counted until then. */
#include "store/list/list_garbage.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/blob.h"
#include "base/runs.h"
#include "store/data/entry.h"
#include "store/list/list.h"
#include "store/memory/heap.h"

#define LENGTH 100000

static struct list *new_filled(size_t length)
{
    struct list *list = list_new();
    for (size_t i = 0; i < length; i++)
        list_push(list, LIST_TAIL, SLICE_LITERAL("some element"));
    return list;
}

static void test_a_long_list_is_freed_by_steps(void **state)
{
    (void)state;
    struct list *list = new_filled(LENGTH);
    size_t memory = list_memory(list);
    list_free(list);
    assert_in_range(list_garbage_bytes(), memory - 200, memory);
    assert_true(heap_used() >= list_garbage_bytes());
    size_t steps = 0;
    for (size_t taken; (taken = list_garbage_collect(10)) > 0; steps += taken) {
        assert_true(taken <= 10);
        assert_true(heap_used() >= list_garbage_bytes());
        assert_true(heap_used() <= list_garbage_bytes() + 200);
    }
    assert_in_range(steps, memory / 4096, memory / 4096 * 5 / 4);
    assert_int_equal(list_garbage_bytes(), 0);
    assert_int_equal(heap_used(), 0);
}

static void test_a_short_list_is_freed_at_once(void **state)
{
    (void)state;
    list_free(new_filled(1000));
    assert_int_equal(list_garbage_bytes(), 0);
    assert_int_equal(heap_used(), 0);
    assert_int_equal(list_garbage_collect(10), 0);
}

/* Blobs are freed with their chunks. */
static void test_blobs_are_freed(void **state)
{
    (void)state;
    static uint8_t bytes[BLOB_LEAST];
    struct list *list = new_filled(LENGTH / 4);
    for (int i = 0; i < 100; i++)
        list_insert(list, LENGTH / 8, slice_make(bytes, sizeof bytes));
    assert_true(runs_used() >= 100 * sizeof bytes);
    list_free(list);
    assert_true(list_garbage_bytes() > 100 * sizeof bytes);
    while (list_garbage_collect(1) == 1)
        ;
    assert_int_equal(list_garbage_bytes(), 0);
    assert_int_equal(runs_used(), 0);
}

/* What another list holds as well stays, and is no longer counted at the end. */
static void test_shared_chunks_stay(void **state)
{
    (void)state;
    struct list *list = new_filled(LENGTH), *copy = list_copy(list);
    size_t used = heap_used();
    list_free(copy);
    assert_true(list_garbage_bytes() > used / 2);
    assert_true(list_garbage_collect(SIZE_MAX) < 100);
    assert_int_equal(list_garbage_bytes(), 0);
    assert_true(heap_used() > used - 5 * CHUNK_MAX);
    assert_true(list_is_sound(list));
    list_free(list);
    list_garbage_collect(SIZE_MAX);
    assert_int_equal(heap_used(), 0);
}

static void *collect(void *context)
{
    (void)context;
    while (list_garbage_collect(3) > 0)
        ;
    return NULL;
}

/* Lists that share everything, freed by several threads. */
static void test_threads_free_together(void **state)
{
    (void)state;
    pthread_t threads[4];
    struct list *list = new_filled(LENGTH);
    for (int i = 0; i < 20; i++)
        list_free(list_copy(list));
    list_free(list);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, collect, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    list_garbage_collect(SIZE_MAX);
    assert_int_equal(list_garbage_bytes(), 0);
    assert_int_equal(heap_used(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_long_list_is_freed_by_steps),
        cmocka_unit_test(test_a_short_list_is_freed_at_once),
        cmocka_unit_test(test_blobs_are_freed),
        cmocka_unit_test(test_shared_chunks_stay),
        cmocka_unit_test(test_threads_free_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
