/* Tests of store/memory/heap.c: objects of all sizes stay intact and are counted, from several
 * threads. */
#include "store/memory/heap.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/runs.h"
#include "store/seeded.h"

#define OBJECTS 2000
#define LARGEST ((size_t)20000)
#define MIB     ((size_t)1 << 20)

struct object {
    uint8_t *bytes; /* NULL = none */
    size_t size;
};

static void test_rounding_wastes_little(void **state)
{
    (void)state;
    size_t former = 0;
    for (size_t size = 1; size <= LARGEST; size++) {
        size_t rounded = heap_round(size), waste = rounded - size;
        assert_true(rounded >= size && rounded >= former);
        assert_int_equal(rounded % 8, 0);
        assert_int_equal(heap_round(rounded), rounded);
        if (size <= 128)
            assert_true(waste < 16);
        else if (size > HEAP_LARGEST)
            assert_true(waste < RUNS_PAGE);
        else
            assert_true(waste * 100 <= size * (size <= 512 ? 15 : size <= 4096 ? 7 : 26));
        former = rounded;
    }
    assert_int_equal(heap_round(4088), 4096);
}

static void make(struct object *object, size_t size, size_t mark)
{
    object->size = size;
    object->bytes = heap_alloc(size);
    assert_int_equal((uintptr_t)object->bytes % 8, 0);
    memset(object->bytes, (int)mark, size);
}

static void assert_intact(const struct object *object, size_t mark)
{
    assert_int_equal(object->bytes[0], mark);
    assert_memory_equal(object->bytes, object->bytes + 1, object->size - 1);
}

static void drop(struct object *object, size_t mark)
{
    assert_intact(object, mark);
    heap_free(object->bytes, object->size);
    object->bytes = NULL;
}

/* Most are small. */
static size_t random_size(uint64_t *random)
{
    uint32_t bound = (uint32_t)LARGEST >> seeded_below(random, 10);
    return 2 + seeded_below(random, bound);
}

static void resize(struct object *object, size_t size, size_t mark)
{
    object->bytes = heap_realloc(object->bytes, object->size, size);
    if (object->size > size)
        object->size = size;
    assert_intact(object, mark);
    object->size = size;
    memset(object->bytes, (int)mark, size);
}

static void move(struct object *object, size_t mark)
{
    void *moved = heap_move(object->bytes, object->size);
    if (moved != NULL)
        object->bytes = moved;
    assert_intact(object, mark);
}

/* What a thread does; the marks show whether it interferes with the others. */
static void churn_for(struct object *objects, uint64_t *random, size_t mark, int steps)
{
    for (int i = 0; i < steps; i++) {
        size_t n = seeded_below(random, OBJECTS);
        if (objects[n].bytes == NULL)
            make(&objects[n], random_size(random), mark + n % 50);
        else if (i % 3 == 0)
            resize(&objects[n], random_size(random), mark + n % 50);
        else if (i % 3 == 1)
            move(&objects[n], mark + n % 50);
        else
            drop(&objects[n], mark + n % 50);
    }
}

/* Continues with the objects that another thread allocated. */
static void *churn(void *context)
{
    struct object *objects = context;
    uint64_t random = (uintptr_t)objects;
    churn_for(objects, &random, objects[OBJECTS].size, 20000);
    for (size_t n = 0; n < OBJECTS; n++)
        if (objects[n].bytes != NULL)
            drop(&objects[n], objects[OBJECTS].size + n % 50);
    return NULL;
}

static void test_threads_do_not_meet(void **state)
{
    (void)state;
    enum { THREADS = 3 };
    static struct object objects[THREADS][OBJECTS + 1]; /* the last one's size is the mark */
    size_t used = heap_used();
    uint64_t random = seeded_start();
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        objects[i][OBJECTS].size = 60 * i;
        churn_for(objects[i], &random, 60 * i, 10000);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, objects[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(heap_used(), used);
    assert_false(heap_is_fragmented());
    assert_true(heap_slack() - runs_slack() <= 5 * MIB);
}

/* Frees nine of ten objects; moving the others frees nearly all memory. */
static void thin_out(size_t size)
{
    static struct object objects[20000];
    const size_t count = sizeof objects / sizeof objects[0];
    size_t used = heap_used();
    for (size_t i = 0; i < count; i++)
        make(&objects[i], size, i % 251);
    assert_int_equal(heap_used() - used, count * heap_round(size));
    assert_false(heap_is_fragmented());
    for (size_t i = 0; i < count; i++)
        if (i % 10 != 0)
            drop(&objects[i], i % 251);
    assert_true(heap_is_fragmented());
    for (size_t i = 0; i < count; i += 10)
        move(&objects[i], i % 251);
    assert_false(heap_is_fragmented());
    assert_int_equal(heap_used() - used, count / 10 * heap_round(size));
    assert_true(heap_slack() - runs_slack() <= 5 * MIB);
    for (size_t i = 0; i < count; i += 10)
        drop(&objects[i], i % 251);
}

static void test_moving_gives_memory_back(void **state)
{
    (void)state;
    thin_out(40);
    thin_out(500);
    thin_out(1100);
    thin_out(9000);
}

/* Also objects of nearly a page, which have one of their own, and runs. */
static void test_what_lies_well_stays(void **state)
{
    (void)state;
    static struct object objects[1000];
    static const size_t sizes[] = {30, 700, 4000, LARGEST};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (size_t i = 0; i < 1000; i++)
            make(&objects[i], sizes[s], i % 251);
        for (size_t i = 0; i < 1000; i++)
            assert_null(heap_move(objects[i].bytes, sizes[s]));
        for (size_t i = 0; i < 1000; i++)
            drop(&objects[i], i % 251);
    }
}

static void test_pages_come_back_whoever_gives_them(void **state)
{
    (void)state;
    static struct object objects[3000];
    size_t slack = heap_slack();
    for (size_t i = 0; i < 3000; i++)
        make(&objects[i], 4090, i % 251);
    for (size_t i = 0; i < 3000; i++)
        if (i % 2 == 0)
            drop(&objects[i], i % 251);
    assert_false(heap_is_fragmented());
    assert_true(heap_slack() <= slack + 3 * MIB);
    for (size_t i = 1; i < 3000; i += 2)
        drop(&objects[i], i % 251);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounding_wastes_little),
        cmocka_unit_test(test_threads_do_not_meet),
        cmocka_unit_test(test_moving_gives_memory_back),
        cmocka_unit_test(test_what_lies_well_stays),
        cmocka_unit_test(test_pages_come_back_whoever_gives_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
