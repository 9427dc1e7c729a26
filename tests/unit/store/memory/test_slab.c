/* Tests of store/memory/slab.c: objects do not overlap and are counted exactly, and pages serve any
 * size. */
#include "store/memory/slab.h"

#include "store/memory/heap.h"
#include "store/memory/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/seeded.h"

struct fixture {
    struct pages pages;
    struct slab slab;
};

static int setup(void **state)
{
    static struct fixture fixture;
    pages_init(&fixture.pages, false);
    slab_init(&fixture.slab, &fixture.pages);
    *state = &fixture;
    return 0;
}

/* Whatever a test did, nothing is left at its end. */
static int teardown(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(slab_used(&fixture->slab), 0);
    assert_true(slab_memory(&fixture->slab) <= SLAB_SPARES * PAGES_PAGE_SIZE);
    slab_deinit(&fixture->slab);
    assert_int_equal(slab_memory(&fixture->slab), 0);
    assert_int_equal(fixture->pages.used_count, 0);
    pages_deinit(&fixture->pages);
    return 0;
}

static void test_rounding_wastes_little(void **state)
{
    (void)state;
    size_t former = 0;
    for (size_t size = 1; size <= 100000; size++) {
        size_t rounded = slab_round(size);
        assert_true(rounded >= size);
        assert_true(rounded >= former);
        assert_int_equal(slab_round(rounded), rounded);
        assert_int_equal(rounded % 8, 0);
        size_t waste = rounded - size;
        if (size <= 128)
            assert_true(waste < 8 || rounded == 16);
        else if (size <= HEAP_LARGEST)
            assert_true(waste * 100 <= size * (size <= 512 ? 15 : 26));
        else
            assert_true(waste < PAGES_PAGE_SIZE);
        former = rounded;
    }
}

/* The sizes that the entries of the common keys and values have. */
static void test_objects_fill_their_page(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        size_t size, per_page;
    } cases[] = {{16, 254}, {32, 127}, {56, 72}, {64, 63}, {448, 9}, {1016, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        void *objects[600];
        for (size_t j = 0; j < 2 * cases[i].per_page; j++) {
            assert_int_equal(fixture->pages.used_count,
                             (j + cases[i].per_page - 1) / cases[i].per_page);
            objects[j] = slab_alloc(&fixture->slab, cases[i].size);
        }
        assert_int_equal(slab_used(&fixture->slab), 2 * cases[i].per_page * cases[i].size);
        assert_int_equal(slab_memory(&fixture->slab), 2 * PAGES_PAGE_SIZE);
        for (size_t j = 0; j < 2 * cases[i].per_page; j++)
            slab_free(&fixture->slab, objects[j], cases[i].size);
        slab_deinit(&fixture->slab);
    }
}

static void test_powers_of_two_are_aligned(void **state)
{
    struct fixture *fixture = *state;
    void *objects[300];
    for (size_t size = 16; size <= 64; size *= 2) {
        for (size_t i = 0; i < 300; i++) {
            objects[i] = slab_alloc(&fixture->slab, size);
            assert_int_equal((uintptr_t)objects[i] % size, 0);
        }
        for (size_t i = 0; i < 300; i++)
            slab_free(&fixture->slab, objects[i], size);
    }
}

/* An object of the model; filled with its number. */
struct object {
    uint8_t *bytes; /* NULL = none */
    size_t size;
};

static size_t random_size(uint64_t *random)
{
    switch (seeded_below(random, 4)) {
    case 0:
        return 1 + seeded_below(random, 64);
    case 1:
        return 1 + seeded_below(random, SLAB_LARGEST);
    case 2:
        return 1000 + seeded_below(random, 40);
    default:
        return 1 + seeded_below(random, 20000);
    }
}

static void assert_intact(const struct object *object, unsigned number)
{
    assert_int_equal(object->bytes[0], number % 251);
    assert_memory_equal(object->bytes, object->bytes + 1, object->size - 1);
}

static void make(struct slab *slab, struct object *object, unsigned number, size_t size)
{
    object->bytes = slab_alloc(slab, size);
    object->size = size;
    assert_int_equal((uintptr_t)object->bytes % 8, 0);
    memset(object->bytes, (int)(number % 251), size);
}

static void resize(struct object *object, unsigned number, size_t size)
{
    bool same = slab_round(size) == slab_round(object->size);
    assert_int_equal(slab_resize(object->bytes, object->size, size), same);
    if (!same)
        return;
    object->size = size;
    memset(object->bytes, (int)(number % 251), size);
}

static void test_random_objects_stay_intact(void **state)
{
    struct fixture *fixture = *state;
    enum { OBJECTS = 3000, STEPS = 200000 };
    static struct object objects[OBJECTS];
    uint64_t random = seeded_start();
    for (int step = 0; step < STEPS; step++) {
        /* Shrinks and grows alternately, so that pages become empty. */
        unsigned i = seeded_below(&random, step / 20000 % 2 == 0 ? OBJECTS : OBJECTS / 10);
        struct object *object = &objects[i];
        if (object->bytes == NULL) {
            make(&fixture->slab, object, i, random_size(&random));
            continue;
        }
        assert_intact(object, i);
        if (seeded_below(&random, 3) == 0) {
            resize(object, i, random_size(&random));
            continue;
        }
        slab_free(&fixture->slab, object->bytes, object->size);
        object->bytes = NULL;
    }
    for (unsigned i = 0; i < OBJECTS; i++) {
        if (objects[i].bytes == NULL)
            continue;
        assert_intact(&objects[i], i);
        slab_free(&fixture->slab, objects[i].bytes, objects[i].size);
        objects[i].bytes = NULL;
    }
}

