/* Tests of base/runs.c: objects do not overlap, and what is resident is what is counted. */
#include "base/runs.h"

#include "base/reserve.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/addresses.h"
#include "store/seeded.h"

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * 1024)

struct object {
    uint8_t *bytes; /* NULL: none */
    size_t size;
    uint8_t mark;
};

/* Marks each page at both ends. */
static void make(struct object *object, size_t size, uint8_t mark)
{
    *object = (struct object){.bytes = runs_take(size), .size = size, .mark = mark};
    assert_int_equal((uintptr_t)object->bytes % RUNS_PAGE, 0);
    for (size_t at = 0; at < size; at += RUNS_PAGE)
        object->bytes[at] =
            object->bytes[at + (size - at < RUNS_PAGE ? size - at : RUNS_PAGE) - 1] = mark;
}

static void drop(struct object *object)
{
    for (size_t at = 0; at < object->size; at += RUNS_PAGE) {
        assert_int_equal(object->bytes[at], object->mark);
        assert_int_equal(
            object->bytes[at + (object->size - at < RUNS_PAGE ? object->size - at : RUNS_PAGE) - 1],
            object->mark);
    }
    runs_give(object->bytes, object->size);
    object->bytes = NULL;
}

static size_t resident_bytes(void)
{
    unsigned long resident;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_int_equal(fscanf(file, "%*u %lu", &resident), 1);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t mappings(void)
{
    size_t lines = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    for (int c; (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    fclose(file);
    return lines;
}

/* The sanitizers' own memory grows and shrinks with ours. */
static bool counts_resident(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return false;
#endif
    return true;
}

static size_t warm_bytes(void)
{
    assert_true(runs_slack() >= runs_headers());
    return runs_slack() - runs_headers();
}

static void assert_little_is_warm(void)
{
    size_t used = runs_used(), headers = runs_headers();
    assert_true(warm_bytes() <= RUNS_WARM + used / RUNS_WARM_SHARE);
    assert_true(headers <= (used / (64 * MIB) + 16) * 300 * KIB); /* some are fragmented */
}

static void test_the_size_is_whole_pages(void **state)
{
    (void)state;
    assert_int_equal(runs_round(1), RUNS_PAGE);
    assert_int_equal(runs_round(RUNS_PAGE), RUNS_PAGE);
    assert_int_equal(runs_round(RUNS_PAGE + 1), 2 * RUNS_PAGE);
    size_t used = runs_used();
    void *memory = runs_take(20000);
    assert_int_equal(runs_used() - used, 5 * RUNS_PAGE);
    runs_give(memory, 17000);
    assert_int_equal(runs_used(), used);
}

/* A size from one page to more than the largest run, mostly small. */
static size_t random_size(uint64_t *random)
{
    static const uint32_t most[] = {16 * KIB, 64 * KIB, 300 * KIB, 3 * MIB, 20 * MIB};
    uint32_t kind = seeded_below(random, 200);
    return 1 + seeded_below(random, most[kind < 80    ? 0
                                         : kind < 150 ? 1
                                         : kind < 190 ? 2
                                         : kind < 199 ? 3
                                                      : 4]);
}

static void churn_for(struct object *objects, size_t count, uint64_t *random, size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        struct object *object = &objects[seeded_below(random, (uint32_t)count)];
        if (object->bytes != NULL)
            drop(object);
        else
            make(object, random_size(random), (uint8_t)i);
    }
}

static void drop_all(struct object *objects, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (objects[i].bytes != NULL)
            drop(&objects[i]);
}

static void test_objects_of_all_sizes_come_and_go(void **state)
{
    (void)state;
    static struct object objects[600];
    uint64_t random = seeded_start();
    size_t used = runs_used();
    for (int round = 0; round < 20; round++) {
        size_t expected = used;
        churn_for(objects, 600, &random, 2000);
        for (size_t i = 0; i < 600; i++)
            expected += objects[i].bytes != NULL ? runs_round(objects[i].size) : 0;
        assert_int_equal(runs_used(), expected);
        assert_little_is_warm();
    }
    drop_all(objects, 600);
    assert_int_equal(runs_used(), used);
    assert_little_is_warm();
}

/* There would be a hundred times as many mappings if each object had its own. */
static void test_memory_comes_back_at_once(void **state)
{
    (void)state;
    static struct object objects[15000];
    const size_t count = sizeof objects / sizeof objects[0], size = 20 * KIB;
    size_t before = resident_bytes(), mapped = mappings();
    for (size_t i = 0; i < count; i++)
        make(&objects[i], size, (uint8_t)i);
    if (counts_resident()) {
        size_t resident = resident_bytes() - before;
        assert_in_range(runs_held(), resident - 4 * MIB, resident + 4 * MIB);
    }
    /* Frees every other object, in all regions, and then the others, in a different order. */
    for (size_t i = 0; i < count; i += 2)
        drop(&objects[i]);
    assert_little_is_warm();
    assert_true(mappings() < mapped + 20);
    if (counts_resident())
        assert_in_range(resident_bytes() - before, count / 2 * size - MIB, runs_held() + 2 * MIB);
    for (size_t i = 1; i < count; i += 2) {
        size_t other = (i * 7919) % count | 1;
        if (objects[other].bytes != NULL)
            drop(&objects[other]);
    }
    drop_all(objects, count);
    assert_little_is_warm();
    assert_true(mappings() < mapped + 20);
    if (counts_resident())
        assert_true(resident_bytes() < before + RUNS_WARM + 3 * MIB);
}

/* Memory just freed is reused as it is, without being cleared. */
static void test_a_warm_run_is_used_again(void **state)
{
    (void)state;
    struct object objects[2];
    make(&objects[0], MIB, 1);
    for (int i = 0; i < 100; i++) {
        unsigned char resident[MIB / RUNS_PAGE];
        drop(&objects[0]);
        uint8_t *memory = runs_take(MIB);
        assert_int_equal(mincore(memory, MIB, resident), 0);
        for (size_t page = 0; page < sizeof resident; page++)
            assert_int_equal(resident[page] & 1, 1);
        runs_give(memory, MIB);
        make(&objects[0], MIB, 1);
    }
    drop(&objects[0]);
}

static void test_largest_have_memory_while_they_live(void **state)
{
    (void)state;
    struct object object;
    size_t held = runs_held(), used = runs_used();
    make(&object, 100 * MIB + 1, 7);
    assert_int_equal(runs_used() - used, 100 * MIB + RUNS_PAGE);
    assert_int_equal(runs_held() - held, 100 * MIB + RUNS_PAGE);
    drop(&object);
    assert_int_equal(runs_held(), held);
}

/* From runs to mappings and back; the object stays aligned to a page and keeps its marks. */
static void test_an_object_gets_another_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {20 * KIB, 5 * MIB, 17 * MIB, 90 * MIB + 5,
                                   40 * MIB, MIB,     70 * KIB};
    size_t used = runs_used();
    struct object object;
    make(&object, sizes[0], 3);
    for (size_t i = 1; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t kept = object.size < sizes[i] ? object.size : sizes[i];
        object.bytes = runs_resize(object.bytes, object.size, sizes[i]);
        assert_int_equal((uintptr_t)object.bytes % RUNS_PAGE, 0);
        assert_int_equal(runs_used() - used, runs_round(sizes[i]));
        for (size_t at = 0; at < kept; at += RUNS_PAGE)
            assert_int_equal(object.bytes[at], 3);
        memset(object.bytes, 3, sizes[i]);
        object.size = sizes[i];
    }
    drop(&object);
    assert_int_equal(runs_used(), used);
}

static void test_a_large_object_grows_without_a_copy(void **state)
{
    (void)state;
    struct object object;
    make(&object, 100 * MIB, 3);
    memset(object.bytes, 3, object.size);
    size_t resident = resident_bytes();
    object.bytes = runs_resize(object.bytes, object.size, 150 * MIB);
    assert_true(resident_bytes() < resident + 10 * MIB);
    object.size = 100 * MIB;
    assert_int_equal(object.bytes[object.size - 1], 3);
    runs_give(object.bytes, 150 * MIB);
}

/* Whole pages only, of an object with a mapping of its own; none of another one. */
static void test_what_is_not_needed_any_more(void **state)
{
    (void)state;
    uint8_t *bytes = runs_take(100 * MIB);
    memset(bytes, 7, 100 * MIB);
    size_t resident = resident_bytes(), used = runs_used();
    runs_discard(100 * MIB, bytes + 10 * MIB + 1, 60 * MIB);
    assert_true(resident_bytes() < resident - 50 * MIB);
    assert_int_equal(runs_used(), used);
    assert_int_equal(bytes[10 * MIB + RUNS_PAGE - 1], 7);
    assert_int_equal(bytes[10 * MIB + RUNS_PAGE], 0);
    assert_int_equal(bytes[70 * MIB - 1], 0);
    assert_int_equal(bytes[70 * MIB], 7);
    runs_discard(100 * MIB, bytes + 1, RUNS_PAGE);
    assert_int_equal(bytes[RUNS_PAGE - 1] + bytes[RUNS_PAGE], 14);
    runs_give(bytes, 100 * MIB);
    bytes = runs_take(MIB);
    memset(bytes, 7, MIB);
    runs_discard(MIB, bytes, MIB);
    assert_int_equal(bytes[MIB / 2], 7);
    runs_give(bytes, MIB);
}

#define OBJECTS 100

static void *churn(void *objects)
{
    struct object *mine = objects;
    uint64_t random = mine[OBJECTS].size;
    churn_for(mine, OBJECTS, &random, 20000);
    drop_all(mine, OBJECTS);
    return NULL;
}

static void test_the_largest_may_be_refused(void **state)
{
    (void)state;
    const size_t size = RUNS_LARGEST + 1;
    if (!ADDRESSES_ARE_LIMITABLE)
        skip();
    assert_true(reserve_take());
    leave_addresses(size + MIB);
    size_t used = runs_used();
    void *first = runs_try(size);
    assert_non_null(first);
    assert_null(runs_try(size));
    assert_false(reserve_is_broken());
    runs_give(first, size);
    assert_int_equal(runs_used(), used);
    leave_addresses(SIZE_MAX);
}

static void test_a_large_object_grows_into_the_reserve(void **state)
{
    (void)state;
    const size_t size = RUNS_LARGEST + 1, larger = 3 * RUNS_LARGEST;
    if (!ADDRESSES_ARE_LIMITABLE)
        skip();
    struct object object;
    make(&object, size, 3);
    assert_true(reserve_take());
    leave_addresses(MIB);
    object.bytes = runs_resize(object.bytes, size, larger);
    assert_true(reserve_is_broken());
    assert_int_equal(object.bytes[0], 3);
    object.bytes[larger - 1] = 4;
    runs_give(object.bytes, larger);
    leave_addresses(SIZE_MAX);
    assert_true(reserve_take());
}

static void test_threads_share_it(void **state)
{
    (void)state;
    enum { THREADS = 3 };
    static struct object objects[THREADS][OBJECTS + 1]; /* the last one's size is the seed */
    size_t used = runs_used();
    uint64_t random = seeded_start();
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        objects[i][OBJECTS].size = seeded_next(&random);
        assert_int_equal(pthread_create(&threads[i], NULL, churn, objects[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(runs_used(), used);
    assert_little_is_warm();
}

static void make_and_drop(size_t count, size_t size)
{
    struct object objects[64];
    assert_true(count <= sizeof objects / sizeof objects[0]);
    for (size_t i = 0; i < count; i++)
        make(&objects[i], size, (uint8_t)i);
    drop_all(objects, count);
}

/* What is freed stays warm until runs_trim() was called twice, up to a limit; or until somebody
 * needs the memory. */
static void test_what_was_just_freed_stays_warm(void **state)
{
    (void)state;
    runs_trim();
    runs_trim();
    assert_little_is_warm();
    make_and_drop(8, 4 * MIB);
    assert_in_range(warm_bytes(), 32 * MIB, 32 * MIB + RUNS_WARM);
    runs_trim();
    assert_in_range(warm_bytes(), 32 * MIB, 32 * MIB + RUNS_WARM);
    size_t before = resident_bytes();
    runs_trim();
    assert_little_is_warm();
    if (counts_resident())
        assert_true(resident_bytes() <= before - 26 * MIB);

    make_and_drop(64, 4 * MIB);
    assert_in_range(warm_bytes(), RUNS_RECENT + 3 * MIB, RUNS_RECENT + RUNS_WARM);
    size_t held = runs_held();
    size_t purged = runs_purge(10 * MIB);
    assert_in_range(held - runs_held(), purged, purged + 64 * MIB / 200);
    assert_in_range(purged, 10 * MIB, 10 * MIB + 256 * KIB);
    assert_true(runs_purge(SIZE_MAX) > 40 * MIB);
    assert_int_equal(runs_purge(SIZE_MAX), 0);
    runs_trim();
    runs_trim();
    assert_little_is_warm();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_size_is_whole_pages),
        cmocka_unit_test(test_objects_of_all_sizes_come_and_go),
        cmocka_unit_test(test_memory_comes_back_at_once),
        cmocka_unit_test(test_a_warm_run_is_used_again),
        cmocka_unit_test(test_largest_have_memory_while_they_live),
        cmocka_unit_test(test_an_object_gets_another_size),
        cmocka_unit_test(test_a_large_object_grows_without_a_copy),
        cmocka_unit_test(test_a_large_object_grows_into_the_reserve),
        cmocka_unit_test(test_what_is_not_needed_any_more),
        cmocka_unit_test(test_the_largest_may_be_refused),
        cmocka_unit_test(test_threads_share_it),
        cmocka_unit_test(test_what_was_just_freed_stays_warm), /* last: from now on it does */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