static void test_used_is_what_objects_take(void **state)
{
    struct fixture *fixture = *state;
    for (size_t size = 1; size < 5000; size += 7) {
        void *object = slab_alloc(&fixture->slab, size);
        size_t least = slab_round(size), most = least + (size > SLAB_LARGEST ? 24 : 0);
        assert_in_range(slab_used(&fixture->slab), least, most);
        slab_free(&fixture->slab, object, size);
        assert_int_equal(slab_used(&fixture->slab), 0);
    }
}

static void test_pages_serve_another_size(void **state)
{
    struct fixture *fixture = *state;
    enum { COUNT = 10000 };
    static void *objects[COUNT];
    size_t most = 0;
    for (size_t size = 40; size <= 56; size += 8) {
        for (size_t i = 0; i < COUNT; i++)
            objects[i] = slab_alloc(&fixture->slab, size);
        most = slab_memory(&fixture->slab);
        for (size_t i = 0; i < COUNT; i++)
            slab_free(&fixture->slab, objects[i], size);
        assert_true(slab_memory(&fixture->slab) <= SLAB_SPARES * PAGES_PAGE_SIZE);
    }
    assert_true(most <= (COUNT / 72 + 1) * PAGES_PAGE_SIZE);
    assert_true(pages_memory(&fixture->pages) <= 2 * 2 * 1024 * 1024);
}

/* Frees most of many objects of one size; returns how many are left. */
static size_t thin_out(struct fixture *fixture, struct object *objects, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++)
        make(&fixture->slab, &objects[i], (unsigned)i, size);
    assert_false(slab_is_fragmented(&fixture->slab));
    for (size_t i = 0; i < count; i++) {
        if (i % 8 == 0)
            continue;
        slab_free(&fixture->slab, objects[i].bytes, size);
        objects[i].bytes = NULL;
    }
    return count / 8 * slab_round(size);
}

static void test_moving_gives_memory_back(void **state)
{
    struct fixture *fixture = *state;
    enum { COUNT = 16000 };
    static struct object objects[COUNT];
    static const size_t sizes[] = {40, 900, 1500};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        size_t left = thin_out(fixture, objects, COUNT, sizes[s]), used = slab_used(&fixture->slab);
        assert_true(slab_is_fragmented(&fixture->slab));
        size_t moves = 0;
        for (unsigned i = 0; i < COUNT; i += 8) {
            void *moved = slab_move(&fixture->slab, objects[i].bytes, sizes[s]);
            if (moved != NULL)
                objects[i].bytes = moved;
            moves += moved != NULL;
            assert_intact(&objects[i], i);
        }
        assert_true(moves > COUNT / 20);
        assert_false(slab_is_fragmented(&fixture->slab));
        assert_int_equal(slab_used(&fixture->slab), used);
        assert_true(slab_memory(&fixture->slab) <= left + left / 8 + 64 * 1024);
        for (unsigned i = 0; i < COUNT; i += 8)
            slab_free(&fixture->slab, objects[i].bytes, sizes[s]);
    }
}

static void test_what_lies_well_stays(void **state)
{
    struct fixture *fixture = *state;
    static struct object objects[1000];
    static const size_t sizes[] = {40, 900, 1500, 30000};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (unsigned i = 0; i < 1000; i++)
            make(&fixture->slab, &objects[i], i, sizes[s]);
        for (unsigned i = 0; i < 1000; i++)
            assert_null(slab_move(&fixture->slab, objects[i].bytes, sizes[s]));
        for (unsigned i = 0; i < 1000; i++)
            slab_free(&fixture->slab, objects[i].bytes, sizes[s]);
    }
}

static void test_whole_pages(void **state)
{
    struct fixture *fixture = *state;
    uint8_t *a = slab_alloc_page(&fixture->slab), *b = slab_alloc_page(&fixture->slab);
    assert_int_equal((uintptr_t)a % PAGES_PAGE_SIZE, 0);
    assert_ptr_not_equal(a, b);
    memset(a, 1, PAGES_PAGE_SIZE);
    memset(b, 2, PAGES_PAGE_SIZE);
    assert_int_equal(a[PAGES_PAGE_SIZE - 1], 1);
    assert_int_equal(slab_used(&fixture->slab), 2 * PAGES_PAGE_SIZE);
    slab_free_page(&fixture->slab, a);
    slab_free_page(&fixture->slab, b);
}

static void test_charges_count(void **state)
{
    struct fixture *fixture = *state;
    slab_charge(&fixture->slab, 1000000);
    assert_int_equal(slab_memory(&fixture->slab), 1000000);
    assert_int_equal(slab_used(&fixture->slab), 1000000);
    slab_refund(&fixture->slab, 1000000);
    assert_int_equal(slab_memory(&fixture->slab), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rounding_wastes_little),
        TEST(test_objects_fill_their_page),
        TEST(test_powers_of_two_are_aligned),
        TEST(test_random_objects_stay_intact),
        TEST(test_used_is_what_objects_take),
        TEST(test_pages_serve_another_size),
        TEST(test_moving_gives_memory_back),
        TEST(test_what_lies_well_stays),
        TEST(test_whole_pages),
        TEST(test_charges_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
